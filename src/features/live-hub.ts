import type { Targeting } from '../backends/backend.js';
import { type Evaluation, evaluate, flagNotFound, type Subject } from '../core/evaluate.js';
import { pulled } from '../streams/pulled.js';
import { Slice } from '../streams/slices.js';
import { Answers } from './answers.js';
import type { OnEvaluation } from './evaluator.js';
import type { Log } from './log.js';
import type { FeatureObserver } from './observer.js';
import type { Applied, Replica } from './replica.js';
import { type Audience, type FeaturesUpdate, type SubscribeOptions, Subscriber } from './subscriber.js';

export interface LiveHubOptions {
  readonly replica: Replica;
  readonly loadTargeting: (userId: string | null) => Promise<Targeting>;
  readonly defaultEnabled: boolean;
  readonly onEvaluation?: OnEvaluation | undefined;
  readonly observer?: FeatureObserver | undefined;
  readonly log: Log;
  readonly now: () => number;
}

/** Updates handed over before other work gets its turn: what is done with each costs several times its evaluation. */
const sliceUpdates = 100;
/** Milliseconds until a failed load of targeting is tried again. */
const retryDelay = 1_000;
/**
 * Timers do not notice a clock that is set, or a machine that was asleep: what is due is looked at again after so many
 * milliseconds at most.
 */
const longestDelay = 1_000;

/**
 * Hands each subscriber its own answers again when they change.
 *
 * A change marks the subscribers that it touches. Those that wait are re-evaluated together, in slices; the others when
 * they ask next. What holds is compared with what was handed over, so a slow subscriber gets one difference over all that
 * happened meanwhile, and nobody gets an update in which nothing changed.
 */
export class LiveHub {
  readonly #options: LiveHubOptions;
  readonly #subscribers = new Set<Subscriber>();
  readonly #byUser = new Map<string, Set<Subscriber>>();
  /** Waiting subscribers with something to evaluate. */
  readonly #due = new Set<Subscriber>();
  /** Waiting subscribers whose targeting could not be loaded. */
  readonly #failed = new Set<Subscriber>();
  /** By subscriber, when the next of its overrides ends. */
  readonly #expiries = new Map<Subscriber, number>();
  readonly #stopListening: () => void;
  #slice: NodeJS.Immediate | null = null;
  #retry: NodeJS.Timeout | null = null;
  #expiry: NodeJS.Timeout | null = null;
  /** The last update of one answer alone. */
  #last: FeaturesUpdate | null = null;
  #isClosed = false;

  constructor(options: LiveHubOptions) {
    this.#options = options;
    this.#stopListening = options.replica.onApplied(applied => this.#touch(applied));
  }

  /** How many subscribers there are. */
  get size(): number {
    return this.#subscribers.size;
  }

  /**
   * The first update is the whole set, each later one a difference. Leaving (`return()`) releases everything at once, also
   * while `next()` waits.
   */
  subscribe(audience: Audience, options: SubscribeOptions = {}): AsyncIterableIterator<FeaturesUpdate> {
    const subscriber = new Subscriber(audience, options);
    if (this.#isClosed) subscriber.isClosed = true;
    else this.#enter(subscriber);
    // One pull at a time, whatever the consumer does: a difference belongs to exactly one answer.
    let last: Promise<unknown> = Promise.resolve();
    const next = () => {
      const pull = last.then(() => this.#pull(subscriber));
      last = pull.catch(() => {});
      return pull;
    };
    return pulled(next, () => this.#leave(subscriber));
  }

  /** Ends every subscription. */
  close(): void {
    this.#isClosed = true;
    this.#stopListening();
    for (const subscriber of [...this.#subscribers]) this.#leave(subscriber);
    if (this.#slice !== null) clearImmediate(this.#slice);
    if (this.#retry !== null) clearTimeout(this.#retry);
    if (this.#expiry !== null) clearTimeout(this.#expiry);
  }

  #enter(subscriber: Subscriber): void {
    this.#subscribers.add(subscriber);
    const { userId } = subscriber.audience;
    if (userId === null) return;
    const same = this.#byUser.get(userId);
    if (same === undefined) this.#byUser.set(userId, new Set([subscriber]));
    else same.add(subscriber);
  }

  #leave(subscriber: Subscriber): void {
    if (subscriber.isClosed) return;
    subscriber.isClosed = true;
    this.#subscribers.delete(subscriber);
    this.#due.delete(subscriber);
    this.#failed.delete(subscriber);
    this.#expiries.delete(subscriber);
    const { userId } = subscriber.audience;
    if (userId !== null) {
      const same = this.#byUser.get(userId);
      same?.delete(subscriber);
      if (same?.size === 0) this.#byUser.delete(userId);
    }
    subscriber.pull?.resolve({ done: true, value: undefined });
    subscriber.pull = null;
  }

  async #pull(subscriber: Subscriber): Promise<IteratorResult<FeaturesUpdate>> {
    if (subscriber.handed === null && !subscriber.isClosed) {
      try {
        await this.#options.replica.refresh();
        // A log that ends before it is another history (a restored database): the whole set is right there too.
        await this.#options.replica.reach(subscriber.sinceRevision);
      } catch (error) {
        this.#leave(subscriber);
        throw error;
      }
    }
    if (subscriber.isClosed) return { done: true, value: undefined };
    return new Promise((resolve, reject) => {
      subscriber.pull = { resolve, reject };
      if (subscriber.stale !== 'nothing') this.#schedule(subscriber);
    });
  }

  #touch({ flags, userIds }: Applied): void {
    if (flags.size > 0) {
      for (const subscriber of this.#subscribers) {
        if (subscriber.keys?.some(key => flags.has(key)) ?? true) this.#touched(subscriber, flags);
      }
    }
    for (const subscriber of this.#ofUsers(userIds)) {
      subscriber.touchUser();
      this.#touched(subscriber, null);
    }
  }

  #touched(subscriber: Subscriber, flags: Applied['flags'] | null): void {
    if (flags !== null) subscriber.touchFlags(flags);
    if (subscriber.pull !== null) this.#schedule(subscriber);
  }

  *#ofUsers(userIds: ReadonlySet<string> | null): Iterable<Subscriber> {
    if (userIds === null) {
      yield* this.#subscribers;
      return;
    }
    for (const userId of userIds) yield* this.#byUser.get(userId) ?? [];
  }

  #schedule(subscriber: Subscriber): void {
    this.#due.add(subscriber);
    subscriber.dueSince ??= performance.now();
    this.#slice ??= setImmediate(() => this.#work());
  }

  #work(): void {
    this.#slice = null;
    const slice = new Slice();
    let updates = 0;
    for (const subscriber of this.#due) {
      this.#due.delete(subscriber);
      if (subscriber.subject === null) void this.#load(subscriber);
      else if (this.#answer(subscriber, subscriber.subject)) updates += 1;
      if (updates === sliceUpdates || slice.isOver) break;
    }
    if (this.#due.size > 0) this.#slice ??= setImmediate(() => this.#work());
    this.#armExpiry();
  }

  async #load(subscriber: Subscriber): Promise<void> {
    if (subscriber.isLoading) return;
    subscriber.isLoading = true;
    const { touches, audience } = subscriber;
    try {
      const targeting = await this.#options.loadTargeting(audience.userId);
      if (touches === subscriber.touches) subscriber.subject = audience.subject(targeting);
    } catch (error) {
      this.#loadFailed(subscriber, error);
      return;
    } finally {
      subscriber.isLoading = false;
    }
    if (subscriber.pull !== null) this.#schedule(subscriber);
  }

  // Who has nothing yet is told; who has answers keeps them until the store can be asked again.
  #loadFailed(subscriber: Subscriber, error: unknown): void {
    if (subscriber.isClosed) return;
    if (subscriber.handed === null) {
      subscriber.pull?.reject(error);
      subscriber.pull = null;
      this.#leave(subscriber);
      return;
    }
    this.#failed.add(subscriber);
    if (this.#retry !== null) return;
    this.#options.log.warn({ err: error }, 'targeting cannot be loaded; subscribers keep their last answers');
    this.#retry = setTimeout(() => {
      this.#retry = null;
      const failed = [...this.#failed];
      this.#failed.clear();
      for (const again of failed) this.#schedule(again);
    }, retryDelay).unref();
  }

  /** Hands over what is different; false when nothing is. */
  #answer(subscriber: Subscriber, subject: Subject): boolean {
    const { dueSince } = subscriber;
    subscriber.dueSince = null;
    if (subscriber.pull === null) return false;
    const now = this.#options.now();
    // What has expired is no longer the next to expire, so it must not wait for its timer.
    if ((this.#expiries.get(subscriber) ?? Number.POSITIVE_INFINITY) <= now) subscriber.stale = 'everything';
    const expiry = subscriber.nextExpiry(now);
    if (expiry === null) this.#expiries.delete(subscriber);
    else this.#expiries.set(subscriber, expiry);
    const update = this.#difference(subscriber, subject, now);
    if (update === null) return false;
    subscriber.pull.resolve({ done: false, value: update });
    subscriber.pull = null;
    if (dueSince !== null) this.#options.observer?.pushed(update, performance.now() - dueSince);
    return true;
  }

  /** What is different from what was handed over, which it then counts as; null when nothing is. */
  #difference(subscriber: Subscriber, subject: Subject, now: number): FeaturesUpdate | null {
    const { snapshot } = this.#options.replica;
    const { stale, keys } = subscriber;
    const isFirst = subscriber.handed === null;
    const handed = subscriber.handed ?? new Answers();
    const features: Evaluation[] = [];
    const removed: string[] = [];

    const consider = (key: string) => {
      const flag = snapshot.get(key);
      if (flag === undefined && keys === null) {
        if (handed.delete(key)) removed.push(key);
        return;
      }
      const evaluation =
        flag === undefined
          ? flagNotFound(key, subscriber.fallback ?? this.#options.defaultEnabled)
          : evaluate(flag, subject, now);
      const before = handed.get(key);
      if (before !== undefined && subscriber.isSame(before, evaluation)) return;
      handed.set(evaluation);
      features.push(evaluation);
      this.#options.onEvaluation?.(evaluation, subject);
    };

    if (keys !== null) {
      for (const key of keys) if (isStale(stale, key)) consider(key);
    } else if (typeof stale === 'object') {
      for (const key of [...stale.keys()].sort()) consider(key);
    } else if (stale === 'everything') {
      for (const { key } of snapshot.flags) consider(key);
      for (const key of handed.keys()) if (snapshot.get(key) === undefined) consider(key);
    }

    subscriber.stale = 'nothing';
    subscriber.handed = handed;
    if (!isFirst && features.length === 0 && removed.length === 0) return null;
    return this.#same({ revision: snapshot.revision, snapshot: isFirst, features, removed });
  }

  /** One flag turned on for all is one update, handed to thousands: what is made of it once need not be made again. */
  #same(update: FeaturesUpdate): FeaturesUpdate {
    const { revision, snapshot, features, removed } = update;
    if (snapshot || features.length !== 1 || removed.length > 0) return update;
    if (this.#last?.revision !== revision || this.#last.features[0] !== features[0]) this.#last = update;
    return this.#last;
  }

  // One timer for everybody, set to the first override that ends.
  #armExpiry(): void {
    if (this.#expiry !== null) clearTimeout(this.#expiry);
    this.#expiry = null;
    if (this.#expiries.size === 0) return;
    let first = Number.POSITIVE_INFINITY;
    for (const expiry of this.#expiries.values()) if (expiry < first) first = expiry;
    const delay = Math.min(Math.max(first - this.#options.now(), 0), longestDelay);
    this.#expiry = setTimeout(() => this.#expire(), delay).unref();
  }

  #expire(): void {
    const now = this.#options.now();
    for (const [subscriber, expiry] of this.#expiries) {
      if (expiry > now) continue;
      this.#expiries.delete(subscriber);
      subscriber.stale = 'everything';
      this.#touched(subscriber, null);
    }
    this.#armExpiry();
  }
}

function isStale(stale: Subscriber['stale'], key: string): boolean {
  return stale === 'everything' || (typeof stale === 'object' && stale.has(key));
}
