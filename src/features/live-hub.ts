// Over 300 lines: the transitions of subscribers belong together, and their order is what keeps answers right.
import type { Targeting } from '../backends/backend.js';
import type { Evaluation } from '../core/evaluate.js';
import type { Log } from '../core/log.js';
import type { Subject } from '../core/subject.js';
import type { Reader } from '../streams/pulled.js';
import { TimeSlice } from '../streams/slices.js';
import type { AudienceTally } from './audience.js';
import { answerKey, Evaluator } from './evaluator.js';
import { FeatureUpdates, type SubscriberHost } from './feature-updates.js';
import { LastAnswers } from './last-answers.js';
import type { FeatureObserver } from './observer.js';
import { ReceiptLedger } from './receipt-ledger.js';
import type { Applied, Replica } from './replica.js';
import { type Audience, type FeaturesUpdate, type SubscribeOptions, Subscriber, type Viewer } from './subscriber.js';
import { noUse } from './usage-counter.js';

export interface LiveHubOptions {
  readonly replica: Replica;
  readonly loadTargeting: (storedId: string | null) => Promise<Targeting>;
  readonly defaultEnabled: boolean;
  readonly observers: readonly FeatureObserver[];
  readonly log: Log;
  readonly now: () => number;
}

/** An update for the reader that has asked for it. */
interface Handover {
  readonly reader: Reader<FeaturesUpdate>;
  readonly update: FeaturesUpdate;
}

/** Updates handed over before other work gets its turn: sending one costs several times its evaluation. */
const sliceUpdates = 100;
/** Milliseconds until a failed load of targeting is tried again. */
const retryDelay = 1_000;
/**
 * Timers do not notice a clock that is set, or a machine that was asleep: expiries are looked at again after so many
 * milliseconds at most.
 */
const longestDelay = 1_000;

/**
 * Hands each subscriber its own answers again when they change.
 *
 * A change marks the subscribers that it touches. Those that wait are evaluated again together, in slices; the others when
 * they ask next. The new answers are compared with the last ones of the subscriber. So a slow subscriber gets one difference
 * over all changes meanwhile, and no subscriber gets an update without a change. `SubscriberState` has the states.
 */
export class LiveHub {
  /** How far changes have come to the subscribers. */
  readonly receipts = new ReceiptLedger(storedId => this.#byUser.has(storedId));
  /** Told of the answers that subscribers are handed. Null: nobody asks. */
  tally: AudienceTally | null = null;
  readonly #options: LiveHubOptions;
  readonly #subscribers = new Set<Subscriber>();
  /** By the ids under which the users are stored. */
  readonly #byUser = new Map<string, Set<Subscriber>>();
  /** Subscribers in the state `due`, in that order. */
  readonly #due = new Set<Subscriber>();
  /** Subscribers in the state `failed`. */
  readonly #failed = new Set<Subscriber>();
  /** By subscriber, when the next of its overrides ends. */
  readonly #expiries = new Map<Subscriber, number>();
  readonly #stopListening: () => void;
  readonly #host: SubscriberHost = {
    pull: (subscriber, reader) => this.#pull(subscriber, reader),
    leave: subscriber => this.#leave(subscriber),
    evaluatorOf: subscriber => this.#evaluator(subscriber),
  };
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

  /** The subscribers as they are now, in the order in which they came. */
  viewers(): readonly Viewer[] {
    return this.subscribers();
  }

  /** The same, with what they were handed. */
  subscribers(): readonly Subscriber[] {
    return [...this.#subscribers];
  }

  subscribe(audience: Audience, options: SubscribeOptions = {}): FeatureUpdates {
    const subscriber = new Subscriber(audience, options);
    if (this.#isClosed) subscriber.state = 'closed';
    else this.#enter(subscriber);
    return new FeatureUpdates(subscriber, this.#host);
  }

  #evaluator({ subject }: Subscriber): Evaluator | null {
    const { replica, now } = this.#options;
    return subject === null ? null : new Evaluator(replica.snapshot, subject, now(), this.#options, noUse);
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
    const { storedId } = subscriber.audience;
    if (storedId === null) return;
    const same = this.#byUser.get(storedId);
    if (same === undefined) this.#byUser.set(storedId, new Set([subscriber]));
    else same.add(subscriber);
  }

  #leave(subscriber: Subscriber): void {
    if (subscriber.state === 'closed') return;
    this.tally?.leave(subscriber);
    this.#due.delete(subscriber);
    this.#failed.delete(subscriber);
    subscriber.state = 'closed';
    this.#subscribers.delete(subscriber);
    this.#expiries.delete(subscriber);
    const { storedId } = subscriber.audience;
    if (storedId !== null) {
      const same = this.#byUser.get(storedId);
      same?.delete(subscriber);
      if (same?.size === 0) this.#byUser.delete(storedId);
    }
    const { reader } = subscriber;
    subscriber.reader = null;
    reader?.end();
  }

  /** Before its first update, a subscriber catches up with the log. */
  #pull(subscriber: Subscriber, reader: Reader<FeaturesUpdate>): void {
    if (subscriber.handed === null && subscriber.state !== 'closed') void this.#begin(subscriber, reader);
    else this.#wait(subscriber, reader);
  }

  async #begin(subscriber: Subscriber, reader: Reader<FeaturesUpdate>): Promise<void> {
    try {
      await this.#options.replica.refresh();
      // A log that ends before it is another history (a restored database): the whole set is right there too.
      await this.#options.replica.reach(subscriber.sinceRevision);
    } catch (error) {
      this.#leave(subscriber);
      reader.fail(error);
      return;
    }
    this.#wait(subscriber, reader);
  }

  #wait(subscriber: Subscriber, reader: Reader<FeaturesUpdate>): void {
    if (subscriber.state !== 'idle') {
      reader.end();
      return;
    }
    if (subscriber.underway !== null) {
      // A transport asks for the next update when it has taken the last one.
      this.receipts.countHanded(subscriber.underway);
      subscriber.underway = null;
    }
    subscriber.reader = reader;
    subscriber.state = 'waiting';
    if (subscriber.stale !== 'nothing') this.#schedule(subscriber);
  }

  #touch(applied: Applied): void {
    const { redefined, userIds } = applied;
    const stretch = this.receipts.note(applied, this.#options.replica.snapshot.revision);
    if (redefined.size > 0) {
      for (const subscriber of this.#subscribers) {
        if (!(subscriber.keys?.some(key => redefined.has(key)) ?? true)) continue;
        subscriber.touchFlags(redefined, stretch);
        this.#schedule(subscriber);
      }
    }
    for (const subscriber of this.#ofUsers(userIds)) {
      subscriber.touchUser(stretch);
      this.#schedule(subscriber);
    }
  }

  *#ofUsers(userIds: ReadonlySet<string> | null): Iterable<Subscriber> {
    if (userIds === null) {
      yield* this.#subscribers;
      return;
    }
    for (const userId of userIds) yield* this.#byUser.get(userId) ?? [];
  }

  /** Makes a subscriber due that waits. One that is idle becomes due when it asks, one that is loading when it is loaded. */
  #schedule(subscriber: Subscriber): void {
    if (subscriber.state !== 'waiting' && subscriber.state !== 'failed') return;
    this.#failed.delete(subscriber);
    subscriber.state = 'due';
    this.#due.add(subscriber);
    subscriber.dueSince ??= performance.now();
    this.#slice ??= setImmediate(() => this.#work());
  }

  #work(): void {
    this.#slice = null;
    const slice = new TimeSlice();
    const handovers: Handover[] = [];
    for (const subscriber of this.#due) {
      this.#due.delete(subscriber);
      if (subscriber.subject === null) void this.#load(subscriber);
      else {
        const handover = this.#answer(subscriber, subscriber.subject);
        if (handover !== null) handovers.push(handover);
      }
      if (handovers.length === sliceUpdates || slice.isOver) break;
    }
    // One right after the other: where readers have time to fall asleep in between, the system wakes one with each message.
    for (const { reader, update } of handovers) reader.take(update);
    if (this.#due.size > 0) this.#slice ??= setImmediate(() => this.#work());
    this.#armExpiry();
  }

  async #load(subscriber: Subscriber): Promise<void> {
    subscriber.state = 'loading';
    const { touches, audience } = subscriber;
    try {
      const targeting = await this.#options.loadTargeting(audience.storedId);
      if (touches === subscriber.touches) subscriber.subject = audience.subject(targeting);
    } catch (error) {
      if (isClosed(subscriber)) return;
      subscriber.state = 'failed';
      this.#loadFailed(subscriber, error);
      return;
    }
    if (isClosed(subscriber)) return;
    subscriber.state = 'waiting';
    this.#schedule(subscriber);
  }

  /** A reader without answers gets the error. One that has answers keeps them until the store can be asked again. */
  #loadFailed(subscriber: Subscriber, error: unknown): void {
    if (subscriber.handed === null) {
      const { reader } = subscriber;
      subscriber.reader = null;
      this.#leave(subscriber);
      reader?.fail(error);
      return;
    }
    this.#failed.add(subscriber);
    if (this.#retry !== null) return;
    this.#options.log.warn({ err: error }, 'Targeting cannot be loaded. Subscribers keep their last answers.');
    this.#retry = setTimeout(() => {
      this.#retry = null;
      for (const again of [...this.#failed]) this.#schedule(again);
    }, retryDelay).unref();
  }

  /** What the reader is to be handed: the answers that changed. Null when none did. */
  #answer(subscriber: Subscriber, subject: Subject): Handover | null {
    const { dueSince, reader, touchedSince } = subscriber;
    subscriber.dueSince = null;
    subscriber.touchedSince = 0;
    subscriber.state = 'waiting';
    const now = this.#options.now();
    // An expired override is no longer the next to expire, so it must not wait for its timer.
    if ((this.#expiries.get(subscriber) ?? Number.POSITIVE_INFINITY) <= now) subscriber.stale = 'everything';
    const expiry = subscriber.nextExpiry(now);
    if (expiry === null) this.#expiries.delete(subscriber);
    else this.#expiries.set(subscriber, expiry);
    const update = this.#difference(subscriber, subject, now);
    if (update === null) return null;
    if (update.snapshot) this.tally?.enter(subscriber);
    else subscriber.underway = this.receipts.countAffected(touchedSince, update, subscriber);
    subscriber.reader = null;
    subscriber.state = 'idle';
    const handedAt = performance.now();
    const delay = handedAt - (dueSince ?? handedAt);
    for (const observer of this.#options.observers) observer.onPushed(update, subject, delay);
    return reader && { reader, update };
  }

  /** The answers that changed since the subscriber's last update, and remembers them; null when none did. */
  #difference(subscriber: Subscriber, subject: Subject, now: number): FeaturesUpdate | null {
    const { snapshot } = this.#options.replica;
    const { stale, keys } = subscriber;
    const fallback = subscriber.fallback ?? this.#options.defaultEnabled;
    const isFirst = subscriber.handed === null;
    const handed = subscriber.handed ?? new LastAnswers();
    const features: Evaluation[] = [];
    const removed: string[] = [];

    const replace = (before: Evaluation | undefined, after: Evaluation) => {
      handed.set(after);
      this.tally?.replace(subscriber, before, after);
    };
    const consider = (key: string) => {
      const before = handed.get(key);
      if (keys === null && snapshot.get(key) === undefined) {
        if (!handed.delete(key)) return;
        removed.push(key);
        this.tally?.replace(subscriber, before, undefined);
        return;
      }
      const evaluation = answerKey(snapshot, key, subject, now, fallback);
      if (before !== undefined && subscriber.isSame(before, evaluation)) {
        // So that the next comparison is one of the same object.
        if (before !== evaluation) replace(before, evaluation);
        return;
      }
      replace(before, evaluation);
      features.push(evaluation);
    };

    if (keys !== null) {
      for (const key of keys) if (isStale(stale, key)) consider(key);
    } else if (typeof stale === 'object') {
      for (const key of [...stale].sort()) consider(key);
    } else if (stale === 'everything') {
      for (const { key } of snapshot.flags) consider(key);
      for (const key of handed.keys()) if (snapshot.get(key) === undefined) consider(key);
    }

    subscriber.stale = 'nothing';
    subscriber.handed = handed;
    if (isFirst) handed.trim();
    if (!isFirst && features.length === 0 && removed.length === 0) return null;
    return this.#same({ revision: snapshot.revision, snapshot: isFirst, features, removed });
  }

  /** One flag turned on for all is one update, handed to thousands: its result need not be made again for each. */
  #same(update: FeaturesUpdate): FeaturesUpdate {
    const { revision, snapshot, features, removed } = update;
    if (snapshot || features.length !== 1 || removed.length > 0) return update;
    if (this.#last?.revision !== revision || this.#last.features[0] !== features[0]) this.#last = update;
    return this.#last;
  }

  /** One timer for all subscribers, set to the first override that ends. */
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
      this.#schedule(subscriber);
    }
    this.#armExpiry();
  }
}

function isStale(stale: Subscriber['stale'], key: string): boolean {
  return stale === 'everything' || (typeof stale === 'object' && stale.has(key));
}

/** The state may have changed during an `await`, which the compiler does not see. */
const isClosed = ({ state }: Subscriber): boolean => state === 'closed';
