import { readFileSync } from 'node:fs';

/**
 * The longest that the event loop was kept from a timer while `act` ran, in milliseconds of its thread's own processor
 * time: what other processes take from it meanwhile does not count.
 */
export async function longestBlock(act: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  let last = processorTime();
  const look = () => {
    const now = processorTime();
    longest = Math.max(longest, now - last);
    last = now;
  };
  const timer = setInterval(look, 1);
  try {
    await act();
    await new Promise(resolve => setTimeout(resolve, 5));
    look();
  } finally {
    clearInterval(timer);
  }
  return longest;
}

/** Linux knows it for the thread alone; elsewhere that of the whole process is the nearest. */
function processorTime(): number {
  try {
    return Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[0]) / 1e6;
  } catch {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1_000;
  }
}
