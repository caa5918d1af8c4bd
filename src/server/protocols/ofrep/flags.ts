import type { Evaluator } from '../../../features/evaluator.js';
import type { FeatureUpdates } from '../../../features/feature-updates.js';
import type { EvaluationContext } from '../../../features/service.js';
import type { SubscribeOptions } from '../../../features/subscriber.js';
import type { Usage } from '../../../features/usage.js';
import type { Questions } from '../../../features/usage-counter.js';

/** What OFREP needs of flags. `FeatureService` is this. */
export interface OfrepFlags {
  /** The revision of the change log that answers are computed from now. */
  readonly revision: number;
  /** Resolves once answers are no older than this revision, or the log has been read to its end. */
  reach(revision: number): Promise<void>;
  /** All answers to a user, with the same context, are unchanged while this returns the same object. Null: not known. */
  stamp(userId: string | null): object | null;
  readonly usage: Pick<Usage, 'questionsOf'>;
  evaluator(context: EvaluationContext, questions: Questions): Evaluator | Promise<Evaluator>;
  subscribe(context: EvaluationContext, options?: SubscribeOptions): FeatureUpdates;
  /** Calls the listener when definitions of flags have changed, until the returned function is called. */
  onFlagsChanged(listener: () => void): () => void;
}
