/**
 * Microseconds of processor time that this process, server included, spends on some work: the least of several runs, after
 * one that warms up. Two of these may be compared where a factor of ten is no accident.
 */
export async function cpuTime(work: () => Promise<unknown>, runs = 3): Promise<number> {
  await work();
  let least = Number.POSITIVE_INFINITY;
  for (let run = 0; run < runs; run += 1) {
    const before = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, user + system);
  }
  return least;
}

/** Bytes of heap in use once the garbage is collected. Needs `--expose-gc`. */
export async function heapInUse(): Promise<number> {
  for (let turn = 0; turn < 4; turn += 1) {
    await new Promise(resolve => setTimeout(resolve, 20));
    globalThis.gc?.();
  }
  return process.memoryUsage().heapUsed;
}
