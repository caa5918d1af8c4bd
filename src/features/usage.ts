import type { Backend } from '../backends/backend.js';
import type { CompiledFlag } from '../core/evaluate.js';
import type { Flag } from '../core/flag.js';
import type { Log } from '../core/log.js';
import { constantAnswer, type Staleness, stalenessOf } from '../core/staleness.js';
import type { UsagePoint, UsageRequest } from '../core/usage.js';
import type { Evaluator } from './evaluator.js';
import { CountedQuestions, type Questions, UncountedQuestions, UsageCounter } from './usage-counter.js';
import { UsageReports } from './usage-reports.js';
import { UsageWriter, usageInterval } from './usage-writer.js';

export interface UsageOptions {
  readonly backend: Backend;
  /** The flag with this key as it is evaluated now. */
  readonly flagOf: (key: string) => CompiledFlag | undefined;
  /** Whether streams are open, whose reads are not counted. */
  readonly hasStreams: () => boolean;
  /** Milliseconds between two writes of counts. Default 10,000. */
  readonly interval?: number | undefined;
  /** Milliseconds after which a flag that stays the same, or that nobody asks for, is stale. Default 30 days. */
  readonly staleAfter?: number | undefined;
  readonly log: Log;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Days after which a flag is stale, if no setting says otherwise. */
export const staleAfterDays = 30;

/** Counts which flags are asked for by name, and tells which flags are no longer needed. docs/decisions/0048-usage-and-staleness.md */
export class Usage {
  /** Counts the questions of this program. Those of requests go through {@link questionsOf}. */
  readonly counter = new UsageCounter();
  readonly #options: UsageOptions;
  readonly #writer: UsageWriter;
  readonly #reports = new UsageReports();
  readonly #uncounted: Questions;

  constructor(options: UsageOptions) {
    this.#options = options;
    const { interval = usageInterval, now } = options;
    this.#uncounted = new UncountedQuestions(this.counter, now);
    this.#writer = new UsageWriter({ ...options, interval, counter: this.counter });
  }

  get now(): Date {
    return new Date(this.#options.now());
  }

  /**
   * Counts the questions of one operation, now and each time that its answer is given again.
   * @param isCounted false: anonymous callers can change no count, and a reader is mostly a person who looks at flags, which is no use of
   *   them. That such questions came is noted all the same: a program may have asked.
   */
  questionsOf(isCounted: boolean): Questions {
    return isCounted ? new CountedQuestions(this.counter, this.#options.now) : this.#uncounted;
  }

  /** A stream of answers was opened. */
  noteStream(): void {
    this.counter.onUncounted(this.#options.now());
  }

  /**
   * Counts flags that a client has read from answers that it has. Each counts once a minute for each caller, in this process.
   * @param caller names the caller.
   * @param evaluator of the caller, whose counted questions these are.
   * @returns how many of the flags were counted.
   */
  report(caller: string, keys: readonly string[], evaluator: Evaluator): number {
    const existing = keys.filter(key => this.#options.flagOf(key) !== undefined);
    return evaluator.evaluateAll(this.#reports.accept(caller, existing, performance.now())).length;
  }

  /** The stored counts, for each request the intervals with questions, oldest first. @throws UnavailableError */
  points(requests: readonly UsageRequest[]): Promise<readonly (readonly UsagePoint[])[]> {
    return this.#options.backend.usage(requests);
  }

  /** When these flags were last asked for by name, as far as it is stored. @throws UnavailableError */
  async lastAsked(flagIds: readonly string[]): Promise<readonly (Date | null)[]> {
    const stored = await this.#options.backend.lastAsked(flagIds);
    return flagIds.map(id => {
      const time = stored.get(id);
      return time === undefined ? null : new Date(time);
    });
  }

  /** Why these flags may be removed. @throws UnavailableError */
  async staleness(
    flags: readonly Pick<Flag, 'id' | 'key' | 'createdAt' | 'expectedUntil'>[],
  ): Promise<readonly (readonly Staleness[])[]> {
    const { backend, flagOf, staleAfter = staleAfterDays * 86_400_000, now } = this.#options;
    const time = now();
    const constants = new Map(
      flags.flatMap(({ key }) => {
        const flag = flagOf(key);
        const constant = flag === undefined ? null : constantAnswer(flag);
        return constant === null ? [] : [[key, { flagKey: key, ...constant }] as const];
      }),
    );
    const requests = [...constants.values()];
    const [maps, lastAsked, since] = await Promise.all([
      backend.mapUsage(),
      backend.lastAsked(flags.map(({ id }) => id)),
      backend.constantSince(requests, time),
    ]);
    const sinceByKey = new Map(requests.map(({ flagKey }, index) => [flagKey, since[index] ?? null]));
    return flags.map(({ id, key, createdAt, expectedUntil }) => {
      const constant = constants.get(key);
      const constantSince = sinceByKey.get(key) ?? null;
      return stalenessOf({
        now: time,
        staleAfter,
        createdAt: createdAt.getTime(),
        expectedUntil: expectedUntil?.getTime() ?? null,
        constant:
          constant === undefined || constantSince === null ? null : { enabled: constant.enabled, since: constantSince },
        lastAskedAt: lastAsked.get(id) ?? null,
        maps,
      });
    });
  }

  /** Writes what was counted so far, and stops. Never rejects. */
  close(): Promise<void> {
    return this.#writer.close();
  }
}
