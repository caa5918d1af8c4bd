import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attributeIssues } from '../../src/core/attributes.js';
import { type Issue, shortIssue, ValidationError } from '../../src/core/errors.js';
import { compileFlag } from '../../src/core/evaluate.js';
import { inputs, parseInput } from '../../src/core/inputs.js';
import type { Json, JsonObject } from '../../src/core/json.js';

const ann = '3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a';

type Input = keyof typeof inputs;

function errorOf(input: Input, value: unknown): ValidationError | null {
  try {
    parseInput(inputs[input], value);
    return null;
  } catch (error) {
    if (error instanceof ValidationError) return error;
    throw error;
  }
}

/** As a mutation answers it. */
const answer = ({ code, message, path, issues }: ValidationError) => JSON.stringify({ code, message, path, issues });

function expectBounded(error: ValidationError): void {
  expect(Buffer.byteLength(answer(error))).toBeLessThanOrEqual(50_000);
  expect(error.issues.length).toBeLessThanOrEqual(100);
  for (const { path, message } of error.issues) {
    expect(message.length).toBeLessThanOrEqual(500);
    for (const segment of path) expect(segment.length).toBeLessThanOrEqual(200);
  }
}

const faulty = (count: number, name = (index: number) => `a${index}`) => ({
  key: 'a',
  name: 'A',
  conditions: {
    attributes: Object.fromEntries(Array.from({ length: count }, (_, index) => [name(index), { like: 1 }])),
  },
});

describe('an error about an input', () => {
  it.each([1, 99, 100])('of %i faults lists them all', count => {
    const error = errorOf(
      'createFlag',
      faulty(count, index => `a${index}`),
    );
    expect(error?.issues.map(({ path }) => path[2])).toEqual(Array.from({ length: count }, (_, index) => `a${index}`));
  });

  it.each([
    [101, 2],
    [150, 51],
    [1_000, 901],
  ])('of %i faults lists 99, and says that %i are not listed', (count, more) => {
    const error = errorOf('createFlag', faulty(count)) as ValidationError;
    expect(error.issues).toHaveLength(100);
    expect(error.issues.slice(0, -1).map(({ path }) => path[2])).toEqual(
      Array.from({ length: 99 }, (_, index) => `a${index}`),
    );
    expect(error.issues.at(-1)).toEqual({
      path: [],
      message: `Correct these first. Faults that are not listed here: ${more}.`,
    });
    expectBounded(error);
  });

  it('lists fewer where names are long, and says how many are not listed', () => {
    const error = errorOf(
      'createFlag',
      faulty(100, index => `${index}`.padStart(1_000, '\u0001')),
    ) as ValidationError;
    const [last] = error.issues.slice(-1) as [Issue];
    // Each of these names is a fault of its own, beside the operator.
    expect(last.message).toBe(`Correct these first. Faults that are not listed here: ${201 - error.issues.length}.`);
    expect(error.issues.length).toBeGreaterThan(5);
    expectBounded(error);
  });

  it('cuts each part that repeats the input', () => {
    const error = errorOf('createFlag', { key: 'a', name: 'A', conditions: { ['k'.repeat(100_000)]: 1 } });
    const cut = `${'k'.repeat(100)}…${'k'.repeat(99)}`;
    expect(error?.issues).toEqual([{ path: ['conditions', cut], message: expect.stringContaining('Conditions have') }]);
    expect(error?.path).toEqual(['conditions', cut]);
    expect(error?.message).toMatch(new RegExp(`^conditions\\.${cut}: Conditions have`));
  });

  it('shortens the message of a library about a pattern', () => {
    const matches = `${'(?:a)'.repeat(190)}[z-a]`;
    const error = errorOf('createFlag', {
      key: 'a',
      name: 'A',
      conditions: { attributes: { x: { matches: `(${matches}` } } },
    });
    expect(error?.issues[0].message).toMatch(/^Expected an RE2 pattern: /);
    expect(error?.issues[0].message.length).toBeLessThanOrEqual(227);
  });

  it.each<[string, Input, unknown]>([
    ['20,000 ids that are too long', 'group', { group: 'g', userIds: new Array(20_000).fill('x'.repeat(400)) }],
    [
      'unknown fields',
      'deleteUser',
      Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`\0${n}`.padEnd(500, '\0'), n])),
    ],
    [
      'attributes that nest long names',
      'setUserAttributes',
      {
        userId: ann,
        attributes: Array.from({ length: 7 }).reduce<Json>(
          inner => ({ ['\u0001'.repeat(5_000)]: inner }),
          ['\0', '\0'],
        ),
      },
    ],
    ['a thousand patterns', 'createFlag', faultyPatterns(1_000)],
    ['a key of a megabyte', 'createFlag', { key: 'k'.repeat(1_000_000), name: 'n'.repeat(1_000_000) }],
  ])('is bounded: %s', (_what, input, value) => {
    const error = errorOf(input, value);
    expect(error).not.toBeNull();
    expectBounded(error as ValidationError);
  });
});

function faultyPatterns(count: number) {
  const any = Array.from({ length: count }, () => ({ attributes: { x: { matches: `(${'😀'.repeat(300)}` } } }));
  return { key: 'a', name: 'A', conditions: { any } };
}

describe('any JSON of up to 100 kB', () => {
  const words = [
    'attributes',
    'groups',
    'all',
    'any',
    'not',
    'in',
    'matches',
    'contains',
    'like',
    'userId',
    '__proto__',
  ];
  const long = fc
    .tuple(
      fc.string({ unit: fc.constantFrom('a', '\0', '\u0001', '"', '😀', '\ud800', '日'), minLength: 1, maxLength: 8 }),
      fc.nat(2_000),
    )
    .map(([text, times]) => text.repeat(times));
  const key = fc.oneof(fc.constantFrom(...words), long, fc.string({ unit: 'binary' }));
  const { small } = fc.letrec<{ small: unknown }>(tie => ({
    small: fc.oneof(
      { maxDepth: 7, depthIdentifier: 'json' },
      fc.oneof(long, fc.string(), fc.double(), fc.boolean(), fc.constant(null)),
      fc.dictionary(key, tie('small'), { maxKeys: 3 }),
      fc.array(tie('small'), { maxLength: 3 }),
    ),
  }));
  const length = (value: unknown) => (JSON.stringify(value) ?? '').length;
  /** As often as fits. */
  const many = fc.tuple(small, long, fc.boolean()).map(([one, name, isList]) => {
    const times = Math.min(1_200, Math.floor(98_000 / (length(one) + (isList ? 1 : length(name) + 8))));
    const values = new Array<unknown>(Math.max(1, times)).fill(one);
    return isList ? values : Object.fromEntries(values.map((value, index) => [`${name}${index}`, value]));
  });
  const within = (value: unknown) => fc.constantFrom(...words).map(word => ({ [word]: value }));
  const upTo100kB = fc
    .oneof(
      small,
      many,
      many.chain(within),
      many.chain(value => within(value).chain(within)),
    )
    .filter(value => length(value) <= 100_000);

  it.each<[string, Input, (value: unknown) => unknown]>([
    ['conditions', 'createFlag', conditions => ({ key: 'a', name: 'A', conditions })],
    ['attributes of conditions', 'updateFlag', attributes => ({ key: 'a', conditions: { attributes } })],
    ['attributes', 'setUserAttributes', attributes => ({ userId: ann, attributes })],
    ['user ids', 'group', userIds => ({ group: 'g', userIds })],
    ['the whole input', 'setOverride', value => value],
  ])('as %s is accepted, or refused with a bounded error', (_what, input, make) => {
    let refused = 0;
    let cut = 0;
    fc.assert(
      fc.property(upTo100kB, value => {
        const error = errorOf(input, make(value));
        if (error === null) return;
        refused += 1;
        if (error.issues.at(-1)?.path.length === 0) cut += 1;
        expectBounded(error);
      }),
      { numRuns: 300, seed: 7 },
    );
    expect(refused).toBeGreaterThan(100);
    // Whole lists of faults came up, so that the bounds say something.
    if (input !== 'setOverride') expect(cut).toBeGreaterThan(0);
  });

  it('as attributes of a context has a first fault that is bounded once it is cut', () => {
    fc.assert(
      fc.property(upTo100kB, value => {
        for (const issue of attributeIssues(value).slice(0, 1)) {
          expect(Buffer.byteLength(JSON.stringify(shortIssue(issue)))).toBeLessThan(15_000);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('as stored conditions has faults whose parts are bounded, as they are logged', () => {
    fc.assert(
      fc.property(upTo100kB, conditions => {
        const flag = compileFlag({ key: 'a', enabled: true, percentage: 100, conditions: conditions as JsonObject });
        expect(flag.faults.length).toBeLessThanOrEqual(1_000);
        for (const issue of flag.faults) expect(shortIssue(issue)).toEqual(issue);
      }),
      { numRuns: 200 },
    );
  });
});
