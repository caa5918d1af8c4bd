const finished: IteratorReturnResult<undefined> = { done: true, value: undefined };

/** Gets what a source has. Its methods must not throw. Each pull is answered by one call of one of them. */
export interface Reader<T> {
  take(value: T): void;
  /** There is nothing more. */
  end(): void;
  fail(error: unknown): void;
}

/**
 * A source that hands over one value for each pull; a reader pulls again when it has been answered. It does what an iterator does without
 * its promises: where thousands wait for the next change, these would outlive many collections of garbage, one after the other.
 */
export interface Pullable<T> {
  pull(reader: Reader<T>): void;
}

export function isPullable<T>(source: AsyncIterator<T>): source is AsyncIterator<T> & Pullable<T> {
  return 'pull' in source;
}

/**
 * Whether a value is yet to come. Its class does not tell: a program may have put a `Promise` of its own in the place of the global one, as
 * zone.js does, and async functions still return the engine's.
 */
export function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as { readonly then?: unknown } | null | undefined)?.then === 'function';
}

/** What a function makes of a value: at once, or when the value has come. */
export function whenKnown<T, Made>(value: T | Promise<T>, make: (known: T) => Made): Made | Promise<Made> {
  return isPromise(value) ? value.then(make) : make(value);
}

/** The next value of a source, as an iterator gives it. */
export function nextOf<T>(source: Pullable<T>): Promise<IteratorResult<T, void>> {
  return new Promise((resolve, reject) => {
    source.pull({
      take: value => resolve({ done: false, value }),
      end: () => resolve(finished),
      fail: reject,
    });
  });
}

/**
 * An iterator whose values are made when they are asked for.
 * @param leave called at once when the reader leaves early, in whichever way.
 */
export function pulled<T>(next: () => Promise<IteratorResult<T>>, leave: () => void): AsyncIterableIterator<T> {
  return {
    next,
    return: async () => {
      leave();
      return { done: true, value: undefined };
    },
    throw: async error => {
      leave();
      throw error;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
