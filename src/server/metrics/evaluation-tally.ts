import type { Evaluation, EvaluationReason } from '../../core/evaluate.js';

const noCounts: Readonly<Record<EvaluationReason, number>> = Object.freeze({
  FLAG_NOT_FOUND: 0,
  OVERRIDE: 0,
  DISABLED: 0,
  RULE: 0,
  USER_REQUIRED: 0,
  OUTSIDE_ROLLOUT: 0,
  CONDITIONS_NOT_MET: 0,
  CONDITIONS_MET: 0,
  ROLLOUT: 0,
  ENABLED: 0,
  SPLIT: 0,
});

/** Answers given together, from how many on they are sampled. */
const sampledFrom = 32;
/** One of so many large sets is read, and counts for all of them. */
const sampleRate = 16;

/**
 * Counts answers by reason, since the start. To look at each of a hundred answers takes a tenth of the time that it took
 * to find them, so large sets are sampled, at random: clients that take turns must not hide behind one another.
 */
export class EvaluationTally {
  readonly counts: Record<EvaluationReason, number> = { ...noCounts };
  readonly #random: () => number;

  /** @param random from 0 up to 1. */
  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  add({ reason }: Evaluation): void {
    this.counts[reason] += 1;
  }

  addAll(evaluations: readonly Evaluation[]): void {
    const isLarge = evaluations.length >= sampledFrom;
    if (isLarge && this.#random() * sampleRate >= 1) return;
    const weight = isLarge ? sampleRate : 1;
    for (const { reason } of evaluations) this.counts[reason] += weight;
  }
}
