import { eachInSlices } from '../../streams/slices.js';

/** Milliseconds after which the clock is looked at again: a timer notices neither a clock that is set nor a machine that slept. */
const longestWait = 1_000;

interface Deadline {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly act: () => void;
}

/** Acts at instants of the clock, on one timer for all of them. It does not keep the process alive. */
export class Deadlines {
  readonly #deadlines = new Set<Deadline>();
  #timer: NodeJS.Timeout | null = null;
  /** When the timer is to fire, by the clock. */
  #next = Number.POSITIVE_INFINITY;

  /** How many are to come. */
  get size(): number {
    return this.#deadlines.size;
  }

  /**
   * Calls `act` at an instant, or within a second of a clock that was set past it. Past instants are acted on as soon as
   * possible, but never before this returns.
   * @param at milliseconds since the epoch; null: never.
   * @returns a function that cancels it.
   */
  add(at: number | null, act: () => void): () => void {
    if (at === null) return nothing;
    const deadline = { at, act };
    this.#deadlines.add(deadline);
    if (at < this.#next) this.#arm(at);
    return () => {
      this.#deadlines.delete(deadline);
    };
  }

  /** Cancels all of them. */
  stop(): void {
    this.#deadlines.clear();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#next = Number.POSITIVE_INFINITY;
  }

  #arm(at: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    const now = Date.now();
    this.#next = Math.min(at, now + longestWait);
    this.#timer = setTimeout(() => this.#look(), Math.max(this.#next - now, 0)).unref();
  }

  #look(): void {
    this.#timer = null;
    this.#next = Number.POSITIVE_INFINITY;
    const now = Date.now();
    let next = Number.POSITIVE_INFINITY;
    const due: Deadline[] = [];
    for (const deadline of this.#deadlines) {
      if (deadline.at <= now) due.push(deadline);
      else if (deadline.at < next) next = deadline.at;
    }
    if (next < this.#next) this.#arm(next);
    // Thousands may end at once. One that is cancelled meanwhile is not acted on.
    void eachInSlices(due, deadline => {
      if (this.#deadlines.delete(deadline)) deadline.act();
    });
  }
}

const nothing = () => {};
