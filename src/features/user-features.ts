import { type ClosedAnswer, FeatureDisabledError, UnavailableError } from '../core/errors.js';
import { type Evaluation, identicalAnswer } from '../core/evaluate.js';
import type { FeatureKey, ValueOf, ValueOrFallback } from '../core/feature-key.js';
import type { Json } from '../core/json.js';
import type { Evaluator, FeatureExplanation } from './evaluator.js';
import type { EvaluationContext, FeatureService } from './service.js';
import type { FeaturesUpdate } from './subscriber.js';
import type { ValueReader } from './value-reader.js';
import type { UpdatesOptions } from './watch.js';

/** The answers of one user at one revision, as plain JSON: `bootstrap` of `@halyard/client` takes it. */
export interface FeaturesSnapshot {
  /** The id that the user is known by; empty for an anonymous user. */
  readonly subject: string;
  /** The revision of the change log that all answers are computed from. */
  readonly revision: number;
  /** By key, for all features. */
  readonly answers: Readonly<Record<string, SnapshotAnswer>>;
}

/** What a viewer may know of an answer: nothing of rules. */
export type SnapshotAnswer = Pick<Evaluation, 'enabled' | 'value' | 'variant' | 'reason'>;

/** How {@link UserFeatures.require} answers when the feature is off. */
export interface RequireOptions extends ClosedAnswer {
  /** Whether the gate is open if the feature cannot be determined, as in an outage. Default `'closed'`. */
  readonly whenUnknown?: 'closed' | 'open';
}

/** The features of one user. Every call answers from the current state. */
export class UserFeatures {
  readonly #service: FeatureService;
  readonly #context: EvaluationContext;
  readonly #valueReader: ValueReader;

  constructor(service: FeatureService, context: EvaluationContext, valueReader: ValueReader) {
    this.#service = service;
    this.#context = context;
    this.#valueReader = valueReader;
  }

  /**
   * Whether a feature is on.
   * @param fallback the answer if there is no such flag, instead of `defaultEnabled`.
   * @throws UnavailableError if the user is not in memory yet and the database cannot be reached.
   */
  async isEnabled(key: FeatureKey, fallback?: boolean): Promise<boolean> {
    return (await this.evaluate(key, fallback)).enabled;
  }

  /**
   * The value of a feature: that of the user's variant, or of the off variant if the feature is off. Objects and lists are frozen.
   * @param fallback the answer if there is no such flag, if its stored variants are not valid, and if its value has another JSON type
   *   (boolean, text, number, object, list), which is logged once for each flag.
   * @throws UnavailableError if the user is not in memory yet and the database cannot be reached.
   * @throws TypeError for a fallback that no flag can have as its value, such as null.
   *
   * @example
   * const colour = await features.for(user).value('button_colour', '#00f');
   */
  async value<Key extends FeatureKey, Fallback extends ValueOf<Key>>(
    key: Key,
    fallback: Fallback,
  ): Promise<ValueOrFallback<Key, Fallback>> {
    return this.#valueReader.read(await this.evaluate(key), fallback) as ValueOrFallback<Key, Fallback>;
  }

  /** The answer with its value, its variant and its reason. */
  async evaluate(key: FeatureKey, fallback?: boolean): Promise<Evaluation> {
    return (await this.#evaluator()).evaluate(key, fallback);
  }

  /**
   * The answer with what each step of the evaluation saw, and a text in plain English that says why. For support and debugging: it
   * costs many times as much as {@link evaluate}, and `onEvaluation` is not called. The text tells of attributes, groups and
   * rules: do not show it to users as it is.
   * @throws UnavailableError if the user is not in memory yet and the database cannot be reached.
   *
   * @example
   * const { text } = await features.for(user).explain('new_checkout');
   */
  async explain(key: FeatureKey): Promise<FeatureExplanation> {
    return this.#service.explain(this.#context, key);
  }

  /** Whether each feature is on, for all features, by key. */
  async getAll(): Promise<Record<string, boolean>> {
    return (await this.#evaluator()).evaluateMap();
  }

  /** The value of each feature, for all features, by key. Null: the stored variants of the flag are not valid. */
  async values(): Promise<Record<string, Json>> {
    return (await this.#evaluator()).evaluateValues();
  }

  /**
   * The answers for all features, for a page that this program renders: plain JSON, without rules. The page passes it to
   * `@halyard/client` as `bootstrap`.
   * @throws UnavailableError if the user is not in memory yet and the database cannot be reached.
   *
   * @example
   * const bootstrap = await features.for(user).snapshot();
   */
  async snapshot(): Promise<FeaturesSnapshot> {
    const evaluator = await this.#evaluator();
    const answers = evaluator
      .evaluateAll()
      .map(({ key, enabled, value, variant, reason }): [string, SnapshotAnswer] => [
        key,
        { enabled, value, variant, reason },
      ]);
    return {
      subject: evaluator.subject.userId ?? '',
      revision: evaluator.revision,
      answers: Object.fromEntries(answers),
    };
  }

  /**
   * Resolves only if the feature is on. By default it also rejects if that cannot be determined, as in an outage.
   * @throws FeatureDisabledError with the fields that every gate needs for its answer.
   */
  async require(key: FeatureKey, options: RequireOptions = {}): Promise<void> {
    try {
      if (await this.isEnabled(key)) return;
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      if (options.whenUnknown === 'open') return;
      throw new FeatureDisabledError(key, options, { cause: error });
    }
    throw new FeatureDisabledError(key, options);
  }

  /**
   * First all answers, then each time only the answers that changed since the last update. A slow reader gets one update for
   * all changes in between. Ends when the features are closed. Leaving the loop releases everything.
   *
   * The first update rejects with `UnavailableError` if the user is not in memory yet and the database cannot be reached.
   * Later outages only delay updates.
   */
  updates({ keys }: UpdatesOptions = {}): AsyncIterableIterator<FeaturesUpdate> {
    return this.#service.subscribe(this.#context, { keys: keys ?? null, isSame: identicalAnswer });
  }

  async #evaluator(): Promise<Evaluator> {
    return this.#service.evaluator(this.#context);
  }
}
