import { UnavailableError } from '../core/errors.js';

/** Runs one piece of work at a time, in the order of the calls. Each call has its own limit of waiting. */
export class Turnstile {
  readonly #waiting = new Set<() => void>();
  #isTaken = false;

  /**
   * Runs work when all earlier work has ended.
   * @param patienceMs the longest wait for the turn, in milliseconds.
   * @throws UnavailableError if the turn does not come in time. The work was then not started.
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
