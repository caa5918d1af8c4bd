import type { Socket } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ByteBudget, ByteShare } from '../../src/server/http/byte-budget.js';
import { type Reader, ReaderProgress, UnsentBytes } from '../../src/server/http/unsent-bytes.js';

function stage(unsentPerAddress: number, unsentInAll: number) {
  const unsent = new UnsentBytes({ unsentPerAddress, unsentInAll });
  const cut: string[] = [];
  /** A reader that takes nothing of these bytes. */
  const hold = (name: string, address: string, bytes: number) => {
    const reader: Reader = {
      address,
      cut() {
        unsent.release(reader, bytes, 0);
        cut.push(name);
      },
    };
    return unsent.hold(reader, bytes);
  };
  return { unsent, cut, hold };
}

describe('bytes that wait for readers', () => {
  it('of one address are bounded, and the reader beyond is refused', () => {
    const { unsent, cut, hold } = stage(100, 1_000);
    expect(hold('a', '192.0.2.1', 60)).toBe(true);
    expect(hold('b', '192.0.2.1', 60)).toBe(false);
    expect(hold('c', '192.0.2.2', 60)).toBe(true);
    expect(cut).toEqual([]);
    expect(unsent.held).toBe(120);
  });

  it('make room, where too many wait for all together, by the readers of the address for which most waits', () => {
    const { unsent, cut, hold } = stage(100, 250);
    for (const name of ['a', 'b', 'c', 'd']) expect(hold(name, '192.0.2.1', 25)).toBe(true);
    expect(hold('e', '192.0.2.2', 90)).toBe(true);
    expect(hold('f', '192.0.2.3', 50)).toBe(true);
    expect(hold('honest', '192.0.2.4', 30)).toBe(true);
    expect(cut).toEqual(['a']);
    expect(hold('honest', '192.0.2.5', 60)).toBe(true);
    expect(cut).toEqual(['a', 'e']);
    expect(unsent.held).toBe(75 + 50 + 30 + 60);
  });

  it('of the address for which most waits give way to no other reader of it', () => {
    const { cut, hold } = stage(200, 200);
    expect(hold('a', '192.0.2.1', 150)).toBe(true);
    expect(hold('b', '192.0.2.1', 60)).toBe(false);
    expect(cut).toEqual([]);
  });
});

describe('the reader of a socket', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('is stalled once it has taken nothing for the whole time, and not while it takes a little', () => {
    let now = 1_000;
    vi.spyOn(performance, 'now').mockImplementation(() => now);
    const handle = { bytesWritten: 0, writeQueueSize: 0 };
    const progress = new ReaderProgress({ _handle: handle } as unknown as Socket);
    const isStalledAfter = (milliseconds: number) => {
      now += milliseconds;
      return progress.isStalled(handle.writeQueueSize, 300);
    };
    expect(isStalledAfter(1_000)).toBe(false);
    handle.bytesWritten = 500;
    handle.writeQueueSize = 100;
    expect(isStalledAfter(200)).toBe(false);
    expect(isStalledAfter(299)).toBe(false);
    // One write, of which the operating system takes a byte.
    handle.writeQueueSize = 99;
    expect(isStalledAfter(100)).toBe(false);
    // More is written, and nothing is taken.
    handle.bytesWritten += 50;
    handle.writeQueueSize += 50;
    expect(isStalledAfter(200)).toBe(false);
    expect(isStalledAfter(100)).toBe(true);
    handle.writeQueueSize = 0;
    expect(isStalledAfter(1_000)).toBe(false);
    // It may have begun to wait just now.
    handle.bytesWritten += 10;
    handle.writeQueueSize = 10;
    expect(isStalledAfter(1_000)).toBe(false);
    expect(isStalledAfter(300)).toBe(true);
  });
});

describe('the share of a budget', () => {
  it('begins beyond what is free, is refused alone, and is given back to the last byte', () => {
    const budget = new ByteBudget({ perAddress: 50_000, inAll: 100_000 });
    const [share, other] = [1, 2].map(() => new ByteShare(budget, '192.0.2.1', 10_000)) as [ByteShare, ByteShare];
    expect(share.add(10_000)).toBe(true);
    expect(budget.held).toBe(0);
    expect(share.add(40_000)).toBe(true);
    expect(budget.held).toBe(40_000);
    expect(other.add(10_000)).toBe(true);
    expect(other.add(20_000)).toBe(false);
    expect(budget.held).toBe(40_000);
    share.remove(30_000);
    expect(budget.held).toBe(10_000);
    expect(other.add(20_000)).toBe(true);
    for (const [one, bytes] of [
      [share, 20_000],
      [other, 30_000],
    ] as const)
      one.remove(bytes);
    expect(budget.held).toBe(0);
  });
});
