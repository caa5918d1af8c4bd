import { setImmediate as nextTurn } from 'node:timers/promises';

/** How long a slice keeps the event loop, in milliseconds. */
const sliceTime = 5;

/** Maps a list in slices, with a turn of the event loop between two. A short list is mapped in one. */
export async function mapInSlices<T, R>(items: readonly T[], map: (item: T) => R): Promise<R[]> {
  const mapped: R[] = [];
  let end = performance.now() + sliceTime;
  for (const item of items) {
    if (performance.now() > end) {
      await nextTurn();
      end = performance.now() + sliceTime;
    }
    mapped.push(map(item));
  }
  return mapped;
}
