/** A stream that can be ended from outside, whether or not anything is on its way. */
export interface Endable<T> {
  readonly stream: AsyncGenerator<T, void, undefined>;
  /** Ends the stream for its reader at once, after one last value if given, and lets go of the source. */
  end(last?: T): void;
}

/**
 * Puts an end switch on a source. A generator's own `return()` waits for the value that is under way; this one does not.
 * @param onEnd called once, whoever ended it.
 */
export function endable<T>(source: AsyncIterable<T>, onEnd: () => void): Endable<T> {
  const iterator = source[Symbol.asyncIterator]();
  const finished: IteratorResult<T, void> = { done: true, value: undefined };
  let ended = false;
  let last: { readonly value: T } | null = null;
  let answer: ((result: IteratorResult<T, void>) => void) | null = null;

  function finish(): IteratorResult<T, void> {
    if (last === null) return finished;
    const { value } = last;
    last = null;
    return { done: false, value };
  }

  function end(value?: T): void {
    if (ended) return;
    ended = true;
    if (value !== undefined) last = { value };
    answer?.(finish());
    answer = null;
    // Whoever reads has their end already: how the source takes it concerns nobody.
    void (async () => iterator.return?.())().catch(() => {});
    onEnd();
  }

  const stream: AsyncGenerator<T, void, undefined> = {
    next() {
      if (ended) return Promise.resolve(finish());
      return new Promise((resolve, reject) => {
        answer = resolve;
        iterator.next().then(
          result => {
            if (ended) return;
            answer = null;
            if (result.done) end();
            resolve(result.done ? finished : result);
          },
          error => {
            if (ended) return;
            answer = null;
            end();
            reject(error);
          },
        );
      });
    },
    return() {
      end();
      return Promise.resolve(finished);
    },
    throw(error) {
      end();
      return Promise.reject(error);
    },
    [Symbol.asyncIterator]: () => stream,
    [Symbol.asyncDispose]: async () => end(),
  };
  return { stream, end };
}
