import { describe, expect, it } from 'vitest';
import { type CompiledFlag, compileFlag, evaluate } from '../../src/core/evaluate.js';
import type { FlagDefinition } from '../../src/core/flag.js';
import { createSubject, type Subject } from '../../src/core/subject.js';

/** UUIDs from a counter: the same ones on every run, so that no statistic below depends on luck. */
const users = Array.from({ length: 200_000 }, (_, index) => {
  const hex = Math.imul(index + 1, 0x9e3779b1) >>> 0;
  const userId = `${hex.toString(16).padStart(8, '0')}-0000-4000-8000-${index.toString(16).padStart(12, '0')}`;
  return createSubject({ userId });
});

type Weights = Readonly<Record<string, number>>;

function flagOf(weights: Weights, fields: Partial<FlagDefinition> = {}): CompiledFlag {
  const variants = Object.entries(weights).map(([key, weight]) => ({ key, value: key, weight }));
  const offVariant = variants[0]?.key ?? '';
  return compileFlag({
    ...{ key: 'theme', enabled: true, percentage: 100, conditions: {}, type: 'STRING', variants, offVariant },
    ...fields,
  });
}

/** The variant of each user, or null where the flag is off. */
function variantsOf(flag: CompiledFlag, subjects: readonly Subject[] = users): (string | null)[] {
  return subjects.map(subject => {
    const { enabled, variant } = evaluate(flag, subject, 0);
    return enabled ? variant : null;
  });
}

function countsOf<T>(values: readonly T[]): Map<T, number> {
  const counts = new Map<T, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

const shareOf = <T>(list: readonly T[], test: (item: T, index: number) => boolean) =>
  list.filter(test).length / list.length;

/** @param expected the expected share of each cell. */
function chiSquare(observed: readonly number[], expected: readonly number[]): number {
  const total = observed.reduce((sum, count) => sum + count, 0);
  return observed.reduce((sum, count, index) => {
    const wanted = total * (expected[index] as number);
    return sum + (count - wanted) ** 2 / wanted;
  }, 0);
}

/** The values of chi-square beyond which a share of 0.001 lies, by degrees of freedom. */
const limits = new Map([
  [1, 10.83],
  [2, 13.82],
  [3, 16.27],
  [4, 18.47],
  [6, 22.46],
  [9, 27.88],
]);

describe('the split', () => {
  it.each<[string, Weights]>([
    ['theme', { red: 33, green: 33, blue: 34 }],
    ['theme', { red: 50, green: 25, blue: 25 }],
    ['search', { a: 1, b: 1 }],
    ['a', { a: 900, b: 95, c: 5 }],
    ['a', { a: 100_000, b: 50_000, c: 25_000, d: 12_500 }],
    ['x.y', { '1': 1, '2': 2, '3': 3, '4': 4, '5': 5 }],
  ])('of %s gives %j their shares, by chi-square', (key, weights) => {
    const counts = countsOf(variantsOf(flagOf(weights, { key })));
    const sum = Object.values(weights).reduce((total, weight) => total + weight, 0);
    const keys = Object.keys(weights);
    const value = chiSquare(
      keys.map(one => counts.get(one) ?? 0),
      keys.map(one => (weights[one] as number) / sum),
    );
    expect(value).toBeLessThan(limits.get(keys.length - 1) as number);
  });

  const before = variantsOf(flagOf({ red: 33, green: 33, blue: 34 }));

  it.each<[string, Weights]>([
    ['the order of variants', { blue: 34, red: 33, green: 33 }],
    ['the scale of weights', { red: 33_000, green: 33_000, blue: 34_000 }],
    ['variants without a weight', { none: 0, red: 33, gold: 0, green: 33, blue: 34 }],
  ])('does not depend on %s', (_what, weights) => {
    expect(variantsOf(flagOf(weights))).toEqual(before);
  });

  it.each<[string, Weights]>([
    ['a little', { red: 34, green: 33, blue: 34 }],
    ['much', { red: 99, green: 33, blue: 34 }],
  ])('moves users only into a variant whose weight is raised %s', (_how, weights) => {
    const after = variantsOf(flagOf(weights));
    expect(after.filter((variant, index) => variant !== before[index] && variant !== 'red')).toEqual([]);
    expect(countsOf(after).get('red')).toBeGreaterThan(countsOf(before).get('red') ?? 0);
  });

  it('moves users only out of a variant whose weight is lowered, down to nothing', () => {
    for (const red of [20, 0]) {
      const after = variantsOf(flagOf({ red, green: 33, blue: 34 }));
      expect(before.filter((variant, index) => variant !== after[index] && variant !== 'red')).toEqual([]);
    }
  });

  it('moves at most 27 % of users for a fourth equal variant, all of them into it', () => {
    const three = variantsOf(flagOf({ red: 1, green: 1, blue: 1 }));
    const four = variantsOf(flagOf({ red: 1, green: 1, blue: 1, gold: 1 }));
    const moved = shareOf(four, (variant, index) => variant !== three[index]);
    expect(moved).toBeGreaterThan(0.24);
    expect(moved).toBeLessThan(0.27);
    expect(four.filter((variant, index) => variant !== three[index] && variant !== 'gold')).toEqual([]);
  });

  it('moves about 17 % of users from 33, 33, 34 to 50, 25, 25', () => {
    const after = variantsOf(flagOf({ red: 50, green: 25, blue: 25 }));
    const moved = shareOf(after, (variant, index) => variant !== before[index]);
    expect(Math.abs(moved - 0.17)).toBeLessThan(0.005);
  });

  it('gives everybody the same variant at each percentage, and those who join the one that they have at 100 %', () => {
    let inside = 0;
    for (const percentage of [1, 10, 50, 99]) {
      const variants = variantsOf(flagOf({ red: 33, green: 33, blue: 34 }, { percentage }));
      expect(variants.filter((variant, index) => variant !== null && variant !== before[index])).toEqual([]);
      const now = shareOf(variants, variant => variant !== null);
      expect(now).toBeGreaterThan(inside);
      inside = now;
    }
  });

  it('gives the same variant by a rule of any percentage as by the weights of the flag', () => {
    const rules = [{ id: 'r', when: {}, percentage: 12.25, on: true, serve: [] }];
    const variants = variantsOf(flagOf({ red: 33, green: 33, blue: 34 }, { percentage: 0, rules }));
    expect(variants.filter((variant, index) => variant !== null && variant !== before[index])).toEqual([]);
    const inside = shareOf(variants, variant => variant !== null);
    expect(Math.abs(inside - 0.1225)).toBeLessThan(4 * Math.sqrt((0.1225 * 0.8775) / users.length));
  });
});

/** Chi-square of the table of two answers of each user, against their product. */
function dependence(one: readonly unknown[], other: readonly unknown[]): number {
  const [rows, columns] = [countsOf(one), countsOf(other)];
  const cells = countsOf(one.map((value, index) => `${value}/${other[index]}`));
  const table = [...rows.keys()].flatMap(row => [...columns.keys()].map(column => [row, column] as const));
  return chiSquare(
    table.map(([row, column]) => cells.get(`${row}/${column}`) ?? 0),
    table.map(([row, column]) => ((rows.get(row) ?? 0) / one.length) * ((columns.get(column) ?? 0) / one.length)),
  );
}

describe('the variant of a user says nothing about', () => {
  const weights = { red: 33, green: 33, blue: 34 };
  const variants = variantsOf(flagOf(weights));
  const isOn = (fields: Partial<FlagDefinition>) => {
    const flag = compileFlag({ key: 'theme', enabled: true, percentage: 100, conditions: {}, ...fields });
    return users.map(subject => evaluate(flag, subject, 0).enabled);
  };
  const half = [{ id: 'half', when: {}, percentage: 50, on: true, serve: [] }];

  it.each<[string, () => readonly unknown[], number]>([
    ['the rollout of the flag', () => isOn({ percentage: 50 }), 2],
    ['a rule of the flag', () => isOn({ percentage: 0, rules: half }), 2],
    ['the rollout of another flag', () => isOn({ key: 'other', percentage: 50 }), 2],
    ['the variant of another flag', () => variantsOf(flagOf(weights, { key: 'other' })), 4],
    ['the variant of another flag with other variants', () => variantsOf(flagOf({ a: 1, b: 2 }, { key: 'b' })), 2],
  ])('%s: chi-square of the joint table is below the limit', (_what, others, freedom) => {
    expect(dependence(variants, others())).toBeLessThan(limits.get(freedom) as number);
  });
});

describe('a rule', () => {
  const ruled = (id: string, percentage: number, key = 'theme') =>
    compileFlag({
      ...{ key, enabled: true, percentage: 0, conditions: {} },
      rules: [{ id, when: {}, percentage, on: true, serve: [] }],
    });
  const insideOf = (flag: CompiledFlag) => users.map(subject => evaluate(flag, subject, 0).enabled);

  it('of a percentage with two decimals has that share of users, and a higher one only adds users', () => {
    let before = insideOf(ruled('r', 0));
    expect(before).not.toContain(true);
    for (const percentage of [0.07, 1, 12.25, 33.33, 99.99, 100]) {
      const inside = insideOf(ruled('r', percentage));
      const share = percentage / 100;
      const deviation = Math.sqrt((share * (1 - share)) / users.length);
      expect(Math.abs(shareOf(inside, Boolean) - share)).toBeLessThanOrEqual(4 * deviation);
      expect(before.some((was, index) => was && !inside[index])).toBe(false);
      before = inside;
    }
  });

  it('says nothing about another rule of the flag, and about the rollout', () => {
    const one = insideOf(ruled('one', 50));
    const rollout = compileFlag({ key: 'theme', enabled: true, percentage: 50, conditions: {} });
    for (const other of [ruled('other', 50), ruled('one', 50, 'search'), rollout]) {
      expect(dependence(one, insideOf(other))).toBeLessThan(limits.get(1) as number);
    }
  });
});
