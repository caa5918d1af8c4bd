import { describe, expect, it } from 'vitest';
import { compileFlag, evaluate } from '../../../src/core/evaluate.js';
import { createSubject } from '../../../src/core/subject.js';
import {
  removeAt,
  renameAt,
  setAt,
  testsOf,
  typedValue,
  wishOf,
  withCondition,
  wrapAt,
} from '../src/draft/condition-edits.js';
import type { Json } from '../src/words/shapes.js';

describe('edits of conditions', () => {
  const nested = { all: [{ attributes: { plan: 'pro', build: { gte: 420 } } }, { not: { groups: ['banned'] } }] };

  it('set, rename and remove a part by its path', () => {
    expect(setAt(nested, ['all', '0', 'attributes', 'build', 'gte'], 500)).toMatchObject({
      all: [{ attributes: { build: { gte: 500 } } }, {}],
    });
    expect(
      Object.keys(
        (renameAt(nested, ['all', '0', 'attributes', 'plan'], 'tier') as { all: [{ attributes: object }] }).all[0]
          .attributes,
      ),
    ).toEqual(['tier', 'build']);
    expect(removeAt(nested, ['all', '1', 'not', 'groups', '0'])).toEqual({ all: [nested.all[0]] });
    expect(removeAt({ groups: ['a'] }, ['groups'])).toEqual({});
    expect(wrapAt({ groups: ['a'] }, [], 'not')).toEqual({ not: { groups: ['a'] } });
  });

  it.each<[Json, Json]>([
    [{}, { attributes: { beta: true } }],
    [{ attributes: { plan: 'pro' } }, { attributes: { plan: 'pro', beta: true } }],
    [{ attributes: { beta: false } }, { all: [{ attributes: { beta: false } }, { attributes: { beta: true } }] }],
    [{ groups: ['a'] }, { all: [{ groups: ['a'] }, { attributes: { beta: true } }] }],
    [{ all: [{ groups: ['a'] }] }, { all: [{ groups: ['a'] }, { attributes: { beta: true } }] }],
  ])('a condition in addition to %j narrows', (before, after) => {
    expect(withCondition(before, { attributes: { beta: true } })).toEqual(after);
  });

  it('turn what is typed into a value of the right type', () => {
    expect([
      typedValue('5', 'seats', 'eq'),
      typedValue('"5"', 'seats', 'eq'),
      typedValue('5', '$id', 'in'),
      typedValue('2.1', 'v', 'semver_gte'),
      typedValue('true', 'beta', 'eq'),
      typedValue('2024-01-31', 'at', 'lt'),
    ]).toEqual([5, '5', '5', '2.1', true, '2024-01-31']);
  });

  it.each<Json>([
    'pro',
    ['pro', 'team'],
    { gte: 1, lt: 5 },
    { contains: 'a' },
    { ends_with: ['a', 'b'], ignore_case: true },
    { exists: false },
    { not_in: ['a'] },
  ])('keeps the meaning of %j', wish => {
    expect(wishOf(testsOf(wish))).toEqual(wish);
  });

  it('leave a text what would be another number', () => {
    const texts = ['007', '1234567890123456789', '-00', '1e999'];
    expect(texts.map(text => typedValue(text, 'account', 'eq'))).toEqual(texts);
    expect(['0', '-0.5', '0.25', '1e3'].map(text => typedValue(text, 'account', 'eq'))).toEqual([0, -0.5, 0.25, 1000]);
  });

  it('makes conditions that the server takes', () => {
    const flag = compileFlag({
      key: 'x',
      enabled: true,
      percentage: 100,
      conditions: withCondition(nested, { attributes: { a: 1 } }) as never,
    });
    expect(flag.faults).toEqual([]);
    expect(
      evaluate(flag, createSubject({ userId: 'ann', attributes: { plan: 'pro', build: 420, a: 1 } }), 0).enabled,
    ).toBe(true);
  });
});
