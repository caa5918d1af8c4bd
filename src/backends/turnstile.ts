import { UnavailableError } from '../core/errors.js';

/** Lets one at a time through, in the order in which they came, none of whom waits longer than it wants to. */
export class Turnstile {
  readonly #waiting = new Set<() => void>();
  #isTaken = false;

  /**
   * Runs work once it is its turn.
   * @param patienceMs milliseconds to wait for the turn.
   * @throws UnavailableError when the turn does not come in time; the work was not begun.
   */
  async pass<T>(patienceMs: number, work: () => Promise<T>): Promise<T> {
    await this.#turn(patienceMs);
    try {
      return await work();
    } finally {
      const [next] = this.#waiting;
      if (next === undefined) this.#isTaken = false;
      else next();
    }
  }

  #turn(patienceMs: number): Promise<void> {
    if (!this.#isTaken) {
      this.#isTaken = true;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const enter = () => {
        clearTimeout(timer);
        this.#waiting.delete(enter);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(enter);
        reject(new UnavailableError('The database is busy with other changes.'));
      }, patienceMs);
      this.#waiting.add(enter);
    });
  }
}
