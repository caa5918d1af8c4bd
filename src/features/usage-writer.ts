import { randomUUID } from 'node:crypto';
import type { Backend } from '../backends/backend.js';
import type { Log } from '../core/log.js';
import { intervalStart, type UsageBatch } from '../core/usage.js';
import { PeriodicTask } from '../streams/periodic-task.js';
import type { UsageCounter, WaitingCounts } from './usage-counter.js';

/** Milliseconds between two writes: what a process that is killed loses at most. */
export const usageInterval = 10_000;
/** Counts in one statement, so that an embedded database holds the event loop for a short time. */
const batchSize = 500;

export interface UsageWriterOptions {
  readonly counter: UsageCounter;
  readonly backend: Pick<Backend, 'addUsage'>;
  /** Whether streams are open, whose reads are not counted. */
  readonly hasStreams: () => boolean;
  /** Milliseconds between two writes. */
  readonly interval: number;
  readonly log: Log;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/**
 * Writes counts in batches, off the path of evaluations. A batch that could not be written, or of which nobody knows whether it
 * was stored, is written again as it is: the store adds each batch once, by its number.
 */
export class UsageWriter {
  readonly #options: UsageWriterOptions;
  readonly #id = randomUUID();
  readonly #task: PeriodicTask;
  #number = 0;
  /** Batches in the order in which they are written. */
  readonly #batches: UsageBatch[] = [];
  /** The last hour for which a row is stored or waits. */
  #hour: number | null = null;
  #isFailing = false;
  /** Questions that were not counted since counts could last be written. */
  #lost = 0;
  #hasToldLoss = false;

  constructor(options: UsageWriterOptions) {
    this.#options = options;
    this.#task = new PeriodicTask(
      () => this.#tick(),
      () => options.interval,
    );
  }

  /** Stops, and writes what was counted so far. Never rejects: what cannot be written is lost, and the log says so. */
  async close(): Promise<void> {
    await this.#task.stop();
    // A batch of which nobody knows whether it was stored deserves a second attempt, and so does one that met another write.
    if ((await this.#write()) !== null && (await this.#write()) !== null) this.#reportLoss();
  }

  async #tick(): Promise<void> {
    const { counter, hasStreams, now, log } = this.#options;
    const time = now();
    if (hasStreams()) counter.onUncounted(time);
    const hour = intervalStart(time, 'HOUR');
    if (this.#hour !== hour) counter.onHour(time);
    this.#hour = hour;
    const error = await this.#write();
    this.#lost += counter.takeLost();
    // One line when it begins, and one with the sum at the end.
    if (this.#lost > 0 && (error === null || !this.#hasToldLoss)) {
      log.warn(
        { lost: this.#lost },
        'Too many counts of usage wait for the database. Some questions were not counted.',
      );
      this.#hasToldLoss = true;
    }
    if (error === null) {
      this.#lost = 0;
      this.#hasToldLoss = false;
    }
    if (error !== null && !this.#isFailing) {
      log.warn({ err: error }, 'Counts of usage could not be written. They are kept and written later.');
    }
    this.#isFailing = error !== null;
  }

  /** @returns the error of the first batch that could not be written; null: all were. */
  async #write(): Promise<unknown> {
    // First what has waited; while that cannot be written, later counts add up in the counter, which bounds them.
    const error = await this.#writeBatches();
    if (error !== null) return error;
    this.#batches.push(...this.#batchesOf(this.#options.counter.take()));
    return this.#writeBatches();
  }

  async #writeBatches(): Promise<unknown> {
    for (let batch = this.#batches[0]; batch !== undefined; batch = this.#batches[0]) {
      try {
        await this.#options.backend.addUsage(batch);
      } catch (error) {
        return error ?? new Error('The counts were refused.');
      }
      this.#batches.shift();
    }
    return null;
  }

  #batchesOf({ flags, maps }: WaitingCounts): UsageBatch[] {
    if (flags.length === 0 && maps.length === 0) return [];
    const slices = Math.max(1, Math.ceil(flags.length / batchSize));
    return Array.from({ length: slices }, (_, index) => {
      this.#number += 1;
      const slice = flags.slice(index * batchSize, (index + 1) * batchSize);
      return { writer: this.#id, number: this.#number, flags: slice, maps: index === 0 ? maps : [] };
    });
  }

  #reportLoss(): void {
    const waiting = [...this.#batches, this.#options.counter.take()].flatMap(({ flags }) => flags);
    const lost = waiting.reduce((sum, { count }) => sum + count, 0);
    if (lost > 0)
      this.#options.log.warn({ lost }, 'Counts of usage could not be written before the end. They are lost.');
  }
}
