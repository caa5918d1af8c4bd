import type { Override } from '../backends/backend.js';
import { type Evaluation, evaluate, flagNotFound } from '../core/evaluate.js';
import { type Explanation, explain, explainNotFound } from '../core/explain.js';
import type { Json } from '../core/json.js';
import type { Subject } from '../core/subject.js';
import type { KeptMaps, MapBasis } from './kept-maps.js';
import type { FeatureObserver } from './observer.js';
import type { Snapshot } from './snapshot.js';
import type { QuestionListener } from './usage-counter.js';

export interface EvaluatorOptions {
  /** The answer for a flag that does not exist. */
  readonly defaultEnabled: boolean;
  readonly observers: readonly FeatureObserver[];
}

/** An answer with its reasons, and the revision of the change log that both are computed from. */
export interface FeatureExplanation extends Explanation<Override> {
  readonly revision: number;
}

/**
 * The answer for one key, for the evaluator and the live hub alike.
 * @param now milliseconds since the epoch.
 * @param fallback the answer for a flag that does not exist.
 */
export function answerKey(
  snapshot: Snapshot,
  key: string,
  subject: Subject,
  now: number,
  fallback: boolean,
): Evaluation {
  const flag = snapshot.get(key);
  return flag === undefined ? flagNotFound(key, fallback) : evaluate(flag, subject, now);
}

/** Where the whole map of one subject is kept, and on what it depends. */
export interface SharedMaps {
  readonly maps: KeptMaps;
  readonly basis: MapBasis;
}

/** Answers for one subject at one revision and one instant: however many flags are asked, they belong together. */
export class Evaluator {
  readonly #snapshot: Snapshot;
  readonly #options: EvaluatorOptions;
  readonly #questions: QuestionListener;
  readonly #shared: SharedMaps | null;

  /**
   * @param questions hears which flags are named, for the count of their uses.
   * @param shared where the whole map of this subject is kept. Null: it is made each time.
   */
  constructor(
    snapshot: Snapshot,
    readonly subject: Subject,
    /** Milliseconds since the epoch: decides which overrides have expired. */
    readonly now: number,
    options: EvaluatorOptions,
    questions: QuestionListener,
    shared: SharedMaps | null = null,
  ) {
    this.#snapshot = snapshot;
    this.#options = options;
    this.#questions = questions;
    this.#shared = shared;
  }

  /** The revision of the change log that these answers are computed from. */
  get revision(): number {
    return this.#snapshot.revision;
  }

  /** Whether a flag has numbers as values, and any of them is no integer. */
  hasFractions(key: string): boolean {
    const { type, variants } = this.#snapshot.get(key)?.definition ?? {};
    return type === 'NUMBER' && variants !== undefined && variants.some(({ value }) => !Number.isInteger(value));
  }

  /** @param fallback the answer for a flag that does not exist, in place of the general default. */
  evaluate(key: string, fallback: boolean = this.#options.defaultEnabled): Evaluation {
    const evaluation = answerKey(this.#snapshot, key, this.subject, this.now, fallback);
    for (const observer of this.#options.observers) observer.onEvaluated(evaluation, this.subject);
    this.#questions.onNamed(evaluation, this.now);
    return evaluation;
  }

  /**
   * The answer for one key, and what each step saw. Observers are not told of it, and it is no use of the flag.
   * @param override the override of the subject as it is stored. Null: none, or unknown.
   */
  explain(key: string, override: Override | null): FeatureExplanation {
    const flag = this.#snapshot.get(key);
    const explanation =
      flag === undefined
        ? explainNotFound(key, this.#options.defaultEnabled)
        : explain(flag, this.subject, this.now, override);
    return { ...explanation, revision: this.revision };
  }

  /** All flags, sorted by key; or these, in the order asked. */
  evaluateAll(keys?: readonly string[] | null): Evaluation[] {
    const { defaultEnabled, observers } = this.#options;
    const { subject, now } = this;
    const snapshot = this.#snapshot;
    const evaluations =
      keys == null
        ? snapshot.flags.map(flag => evaluate(flag, subject, now))
        : keys.map(key => answerKey(snapshot, key, subject, now, defaultEnabled));
    for (const observer of observers) observer.onEvaluatedAll(evaluations, subject);
    const questions = this.#questions;
    if (keys == null) questions.onMap(now);
    else for (const evaluation of evaluations) questions.onNamed(evaluation, now);
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

  /** The same for all flags, as an object that others may get too: nobody may change it. */
  sharedMap(): Readonly<Record<string, boolean>> {
    if (this.#shared === null) return this.evaluateMap();
    const { maps, basis } = this.#shared;
    const known = maps.recall(basis);
    if (known !== undefined) {
      this.#questions.onMap(this.now);
      return known;
    }
    const map = this.evaluateMap();
    maps.keep(basis, map);
    return map;
  }

  /** The same as `{ key: value }`. */
  evaluateValues(keys?: readonly string[] | null): Record<string, Json> {
    return featureValues(this.evaluateAll(keys));
  }
}

/** `{ key: value }`, with null where no flag has the key. */
export function featureValues(evaluations: readonly Evaluation[]): Record<string, Json> {
  return Object.fromEntries(evaluations.map(({ key, value }) => [key, value]));
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
 * The map that maps of these flags are copied from: several times quicker than building each key by key. Writing a copy as
 * JSON is quicker too, because all copies have one hidden class, even if the object that was built key by key has none.
 */
function allOff(flags: Snapshot['flags']): Readonly<Record<string, boolean>> {
  let pattern = patterns.get(flags);
  if (pattern === undefined) {
    pattern = { ...Object.fromEntries(flags.map(({ key }) => [key, false])) };
    patterns.set(flags, pattern);
  }
  return pattern;
}
