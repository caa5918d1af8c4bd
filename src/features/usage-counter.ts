import type { Evaluation } from '../core/evaluate.js';
import { type FlagCount, intervalLengths, intervalStart, type MapCount } from '../core/usage.js';

/** Hears of the questions that an evaluator answers. Its methods must not throw, and should take nanoseconds. */
export interface QuestionListener {
  /**
   * A question named these flags.
   * @param now milliseconds since the epoch.
   */
  onNamed(evaluation: Evaluation, now: number): void;
  /** A question asked for all flags. */
  onMap(now: number): void;
}

/** The most counts that wait to be written. While the store cannot be reached, others are lost. */
export const mostWaitingCounts = 100_000;

interface Tally {
  count: number;
  lastAt: number;
}

/** Counts that have not been written. */
export interface WaitingCounts {
  readonly flags: readonly FlagCount[];
  readonly maps: readonly MapCount[];
}

/**
 * Counts questions by flag, hour, reason and variant, in memory. A question costs one look-up: answers are shared objects,
 * so they are counted by identity and named only when counts are taken.
 */
export class UsageCounter implements QuestionListener {
  /** Of the present hour, since counts were last put aside. */
  readonly #tallies = new Map<Evaluation, Tally>();
  #hour = 0;
  #hourEnd = 0;
  #maps = 0;
  #isUncounted = false;
  /** By flag, hour, reason and variant. */
  readonly #flags = new Map<string, FlagCount>();
  readonly #hours = new Map<number, MapCount>();
  /** Questions that were counted and could not be kept. */
  #lost = 0;

  onNamed(evaluation: Evaluation, now: number): void {
    // Any text may be asked for, so unknown keys would fill the memory.
    if (evaluation.reason === 'FLAG_NOT_FOUND') return;
    this.#enter(now);
    const tally = this.#tallies.get(evaluation);
    if (tally === undefined) {
      this.#tallies.set(evaluation, { count: 1, lastAt: now });
      // Definitions that change quickly make new answers all the time.
      if (this.#tallies.size >= mostWaitingCounts) this.#putAside();
    } else {
      tally.count += 1;
      tally.lastAt = now;
    }
  }

  onMap(now: number): void {
    this.#enter(now);
    this.#maps += 1;
  }

  /** Flags were read in a way that is not counted. */
  onUncounted(now: number): void {
    this.#enter(now);
    this.#isUncounted = true;
  }

  /** Notes that somebody counts in this hour, even if nobody asks. */
  onHour(now: number): void {
    this.#enter(now);
    this.#addHour({ hour: this.#hour, count: 0, isUncounted: false });
  }

  /** Takes all counts out. */
  take(): WaitingCounts {
    this.#putAside();
    const counts = { flags: [...this.#flags.values()], maps: [...this.#hours.values()] };
    this.#flags.clear();
    this.#hours.clear();
    return counts;
  }

  /** How many questions were lost since this was last asked, because too many counts waited. */
  takeLost(): number {
    const lost = this.#lost;
    this.#lost = 0;
    return lost;
  }

  #enter(now: number): void {
    if (now < this.#hourEnd && now >= this.#hour) return;
    this.#putAside();
    this.#hour = intervalStart(now, 'HOUR');
    this.#hourEnd = this.#hour + intervalLengths.HOUR;
  }

  #putAside(): void {
    const hour = this.#hour;
    for (const [{ key, reason, variant }, { count, lastAt }] of this.#tallies) {
      this.#addFlag({ flagKey: key, hour, reason, variant, count, lastAt });
    }
    this.#tallies.clear();
    if (this.#maps > 0 || this.#isUncounted) {
      this.#addHour({ hour, count: this.#maps, isUncounted: this.#isUncounted });
    }
    this.#maps = 0;
    this.#isUncounted = false;
  }

  #addFlag(added: FlagCount): void {
    const name = `${added.flagKey} ${added.hour} ${added.reason} ${added.variant ?? ''}`;
    const known = this.#flags.get(name);
    if (known === undefined && this.#flags.size >= mostWaitingCounts) {
      this.#lost += added.count;
      return;
    }
    const count = added.count + (known?.count ?? 0);
    this.#flags.set(name, { ...added, count, lastAt: Math.max(added.lastAt, known?.lastAt ?? 0) });
  }

  #addHour({ hour, count, isUncounted }: MapCount): void {
    const known = this.#hours.get(hour);
    this.#hours.set(hour, {
      hour,
      count: count + (known?.count ?? 0),
      isUncounted: isUncounted || known?.isUncounted === true,
    });
  }
}

/** The questions of one operation. */
export interface Questions extends QuestionListener {
  /** Bytes that are kept for {@link repeat}. */
  readonly bytes: number;
  /** Counts all of them once more, because the answer was given again. */
  repeat(): void;
  /** Counts too, and keeps nothing for {@link repeat}: for answers that are large and never given again. */
  readonly once: QuestionListener;
}

/** For questions that are no use of a flag, such as those of a person who looks at a user. */
export const noUse: Questions = {
  bytes: 0,
  onNamed() {},
  onMap() {},
  repeat() {},
  get once() {
    return noUse;
  },
};

/** Questions that are counted. */
export class CountedQuestions implements Questions {
  readonly #counter: UsageCounter;
  readonly #now: () => number;
  readonly #named: Evaluation[] = [];
  #maps = 0;

  constructor(counter: UsageCounter, now: () => number) {
    this.#counter = counter;
    this.#now = now;
  }

  get once(): QuestionListener {
    return this.#counter;
  }

  get bytes(): number {
    return 8 * this.#named.length;
  }

  onNamed(evaluation: Evaluation, now: number): void {
    if (evaluation.reason !== 'FLAG_NOT_FOUND') this.#named.push(evaluation);
    this.#counter.onNamed(evaluation, now);
  }

  onMap(now: number): void {
    this.#maps += 1;
    this.#counter.onMap(now);
  }

  repeat(): void {
    const now = this.#now();
    for (const evaluation of this.#named) this.#counter.onNamed(evaluation, now);
    for (let map = 0; map < this.#maps; map++) this.#counter.onMap(now);
  }
}

/** Questions of anonymous callers, who can change no count. */
export class UncountedQuestions implements Questions {
  readonly bytes = 0;
  readonly once = this;
  readonly #counter: UsageCounter;
  readonly #now: () => number;

  constructor(counter: UsageCounter, now: () => number) {
    this.#counter = counter;
    this.#now = now;
  }

  onNamed(_evaluation: Evaluation, now: number): void {
    this.#counter.onUncounted(now);
  }

  onMap(now: number): void {
    this.#counter.onUncounted(now);
  }

  repeat(): void {
    this.#counter.onUncounted(this.#now());
  }
}
