import { setImmediate as nextTurn } from 'node:timers/promises';

/** How long a slice keeps the event loop unless stated otherwise, in milliseconds. */
const sliceTime = 5;

/** Work that may take long is done in slices, with a turn of the event loop between two. One begins when this is made. */
export class TimeSlice {
  readonly #time: number;
  #end: number;

  /** @param time how long a slice keeps the event loop, in milliseconds. */
  constructor(time = sliceTime) {
    this.#time = time;
    this.#end = performance.now() + time;
  }

  get isOver(): boolean {
    return performance.now() > this.#end;
  }

  /** Gives others their turn; then the next slice begins. */
  async next(): Promise<void> {
    await nextTurn();
    this.#end = performance.now() + this.#time;
  }
}

let lastTurn: Promise<void> = Promise.resolve();

/**
 * The turn of one of all streams that have much to say: one value of one stream for each turn of the event loop, so that others are
 * heard between any two, however many streams there are.
 */
export function streamTurn(): Promise<void> {
  lastTurn = lastTurn.then(() => nextTurn());
  return lastTurn;
}

/**
 * Acts on each of what may be thousands, in slices; on few of them before this returns. What a `Set` loses meanwhile is not acted on.
 * Rejects with what `act` throws.
 */
export async function eachInSlices<T>(items: Iterable<T>, act: (item: T) => void): Promise<void> {
  const slice = new TimeSlice();
  for (const item of items) {
    if (slice.isOver) await slice.next();
    act(item);
  }
}

/** Maps a list in slices. A short list is mapped in one. */
export async function mapInSlices<T, R>(items: readonly T[], map: (item: T) => R): Promise<R[]> {
  const mapped: R[] = [];
  const slice = new TimeSlice();
  for (const item of items) {
    if (slice.isOver) await slice.next();
    mapped.push(map(item));
  }
  return mapped;
}
