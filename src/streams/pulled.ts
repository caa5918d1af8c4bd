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
