/** An iterator over what is made when it is asked for. Leaving it early, in whichever way, calls `leave` at once. */
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
