import { describe, expect, it } from 'vitest';
import { type Attributes, attributeIssues } from '../../src/core/attributes.js';
import { readConditions, validateConditions } from '../../src/core/conditions.js';
import { compileFlag, evaluate } from '../../src/core/evaluate.js';
import type { JsonObject } from '../../src/core/json.js';
import { createSubject } from '../../src/core/subject.js';
import { type Identity, targeted } from './targeted.js';

const uuid = '3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a';

const asks = (conditions: JsonObject, attributes: object = {}, who: Identity = {}) =>
  readConditions(conditions).predicate?.(targeted(attributes as Attributes, [], who));
const paths = (conditions: JsonObject) => validateConditions(conditions).map(({ path }) => path.join('.'));

describe('$id', () => {
  it.each<[conditions: JsonObject, userId: string | null, expected: boolean]>([
    [{ attributes: { $id: 'auth0|5f7c' } }, 'auth0|5f7c', true],
    [{ attributes: { $id: 'auth0|5f7c' } }, 'auth0|5F7C', false],
    [{ attributes: { $id: ['ann', 'bob'] } }, 'bob', true],
    [{ attributes: { $id: { not_in: ['ann', 'bob'] } } }, 'bob', false],
    [{ attributes: { $id: { starts_with: 'auth0|' } } }, 'auth0|5f7c', true],
    [{ attributes: { $id: { eq: 'ANN', ignore_case: true } } }, 'ann', true],
    [{ attributes: { $id: { exists: true } } }, 'ann', true],
    [{ attributes: { $id: { exists: false } } }, null, true],
    [{ attributes: { $id: { neq: 'ann' } } }, null, true],
    [{ attributes: { $id: 'ann' } }, null, false],
    // A UUID in any case is the same id.
    [{ attributes: { $id: uuid.toUpperCase() } }, uuid, true],
    [{ attributes: { $id: { in: ['ann', uuid.toUpperCase()] } } }, uuid, true],
  ])('%j for the user %s: %s', (conditions, userId, expected) => {
    expect(paths(conditions)).toEqual([]);
    const flag = compileFlag({ key: 'a', enabled: true, percentage: 100, conditions });
    expect(evaluate(flag, createSubject({ userId }), 0).enabled).toBe(expected);
    const shouted = userId === uuid ? userId.toUpperCase() : userId;
    expect(evaluate(flag, createSubject({ userId: shouted, targetingKey: 'other' }), 0).enabled).toBe(expected);
  });

  it('is never an attribute of that name, also for an anonymous user', () => {
    expect(asks({ attributes: { $id: 'ann' } }, { $id: 'ann' }, { userId: 'bob' })).toBe(false);
    expect(asks({ attributes: { $id: { exists: true } } }, { $id: 'ann' })).toBe(false);
  });
});

describe('$targetingKey', () => {
  it.each<[who: Identity, key: string | null]>([
    [{ userId: 'ann', targetingKey: 'org-42' }, 'org-42'],
    [{ targetingKey: 'org-42' }, 'org-42'],
    [{ userId: 'ann' }, 'ann'],
    [{}, null],
  ])('for %j is %s: what rollouts hash', (who, key) => {
    expect(asks({ attributes: { $targetingKey: key ?? 'x' } }, { $targetingKey: 'x' }, who)).toBe(key !== null);
    expect(asks({ attributes: { $targetingKey: { exists: true } } }, {}, who)).toBe(key !== null);
  });
});

describe('other names that begin with "$"', () => {
  const conditions = { attributes: { $plan: 'pro', '$id.x': { exists: false } } };

  it('are refused when conditions are written, with the names that there are', () => {
    expect(paths(conditions)).toEqual(['conditions.attributes.$plan', 'conditions.attributes.$id.x']);
    expect(validateConditions(conditions)[0]?.message).toMatch(/\$id and \$targetingKey/);
  });

  it('go on in conditions that are stored already, as names at the top level', () => {
    const flag = compileFlag({ key: 'a', enabled: true, percentage: 100, conditions });
    expect(flag.faults).toEqual([]);
    const ask = (attributes: Attributes) => evaluate(flag, createSubject({ userId: 'u', attributes }), 0).enabled;
    expect([ask({ $plan: 'pro' }), ask({ $plan: 'free' }), ask({ $plan: 'pro', '$id.x': 1 })]).toEqual([
      true,
      false,
      false,
    ]);
  });

  it('hide no fault beside them', () => {
    const attributes = Object.fromEntries(Array.from({ length: 999 }, (_, n) => [`$a${n}`, { exists: false }]));
    const faulty = { attributes: { ...attributes, x: { gte: 'many' } } };
    expect(readConditions(faulty).faults).toHaveLength(1);
    expect(asks(faulty)).toBe(false);
    expect(asks({ attributes })).toBe(true);
  });

  it('are refused as attributes, with the name', () => {
    for (const name of ['$id', '$targetingKey', '$', '$plan']) {
      expect(attributeIssues({ plan: 'pro', [name]: null })).toEqual([
        { path: ['attributes', name], message: expect.stringContaining('"$id"') },
      ]);
    }
    expect(attributeIssues({ a$: 1, nested: { $oid: 'x' } })).toEqual([]);
  });
});

describe('what a built-in attribute can never be is refused when it is written', () => {
  it.each<[expectation: JsonObject[string], ...at: string[]]>([
    [1042, ''],
    [true, ''],
    [['1042', 1042], '.1'],
    [{ neq: 5 }, '.neq'],
    [{ not_in: [false] }, '.not_in.0'],
    [{ gte: 5 }, '.gte'],
  ])('%j', (expectation, at) => {
    const conditions = { attributes: { $id: expectation } };
    expect(paths(conditions)).toEqual([`conditions.attributes.$id${at}`]);
    expect(validateConditions(conditions)[0]?.message).toMatch(/write the value as text, such as "1042"/);
    expect(readConditions(conditions).faults).toEqual([]);
  });
});

describe('a dotted name', () => {
  const de = { attributes: { 'address.country': 'DE' } };

  it.each<[what: string, conditions: JsonObject, attributes: object, expected: boolean]>([
    ['reads an attribute in an object', de, { address: { country: 'DE' } }, true],
    ['compares it as any other', de, { address: { country: 'FR' } }, false],
    ['is missing where there is no such object', de, {}, false],
    ['is missing where the object has no such key', de, { address: {} }, false],
    ['is missing where it leads to null', de, { address: { country: null } }, false],
    [
      'is missing where it leads through a text',
      { attributes: { 'a.length': { exists: true } } },
      { a: 'text' },
      false,
    ],
    ['is missing where it leads through a list', { attributes: { 'a.0': { exists: true } } }, { a: [1] }, false],
    ['and through the objects in a list', { attributes: { 'a.b': 1 } }, { a: [{ b: 1 }] }, false],
    ['reads a list at its end', { attributes: { 'a.b': 2 } }, { a: { b: [1, 2] } }, true],
    [
      'reads eight levels',
      { attributes: { 'a.b.c.d.e.f.g.h': 1 } },
      { a: { b: { c: { d: { e: { f: { g: { h: 1 } } } } } } } },
      true,
    ],
    ['of nine parts is a whole name', { attributes: { 'a.b.c.d.e.f.g.h.i': 1 } }, { 'a.b.c.d.e.f.g.h.i': 1 }, true],
    [
      'of nine parts is no path',
      { attributes: { 'a.b.c.d.e.f.g.h.i': 1 } },
      { a: { b: { c: { d: { e: { f: { g: { h: { i: 1 } } } } } } } } },
      false,
    ],
    ['is a whole name first', de, { 'address.country': 'DE', address: { country: 'FR' } }, true],
    [
      'is a whole name first, also where that does not match',
      de,
      { 'address.country': 'FR', address: { country: 'DE' } },
      false,
    ],
    [
      'is a path where the whole name is null, which is missing',
      de,
      { 'address.country': null, address: { country: 'DE' } },
      true,
    ],
    ['has parts that are whole names in no other way', { attributes: { 'a.b.c': 1 } }, { 'a.b': { c: 1 } }, false],
    ['may have empty parts', { attributes: { 'a..b': 1 } }, { a: { '': { b: 1 } } }, true],
    ['negates a missing attribute', { attributes: { 'a.b': { neq: 1 } } }, { a: 5 }, true],
  ])('%s', (_what, conditions, attributes, expected) => {
    expect(paths(conditions)).toEqual([]);
    expect(asks(conditions, attributes)).toBe(expected);
  });

  it.each([
    'constructor.name',
    '__proto__.polluted',
    'a.__proto__',
    'a.constructor',
    'a.toString',
    'constructor.prototype.x',
  ])('%s finds nothing that objects inherit, and finds own keys', name => {
    const conditions = { attributes: { [name]: { exists: true } } };
    expect(asks(conditions, { a: {} })).toBe(false);
    expect(asks(conditions, { a: { b: 1 } })).toBe(false);
    const own = name.split('.').reduceRight((inner, part) => `{"${part}": ${inner}}`, '1');
    expect(asks(conditions, JSON.parse(own))).toBe(true);
  });

  it('reads the objects of a program as JSON would write them', () => {
    class Money {
      toJSON = () => ({ cents: 5 });
    }
    const user = { account: { created: new Date(0), seats: 7n, price: new Money() } };
    expect(asks({ attributes: { 'account.created': { lt: '1970-01-02' } } }, user)).toBe(true);
    expect(asks({ attributes: { 'account.seats': 7 } }, user)).toBe(true);
    expect(asks({ attributes: { 'account.price.cents': 5 } }, user)).toBe(true);
  });

  it('is missing where a program has something that JSON has not, or that fails', () => {
    const failing = Object.defineProperty({}, 'b', {
      get: () => {
        throw new Error('gone');
      },
    });
    const circular: { a?: unknown } = {};
    circular.a = circular;
    const values = [{ b: undefined }, { b: () => 1 }, { b: Number.NaN }, { b: 2 ** 53 }, { b: Symbol('b') }, failing];
    for (const a of [...values, new Map([['b', 1]]), Object.create({ b: 1 })]) {
      expect(asks({ attributes: { 'a.b': { exists: true } } }, { a })).toBe(false);
    }
    expect(asks({ attributes: { 'a.a.a.a': { exists: true } } }, circular)).toBe(true);
  });
});
