import { FeatureDisabledError } from '../core/errors.js';
import type { FeatureKey } from '../core/feature-key.js';
import type { Features, FeatureUser, RequireOptions } from '../features/features.js';

/** The options of every form of gate. */
export interface GateOptions<Input, User = FeatureUser> extends RequireOptions {
  readonly features: Pick<Features<User>, 'for'>;
  /** Returns the user who makes the request. Omitted, null or undefined: an anonymous user. */
  readonly user?: (input: Input) => User | null | undefined | Promise<User | null | undefined>;
}

/**
 * Checks whether the feature is on for the user: null if it is, otherwise the error that the gate answers with.
 *
 * Errors that `user` throws are thrown on: they are failures of the program and say nothing about the feature.
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
