import { FeatureDisabledError } from '../core/errors.js';
import type { FeatureKey } from '../core/feature-key.js';
import type { Features, FeatureUser } from '../features/features.js';
import type { RequireOptions } from '../features/user-features.js';

/** The options of every form of gate. */
export interface GateOptions<Input, User = FeatureUser> extends RequireOptions {
  readonly features: Pick<Features<User>, 'for'>;
  /** Returns the user who makes the request. Omitted, null or undefined: an anonymous user. */
  readonly user?: (input: Input) => User | null | undefined | Promise<User | null | undefined>;
  /**
   * Returns the id of the device that the request comes from, such as from a cookie; `isDevice` checks it. Rollouts hash it for
   * anonymous users. Omitted, null or undefined: not known.
   */
  readonly device?: (input: Input) => string | null | undefined | Promise<string | null | undefined>;
}

/** The subject of a gate: its user, and the device that the request comes from. */
export interface GateSubject<User> {
  readonly user: User | null;
  readonly device: string | null;
}

/** Errors that `user` and `device` throw are thrown on: they are failures of the program and say nothing about the feature. */
export async function subjectOf<Input, User>(
  input: Input,
  { user, device }: Pick<GateOptions<Input, User>, 'user' | 'device'>,
): Promise<GateSubject<User>> {
  return { user: (await user?.(input)) ?? null, device: (await device?.(input)) ?? null };
}

/**
 * Checks whether the feature is on for the subject: null if it is, otherwise the error that the gate answers with.
 * @throws ValidationError with the path `device` for a device that is not well-formed, and with `id` for such a user.
 */
export async function closedFor<User>(
  key: FeatureKey,
  { user, device }: GateSubject<User>,
  options: Omit<GateOptions<never, User>, 'user' | 'device'>,
): Promise<FeatureDisabledError | null> {
  try {
    await options.features.for(user, { device }).require(key, options);
    return null;
  } catch (error) {
    if (error instanceof FeatureDisabledError) return error;
    throw error;
  }
}
