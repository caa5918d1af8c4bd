import type { Evaluation } from '../core/evaluate.js';
import type { FeaturesUpdate } from './subscriber.js';

/** Told of what a service does, so that it can be counted. Must not throw and should take nanoseconds. */
export interface FeatureObserver {
  /** One flag was evaluated for an answer. */
  evaluated(evaluation: Evaluation): void;
  /** Many were, for one answer. */
  evaluatedAll(evaluations: readonly Evaluation[]): void;
  /**
   * A subscriber was handed an update.
   * @param delay milliseconds since the change was applied, or since the subscriber asked, whichever came later.
   */
  pushed(update: FeaturesUpdate, delay: number): void;
}
