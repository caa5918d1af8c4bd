import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Difference, differencesBetween } from '../../src/core/differences.js';
import type { Json, JsonObject } from '../../src/core/json.js';
import { conditions } from './arbitrary-conditions.js';
import { Draw, randomFlag } from './random-flag.js';

const told = (before: JsonObject | null, after: JsonObject | null) =>
  differencesBetween(before, after).map(({ path, before, after }) => [path.join('.'), before, after]);

const rule = (id: string, more: JsonObject = {}): JsonObject => ({
  id,
  when: {},
  percentage: 100,
  on: true,
  serve: [],
  ...more,
});
const variant = (key: string, value: Json, weight = 1): JsonObject => ({ key, value, weight });

describe('the differences of a flag', () => {
  const flag = {
    id: '1',
    key: 'a',
    name: 'A',
    description: null,
    enabled: false,
    conditions: {},
    variants: [],
    rules: [],
    version: 1,
    updatedAt: '2026-01-01T00:00:00.000Z',
    createdAt: '2026-01-01T00:00:00.000Z',
    createdById: null,
  };
  const table: [title: string, before: JsonObject | null, after: JsonObject | null, expected: unknown[]][] = [
    ['of one field name it', { ...flag }, { ...flag, enabled: true, version: 2 }, [['enabled', false, true]]],
    ['leave out what the store counts itself', flag, { ...flag, version: 2, updatedAt: 'x', createdById: 'y' }, []],
    [
      'leave out the time of creation where something else differs',
      flag,
      { ...flag, name: 'B', createdAt: 'x', id: '2' },
      [['name', 'A', 'B']],
    ],
    [
      'tell the time of creation where nothing else differs',
      flag,
      { ...flag, createdAt: 'x' },
      [['createdAt', flag.createdAt, 'x']],
    ],
    [
      'of a creation are its fields that are not null',
      null,
      flag,
      [
        ['name', undefined, 'A'],
        ['enabled', undefined, false],
        ['conditions', undefined, {}],
        ['variants', undefined, []],
        ['rules', undefined, []],
      ],
    ],
    ['take null for absent in a field', { description: null }, {}, []],
    ['tell a field that becomes null', { description: 'x' }, { description: null }, [['description', 'x', undefined]]],
    [
      'name a variant by its key',
      { variants: [variant('blue', '#00f'), variant('red', '#f00')] },
      { variants: [variant('blue', '#00e'), variant('red', '#f00', 5)] },
      [
        ['variants.blue.value', '#00f', '#00e'],
        ['variants.red.weight', 1, 5],
      ],
    ],
    [
      'look into the values of variants',
      { variants: [variant('a', { colour: 'red', sizes: [1, 2] })] },
      { variants: [variant('a', { sizes: [1, 3], colour: 'red', deep: null })] },
      [
        ['variants.a.value.sizes', [1, 2], [1, 3]],
        ['variants.a.value.deep', undefined, null],
      ],
    ],
    [
      'name a rule that was added at the end by its id',
      { rules: [rule('staff')] },
      { rules: [rule('staff'), rule('beta')] },
      [['rules.beta', undefined, rule('beta')]],
    ],
    [
      'tell the order of rules where one was added elsewhere',
      { rules: [rule('staff')] },
      { rules: [rule('beta'), rule('staff')] },
      [
        ['rules', ['staff'], ['beta', 'staff']],
        ['rules.beta', undefined, rule('beta')],
      ],
    ],
    [
      'tell the order of rules where one was moved and changed',
      { rules: [rule('a'), rule('b'), rule('c')] },
      { rules: [rule('c', { percentage: 5 }), rule('a'), rule('b')] },
      [
        ['rules', ['a', 'b', 'c'], ['c', 'a', 'b']],
        ['rules.c.percentage', 100, 5],
      ],
    ],
    [
      'say no order where a rule was removed',
      { rules: [rule('a'), rule('b'), rule('c')] },
      { rules: [rule('a'), rule('c')] },
      [['rules.b', rule('b'), undefined]],
    ],
    [
      'look below a rule, into its conditions and its shares',
      { rules: [rule('a', { when: { groups: ['x'] }, serve: [{ variant: 'blue', weight: 1 }] })] },
      {
        rules: [
          rule('a', {
            when: { groups: ['x', 'y'] },
            serve: [
              { variant: 'blue', weight: 2 },
              { variant: 'red', weight: 1 },
            ],
          }),
        ],
      },
      [
        ['rules.a.when.groups', ['x'], ['x', 'y']],
        ['rules.a.serve.blue.weight', 1, 2],
        ['rules.a.serve.red', undefined, { variant: 'red', weight: 1 }],
      ],
    ],
    [
      'follow the structure of conditions',
      { conditions: { any: [{ groups: ['a'] }, { attributes: { plan: 'pro', age: { gte: 18 } } }] } },
      { conditions: { any: [{ groups: ['a'] }, { attributes: { plan: ['pro', 'team'], age: { gte: 21 } } }] } },
      [
        ['conditions.any.1.attributes.plan', 'pro', ['pro', 'team']],
        ['conditions.any.1.attributes.age.gte', 18, 21],
      ],
    ],
    [
      'hold a list of conditions as a whole where its length differs',
      { conditions: { all: [{ groups: ['a'] }] } },
      { conditions: { all: [{ groups: ['b'] }, { groups: ['a'] }] } },
      [['conditions.all', [{ groups: ['a'] }], [{ groups: ['b'] }, { groups: ['a'] }]]],
    ],
    [
      'hold rules that are not valid as a whole',
      { rules: [{ id: 'a' }, { id: 'a' }] },
      { rules: [{ id: 'a' }] },
      [['rules', [{ id: 'a' }, { id: 'a' }], [{ id: 'a' }]]],
    ],
    [
      'hold a field as a whole whose form is another one',
      { variants: 7, conditions: null },
      { variants: [variant('a', 1)], conditions: {} },
      [
        ['variants', 7, [variant('a', 1)]],
        ['conditions', undefined, {}],
      ],
    ],
    [
      'name fields that were added to flags later',
      { tags: ['a'], owner: null },
      { tags: ['a', 'b'], owner: 'team' },
      [
        ['tags', ['a'], ['a', 'b']],
        ['owner', undefined, 'team'],
      ],
    ],
  ];
  it.each(table)('%s', (_title, before, after, expected) => {
    expect(told(before, after)).toEqual(expected);
  });
});

describe('the differences of a user', () => {
  it.each<[string, JsonObject | null, JsonObject | null, unknown[]]>([
    [
      'name the attributes',
      { attributes: { plan: 'pro', seats: 5 } },
      { attributes: { seats: 6, eu: true } },
      [
        ['attributes.plan', 'pro', undefined],
        ['attributes.seats', 5, 6],
        ['attributes.eu', undefined, true],
      ],
    ],
    ['name each attribute of a new user', null, { attributes: { a: 1 } }, [['attributes.a', undefined, 1]]],
    [
      'tell an attribute that is null from one that is missing',
      { attributes: {} },
      { attributes: { a: null } },
      [['attributes.a', undefined, null]],
    ],
    [
      'read own attributes only, whatever they are called',
      { attributes: JSON.parse('{"constructor": 1}') },
      { attributes: JSON.parse('{"__proto__": 2}') },
      [
        ['attributes.constructor', 1, undefined],
        ['attributes.__proto__', undefined, 2],
      ],
    ],
    ['of an erased user are none', {}, null, []],
  ])('%s', (_title, before, after, expected) => {
    expect(told(before, after)).toEqual(expected);
  });
});

it('a new override in place of another one differs in what it says, and not in its time and its author', () => {
  const override = { enabled: true, variant: null, reason: null, expiresAt: null, createdAt: 'x', createdById: 'y' };
  const after = { ...override, reason: 'Case 4711', createdAt: 'z', createdById: 'w' };
  expect(told(override, after)).toEqual([['reason', undefined, 'Case 4711']]);
  expect(told(override, { ...override, createdAt: 'z' })).toEqual([['createdAt', 'x', 'z']]);
});

describe('the size of differences', () => {
  const many = (value: Json) => Object.fromEntries(Array.from({ length: 101 }, (_, place) => [`a${place}`, value]));

  it('is bounded: a field with more than 100 differences is one', () => {
    expect(told({ attributes: many(1) }, { attributes: many(2) })).toEqual([['attributes', many(1), many(2)]]);
    const { a0: _, ...hundred } = many(2);
    expect(told({ attributes: hundred }, { attributes: {} })).toHaveLength(100);
  });

  it('is bounded: an object with a long name differs as a whole', () => {
    const [before, after] = [1, 2].map(value => ({ attributes: { x: { ['n'.repeat(256)]: value } } }));
    expect(told(before as JsonObject, after as JsonObject)).toEqual([
      ['attributes.x', before?.attributes.x, after?.attributes.x],
    ]);
  });

  it('is bounded for values of any depth', () => {
    const deep = (end: string) => JSON.parse(`${'{"a":'.repeat(100_000)}${end}${'}'.repeat(100_000)}`);
    const [{ path } = { path: [] }, ...others] = differencesBetween({ x: deep('1') }, { x: deep('2') });
    expect(path).toHaveLength(21);
    expect(others).toEqual([]);
    expect(differencesBetween({ x: deep('1') }, { x: deep('1') })).toEqual([]);
  });
});

// Makes the state after from the state before, by what the paths say.

// A path may have a segment `__proto__`.
const names = new Map([
  ['variants', 'key'],
  ['rules', 'id'],
  ['serve', 'variant'],
]);

function applied(before: JsonObject, differences: readonly Difference[]): JsonObject {
  // biome-ignore lint/suspicious/noExplicitAny: walks values of any form.
  const state: any = structuredClone(before);
  const orders = differences.filter(({ path, after }) => isOrder(path, after));
  for (const { path, after } of differences.filter(difference => !orders.includes(difference))) {
    let place = state;
    for (const [depth, segment] of path.slice(0, -1).entries()) {
      const by = Array.isArray(place) ? names.get(path[depth - 1] as string) : undefined;
      const index = by === undefined ? segment : place.findIndex((item: JsonObject) => item[by] === segment);
      place = place[index];
    }
    const last = path.at(-1) as string;
    const by = Array.isArray(place) ? names.get(path.at(-2) as string) : undefined;
    const index = by === undefined ? last : place.findIndex((item: JsonObject) => item[by] === last);
    if (by !== undefined && after === undefined) place.splice(index, 1);
    else if (by !== undefined && index === -1) place.push(after);
    else if (after === undefined) delete place[index];
    // Not an assignment: a member may be called `__proto__`.
    else Object.defineProperty(place, index, { value: after, enumerable: true, writable: true, configurable: true });
  }
  for (const { path, after } of orders) {
    const parent = path.slice(0, -1).reduce((place, segment, depth) => {
      const by = Array.isArray(place) ? names.get(path[depth - 1] as string) : undefined;
      return by === undefined ? place[segment] : place.find((item: JsonObject) => item[by] === segment);
    }, state);
    const by = names.get(path.at(-1) as string) as string;
    parent[path.at(-1) as string] = (after as string[]).map(name =>
      parent[path.at(-1) as string].find((item: JsonObject) => item[by] === name),
    );
  }
  return state;
}

function isOrder(path: readonly string[], after: Json | undefined): boolean {
  if (names.get(path.at(-1) as string) === undefined) return false;
  return Array.isArray(after) && after.length > 0 && after.every(name => typeof name === 'string');
}

/** Stored text as the database gives it: members in another order. */
const shuffled = (value: Json): Json => {
  if (Array.isArray(value)) return value.map(shuffled);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, below]) => [name, shuffled(below)]),
  );
};

const flagState = fc
  .tuple(fc.nat(), fc.nat(40), conditions, fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.jsonValue()))
  .map(([seed, variety, conditions, attributes]): JsonObject => {
    const { key: _, ...flag } = randomFlag(new Draw(seed), 'checkout');
    // Rules of few ids meet often.
    const rules = flag.rules.map((rule, place) => ({ ...rule, id: `r${(place * 7 + variety) % 5}` }));
    return {
      ...JSON.parse(JSON.stringify({ ...flag, rules, conditions })),
      attributes: JSON.parse(JSON.stringify(attributes)),
    };
  });

describe('of any two states', () => {
  it('the differences make the one after of the one before', () => {
    fc.assert(
      fc.property(flagState, flagState, (before, after) => {
        const differences = differencesBetween(before, after);
        const made = applied(before, differences);
        expect(differencesBetween(made, after)).toEqual([]);
        expect(nullFree(made)).toEqual(nullFree(after));
        for (const difference of differences) expect(difference.before).not.toEqual(difference.after);
      }),
      { numRuns: 500 },
    );
  });

  it('there are none if both are equal, in whatever order their members stand', () => {
    fc.assert(
      fc.property(flagState, state => {
        expect(differencesBetween(state, shuffled(state) as JsonObject)).toEqual([]);
        expect(differencesBetween(state, { ...state, version: 7, updatedAt: 'x' })).toEqual([]);
      }),
    );
  });

  it('the differences back are those there, with both sides exchanged', () => {
    fc.assert(
      fc.property(flagState, flagState, (before, after) => {
        const sides = (differences: readonly Difference[]) => new Set(differences.map(({ path }) => path.join('\n')));
        const [there, back] = [differencesBetween(before, after), differencesBetween(after, before)];
        const changed = (differences: readonly Difference[]) =>
          differences.filter(({ path, after }) => !isOrder(path, after));
        expect(sides(changed(back))).toEqual(sides(changed(there)));
      }),
    );
  });
});

const nullFree = (state: JsonObject) => Object.fromEntries(Object.entries(state).filter(([, value]) => value !== null));
