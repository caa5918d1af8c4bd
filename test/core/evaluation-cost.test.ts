import { describe, expect, it } from 'vitest';
import type { Predicate } from '../../src/core/condition-tree.js';
import { readConditions } from '../../src/core/conditions.js';
import type { Json, JsonObject } from '../../src/core/json.js';
import { targeted } from './targeted.js';

const small = targeted({ x: 'ab' });

/** Milliseconds of processor time; what other processes do meanwhile does not count. */
function cost(act: () => void): number {
  const before = process.cpuUsage();
  act();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

/** The middle of five, so that one collection of garbage decides nothing. */
function middleCost(act: () => void): number {
  return [1, 2, 3, 4, 5].map(() => cost(act)).sort((a, b) => a - b)[2] as number;
}

/** A small case: ten thousand evaluations of a short pattern on a short text, in milliseconds. */
function smallCost(): number {
  const { predicate } = readConditions({ attributes: { x: { matches: '^a' } } });
  const evaluate = () => {
    for (let time = 0; time < 10_000; time += 1) predicate?.(small);
  };
  evaluate();
  return middleCost(evaluate);
}

/** What is slow in its kind is some times the small case, and was some hundred times before it was bounded. */
const factor = 30;

/** The same numbers each time. */
function randomText(length: number, alphabet: readonly string[], seed: number): string {
  let state = seed;
  let text = '';
  while (text.length < length) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    text += alphabet[state % alphabet.length];
    // The lowest bits repeat soon.
    state ^= state >>> 13;
  }
  return text;
}

/** Steps of all patterns of a flag. */
const mostSteps = 300;

const any = (count: number, expectation: Json): JsonObject => ({
  any: Array.from({ length: count }, () => ({ attributes: { x: expectation } })),
});

/** Conditions with patterns of about so many steps, one or as many as come to the limit together. */
const ofSizes = (make: (steps: number) => string): JsonObject[] =>
  [10, 15, 20, 30, 60, 150, 290, 500, 1_990].map(steps =>
    any(Math.max(1, Math.floor(mostSteps / steps)), { matches: make(steps) }),
  );

/** Conditions that look for few and for many texts. */
const ofCounts = (make: (number: number) => string): JsonObject[] =>
  [1, 20, 100, 1_000].map(count => any(1, { contains: Array.from({ length: count }, (_, number) => make(number)) }));

const accepted = (conditions: readonly JsonObject[]): Predicate[] =>
  conditions.flatMap(one => {
    const { issues, predicate } = readConditions(one);
    return issues.length > 0 || predicate === null ? [] : [predicate];
  });

/** Counts above 1,000 are not allowed, so longer ones are written as two. */
const times = (what: string, count: number) =>
  count > 1_000 ? `${what}{1000}${what}{${count - 1_000}}` : `${what}{${count}}`;

/** Of each kind some texts: what a pattern keeps of the first ones helps little with the last. */
const texts = ['a', 'ab', 'abé😀'].flatMap(alphabet =>
  [1_000, 16_000].map(length => [1, 2, 3, 4].map(seed => randomText(length, [...alphabet], seed))),
);

/** Lists as long as operators look at, and longer ones, of short and of long texts. */
const lists = ['1.2.3', '2001:db8:1:2:3:4:5:6', '2024-01-01T00:00:00.5+02:00', '1', 'ab', 'A'.repeat(160)].flatMap(
  text => {
    const short = Math.min(100, Math.floor(1_000 / text.length));
    return [short, 100, Math.floor(16_000 / (text.length + 3))].map(length => Array.from({ length }, () => text));
  },
);

describe('the slowest conditions that look into lists cost little more than small ones:', () => {
  it.each<[what: string, count: number, expectation: Json]>([
    ['versions', 100, { semver_gt: '99.0.0' }],
    ['addresses', 100, { in_cidr: ['10.0.0.0/8', 'fe80::/10'] }],
    ['dates', 100, { gt: '2030-01-01' }],
    ['patterns', 60, { matches: '[bc]$' }],
    ['starts of texts', 1_000, { starts_with: 'x' }],
    ['starts of texts without case', 1_000, { starts_with: 'x', ignore_case: true }],
    ['whole values', 1_000, { in: ['x', 'y'] }],
    ['whole values without case', 1_000, { in: ['x', 'y'.repeat(160)], ignore_case: true }],
    ['numbers', 1_000, { gt: 5 }],
  ])('%s', (_what, count, expectation) => {
    const [predicate] = accepted([any(count, expectation)]);
    const worst = Math.max(...lists.map(x => middleCost(() => predicate?.(targeted({ x })))));
    expect(worst).toBeLessThan(factor * smallCost());
    expect(predicate?.(targeted({ x: lists[0] as Json }))).toBe(false);
  });

  it('texts that are searched for without case', () => {
    const texts = Array.from({ length: 100 }, (_, n) => `б${n}`);
    const [predicate] = accepted([
      { any: texts.map(text => ({ attributes: { x: { contains: text, ignore_case: true } } })) },
    ]);
    expect(middleCost(() => predicate?.(targeted({ x: 'АБВ'.repeat(2_700) })))).toBeLessThan(factor * smallCost());
  });
});

describe('the slowest conditions that are accepted cost little more than small ones:', () => {
  it.each<[what: string, conditions: JsonObject[], accepted: number]>([
    ['a class again and again', ofSizes(steps => `a${times('[ab]', steps - 4)}[01]`), 7],
    ['any character again and again', ofSizes(steps => `a${times('.', steps - 5)}[01]`), 7],
    ['optional characters', ofSizes(steps => `${times('(?:a?)', steps / 2 - 3)}[01]`), 7],
    ['letters of all scripts', ofSizes(steps => `a${times('[\\pLa]', steps - 5)}[01]`), 7],
    ['short texts to look for', ofCounts(number => `aab${number}`), 3],
    ['texts of 200 characters to look for', ofCounts(number => `a${number}b`.padEnd(200, 'a')), 3],
    ['texts of 900 characters to look for', ofCounts(number => `${'a'.repeat(450)}${number}`.padEnd(900, 'a')), 0],
  ])('%s', (_what, conditions, count) => {
    const predicates = accepted(conditions);
    const worst = Math.max(
      0,
      ...predicates.flatMap(predicate =>
        texts.map(ofAKind => {
          const costs = ofAKind.map(x => cost(() => predicate(targeted({ x }))));
          // The first ones include what is compiled on first use, and either of the last two may meet the garbage collector.
          return Math.min(...costs.slice(-2));
        }),
      ),
    );
    expect(worst).toBeLessThan(factor * smallCost());
    expect(predicates).toHaveLength(count);
  });
});

it('conditions that are refused for the size of their patterns are refused without compiling them', () => {
  const refused = ['\\pL{0,1000}'.repeat(80), 'a{1000}'.repeat(140), `(?:${'a'.repeat(900)}){300}`];
  const validate = () => {
    for (const matches of refused) expect(readConditions({ attributes: { x: { matches } } }).issues).toHaveLength(1);
  };
  validate();
  expect(middleCost(validate)).toBeLessThan(factor * smallCost());
});
