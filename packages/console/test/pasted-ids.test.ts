import { expect, it } from 'vitest';
import { pastedIds, slicesOf } from '../src/draft/pasted-ids.js';

it.each([
  ['a\nb\r\nc', ['a', 'b', 'c']],
  [' a , b;c\td ', ['a', 'b', 'c', 'd']],
  ['"auth0|1","auth0|2"\n"auth0|1"', ['auth0|1', 'auth0|2']],
  ['Ann Lee\nBob', ['Ann Lee', 'Bob']],
  ['\n,, ', []],
])('%j are ids', (text, ids) => {
  expect(pastedIds(text)).toEqual(ids);
});

it('slices hold every id once, in order', () => {
  const ids = Array.from({ length: 2_500 }, (_, index) => `u${index}`);
  expect(slicesOf(ids).map(({ length }) => length)).toEqual([1_000, 1_000, 500]);
  expect(slicesOf(ids).flat()).toEqual(ids);
});
