import { describe, expect, it } from 'vitest';
import { endable } from '../../src/streams/endable.js';
import { nextOf, type Pullable, type Reader } from '../../src/streams/pulled.js';

/** A source that is pulled, whose values come when the test says so. It is an iterator too, which nobody is to use. */
function source() {
  const readers: Reader<number>[] = [];
  const iterator: AsyncIterableIterator<number> & Pullable<number> = {
    pull: reader => void readers.push(reader),
    next: () => Promise.reject(new Error('It was asked for a promise.')),
    [Symbol.asyncIterator]: () => iterator,
  };
  return { iterator, readers };
}

/** What a reader was told, in order. */
function listener() {
  const told: unknown[] = [];
  const reader: Reader<number> = {
    take: value => void told.push(value),
    end: () => void told.push('end'),
    fail: error => void told.push(error),
  };
  return { told, reader };
}

describe('a source that is pulled', () => {
  it('answers each pull through a stream at once, without a promise', () => {
    const { iterator, readers } = source();
    const stream = endable(iterator);
    const { told, reader } = listener();
    stream.pull(reader);
    expect(told).toEqual([]);
    readers.shift()?.take(1);
    expect(told).toEqual([1]);
    stream.pull(reader);
    readers.shift()?.end();
    expect(told).toEqual([1, 'end']);
    stream.pull(reader);
    expect(told).toEqual([1, 'end', 'end']);
  });

  it('tells the reader of a failure once, and of its end afterwards', () => {
    const { iterator, readers } = source();
    const stream = endable(iterator);
    const { told, reader } = listener();
    stream.pull(reader);
    const failure = new Error('a failure');
    const [waiting] = readers;
    waiting?.fail(failure);
    waiting?.take(2);
    waiting?.end();
    expect(told).toEqual([failure]);
    stream.pull(reader);
    expect(told).toEqual([failure, 'end']);
  });

  it('is an iterator to whoever wants one', async () => {
    const { iterator, readers } = source();
    const stream = endable(iterator);
    const first = stream.next();
    readers.shift()?.take(1);
    expect(await first).toEqual({ done: false, value: 1 });
    const failed = nextOf(stream);
    readers.shift()?.fail(new Error('a failure'));
    await expect(failed).rejects.toThrow('a failure');
    expect(await nextOf(stream)).toEqual({ done: true, value: undefined });
  });
});
