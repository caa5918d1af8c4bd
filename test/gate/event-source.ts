/** Events that a test pushes to all who read. Nobody's `return()` waits for an event. */
export class EventSource<T> implements AsyncIterable<T> {
  readonly #readers = new Set<Reader<T>>();

  /** How many read, from when they are given an iterator until they leave. */
  get readers(): number {
    return this.#readers.size;
  }

  push(event: T): void {
    for (const reader of this.#readers) reader.push({ done: false, value: event });
  }

  end(): void {
    for (const reader of this.#readers) reader.push({ done: true, value: undefined });
  }

  fail(error: Error): void {
    for (const reader of this.#readers) reader.push(error);
  }

  [Symbol.asyncIterator](): AsyncIterator<T, undefined> {
    const reader = new Reader<T>(() => this.#readers.delete(reader));
    this.#readers.add(reader);
    return reader;
  }
}

type Arrived<T> = IteratorResult<T, undefined> | Error;

class Reader<T> implements AsyncIterator<T, undefined> {
  readonly #arrived: Arrived<T>[] = [];
  readonly #leave: () => void;
  #wake: (() => void) | null = null;

  constructor(leave: () => void) {
    this.#leave = leave;
  }

  push(arrived: Arrived<T>): void {
    this.#arrived.push(arrived);
    this.#wake?.();
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    if (this.#arrived.length === 0) {
      await new Promise<void>(resolve => {
        this.#wake = resolve;
      });
    }
    const arrived = this.#arrived.shift() ?? { done: true, value: undefined };
    if (arrived instanceof Error) throw arrived;
    return arrived;
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.#leave();
    this.#wake?.();
    return { done: true, value: undefined };
  }
}
