import { describe, expect, it } from 'vitest';
import { readConditions, validateConditions } from '../../src/core/conditions.js';
import { compileFlag, evaluate } from '../../src/core/evaluate.js';
import type { JsonObject } from '../../src/core/json.js';
import { createSubject } from '../../src/core/subject.js';
import { cpuTime } from '../support/cpu.js';
import { targeted } from './targeted.js';

const paths = (conditions: unknown) => validateConditions(conditions).map(({ path }) => path.join('.'));
const texts = (count: number) => Array.from({ length: count }, (_, n) => `text ${n}`);
const patterns = (count: number, pattern: string) => ({
  any: Array.from({ length: count }, () => ({ attributes: { x: { matches: pattern } } })),
});
const leaves = (count: number) => ({ any: Array.from({ length: count }, (_, n) => ({ attributes: { n } })) });

/** A list of two whose second place is empty. */
function gap(first: unknown = 'a'): unknown[] {
  const list = [first];
  list.length = 2;
  return list;
}

function nested(depth: number): object {
  let conditions: object = { groups: ['g'] };
  for (let level = 1; level < depth; level++) conditions = { not: conditions };
  return conditions;
}

describe('validateConditions', () => {
  it.each<[title: string, conditions: unknown]>([
    ['nothing at all', {}],
    ['empty blocks alone', { attributes: {}, groups: [] }],
    ['an empty block beside one that is not', { attributes: { tier: 'pro' }, groups: [] }],
    ['a nested empty block beside one that is not', { not: { attributes: {}, groups: ['a'] } }],
    ['names in any script', { attributes: { 'été.naïve': '日本' }, groups: ['bêta 😀'] }],
    ['a group of 100 characters outside the basic plane', { groups: ['😀'.repeat(100)] }],
    ['8 forms, one in another', nested(8)],
    ['1,000 operators', leaves(1_000)],
    ['10,000 values in one list', { attributes: { id: Array.from({ length: 10_000 }, (_, n) => `u${n}`) } }],
    ['objects of GraphQL, which have no prototype', Object.assign(Object.create(null), { groups: ['a'] })],
    ['a pattern of 1,000 characters', { attributes: { x: { matches: `[${'a'.repeat(998)}]` } } }],
    ['a pattern of 300 steps', { attributes: { x: { matches: `a{200}b{98}` } } }],
    [
      'patterns of 300 steps together',
      { any: [{ attributes: { x: { matches: 'a{148}' } } }, { not: { attributes: { y: { matches: 'b{148}' } } } }] },
    ],
    [
      'braces in classes and escapes, which repeat nothing',
      {
        attributes: {
          x: { matches: String.raw`(?:[{1000}]\{1000}\x{1000}\p{Greek}[\]{1000}\x{1000}]+[]{1000}]){15}` },
        },
      },
    ],
    ['100 texts to look for', { attributes: { x: { contains: texts(60) }, y: { not_contains: texts(40) } } }],
    ['a text of 200 characters to look for', { attributes: { x: { contains: 'x'.repeat(200) } } }],
    ['thousands of texts that are compared', { attributes: { x: { starts_with: texts(5_000), in: texts(5_000) } } }],
    ['own keys named like inherited ones', JSON.parse('{"attributes":{"__proto__":1,"constructor":{"exists":true}}}')],
  ])('accepts %s', (_title, conditions) => {
    expect(validateConditions(conditions)).toEqual([]);
  });

  it.each<[title: string, conditions: unknown, at: string[]]>([
    ['null', null, ['conditions']],
    ['undefined', undefined, ['conditions']],
    ['a Date', new Date(), ['conditions']],
    ['a Map', { attributes: new Map() }, ['conditions.attributes']],
    ['undefined in a known place', { attributes: undefined }, ['conditions.attributes']],
    ['a list with a gap', { attributes: { tier: gap() } }, ['conditions.attributes.tier.1']],
    ['a list of groups with a gap', { groups: gap() }, ['conditions.groups.1']],
    [
      'a list of ranges with a gap',
      { attributes: { ip: { in_cidr: gap('::/0') } } },
      ['conditions.attributes.ip.in_cidr.1'],
    ],
    ['attributes as a list', { attributes: ['tier'] }, ['conditions.attributes']],
    ['a group that is not text', { groups: ['a', 5, null] }, ['conditions.groups.1', 'conditions.groups.2']],
    ['a group of 101 characters', { groups: ['g'.repeat(101)] }, ['conditions.groups.0']],
    ['an attribute without a name', { attributes: { '': 1 } }, ['conditions.attributes.']],
    [
      'an attribute of 101 characters',
      { attributes: { ['n'.repeat(101)]: 1 } },
      [`conditions.attributes.${'n'.repeat(101)}`],
    ],
    [
      'text that cannot be stored',
      { attributes: { x: 'a\0b' }, groups: ['\ud800'] },
      ['conditions.attributes.x', 'conditions.groups.0'],
    ],
    [
      'numbers that JSON has not',
      { attributes: { x: Number.NaN, y: Number.POSITIVE_INFINITY } },
      ['conditions.attributes.x', 'conditions.attributes.y'],
    ],
    ['null in a list', { attributes: { x: ['a', null] } }, ['conditions.attributes.x.1']],
    ['an empty list', { attributes: { x: [] } }, ['conditions.attributes.x']],
    ['a Date as expectation', { attributes: { x: { gt: new Date(0) } } }, ['conditions.attributes.x.gt']],
    [
      'a nested object in place of operators',
      { attributes: { address: { city: 'Berlin' } } },
      ['conditions.attributes.address.city'],
    ],
    ['all that is not a list', { all: { groups: ['a'] } }, ['conditions.all']],
    ['any with empty blocks inside', { any: [{ attributes: {}, groups: [] }] }, ['conditions.any.0']],
    ['all and any in one object', { all: [{ groups: ['a'] }], any: [{ groups: ['b'] }] }, ['conditions']],
    [
      'mixed forms, with the faults in each',
      { groups: 5, not: {} },
      ['conditions', 'conditions.groups', 'conditions.not'],
    ],
    ['mixed forms deep down', { all: [{ groups: ['a'], not: { groups: ['b'] } }] }, ['conditions.all.0']],
    ['a key that Object.prototype has', JSON.parse('{"__proto__": {"groups": ["a"]}}'), ['conditions.__proto__']],
    [
      'operators that Object.prototype has',
      { attributes: { x: { constructor: 1, toString: 2 } } },
      ['conditions.attributes.x.constructor', 'conditions.attributes.x.toString'],
    ],
    ['9 forms, one in another', nested(9), [`conditions${'.not'.repeat(8)}`]],
    ['1,001 operators', leaves(1_001), ['conditions']],
    [
      'a pattern of 1,001 characters',
      { attributes: { x: { matches: `[${'a'.repeat(999)}]` } } },
      ['conditions.attributes.x.matches'],
    ],
    [
      'patterns of 1,001 characters together, the one that is too much',
      {
        all: [
          { attributes: { x: { matches: `[${'a'.repeat(598)}]` } } },
          { attributes: { y: { matches: `[${'a'.repeat(399)}]` } } },
        ],
      },
      ['conditions.all.1.attributes.y.matches'],
    ],
    ['a pattern of 301 steps', { attributes: { x: { matches: 'a{200}b{99}' } } }, ['conditions.attributes.x.matches']],
    [
      'patterns of 301 steps together, the one that is too much',
      { any: [{ attributes: { x: { matches: 'a{148}' } } }, { not: { attributes: { y: { matches: 'b{149}' } } } }] },
      ['conditions.any.1.not.attributes.y.matches'],
    ],
    [
      'many patterns, each that is too much',
      patterns(4, 'a{100}'),
      ['conditions.any.2.attributes.x.matches', 'conditions.any.3.attributes.x.matches'],
    ],
    [
      '101 texts to look for, the list that is too much',
      { attributes: { x: { contains: texts(60) }, y: { not_contains: texts(41) } } },
      ['conditions.attributes.y.not_contains'],
    ],
    [
      'a text of 201 characters to look for',
      { attributes: { x: { contains: ['a', 'x'.repeat(201)] } } },
      ['conditions.attributes.x.contains.1'],
    ],
  ])('refuses %s', (_title, conditions, at) => {
    expect(paths(conditions)).toEqual(at);
    expect(readConditions(conditions).predicate?.(targeted({ x: 'a' }, ['a', 'g']))).toBe(false);
  });

  it('says what is expected', () => {
    const messages = validateConditions({
      tier: 'pro',
      attributes: { a: null, b: { like: 'x' }, c: { gte: 'many' }, d: { in: 'x' } },
    }).map(({ message }) => message);
    expect(messages).toEqual([
      expect.stringContaining('inside "attributes"'),
      expect.stringContaining('{"exists": false}'),
      expect.stringMatching(/operators are eq, neq, in, .*in_cidr/),
      expect.stringContaining('"2024-01-31"'),
      expect.stringContaining('["premium", "enterprise"]'),
    ]);
  });

  it('says how much was found, how much is allowed, and what to do', () => {
    const messageOf = (conditions: unknown) => validateConditions(conditions).at(-1)?.message;
    expect(messageOf({ attributes: { x: { matches: `[${'a'.repeat(1_233)}]` } } })).toBe(
      'The patterns of one flag may have 1,000 characters together; with this one they have 1,235. ' +
        'Use "in", "contains", "starts_with" or "ends_with" in place of patterns that list texts.',
    );
    expect(messageOf(patterns(4, 'a{98}'))).toBe(
      'The patterns of one flag may have 300 steps together, counted repetitions unrolled; with this one they have 400. ' +
        'Use "+" or "*" in place of large counts, and "in", "contains" or "ends_with" in place of lists of texts.',
    );
    expect(messageOf({ attributes: { x: { contains: texts(1_500) } } })).toBe(
      'The operators "contains" and "not_contains" of one flag may look for 100 texts together; with these they look for 1,500. ' +
        'Use "in" for whole values, also of a list, and "starts_with" or "ends_with" for the beginning or the end.',
    );
    expect(messageOf({ attributes: { x: { contains: 'x'.repeat(300) } } })).toBe(
      'Expected a text of at most 200 characters, found 300.',
    );
  });

  it('lists hundreds of faults, each with its own path', () => {
    const attributes = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`a${n}`, { like: n }]));
    expect(new Set(paths({ attributes })).size).toBe(500);
  });
});

describe('the predicate of readConditions', () => {
  it.each([{}, { attributes: {} }, { groups: [] }, { attributes: {}, groups: [] }])(
    'is null for %j: no conditions',
    conditions => {
      expect(readConditions(conditions).predicate).toBeNull();
    },
  );

  it('takes an empty block beside another as not there', () => {
    const byGroup = readConditions({ attributes: {}, groups: ['beta'] }).predicate;
    expect([byGroup?.(targeted({}, ['beta'])), byGroup?.(targeted({}))]).toEqual([true, false]);
    const byAttribute = readConditions({ attributes: { tier: 'pro' }, groups: [] }).predicate;
    expect([byAttribute?.(targeted({ tier: 'pro' })), byAttribute?.(targeted({}))]).toEqual([true, false]);
  });

  it('never lets faulty conditions match through a "not"', () => {
    expect(readConditions({ not: { attributes: { x: { like: 1 } } } }).predicate?.(targeted({}))).toBe(false);
    expect(readConditions({ any: [{ groups: ['a'] }, { like: 1 }] }).predicate?.(targeted({}, ['a']))).toBe(false);
  });
});

describe('names that objects inherit', () => {
  const inherited = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf', '__defineGetter__'];

  it.each(inherited)('%s is an attribute like any other: missing unless the user has it', name => {
    const conditions: unknown = JSON.parse(`{"attributes": {"${name}": {"exists": true}}}`);
    const predicate = readConditions(conditions).predicate;
    expect(predicate?.(targeted({}))).toBe(false);
    expect(predicate?.(targeted(JSON.parse(`{"${name}": 1}`)))).toBe(true);
    expect(predicate?.(targeted(JSON.parse(`{"${name}": null}`)))).toBe(false);
  });

  it('an attribute that an object inherits is missing', () => {
    const inheriting = Object.create({ tier: 'pro' }) as JsonObject;
    expect(readConditions({ attributes: { tier: 'pro' } }).predicate?.(targeted(inheriting))).toBe(false);
  });

  it.each(inherited)('%s is a group and a flag key like any other', name => {
    const flag = compileFlag({ key: name, enabled: true, percentage: 100, conditions: { groups: [name] } });
    expect(evaluate(flag, createSubject({ userId: 'u' }), 0).enabled).toBe(false);
    expect(evaluate(flag, createSubject({ userId: 'u', groups: new Set([name]) }), 0).enabled).toBe(true);
  });

  it('leave Object.prototype as it was', () => {
    const before = Object.getOwnPropertyNames(Object.prototype).length;
    const conditions: unknown = JSON.parse(
      '{"attributes": {"__proto__": {"polluted": 1}}, "__proto__": {"groups": ["a"]}}',
    );
    readConditions(conditions).predicate?.(targeted(JSON.parse('{"__proto__": {"polluted": true}}'), ['a']));
    expect(Object.getOwnPropertyNames(Object.prototype).length).toBe(before);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});

describe('the groups of readConditions', () => {
  it('finds every group, also under "not" and beside faults', () => {
    const conditions = {
      all: [{ groups: ['a', 'b'] }, { not: { any: [{ groups: ['c'] }, { like: 1, groups: ['d', ''] }] } }],
    };
    expect(readConditions(conditions).groups).toEqual(new Set(['a', 'b', 'c', 'd']));
    expect(readConditions({ attributes: { groups: ['x'] } }).groups).toEqual(new Set());
  });
});

describe('hostile conditions', () => {
  const deep = (open: string, close: string) => JSON.parse(open.repeat(5_000) + close.repeat(5_000)) as unknown;
  const repeated = (one: unknown) => ({ all: new Array(300_000).fill(one) });

  it.each<[title: string, conditions: unknown]>([
    ['five thousand "not" deep', JSON.parse(`${'{"not":'.repeat(5_000)}{}${'}'.repeat(5_000)}`)],
    ['five thousand lists deep', deep('[', ']')],
    ['an operand five thousand lists deep', { attributes: { x: { eq: deep('[', ']') } } }],
    ['an expectation five thousand lists deep', { attributes: { x: deep('[', ']') } }],
    ['three hundred thousand empty objects', repeated({})],
    ['three hundred thousand leaves', repeated({ groups: ['a'] })],
    ['three hundred thousand bad groups', { groups: new Array(300_000).fill(0) }],
    ['three hundred thousand nulls in a list', { attributes: { x: new Array(300_000).fill(null) } }],
    [
      'three hundred thousand unknown keys',
      Object.fromEntries(Array.from({ length: 300_000 }, (_, n) => [`k${n}`, n])),
    ],
    [
      'three hundred thousand operators',
      { attributes: { x: Object.fromEntries(Array.from({ length: 300_000 }, (_, n) => [`k${n}`, n])) } },
    ],
  ])('%s are refused at little cost, with a bounded list of faults', async (_title, conditions) => {
    const issues = validateConditions(conditions);
    expect(await cpuTime(async () => validateConditions(conditions), 1)).toBeLessThan(2_000_000);
    expect(issues.length).toBeGreaterThan(0);
    expect(issues.length).toBeLessThanOrEqual(1_000);
    expect(readConditions(conditions).predicate?.(targeted({}))).toBe(false);
  });

  it('are not walked beyond the cap: operators after the 1,001st are not looked at', () => {
    expect(paths({ any: [...leaves(1_001).any, { like: 1 }] })).toEqual(['conditions']);
  });

  it('that contain themselves are refused', () => {
    const circular: { not?: unknown } = {};
    circular.not = circular;
    expect(validateConditions(circular)).toHaveLength(1);
  });
});
