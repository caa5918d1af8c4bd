import { describe, expect, it } from 'vitest';
import { attributeIssues, attributeValue } from '../../src/core/attributes.js';

const sparse = (): unknown[] => {
  const list: unknown[] = ['a', 'b'];
  list.length = 3;
  return list;
};

const cyclic: Record<string, unknown> = {};
cyclic['self'] = cyclic;

describe('attributes that are stored are JSON as it is', () => {
  it.each<[string, unknown, string[]]>([
    ['an integer that is rounded', 2 ** 53, ['attributes', 'a']],
    ['one in a list', [1, -(2 ** 60)], ['attributes', 'a', '1']],
    ['NaN', Number.NaN, ['attributes', 'a']],
    ['Infinity', Number.POSITIVE_INFINITY, ['attributes', 'a']],
    ['a bigint', 10n, ['attributes', 'a']],
    ['undefined', undefined, ['attributes', 'a']],
    ['a function', () => 1, ['attributes', 'a']],
    ['a symbol', Symbol('a'), ['attributes', 'a']],
    ['a Map', new Map(), ['attributes', 'a']],
    ['a Date', new Date(), ['attributes', 'a']],
    ['a list with a gap', sparse(), ['attributes', 'a', '2']],
    ['an object in itself', cyclic, ['attributes', 'a', ...Array(7).fill('self')]],
  ])('%s is refused with its path', (_, value, path) => {
    expect(attributeIssues({ a: value })[0]?.path).toEqual(path);
  });
});

describe('an attribute of a user of the library counts as JSON would write it', () => {
  class Money {
    readonly cents = 5;
    toJSON() {
      return '0.05';
    }
  }

  it.each<[string, unknown, unknown]>([
    ['a text', 'a', 'a'],
    ['null', null, null],
    ['a valid date', new Date(0), '1970-01-01T00:00:00.000Z'],
    ['an object that says how it is written', new Money(), '0.05'],
    ['a bigint that a number can hold', 10n, 10],
    [
      'a list, element by element',
      ['a', 10n, new Date(0), undefined, Number.NaN],
      ['a', 10, '1970-01-01T00:00:00.000Z', null, null],
    ],
    ['a list with a gap', sparse(), ['a', 'b', null]],
    ['a boxed text', Object('a'), 'a'],
  ])('%s', (_, value, json) => {
    expect(attributeValue(value, 'a')).toEqual(json);
    if (typeof value !== 'bigint' && !Array.isArray(value))
      expect(attributeValue(value, 'a')).toEqual(JSON.parse(JSON.stringify(value)));
  });

  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['a function', () => 1],
    ['a symbol', Symbol('a')],
    ['NaN', Number.NaN],
    ['Infinity', Number.NEGATIVE_INFINITY],
    ['a date that is none', new Date(Number.NaN)],
  ])('%s is missing', (_, value) => {
    expect(attributeValue(value, 'a') ?? undefined).toBeUndefined();
  });

  it.each<[string, unknown]>([
    ['a Map', new Map([['a', 1]])],
    ['an object in itself', cyclic],
    ['an instance of a class', new (class A {})()],
  ])('%s is an object: it exists, and equals nothing', (_, value) => {
    expect(attributeValue(value, 'a')).toBeTypeOf('object');
  });

  it.each<[string, unknown]>([
    ['a bigint that no number can hold', 2n ** 53n],
    ['a number that was rounded', 2 ** 53],
    ['one of them in a list', [1, -(2n ** 60n)]],
  ])('%s is refused by name', (_, value) => {
    expect(() => attributeValue(value, 'account')).toThrow(
      /^The attribute "account" is an integer .* Write it as text/,
    );
  });
});
