import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bounded, isLongerThan, isName, isStorable, keepingLast, shortened } from '../../src/core/text.js';

describe('a bounded pattern', () => {
  const words = bounded(/^(\w)\w*$/, 5);

  it('matches as it is up to the length', () => {
    expect([words.test('abcde'), words.test('a b'), words.exec('abcde')?.[1]]).toEqual([true, false, 'a']);
  });

  it('does not match a longer text', () => {
    expect([words.test('abcdef'), words.exec('abcdef')]).toEqual([false, null]);
  });

  it('does not even look at a longer text', () => {
    const looked: string[] = [];
    class Watched extends RegExp {
      override exec(text: string) {
        looked.push(text);
        return super.exec(text);
      }
    }
    const watched = bounded(new Watched('b'), 2);
    for (const text of ['ab', 'abc', 'x'.repeat(1_000_000)]) {
      watched.test(text);
      watched.exec(text);
    }
    expect(looked).toEqual(['ab', 'ab']);
  });
});

describe('a shortened text', () => {
  it.each([
    ['', 200, ''],
    ['abcde', 5, 'abcde'],
    ['abcdef', 5, 'ab…ef'],
    ['abcdef', 4, 'ab…f'],
    ['abcdef', 3, 'a…f'],
    ['a😀bcd', 5, 'a…cd'],
    ['abc😀de', 5, 'ab…de'],
    ['ab😀', 3, 'a…'],
    ['😀😀😀😀', 5, '😀…😀'],
    ['😀😀😀', 4, '😀…'],
  ])('%j cut to %i is %j', (text, max, expected) => {
    expect(shortened(text, max)).toBe(expected);
  });

  it('keeps the beginning and the end within 200', () => {
    const text = shortened(`begin${'x'.repeat(1_000_000)}end`);
    expect(text).toHaveLength(200);
    expect(text).toMatch(/^beginx+…x+end$/);
  });

  it('is never longer than it may be, never splits a pair, and stays as it is when shortened again', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), fc.integer({ min: 3, max: 30 }), (text, max) => {
        const short = shortened(text, max);
        expect(short.length).toBeLessThanOrEqual(max);
        expect(short.isWellFormed()).toBe(text.isWellFormed());
        expect(shortened(short, max)).toBe(short);
        if (text.length <= max) expect(short).toBe(text);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('the length of a text', () => {
  it.each([
    ['abc', 3, false],
    ['abcd', 3, true],
    ['😀😀😀', 3, false],
    ['😀😀😀😀', 3, true],
    ['😀a😀a', 3, true],
    ['', 0, false],
    ['x'.repeat(1_000_000), 100, true],
  ])('%#: counts characters, not code units', (text, most, longer) => {
    expect(isLongerThan(text, most)).toBe(longer);
  });

  it.each([
    ['a', true],
    ['', false],
    ['x'.repeat(100), true],
    ['x'.repeat(101), false],
    ['😀'.repeat(100), true],
    ['😀'.repeat(101), false],
    ['a\0', false],
    ['\ud800', false],
  ])('%#: decides whether it may be a name', (text, may) => {
    expect(isName(text)).toBe(may);
  });
});

describe('a text that can be stored', () => {
  it.each([
    ['', true],
    ['any text 😀', true],
    ['\u0001', true],
    ['a\0b', false],
    ['\ud83d', false],
    ['\ude00\ud83d', false],
  ])('%j: %s', (text, storable) => {
    expect(isStorable(text)).toBe(storable);
  });
});

describe('a reader that keeps its last answer', () => {
  it('reads a text again only after another one, and answers as the reader does', () => {
    const reads: string[] = [];
    const lengthOf = keepingLast(text => {
      reads.push(text);
      return text.length;
    }, 3);
    expect(['a', 'a', 'bb', 'a', ''].map(lengthOf)).toEqual([1, 1, 2, 1, 0]);
    expect(reads).toEqual(['a', 'bb', 'a', '']);
  });

  it('keeps no text that is longer than it may be, and none for a reader that throws', () => {
    const reads: string[] = [];
    const read = keepingLast(text => {
      reads.push(text);
      if (text === 'no') throw new Error('No.');
      return text;
    }, 3);
    expect(['long', 'long'].map(read)).toEqual(['long', 'long']);
    for (const _ of [1, 2]) expect(() => read('no')).toThrow('No.');
    expect(reads).toEqual(['long', 'long', 'no', 'no']);
  });
});
