import { readFileSync } from 'node:fs';

/**
 * The longest that the event loop was kept from a timer while `act` ran, in milliseconds of its thread's own processor
 * time: what other processes take from it meanwhile does not count. Milliseconds are those of a processor that does
 * {@link yardstick} in {@link nominal}: one that is slow, or shared, is not taken for a block.
 */
export async function longestBlock(act: () => Promise<unknown>): Promise<number> {
  const before = yardstick();
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
  return longest * (nominal / ((before + yardstick()) / 2));
}

/** Milliseconds that {@link yardstick} takes on the machine for which the limits of tests are meant. */
const nominal = 6;

/** Processor time of work that is always the same, of the kind that blocks: short texts are made, sorted and joined. */
function yardstick(): number {
  const rounds = 10;
  const start = processorTime();
  for (let round = 0; round < rounds; round += 1) {
    const texts = Array.from({ length: 10_000 }, (_, index) => `${(index * 2_654_435_761) % 4_294_967_291}-text`);
    if (texts.sort().join(',').length === 0) throw new Error('Nothing was joined.');
  }
  return (processorTime() - start) / rounds;
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
