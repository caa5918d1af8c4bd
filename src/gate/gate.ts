import { FeatureDisabledError } from '../core/errors.js';
import type { FeatureKey } from '../core/feature-key.js';
import type { Features, FeatureUser, RequireOptions } from '../features/features.js';

/** What every form of gate takes. */
export interface GateOptions<Input, User = FeatureUser> extends RequireOptions {
  readonly features: Pick<Features<User>, 'for'>;
  /** Who asks. Not given, or null: somebody anonymous. */
  readonly user?: (input: Input) => User | null | Promise<User | null>;
}

/**
 * Asks whether the feature is on for who is asking: null when the way is open, otherwise what to answer.
 *
 * What `user` throws is thrown on: a program that cannot say who asks has failed, the feature has not.
 */
export async function closedBy<Input, User>(
  key: FeatureKey,
  input: Input,
  options: GateOptions<Input, User>,
): Promise<FeatureDisabledError | null> {
  const user = (await options.user?.(input)) ?? null;
  try {
    await options.features.for(user).require(key, options);
    return null;
  } catch (error) {
    if (error instanceof FeatureDisabledError) return error;
    throw error;
  }
}
