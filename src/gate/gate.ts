import { type ClosedAnswer, FeatureDisabledError, UnavailableError } from '../core/errors.js';
import type { FeatureKey } from '../core/feature-key.js';
import type { Features, FeatureUser } from '../features/features.js';

/** What every form of gate takes. */
export interface GateOptions<Subject, User = FeatureUser> extends ClosedAnswer {
  readonly features: Pick<Features<User>, 'for'>;
  /** Who asks. Not given, or null: somebody anonymous. */
  readonly user?: (subject: Subject) => User | null | Promise<User | null>;
  /** Whether to let through when the feature cannot be determined, as in an outage. Default `'closed'`. */
  readonly whenUnknown?: 'closed' | 'open';
}

/**
 * Asks whether the feature is on for who is asking: null when the way is open, otherwise what to answer.
 *
 * What `user` throws is thrown on: a program that cannot say who asks has failed, the feature has not.
 */
export async function closedBy<Subject, User>(
  key: FeatureKey,
  subject: Subject,
  options: GateOptions<Subject, User>,
): Promise<FeatureDisabledError | null> {
  const user = (await options.user?.(subject)) ?? null;
  try {
    return (await options.features.for(user).isEnabled(key)) ? null : new FeatureDisabledError(key, options);
  } catch (error) {
    if (!(error instanceof UnavailableError)) throw error;
    return options.whenUnknown === 'open' ? null : new FeatureDisabledError(key, options, { cause: error });
  }
}
