import fc from 'fast-check';
import { expect, it } from 'vitest';
import { userIdFault } from '../../../src/core/user-id.js';
import { pastedIds, slicesOf } from '../src/draft/pasted-ids.js';

it.each([
  ['a\nb\r\nc', ['a', 'b', 'c']],
  [' a , b;c\td ', ['a', 'b', 'c', 'd']],
  ['"auth0|1","auth0|2"\n"auth0|1"', ['auth0|1', 'auth0|2']],
  ['Ann Lee\nBob', ['Ann Lee', 'Bob']],
  ['\n,, ', []],
])('%j are ids', (text, ids) => {
  expect(pastedIds(text)).toMatchObject({ ids, refused: [] });
});

it('ids that stand there again are counted', () => {
  expect(pastedIds('a, b, a\na')).toEqual({ ids: ['a', 'b'], refused: [], repeated: 2 });
});

it('what can be no id is told apart with the reason', () => {
  const long = 'x'.repeat(256);
  expect(pastedIds(`a\n${long}\nb\u0000c\nb`)).toEqual({
    ids: ['a', 'b'],
    refused: [
      { id: long, fault: 'It has 256 characters. An id has at most 255.' },
      { id: 'b\u0000c', fault: 'It has the character U+0000, which is no text.' },
    ],
    repeated: 0,
  });
});

it('refuses what the server refuses, and nothing else', () => {
  const unit = fc.oneof(fc.string({ unit: 'binary', maxLength: 4 }), fc.constantFrom('\u0000', '\ud800', '😀', 'é'));
  const texts = fc.array(fc.tuple(unit, fc.constantFrom(1, 127, 128, 255, 256)), { maxLength: 3 });
  fc.assert(
    fc.property(texts, parts => {
      const { ids, refused } = pastedIds(parts.map(([one, times]) => one.repeat(times)).join(''));
      expect(ids.map(userIdFault)).toEqual(ids.map(() => null));
      for (const { id } of refused) expect(userIdFault(id)).not.toBeNull();
    }),
  );
});

it('slices hold every id once, in order', () => {
  const ids = Array.from({ length: 2_500 }, (_, index) => `u${index}`);
  expect(slicesOf(ids, 1_000).map(({ length }) => length)).toEqual([1_000, 1_000, 500]);
  expect(slicesOf(ids).flat()).toEqual(ids);
});
