import { describe, expect, it } from 'vitest';
import { type Reader, UnsentBytes } from '../../src/server/http/unsent-bytes.js';

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
