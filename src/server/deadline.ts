/** The longest that a timer of Node can wait; a longer one would fire at once. */
const longestWait = 2 ** 31 - 1;

/**
 * Calls `act` at an instant, however far away, unless cancelled before. Past instants are acted on as soon as possible.
 * Does not keep the process alive.
 * @param at milliseconds since the epoch; null: never.
 * @returns what cancels it.
 */
export function atDeadline(at: number | null, act: () => void): () => void {
  if (at === null) return () => {};
  let timer: NodeJS.Timeout;
  const wait = () => {
    const left = at - Date.now();
    timer = setTimeout(left > longestWait ? wait : act, Math.min(Math.max(left, 0), longestWait)).unref();
  };
  wait();
  return () => clearTimeout(timer);
}
