import type { Evaluation } from '../core/evaluate.js';
import type { Subject } from '../core/subject.js';
import type { FeaturesUpdate } from './subscriber.js';

/** Told of each evaluation: the answer, and the subject that it is for. Must not throw and should be quick. */
export type OnEvaluation = (evaluation: Evaluation, subject: Subject) => void;

/** Told of the answers of a service. Its methods must not throw, and should take nanoseconds. */
export interface FeatureObserver {
  /** Whether it must hear of every answer: then no answer is given again without an evaluation. */
  readonly seesEveryAnswer: boolean;
  /** One flag was evaluated for an answer. */
  onEvaluated(evaluation: Evaluation, subject: Subject): void;
  /** Many flags were evaluated for one answer. */
  onEvaluatedAll(evaluations: readonly Evaluation[], subject: Subject): void;
  /**
   * A subscriber was handed an update.
   * @param delay milliseconds since the change was applied, or since the subscriber asked, whichever came later.
   */
  onPushed(update: FeaturesUpdate, subject: Subject, delay: number): void;
}

/** An observer that tells a function of each evaluation. */
export function observeEach(tell: OnEvaluation): FeatureObserver {
  const tellAll = (evaluations: readonly Evaluation[], subject: Subject) => {
    for (const evaluation of evaluations) tell(evaluation, subject);
  };
  return {
    seesEveryAnswer: true,
    onEvaluated: tell,
    onEvaluatedAll: tellAll,
    onPushed: ({ features }, subject) => tellAll(features, subject),
  };
}
