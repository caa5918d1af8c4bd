import { describe, expect, it } from 'vitest';
import { type Predicate, readConditions } from '../../src/core/conditions.js';
import type { Json, JsonObject } from '../../src/core/json.js';

const nobody: ReadonlySet<string> = new Set();

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
    for (let time = 0; time < 10_000; time += 1) predicate?.({ x: 'ab' }, nobody);
  };
  evaluate();
  return middleCost(evaluate);
}

/** What is slow in its kind is some times the small case, and was some hundred times before it was bounded. */
const factor = 50;

/** The same numbers each time. */
function randomText(length: number, alphabet: readonly string[]): string {
  let state = 42;
  let text = '';
  while (text.length < length) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    text += alphabet[state % alphabet.length];
    // The lowest bits repeat soon.
    state ^= state >>> 13;
  }
  return text;
}

const any = (count: number, expectation: Json): JsonObject => ({
  any: Array.from({ length: count }, () => ({ attributes: { x: expectation } })),
});

/** As many as are accepted of as slow ones as are accepted: conditions of each size, of which those that are valid count. */
function accepted(make: (size: number, count: number) => JsonObject): Predicate[] {
  const sizes = [10, 20, 50, 100, 200, 290, 500, 1_000, 1_990];
  const counts = [1, 2, 5, 10, 20, 40, 100];
  return sizes.flatMap(size => {
    const read = counts.map(count => readConditions(make(size, count)));
    return read.filter(({ issues }) => issues.length === 0).at(-1)?.predicate ?? [];
  });
}

/** Counts above 1,000 are not allowed, so longer ones are written as two. */
const times = (what: string, count: number) =>
  count > 1_000 ? `${what}{1000}${what}{${count - 1_000}}` : `${what}{${count}}`;

const texts = ['a', 'aab', 'abé😀'].flatMap(alphabet =>
  [1_000, 16_000].map(length => randomText(length, [...alphabet])),
);

describe('the slowest conditions that are accepted cost little more than small ones:', () => {
  it.each<[string, (size: number, count: number) => JsonObject]>([
    ['a class again and again', (size, count) => any(count, { matches: `a${times('[ab]', size - 4)}[01]` })],
    ['any character again and again', (size, count) => any(count, { matches: `a${times('.', size - 4)}[01]` })],
    ['optional ones', (size, count) => any(count, { matches: `${times('(?:a?)', size / 2 - 3)}[01]` })],
    ['letters of all scripts', (size, count) => any(count, { matches: `a${times('[\\pLa]', size - 6)}[01]` })],
    [
      'short texts to look for',
      (_size, count) => any(1, { contains: Array.from({ length: count * 10 }, (_, n) => `aab${n}`) }),
    ],
    [
      'long texts to look for',
      (size, count) => any(1, { contains: Array.from({ length: count }, (_, n) => `a${n}${'a'.repeat(size)}`) }),
    ],
  ])('%s', (_what, make) => {
    const predicates = accepted(make);
    expect(predicates.length).toBeGreaterThan(0);
    const worst = Math.max(
      ...predicates.flatMap(predicate =>
        texts.map(x => {
          // The first time includes what is compiled on first use.
          predicate({ x }, nobody);
          return cost(() => predicate({ x }, nobody));
        }),
      ),
    );
    expect(worst).toBeLessThan(factor * smallCost());
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
