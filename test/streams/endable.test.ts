import { describe, expect, it, vi } from 'vitest';
import { endable } from '../../src/streams/endable.js';

describe('a stream with an end switch', () => {
  /** A source whose values come when the test says so, and whose `return` never settles. */
  function source() {
    const pending: ((result: IteratorResult<number>) => void)[] = [];
    let returned = 0;
    const iterator: AsyncIterableIterator<number> = {
      next: () => new Promise(resolve => pending.push(resolve)),
      return: () => {
        returned += 1;
        return new Promise(() => {});
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return {
      iterator,
      send: (value: number) => pending.shift()?.({ done: false, value }),
      finish: () => pending.shift()?.({ done: true, value: undefined }),
      get returned() {
        return returned;
      },
    };
  }

  it('passes values on until the source ends', async () => {
    const from = source();
    const onEnd = vi.fn();
    const stream = endable(from.iterator);
    stream.whenEnded(onEnd);
    const first = stream.next();
    from.send(1);
    expect(await first).toEqual({ done: false, value: 1 });
    const last = stream.next();
    from.finish();
    expect(await last).toEqual({ done: true, value: undefined });
    expect(onEnd).toHaveBeenCalledOnce();
  });

  it.each(['return', 'end'] as const)('answers at once when it is ended by %s while it waits', async how => {
    const from = source();
    const onEnd = vi.fn();
    const stream = endable(from.iterator);
    stream.whenEnded(onEnd);
    const waiting = stream.next();
    if (how === 'end') stream.end();
    else await stream.return();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(await stream.next()).toEqual({ done: true, value: undefined });
    expect(from.returned).toBe(1);
    expect(onEnd).toHaveBeenCalledOnce();
  });

  it('has one last word, whether or not somebody waits for it', async () => {
    for (const waits of [true, false]) {
      const stream = endable(source().iterator);
      const waiting = waits ? stream.next() : null;
      stream.end(7);
      expect(await (waiting ?? stream.next())).toEqual({ done: false, value: 7 });
      expect(await stream.next()).toEqual({ done: true, value: undefined });
    }
  });

  it('gives its last value after all earlier values were read', async () => {
    const from = source();
    const stream = endable(from.iterator);
    const first = stream.next();
    from.send(1);
    await first;
    stream.end(7);
    expect(await stream.next()).toEqual({ done: false, value: 7 });
  });

  it('passes on a failure, once', async () => {
    const failing: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error('broken')) }),
    };
    const onEnd = vi.fn();
    const stream = endable(failing);
    stream.whenEnded(onEnd);
    await expect(stream.next()).rejects.toThrow('broken');
    expect(await stream.next()).toEqual({ done: true, value: undefined });
    expect(onEnd).toHaveBeenCalledOnce();
  });
});
