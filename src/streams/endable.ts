import { isPromise, isPullable, nextOf, type Pullable, type Reader } from './pulled.js';

export interface EndableOptions<Event, Value> {
  /** Makes the value of an event. The stream fails with what it throws. */
  readonly map: (event: Event) => Value | Promise<Value>;
  /** Makes the error that the reader gets. */
  readonly mapError?: (error: unknown) => unknown;
}

/**
 * A stream for one reader, with an end switch. A generator's own `return()` waits for the value that is under way; this
 * one does not. It is the reader of its source: `take` and `fail` are for that one.
 */
export class EndableStream<Event, Value = Event>
  implements AsyncGenerator<Value, void, undefined>, Pullable<Value>, Reader<Event>
{
  readonly #source: AsyncIterator<Event>;
  readonly #options: EndableOptions<Event, Value>;
  #isEnded = false;
  #last: { readonly value: Value } | null = null;
  #onEnd: readonly (() => void)[] = [];
  /** The reader that waits; null while none does. */
  #reader: Reader<Value> | null = null;

  constructor(source: AsyncIterable<Event>, options: EndableOptions<Event, Value>) {
    this.#source = source[Symbol.asyncIterator]();
    this.#options = options;
  }

  pull(reader: Reader<Value>): void {
    if (this.#isEnded) {
      this.#finish(reader);
      return;
    }
    this.#reader = reader;
    const source = this.#source;
    if (isPullable(source)) source.pull(this);
    else
      source.next().then(
        ({ done, value }) => (done ? this.end() : this.take(value)),
        error => this.fail(error),
      );
  }

  next(): Promise<IteratorResult<Value, void>> {
    return nextOf(this);
  }

  take(event: Event): void {
    if (this.#isEnded) return;
    try {
      const value = this.#options.map(event);
      if (isPromise(value)) {
        value.then(
          made => this.#give(made),
          error => this.fail(error),
        );
      } else {
        this.#give(value);
      }
    } catch (error) {
      this.fail(error);
    }
  }

  fail(error: unknown): void {
    if (this.#isEnded) return;
    const reader = this.#reader;
    this.#reader = null;
    this.end();
    reader?.fail(this.#options.mapError === undefined ? error : this.#options.mapError(error));
  }

  /** Ends the stream for its reader at once, after one last value if given, and lets go of the source. */
  end(last?: Value): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    if (last !== undefined) this.#last = { value: last };
    const reader = this.#reader;
    this.#reader = null;
    if (reader !== null) this.#finish(reader);
    // The reader has its end already, so nothing depends on how the source takes it.
    void (async () => this.#source.return?.())().catch(() => {});
    const acts = this.#onEnd;
    this.#onEnd = [];
    for (const act of acts) act();
  }

  /** Calls `act` once, when the stream has ended in whichever way; at once if it has. */
  whenEnded(act: () => void): void {
    if (this.#isEnded) act();
    // Not `push` or a spread, which take room for sixteen more.
    else this.#onEnd = this.#onEnd.concat(act);
  }

  return(): Promise<IteratorResult<Value, void>> {
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  throw(error: unknown): Promise<IteratorResult<Value, void>> {
    this.end();
    return Promise.reject(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.end();
  }

  #give(value: Value): void {
    const reader = this.#reader;
    this.#reader = null;
    reader?.take(value);
  }

  #finish(reader: Reader<Value>): void {
    if (this.#last === null) {
      reader.end();
      return;
    }
    const { value } = this.#last;
    this.#last = null;
    reader.take(value);
  }
}

/** Puts an end switch on a stream. */
export function endable<T>(source: AsyncIterable<T>): EndableStream<T> {
  return new EndableStream(source, { map: value => value });
}
