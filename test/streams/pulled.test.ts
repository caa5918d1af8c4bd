import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { endable } from '../../src/streams/endable.js';
import { isPromise, nextOf, type Pullable, type Reader, whenKnown } from '../../src/streams/pulled.js';

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

describe('a value that may be yet to come', () => {
  class OtherPromise<T> extends Promise<T> {}

  it.each<[what: string, value: unknown, isPromise: boolean]>([
    ['a promise', Promise.resolve(1), true],
    ['a promise of another class', OtherPromise.resolve(1), true],
    ['an object', { data: {} }, false],
    ['nothing', undefined, false],
    ['null', null, false],
    ['a text', 'then', false],
  ])('%s', (_what, value, expected) => {
    expect(isPromise(value)).toBe(expected);
  });

  it('is made something of at once, or when it has come', async () => {
    const twice = (value: number) => 2 * value;
    expect(whenKnown(1, twice)).toBe(2);
    expect(await whenKnown(Promise.resolve(1), twice)).toBe(2);
    await expect(whenKnown(Promise.reject(new Error('No.')), twice)).rejects.toThrow('No.');
  });

  it('is nowhere told by its class, which a program may have replaced', async () => {
    const sources = new URL('../../src', import.meta.url).pathname;
    const files = (await readdir(sources, { recursive: true })).filter(name => name.endsWith('.ts'));
    const texts = await Promise.all(files.map(name => readFile(join(sources, name), 'utf8')));
    expect(files.filter((_name, index) => texts[index]?.includes('instanceof Promise'))).toEqual([]);
    expect(files.length).toBeGreaterThan(100);
  });
});
