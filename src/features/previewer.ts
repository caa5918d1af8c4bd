import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Backend, TargetedUser, Targeting } from '../backends/backend.js';
import { UnavailableError } from '../core/errors.js';
import { createSubject, type Subject } from '../core/subject.js';
import { TimeSlice } from '../streams/slices.js';
import { type DefinitionChange, type FlagPreview, type Population, PreviewCount, previewLimits } from './preview.js';
import type { Audience, Viewer } from './subscriber.js';
import type { TargetingCache } from './targeting.js';

export interface PreviewerOptions {
  readonly backend: Backend;
  readonly targeting: TargetingCache;
  /** The viewers that are subscribed now. */
  readonly viewers: () => readonly Viewer[];
  /** The answer for a flag that does not exist. */
  readonly defaultEnabled: boolean;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Connected users whose targeting is read in one query. */
const loadedAtOnce = 100;
/** Stored users in one page: few enough that evaluations hardly wait for its work, part of which cannot be cut into slices. */
const pageSize = 100;
/** Milliseconds of a slice of such a page. */
const pageSlice = 2;
/** The part of a pause in which the event loop works for others, from which on they count as busy. */
const busyShare = 0.02;
/** How many more pauses there are then. */
const morePauses = 3;
/** Milliseconds at the end of a preview for the number of stored users, which is usually asked for long before. */
const patienceForTotal = 100;
/** The message of a preview that does not get its turn. */
const busy = 'This node previews another change for the stored users. Try again in a few seconds.';

/** Previews changes of flags, in slices of the event loop: evaluations go on meanwhile. */
export class Previewer {
  readonly #options: PreviewerOptions;
  /** Settles when the running preview of stored users has given up the database. */
  #storedTurn: Promise<unknown> | null = null;

  constructor(options: PreviewerOptions) {
    this.#options = options;
  }

  /** @throws UnavailableError if other previews of stored users leave no time for this one. */
  async preview(changes: readonly DefinitionChange[], population: Population): Promise<FlagPreview> {
    const end = performance.now() + previewLimits.time;
    const count = await PreviewCount.of(changes, this.#options.now(), this.#options.defaultEnabled);
    return population === 'CONNECTED' ? this.#connected(count, end) : this.#stored(count, end - patienceForTotal);
  }

  /** A user with several connections counts once, with the context of the first one. So does a device. */
  async #connected(count: PreviewCount, end: number): Promise<FlagPreview> {
    const seen = new Set<string>();
    const unknown: { readonly audience: Audience; readonly storedId: string }[] = [];
    let total = 0;
    const slice = new TimeSlice();
    const viewers = this.#options.viewers();
    for (const viewer of viewers) {
      if (slice.isOver) await slice.next();
      if (performance.now() > end) return count.result(viewers.length, false);
      const { storedId } = viewer.audience;
      const subject = viewer.subject ?? this.#subjectOf(viewer);
      const id = storedId === null ? visitorId(subject) : `user:${storedId}`;
      if (id !== null && seen.has(id)) continue;
      if (id !== null) seen.add(id);
      total += 1;
      if (subject !== null) count.count(subject);
      else if (storedId !== null) unknown.push({ audience: viewer.audience, storedId });
    }
    for (let start = 0; start < unknown.length; start += loadedAtOnce) {
      const batch = unknown.slice(start, start + loadedAtOnce);
      const loaded = this.#load(batch.map(({ storedId }) => storedId));
      const targetings = await inTime(end, loaded);
      if (targetings === null) return count.result(total, false);
      await slice.next();
      for (const [index, { audience }] of batch.entries()) {
        if (slice.isOver) await slice.next();
        if (performance.now() > end) return count.result(total, false);
        count.count(audience.subject(targetings[index] as Targeting));
      }
    }
    return count.result(total, true);
  }

  /** Null: the user must be read first. */
  #subjectOf({ audience }: Viewer): Subject | null {
    const targeting = this.#options.targeting.peek(audience.storedId);
    return targeting === undefined ? null : audience.subject(targeting);
  }

  /** Null: the store cannot be read. The loads of one turn of the event loop share a query. */
  async #load(storedIds: readonly string[]): Promise<readonly Targeting[] | null> {
    try {
      return await Promise.all(storedIds.map(storedId => this.#options.targeting.load(storedId)));
    } catch (error) {
      if (error instanceof UnavailableError) return null;
      throw error;
    }
  }

  /** One preview at a time: each takes a connection of the pool again and again. */
  async #stored(count: PreviewCount, end: number): Promise<FlagPreview> {
    while (this.#storedTurn !== null) {
      if (
        (await inTime(
          end,
          this.#storedTurn.then(() => true),
        )) === null
      )
        throw new UnavailableError(busy);
    }
    let release = () => {};
    this.#storedTurn = new Promise<void>(resolve => {
      release = resolve;
    }).then(() => {
      this.#storedTurn = null;
    });
    const open = new Set<Promise<void>>();
    const read = <T>(reading: Promise<T>): Promise<T> => {
      const close = () => void open.delete(closed);
      const closed = reading.then(close, close);
      open.add(closed);
      return reading;
    };
    try {
      return await this.#scan(count, end, read);
    } finally {
      // A read that the preview did not wait for still has its connection.
      void Promise.all(open).then(release);
    }
  }

  async #scan(count: PreviewCount, end: number, read: <T>(reading: Promise<T>) => Promise<T>): Promise<FlagPreview> {
    const { backend } = this.#options;
    const { needs } = count;
    let after: string | null = null;
    let stored: Promise<number> | null = null;
    while (performance.now() < end) {
      const startedAt = performance.now();
      const users: readonly TargetedUser[] | null = await inTime(end, read(backend.usersAfter(after, pageSize, needs)));
      if (users === null) break;
      const slice = new TimeSlice(pageSlice);
      let isLate = false;
      for (const { id, targeting } of users) {
        if (slice.isOver) await slice.next();
        isLate = performance.now() > end;
        if (isLate) break;
        count.count(createSubject({ userId: id, ...targeting }));
      }
      if (isLate) break;
      if (users.length < pageSize) return count.result(count.counted, true);
      after = users.at(-1)?.storedId ?? null;
      stored ??= read(backend.countUsers());
      await pause(performance.now() - startedAt, end);
    }
    stored ??= read(backend.countUsers());
    const total = await inTime(performance.now() + patienceForTotal, stored);
    return count.result(Math.max(total ?? 0, count.counted + 1), false);
  }
}

/**
 * A pause as long as a page took, so that others have half of the event loop, and of what the database can do. While others are seen to
 * need them, it is several times as long.
 * @param end when it ends at the latest, in the time of `performance.now()`.
 */
async function pause(time: number, end: number): Promise<void> {
  const rest = (part: number) => sleep(Math.min(part, Math.max(end - performance.now(), 0)));
  const before = performance.eventLoopUtilization();
  await rest(time);
  if (performance.eventLoopUtilization(before).utilization > busyShare) await rest(time * morePauses);
}

/** The identity of a viewer without a user. Null: each such connection is a viewer of its own. */
function visitorId(subject: Subject | null): string | null {
  if (subject?.targetingKey != null) return `key:${subject.targetingKey}`;
  return subject?.device == null ? null : `device:${subject.device}`;
}

/** The result, or null if it does not come before the end, in the time of `performance.now()`. */
async function inTime<T>(end: number, result: Promise<T>): Promise<T | null> {
  const late = new AbortController();
  result.catch(() => {}); // Nobody may wait for it any more.
  try {
    return await Promise.race([
      result,
      sleep(Math.max(end - performance.now(), 0), null, { signal: late.signal, ref: false }),
    ]);
  } finally {
    late.abort();
  }
}
