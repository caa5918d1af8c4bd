import { nextOf, type Pullable, type Reader } from '../streams/pulled.js';
import type { Evaluator } from './evaluator.js';
import type { FeaturesUpdate, Subscriber } from './subscriber.js';

/** What the hub does for a subscriber. */
export interface SubscriberHost {
  /** Answers the reader when the subscriber has an update. One at a time. */
  pull(subscriber: Subscriber, reader: Reader<FeaturesUpdate>): void;
  leave(subscriber: Subscriber): void;
  evaluatorOf(subscriber: Subscriber): Evaluator | null;
}

/**
 * The updates of one subscriber: the first is the whole set, each later one a difference. Leaving (`return()`) releases everything at
 * once, also while `next()` waits.
 */
export class FeatureUpdates
  implements AsyncIterableIterator<FeaturesUpdate>, Pullable<FeaturesUpdate>, Reader<FeaturesUpdate>
{
  readonly #subscriber: Subscriber;
  readonly #host: SubscriberHost;
  /** The reader that waits; null while none does. */
  #reader: Reader<FeaturesUpdate> | null = null;
  /** Readers that asked meanwhile: a difference belongs to exactly one answer. Null: none has. */
  #following: Reader<FeaturesUpdate>[] | null = null;

  constructor(subscriber: Subscriber, host: SubscriberHost) {
    this.#subscriber = subscriber;
    this.#host = host;
  }

  /**
   * Answers all flags for this subscriber as they are now, without reading anything: at the revision of its last update or a
   * later one. Null while the user must be read first.
   */
  evaluator(): Evaluator | null {
    return this.#host.evaluatorOf(this.#subscriber);
  }

  pull(reader: Reader<FeaturesUpdate>): void {
    if (this.#reader === null) {
      this.#reader = reader;
      this.#host.pull(this.#subscriber, this);
    } else {
      this.#following ??= [];
      this.#following.push(reader);
    }
  }

  next(): Promise<IteratorResult<FeaturesUpdate>> {
    return nextOf(this);
  }

  async return(): Promise<IteratorResult<FeaturesUpdate>> {
    this.#host.leave(this.#subscriber);
    return { done: true, value: undefined };
  }

  async throw(error: unknown): Promise<IteratorResult<FeaturesUpdate>> {
    this.#host.leave(this.#subscriber);
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** For the hub. */
  take(update: FeaturesUpdate): void {
    this.#answered()?.take(update);
    this.#follow();
  }

  /** For the hub. */
  end(): void {
    this.#answered()?.end();
    this.#follow();
  }

  /** For the hub. */
  fail(error: unknown): void {
    this.#answered()?.fail(error);
    this.#follow();
  }

  #answered(): Reader<FeaturesUpdate> | null {
    const reader = this.#reader;
    this.#reader = null;
    return reader;
  }

  #follow(): void {
    if (this.#reader !== null) return;
    const following = this.#following?.shift();
    if (following !== undefined) this.pull(following);
  }
}
