import { Part, Receipt, type Underway } from './receipt.js';
import type { Applied } from './replica.js';
import type { FeaturesUpdate, Subscriber } from './subscriber.js';

/** Milliseconds for which receipts are kept. */
export const receiptLife = 60_000;
/** The most changes whose receipts are kept: the oldest are forgotten first. */
const mostChanges = 10_000;

/** A stretch of the log that was applied at once. */
interface NotedStretch {
  readonly appliedAt: number;
  readonly parts: readonly Part[];
  readonly revisions: readonly number[];
  readonly batches: readonly string[];
}

/**
 * Counts, for each batch of the last minute, the viewers of this process whose answers it has changed, and those of them whose
 * transport has taken the update. It counts always, so that one may ask afterwards; so it costs a push a few additions.
 *
 * Stretches of the log are numbered from 1. A subscriber keeps the number of the first one that has touched it and that it was not
 * evaluated after, so it never holds what is forgotten here.
 */
export class ReceiptLedger {
  readonly #isHere: (storedId: string) => boolean;
  readonly #byRevision = new Map<number, Receipt>();
  readonly #byBatch = new Map<string, Receipt>();
  readonly #stretches = new Map<number, NotedStretch>();
  #last = 0;
  /** The receipt of the last stretch, if it has only one. */
  #only: Receipt | null = null;

  /** @param isHere whether a user has a viewer in this process. A change may name thousands of others. */
  constructor(isHere: (storedId: string) => boolean) {
    this.#isHere = isHere;
  }

  /** @returns the number of the stretch; 0 for answers that are pinned, which are no change. */
  note({ stretch, redefined, userIds }: Applied, revision: number): number {
    if (stretch === null && userIds !== null) return 0;
    this.#last += 1;
    const now = performance.now();
    this.#forget(now);
    const parts = new Map<string, Part>();
    if (stretch === null) {
      // The numbers may be those of another history now.
      this.#byRevision.clear();
      this.#byBatch.clear();
      const part = this.#partOf(new Receipt(now), true);
      parts.set('', part);
      this.#byRevision.set(revision, part.receipt);
    }
    for (const change of stretch?.changes ?? []) {
      let part = parts.get(change.batch);
      if (part === undefined) {
        const receipt = this.#byBatch.get(change.batch) ?? new Receipt(now);
        this.#byBatch.set(change.batch, receipt);
        part = this.#partOf(receipt, false);
        parts.set(change.batch, part);
      }
      part.add(change, redefined, this.#isHere);
      this.#byRevision.set(change.revision, part.receipt);
    }
    this.#stretches.set(this.#last, {
      appliedAt: now,
      parts: [...parts.values()],
      revisions: stretch === null ? [revision] : stretch.changes.map(change => change.revision),
      batches: stretch === null ? [] : [...parts.keys()],
    });
    const [first, ...others] = parts.values();
    this.#only = others.length === 0 ? (first?.receipt ?? null) : null;
    return this.#last;
  }

  /** The receipt of the batch that this revision belongs to. Null: it is too old, or was not applied here. */
  at(revision: number): Receipt | null {
    const receipt = this.#byRevision.get(revision) ?? null;
    return receipt === null || performance.now() - receipt.appliedAt > receiptLife ? null : receipt;
  }

  /**
   * Counts a viewer whose answers have changed since a stretch of the log, once for each batch.
   * @returns what is told by the update, until it was taken. Null: it tells of no batch.
   */
  countAffected(since: number, update: FeaturesUpdate, subscriber: Subscriber): Underway | null {
    if (since === 0) return null;
    if (since === this.#last && this.#only !== null) {
      if (subscriber.counted === this.#only) return this.#only.again;
      this.#only.affected += 1;
      subscriber.counted = this.#only;
      return this.#only.first;
    }
    const found = new Set<Receipt>();
    for (const [number, { parts }] of this.#stretches) {
      for (const part of number < since ? [] : parts) {
        if (part.explains(update, subscriber.audience.storedId)) found.add(part.receipt);
      }
    }
    if (found.size === 0) return null;
    const of = [...found];
    const toCount = of.filter(receipt => receipt !== subscriber.counted);
    for (const receipt of toCount) receipt.affected += 1;
    subscriber.counted = of.at(-1) ?? null;
    return { of, toCount };
  }

  /** The transport has taken an update. */
  countHanded({ toCount }: Underway): void {
    const now = performance.now();
    for (const receipt of toCount) {
      receipt.handed += 1;
      receipt.latencies.add(now - receipt.appliedAt);
    }
  }

  #partOf(receipt: Receipt, isEverything: boolean): Part {
    const part = new Part(receipt, this.#last, isEverything);
    receipt.parts.push(part);
    return part;
  }

  #forget(now: number): void {
    for (const [number, { appliedAt, revisions, batches }] of this.#stretches) {
      if (now - appliedAt <= receiptLife && this.#byRevision.size <= mostChanges) return;
      this.#stretches.delete(number);
      for (const revision of revisions) this.#byRevision.delete(revision);
      for (const batch of batches) {
        // A batch may go on in later stretches.
        if ((this.#byBatch.get(batch)?.parts.at(-1)?.stretch ?? 0) <= number) this.#byBatch.delete(batch);
      }
    }
  }
}
