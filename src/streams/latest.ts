import { Bell } from './bell.js';
import { pulled } from './pulled.js';
import { streamTurn } from './slices.js';

/**
 * Values for one reader, of which only the latest of each name matters: a slow reader gets one in place of all that it missed.
 * Names come in the order in which they got their first value that was not read.
 */
export class Latest<T> {
  readonly values: AsyncIterableIterator<T>;
  readonly #waiting = new Map<string, T>();
  readonly #bell = new Bell();
  #isEnding = false;
  #last: Promise<unknown> = Promise.resolve();

  /** @param onEnd called once, when the reader leaves or has read all. */
  constructor(onEnd: () => void) {
    const leave = () => {
      if (this.#bell.isEnded) return;
      this.#waiting.clear();
      this.#bell.end();
      onEnd();
    };
    const pull = async (): Promise<IteratorResult<T>> => {
      while (!this.#bell.isEnded) {
        if (this.#waiting.size > 0) await streamTurn();
        for (const [name, value] of this.#waiting) {
          this.#waiting.delete(name);
          return { done: false, value };
        }
        if (this.#isEnding) leave();
        else await this.#bell.wait();
      }
      return { done: true, value: undefined };
    };
    // One pull at a time, even if the reader asks for several.
    this.values = pulled(() => {
      const next = this.#last.then(pull);
      this.#last = next;
      return next;
    }, leave);
  }

  put(name: string, value: T): void {
    this.#waiting.set(name, value);
    this.#bell.ring();
  }

  /** Ends the stream after the values that wait. */
  end(): void {
    this.#isEnding = true;
    this.#bell.ring();
  }
}
