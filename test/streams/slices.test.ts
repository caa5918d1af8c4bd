import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { eachInSlices } from '../../src/streams/slices.js';

/** Keeps the event loop for so many milliseconds. */
function spin(time: number): void {
  const end = performance.now() + time;
  while (performance.now() < end);
}

/** How many turns others get until this is done. */
async function turnsUntil(done: Promise<void>): Promise<number> {
  let turns = 0;
  let isDone = false;
  void done.then(() => {
    isDone = true;
  });
  for (; !isDone; turns += 1) await nextTurn();
  return turns;
}

describe('work on each of many', () => {
  it('gives others their turn every few milliseconds', async () => {
    const done: number[] = [];
    const work = eachInSlices(
      Array.from({ length: 30 }, (_, number) => number),
      number => {
        spin(2);
        done.push(number);
      },
    );
    expect(done.length).toBeLessThan(10);
    expect(await turnsUntil(work)).toBeGreaterThanOrEqual(5);
    expect(done).toHaveLength(30);
  });

  it('is done before it returns where there are few', () => {
    const done: number[] = [];
    void eachInSlices([1, 2, 3], number => void done.push(number));
    expect(done).toEqual([1, 2, 3]);
  });

  it('leaves out what a set has lost meanwhile', async () => {
    const all = new Set(Array.from({ length: 20 }, (_, number) => number));
    const done: number[] = [];
    await eachInSlices(all, number => {
      spin(1);
      done.push(number);
      all.delete(19 - number);
    });
    expect(done).toEqual(Array.from({ length: 10 }, (_, number) => number));
  });

  it('fails with what fails', async () => {
    const failing = eachInSlices([1], () => {
      throw new Error('a failure');
    });
    await expect(failing).rejects.toThrow('a failure');
  });
});
