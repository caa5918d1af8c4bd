const finished: IteratorReturnResult<undefined> = { done: true, value: undefined };

export interface EndableOptions<Event, Value> {
  /** Makes the value of an event. The stream fails with what it throws. */
  readonly map: (event: Event) => Value | Promise<Value>;
  /** Makes the error that the reader gets. */
  readonly mapError?: (error: unknown) => unknown;
}

/**
 * A stream for one reader, with an end switch. A generator's own `return()` waits for the value that is under way; this
 * one does not. A class with as few promises as can be: thousands of these hand over each change of a flag.
 */
export class EndableStream<Event, Value = Event> implements AsyncGenerator<Value, void, undefined> {
  readonly #source: AsyncIterator<Event>;
  readonly #options: EndableOptions<Event, Value>;
  #isEnded = false;
  #last: { readonly value: Value } | null = null;
  #onEnd: readonly (() => void)[] = [];
  /** Settle the pull that waits; null while none does. */
  #resolve: ((result: IteratorResult<Value, void>) => void) | null = null;
  #reject: ((error: unknown) => void) | null = null;

  constructor(source: AsyncIterable<Event>, options: EndableOptions<Event, Value>) {
    this.#source = source[Symbol.asyncIterator]();
    this.#options = options;
  }

  next(): Promise<IteratorResult<Value, void>> {
    if (this.#isEnded) return Promise.resolve(this.#finish());
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#source.next().then(this.#take, this.#fail);
    });
  }

  /** Ends the stream for its reader at once, after one last value if given, and lets go of the source. */
  end(last?: Value): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    if (last !== undefined) this.#last = { value: last };
    const resolve = this.#resolve;
    this.#resolve = null;
    this.#reject = null;
    resolve?.(this.#finish());
    // The reader has its end already, so nothing depends on how the source takes it.
    void (async () => this.#source.return?.())().catch(() => {});
    const acts = this.#onEnd;
    this.#onEnd = [];
    for (const act of acts) act();
  }

  /** Calls `act` once, when the stream has ended in whichever way; at once if it has. */
  whenEnded(act: () => void): void {
    if (this.#isEnded) act();
    // Not `push`, which takes room for sixteen more.
    else this.#onEnd = [...this.#onEnd, act];
  }

  return(): Promise<IteratorResult<Value, void>> {
    this.end();
    return Promise.resolve(finished);
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

  readonly #take = (result: IteratorResult<Event>): void => {
    if (this.#isEnded) return;
    if (result.done) {
      this.end();
      return;
    }
    try {
      const value = this.#options.map(result.value);
      if (value instanceof Promise) value.then(this.#give, this.#fail);
      else this.#give(value);
    } catch (error) {
      this.#fail(error);
    }
  };

  readonly #give = (value: Value): void => {
    const resolve = this.#resolve;
    this.#resolve = null;
    this.#reject = null;
    resolve?.({ done: false, value });
  };

  readonly #fail = (error: unknown): void => {
    if (this.#isEnded) return;
    const reject = this.#reject;
    this.#resolve = null;
    this.end();
    reject?.(this.#options.mapError === undefined ? error : this.#options.mapError(error));
  };

  #finish(): IteratorResult<Value, void> {
    if (this.#last === null) return finished;
    const { value } = this.#last;
    this.#last = null;
    return { done: false, value };
  }
}

/** Puts an end switch on a stream. */
export function endable<T>(source: AsyncIterable<T>): EndableStream<T> {
  return new EndableStream(source, { map: value => value });
}
