import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Latest } from '../../src/streams/latest.js';
import { settle } from '../support/wait.js';

it('gives a slow reader the latest value of each name, in the order in which the names came', async () => {
  const latest = new Latest<string>(() => {});
  latest.put('a', 'a1');
  latest.put('b', 'b1');
  latest.put('a', 'a2');
  const [first, second, third] = [latest.values.next(), latest.values.next(), latest.values.next()];
  expect(await first).toEqual({ done: false, value: 'a2' });
  expect(await second).toEqual({ done: false, value: 'b1' });
  latest.put('b', 'b2');
  expect(await third).toEqual({ done: false, value: 'b2' });
});

it('ends after the values that wait, and tells once that it has', async () => {
  let ends = 0;
  const latest = new Latest<string>(() => {
    ends += 1;
  });
  latest.put('a', 'last');
  latest.end();
  expect(ends).toBe(0);
  const found: string[] = [];
  for await (const value of latest.values) found.push(value);
  expect([found, ends]).toEqual([['last'], 1]);
  await latest.values.return?.();
  expect(ends).toBe(1);
});

it('lets go at once of a reader who leaves while it waits', async () => {
  let ends = 0;
  const latest = new Latest<string>(() => {
    ends += 1;
  });
  const pending = latest.values.next();
  await settle();
  await latest.values.return?.();
  expect([await pending, ends]).toEqual([{ done: true, value: undefined }, 1]);
  latest.put('a', 'late');
  expect(await latest.values.next()).toEqual({ done: true, value: undefined });
});

it('leaves others their turn between two values, however many streams have much to say', async () => {
  const streams = Array.from({ length: 20 }, () => new Latest<number>(() => {}));
  for (const stream of streams) {
    for (let n = 0; n < 50; n += 1) stream.put(String(n), n);
    stream.end();
  }
  let read = 0;
  const reading = Promise.all(
    streams.map(async stream => {
      for await (const _ of stream.values) read += 1;
    }),
  );
  let most = 0;
  for (let before = 0; read < 1_000; before = read) {
    await nextTurn();
    most = Math.max(most, read - before);
  }
  await reading;
  expect(most).toBeLessThanOrEqual(2);
});
