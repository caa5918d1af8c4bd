import { type Evaluation, evaluate, flagNotFound, type Subject } from '../core/evaluate.js';
import type { FeatureObserver } from './observer.js';
import type { Snapshot } from './snapshot.js';

/** Told of each evaluation: the answer, and whom it is for. Must not throw and should be quick. */
export type OnEvaluation = (evaluation: Evaluation, subject: Subject) => void;

export interface EvaluatorOptions {
  /** The answer for a flag that does not exist. */
  readonly defaultEnabled: boolean;
  readonly onEvaluation?: OnEvaluation | undefined;
  readonly observer?: FeatureObserver | undefined;
}

/** Answers for one subject at one revision and one instant: however many flags are asked, they belong together. */
export class Evaluator {
  readonly #snapshot: Snapshot;
  readonly #defaultEnabled: boolean;
  readonly #onEvaluation: OnEvaluation | undefined;
  readonly #observer: FeatureObserver | undefined;

  constructor(
    snapshot: Snapshot,
    readonly subject: Subject,
    /** Milliseconds since the epoch: what overrides are expired. */
    readonly now: number,
    options: EvaluatorOptions,
  ) {
    this.#snapshot = snapshot;
    this.#defaultEnabled = options.defaultEnabled;
    this.#onEvaluation = options.onEvaluation;
    this.#observer = options.observer;
  }

  /** The revision of the change log that these answers stand on. */
  get revision(): number {
    return this.#snapshot.revision;
  }

  /** @param fallback the answer for a flag that does not exist, in place of the general default. */
  evaluate(key: string, fallback: boolean = this.#defaultEnabled): Evaluation {
    const evaluation = this.#evaluate(key, fallback);
    this.#observer?.evaluated(evaluation);
    return evaluation;
  }

  /** All flags, sorted by key; or these, in the order asked. */
  evaluateAll(keys?: readonly string[] | null): Evaluation[] {
    const evaluations =
      keys == null ? this.#evaluateEvery() : keys.map(key => this.#evaluate(key, this.#defaultEnabled));
    this.#observer?.evaluatedAll(evaluations);
    return evaluations;
  }

  /** The same as `{ key: enabled }`. */
  evaluateMap(keys?: readonly string[] | null): Record<string, boolean> {
    const evaluations = this.evaluateAll(keys);
    if (keys != null) return featureMap(evaluations);
    const map = { ...allOff(this.#snapshot.flags) };
    for (const { key, enabled } of evaluations) if (enabled) map[key] = true;
    return map;
  }

  #evaluate(key: string, fallback: boolean): Evaluation {
    const flag = this.#snapshot.get(key);
    const evaluation = flag === undefined ? flagNotFound(key, fallback) : evaluate(flag, this.subject, this.now);
    this.#onEvaluation?.(evaluation, this.subject);
    return evaluation;
  }

  #evaluateEvery(): Evaluation[] {
    return this.#snapshot.flags.map(flag => {
      const evaluation = evaluate(flag, this.subject, this.now);
      this.#onEvaluation?.(evaluation, this.subject);
      return evaluation;
    });
  }
}

/**
 * `{ key: enabled }`. An object whose keys are all its own: a flag may be called `__proto__` nowhere, but a caller may
 * ask for one.
 */
export function featureMap(evaluations: readonly Evaluation[]): Record<string, boolean> {
  return Object.fromEntries(evaluations.map(({ key, enabled }) => [key, enabled]));
}

const patterns = new WeakMap<Snapshot['flags'], Readonly<Record<string, boolean>>>();

/**
 * What maps of these flags are copied from: several times quicker than building each key by key, and so is writing the
 * copy as JSON, as all have one hidden class. The copy of an object has one even where what was built has not.
 */
function allOff(flags: Snapshot['flags']): Readonly<Record<string, boolean>> {
  let pattern = patterns.get(flags);
  if (pattern === undefined) {
    pattern = { ...Object.fromEntries(flags.map(({ key }) => [key, false])) };
    patterns.set(flags, pattern);
  }
  return pattern;
}
