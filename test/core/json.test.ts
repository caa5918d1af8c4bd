import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { isPlainObject } from '../../src/core/json.js';

class Money {
  readonly cents = 1;
}

describe('a plain object', () => {
  it.each<[string, unknown]>([
    ['a literal', { a: 1 }],
    ['one without a prototype', Object.create(null)],
    ['what JSON.parse makes, whatever it names', JSON.parse('{"__proto__": {"a": 1}, "constructor": 1}')],
    ['one of another realm', runInNewContext('({ a: 1 })')],
  ])('is %s', (_, value) => {
    expect(isPlainObject(value)).toBe(true);
  });

  it.each<[string, unknown]>([
    ['null', null],
    ['undefined', undefined],
    ['a text', 'a'],
    ['a function', () => 1],
    ['a list', []],
    ['a list of another realm', runInNewContext('[]')],
    ['a Date', new Date()],
    ['a Map', new Map()],
    ['an instance of a class', new Money()],
    ['one that inherits from another', Object.create({ a: 1 })],
  ])('is not %s', (_, value) => {
    expect(isPlainObject(value)).toBe(false);
  });
});
