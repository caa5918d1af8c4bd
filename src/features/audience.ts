import type { Evaluation } from '../core/evaluate.js';
import type { AudienceCount } from '../core/receipt.js';
import { TimeSlice } from '../streams/slices.js';
import type { Subscriber } from './subscriber.js';

/** Milliseconds for which the counts are kept up to date after they were asked for. */
const keptFor = 5_000;

/** What has the subscribers, and tells a tally of what they are handed for as long as it is set. */
interface TalliedHub {
  tally: AudienceTally | null;
  subscribers(): readonly Subscriber[];
}

/**
 * How many subscribers were handed which answer last. Answers are few shared objects, so they are counted by identity. The hub tells
 * each change of an answer, which costs less than to look at all answers of all subscribers again.
 */
export class AudienceTally {
  readonly #subscribers = new Set<Subscriber>();
  readonly #counts = new Map<Evaluation, number>();

  get counts(): ReadonlyMap<Evaluation, number> {
    return this.#counts;
  }

  /** Counts the answers of a subscriber, if it has any and is not counted yet. */
  enter(subscriber: Subscriber): void {
    const { handed } = subscriber;
    if (handed === null || this.#subscribers.has(subscriber)) return;
    this.#subscribers.add(subscriber);
    for (const evaluation of handed.all) this.#count(evaluation, 1);
  }

  leave(subscriber: Subscriber): void {
    if (!this.#subscribers.delete(subscriber)) return;
    for (const evaluation of subscriber.handed?.all ?? []) this.#count(evaluation, -1);
  }

  /** A subscriber has another answer. Nothing happens if it is not counted yet. */
  replace(subscriber: Subscriber, before: Evaluation | undefined, after: Evaluation | undefined): void {
    if (!this.#subscribers.has(subscriber)) return;
    if (before !== undefined) this.#count(before, -1);
    if (after !== undefined) this.#count(after, 1);
  }

  #count(evaluation: Evaluation, more: number): void {
    const count = (this.#counts.get(evaluation) ?? 0) + more;
    if (count === 0) this.#counts.delete(evaluation);
    else this.#counts.set(evaluation, count);
  }
}

/** Counts the viewers of flags. A viewer is a subscription: a user with two pages counts twice. */
export class AudienceCounter {
  readonly #hub: TalliedHub;
  #filled: Promise<void> | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(hub: TalliedHub) {
    this.#hub = hub;
  }

  /**
   * @param keys the flags to count; null: all that exist.
   * @returns by key; flags without a viewer are absent.
   */
  async count(keys: readonly string[] | null): Promise<ReadonlyMap<string, AudienceCount>> {
    this.#hub.tally ??= new AudienceTally();
    const { tally } = this.#hub;
    this.#filled ??= fill(tally, this.#hub.subscribers());
    if (this.#timer === null) this.#timer = setTimeout(() => this.stop(), keptFor).unref();
    else this.#timer.refresh();
    await this.#filled;
    const behind = await countBehind(this.#hub.subscribers());
    const wanted = keys === null ? null : new Set(keys);
    const flags = new Map<string, AudienceCount>();
    for (const [{ key, enabled, variant, reason }, viewers] of tally.counts) {
      // Any text may be followed: only flags have an audience.
      if (reason === 'FLAG_NOT_FOUND' || wanted?.has(key) === false) continue;
      const known = flags.get(key) ?? { viewers: 0, on: 0, variants: {}, behind: 0 };
      const sum = known.viewers + viewers;
      flags.set(key, {
        viewers: sum,
        on: known.on + (enabled ? viewers : 0),
        behind: Math.min(sum, behind.everywhere + (behind.byFlag.get(key) ?? 0)),
        variants:
          variant === null
            ? known.variants
            : { ...known.variants, [variant]: viewers + (known.variants[variant] ?? 0) },
      });
    }
    return flags;
  }

  /** Forgets the counts. */
  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#filled = null;
    this.#hub.tally = null;
  }
}

async function fill(tally: AudienceTally, subscribers: readonly Subscriber[]): Promise<void> {
  const slice = new TimeSlice();
  for (const subscriber of subscribers) {
    if (slice.isOver) await slice.next();
    if (subscriber.state !== 'closed') tally.enter(subscriber);
  }
}

interface Behind {
  /** Viewers of all flags who are behind with all of them. */
  readonly everywhere: number;
  /** Other viewers. */
  readonly byFlag: ReadonlyMap<string, number>;
}

/** The viewers who are to be evaluated again, or whose transport has not taken the last update. */
async function countBehind(subscribers: readonly Subscriber[]): Promise<Behind> {
  let everywhere = 0;
  const byFlag = new Map<string, number>();
  const slice = new TimeSlice();
  for (const { handed, stale, underway, state, keys } of subscribers) {
    if (slice.isOver) await slice.next();
    if (handed === null || state === 'closed' || (underway === null && stale === 'nothing')) continue;
    const flags = underway === null && typeof stale === 'object' ? stale : null;
    if (flags === null && keys === null) {
      everywhere += 1;
      continue;
    }
    for (const key of keys ?? flags ?? []) {
      if (flags?.has(key) !== false) byFlag.set(key, 1 + (byFlag.get(key) ?? 0));
    }
  }
  return { everywhere, byFlag };
}
