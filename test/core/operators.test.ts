import { describe, expect, it } from 'vitest';
import { readConditions, validateConditions } from '../../src/core/conditions.js';
import type { Json } from '../../src/core/json.js';
import { findOperator, type OperatorName, operators } from '../../src/core/operators.js';
import { cpuTime } from '../support/cpu.js';
import { targeted } from './targeted.js';

const missing = Symbol('missing');

/** operand, then the attributes that match it, then those that do not. */
type Row = readonly [operand: Json, matching: readonly (Json | symbol)[], others: readonly (Json | symbol)[]];

const everyKind: readonly (Json | symbol)[] = [missing, null, true, 0, 'text', [], ['text'], {}];

const table: { readonly [name in OperatorName]: readonly Row[] } = {
  eq: [
    ['pro', ['pro', ['free', 'pro']], ['Pro', 'pro ', '', ['free'], [['pro']], { pro: 'pro' }, missing, null]],
    [5, [5, 5.0, [4, 5]], ['5', 6, true, ['5'], missing]],
    [0, [0, -0], [false, '', null, '0', [], missing]],
    [true, [true, [true]], [1, 'true', false, missing]],
    [false, [false], [0, '', null, missing]],
    ['', ['', ['']], [[], null, missing, 0, false]],
    // Composed and decomposed: texts are compared as they are.
    ['é', ['é'], ['e\u0301']],
  ],
  neq: [
    ['pro', ['Pro', ['free'], [], {}, 5, missing, null], ['pro', ['free', 'pro']]],
    [5, ['5', 6, missing], [5, [4, 5]]],
  ],
  in: [
    [
      ['US', 'UK'],
      ['US', 'UK', ['DE', 'UK']],
      ['us', 'DE', ['DE'], [], 'US,UK', missing, null],
    ],
    [
      [1, '2', true],
      [1, '2', true, [7, true]],
      ['1', 2, 'true', false, missing],
    ],
    [[0], [0, -0], [false, '', missing]],
  ],
  not_in: [
    [
      ['US', 'UK'],
      ['us', 'DE', ['DE'], [], {}, missing, null],
      ['US', 'UK', ['DE', 'UK']],
    ],
  ],
  lt: [
    [3, [2, -1, 2.999, -1e308, [2], [5, '1', 2]], [3, 4, '2', [3, 4], ['2'], [[2]], [], true, missing, null]],
    [
      '2024-01-01',
      ['2023-12-31', '2023-12-31T23:59:59.999Z', '2024-01-01T01:00:00+02:00', ['2025-01-01', 'x', '2023-01-01']],
      ['2024-01-01', 0, 'long ago', '', ['2024-01-01', 0]],
    ],
    // An impossible day of the user's is no day.
    [
      '2025-01-01',
      ['2024-02-29', '2000-02-29'],
      ['2024-02-30', '2023-02-29', '2024-13-01', '2024-00-10', '2024-01-00', '2024-1-1', '1900-02-29', '2024-04-31'],
    ],
    [
      '2025-01-01T00:00:00Z',
      ['2024-12-31T23:59'],
      ['2024-12-31T24:00', '2024-12-31T23:60', '2024-12-31 23:00', '20241231'],
    ],
    ['1970-01-01', ['0000-01-01', '0099-12-31', '1969-12-31T23:59:59Z'], ['1970-01-01T00:00:00Z']],
  ],
  lte: [
    [3, [3, 2], [3.0001, '3', missing]],
    [
      '2024-01-01T00:00:00Z',
      ['2024-01-01', '2024-01-01T00:00', '2024-01-01T02:00+02:00', '2024-01-01T02:00:00+0200'],
      ['2024-01-01T00:00:00.001Z'],
    ],
  ],
  gt: [
    [3, [4, 1e308, [4], [1, 4]], [3, 2, '4', [3], [null], missing]],
    // Fractions finer than a millisecond count.
    ['2024-01-01T00:00:00.0001Z', ['2024-01-01T00:00:00.0002Z'], ['2024-01-01T00:00:00.0001Z', '2024-01-01', 1e15]],
  ],
  gte: [
    [100, [100, 101, [150]], [99.9, '150', [99], ['150'], { n: 150 }, true, missing, null]],
    [
      '2024-02-29',
      ['2024-02-29', '2024-02-28T23:00:00-01:00', '9999-12-31'],
      ['2024-02-28T23:59:59Z', 1_709_164_800_000],
    ],
  ],
  contains: [
    ['@corp.', ['ann@corp.com', '@corp.'], ['ann@CORP.com', '', 5, missing, null, { '@corp.': 1 }]],
    ['editor', [['viewer', 'editor'], 'co-editor'], [['co-editor'], [['editor']], [], missing]],
    ['end', [`${'x'.repeat(16_000)}end`], ['x'.repeat(16_000)]],
    ['x'.repeat(200), ['x'.repeat(201)], ['x'.repeat(199)]],
    [
      ['a', 'b'],
      ['xbx', ['b'], 'ab'],
      ['c', ['ab'], true],
    ],
  ],
  not_contains: [
    ['@corp.', ['ann@CORP.com', '', 5, {}, missing, null], ['ann@corp.com']],
    [
      ['a', 'b'],
      ['c', ['ab'], []],
      ['xbx', ['b']],
    ],
  ],
  starts_with: [
    ['ed', ['editor', 'ed', ['viewer', 'editor']], ['Editor', 'red', ['red', 5, ['editor']], 5, [], missing, null]],
    [
      ['+49', '+55'],
      ['+49 30', '+5511'],
      ['49', missing],
    ],
  ],
  ends_with: [
    ['.com', ['a.com', ['a.org', 'a.com']], ['a.COM', 'a.com ', ['a.COM'], missing, null]],
    [['.com', '.org'], ['b.org'], ['b.net']],
  ],
  matches: [
    [
      '@ex.+\\.com',
      ['ann@example.com.br', ['x', 'ann@example.com']],
      ['ann@EXAMPLE.com', ['@ex', '.com'], missing, null],
    ],
    // A list may have 1,000 code units of text together.
    ['end', [['x'.repeat(997), 'end']], [['x'.repeat(998), 'end']]],
    ['^\\d+$', ['42'], ['42a', 42, '', '٣']],
    ['(?i)^pro$', ['PRO'], ['prod']],
    ['^.$', ['😀', 'a'], ['ab', '\n']],
    ['\\p{Greek}', ['αβγ'], ['abc']],
    // A text of more than 1,000 code units matches no pattern, whatever it has in it.
    ['end', [`${'x'.repeat(997)}end`], [`${'x'.repeat(998)}end`, `end${'x'.repeat(100_000)}`]],
    ['end', [`${'😀'.repeat(498)} end`], [`${'😀'.repeat(499)}end`]],
  ],
  exists: [
    [true, [true, false, 0, '', [], {}, 'text', [null]], [missing, null]],
    [false, [missing, null], [true, false, 0, '', [], {}]],
  ],
  semver_eq: [
    [
      '1.2.3',
      ['1.2.3', 'v1.2.3', '1.2.3+build.7', ['1.2.2', '1.2.3']],
      ['1.2', '1.2.3-rc.1', '1.2.30', 'one', '1.2.3.4', ['1.2'], 1, missing],
    ],
    [
      '17.4',
      ['17.4', '17.4.0', 'v17.4', ' 17.4\n', '17.4+7', '17.4.0+7'],
      ['17.4-beta', '17', '17.4.1', '17.4.0.0', '17.4.', '.4', '17.04', '17.4 beta', 17.4],
    ],
    ['17.4-beta', ['17.4-beta', '17.4.0-beta'], ['17.4', '17.4-beta.1', '17.4-1', '17.4-']],
    ['17', ['17', '17.0', '17.0.0', 'v17'], ['17.1', '017', '17-1', '+17', '-17', '']],
    // A date is no version.
    ['2024-b', ['2024.0-b'], ['2024-01-31', '2024-01']],
  ],
  semver_lt: [
    ['2.0.0', ['1.99.99', '2.0.0-rc.1', '1.10.0', '1', '2.0-rc.1'], ['2.0.0', '2.0.1', '2', '', '1.x', missing, null]],
    ['18', ['17', '17.9', '17.99.99', 'v17', '18-beta'], ['18.0.0', '18', '18.0', 17, 17.4]],
  ],
  semver_lte: [
    ['2.0.0-rc.2', ['2.0.0-rc.2', '2.0.0-rc.1', '2.0.0-beta.11', '1.0.0'], ['2.0.0-rc.10', '2.0.0', missing]],
  ],
  semver_gt: [
    ['17.4', ['17.4.1', '17.10', '18', 'v18.0+7'], ['17.4', '17.4.0', '17.3.9', '17.4-beta', '17']],
    ['1.9.0', ['1.10.0', '2.0.0-alpha'], ['1.9.0', '1.8.99', '1.9.0-rc.1', missing]],
  ],
  semver_gte: [['1.9.0', ['1.9.0', '1.9.0+7', '10.0.0'], ['1.9.0-rc.1', '01.9.0', '1.09.0', '1e9.0.0', missing]]],
  in_cidr: [
    [
      '10.0.0.0/8',
      ['10.0.0.0', '10.255.255.255', '::ffff:10.1.2.3', '::FFFF:0a01:0203', ['x', '11.0.0.1', '10.0.0.1']],
      [
        '11.0.0.0',
        '9.255.255.255',
        '::10.1.2.3:0',
        '10.1',
        '10',
        '167772161',
        '012.0.0.1',
        '0x0a.0.0.1',
        '10.0.0.256',
        '10.0.0.1/8',
        ['11.0.0.1', 167772161],
        [['10.0.0.1']],
        167772161,
        '',
        missing,
        null,
      ],
    ],
    ['10.1.2.3/8', ['10.200.0.1'], ['11.1.2.3']],
    ['192.0.2.7/32', ['192.0.2.7'], ['192.0.2.6', '192.0.2.8']],
    ['192.0.2.7', ['192.0.2.7', '::ffff:192.0.2.7'], ['192.0.2.6', '192.0.2.8', '192.0.2.7/32']],
    ['2001:db8::1', ['2001:db8::1', '2001:0DB8:0:0::1', '2001:db8::1%eth0'], ['2001:db8::2', '2001:db8::']],
    ['::ffff:10.0.0.1', ['10.0.0.1'], ['10.0.0.2', '::a00:1']],
    [['10.0.0.0/8', '192.0.2.7'], ['10.9.9.9', '192.0.2.7'], ['192.0.2.8']],
    ['0.0.0.0/0', ['255.255.255.255', '::ffff:1.2.3.4'], ['::1', '2001:db8::1']],
    [
      '2001:db8::/33',
      ['2001:db8::1', '2001:0DB8:7fff:ffff::'],
      ['2001:db8:8000::', '10.0.0.1', '2001:db8', 'x'.repeat(100_000)],
    ],
    ['::/0', ['::1', 'fe80::1%eth0'], ['10.0.0.1', '::ffff:10.0.0.1']],
    ['::ffff:10.0.0.0/104', ['10.9.9.9', '::ffff:10.0.0.1'], ['11.0.0.0', '::a00:1']],
    [
      ['10.0.0.0/8', 'fd00::/8'],
      ['10.0.0.1', 'fdab::1'],
      ['192.168.0.1', 'fe80::1'],
    ],
  ],
};

const refused: { readonly [name in OperatorName]: readonly (readonly [operand: Json, ...at: string[]])[] } = {
  eq: [[null], [['a']], [{}], [{ a: 1 }], ['nul \0'], ['half \ud800']],
  neq: [[null], [['a']], [{ eq: 1 }]],
  in: [['a'], [[]], [[null], '0'], [['a', ['b']], '1'], [['a', 'b', {}], '2'], [{}], [null]],
  not_in: [['a'], [[]], [[null], '0'], [true]],
  lt: [
    ['2024-02-30'],
    ['many'],
    [''],
    [true],
    [[1]],
    [null],
    ['2024-01-01T00:00:00+24:00'],
    ['Jan 1 2024'],
    ['2024-W01'],
  ],
  lte: [['2023-02-29'], ['2024-01-01T'], [{}]],
  gt: [['5'], ['2024-01-01Z'], [[]]],
  gte: [['many'], [true], ['2024'], ['2024-06']],
  contains: [
    [5],
    [''],
    [[]],
    [['a', ''], '1'],
    [['a', 5], '1'],
    [null],
    [{}],
    ['x'.repeat(201)],
    [['a', 'x'.repeat(201)], '1'],
  ],
  not_contains: [[5], [''], [[]], ['x'.repeat(201)]],
  starts_with: [[''], [5], [[]], [[null], '0']],
  ends_with: [[''], [true], [[]]],
  matches: [
    ['('],
    [''],
    [5],
    [['a']],
    ['(?=a)'],
    ['(a)\\1'],
    ['a'.repeat(1_001)],
    [`[${'a'.repeat(999)}]`],
    ['a{299}'],
    ['(?:\\pL{1000}){1}\\pL{1000}\\pL{1000}'],
    ['(a{1000}){1000}'],
    ['\\pL{0,1000}'.repeat(80)],
    [`(?:${'a'.repeat(900)}){300}`],
  ],
  exists: [['yes'], [1], [null], [[true]]],
  semver_eq: [['one'], ['1.2.'], [1], [17.4], ['>=1.0.0'], [['1.0.0']], [''], ['2024-01-31'], ['17.4-1']],
  semver_lt: [['01'], [null]],
  semver_lte: [['1.x'], [2]],
  semver_gt: [['one'], ['latest']],
  semver_gte: [['1.2.3.4'], [{}]],
  in_cidr: [
    ['10.0.0.0/99'],
    ['10.0.0.256'],
    ['10.0.0'],
    ['010.0.0.1'],
    ['10/8'],
    ['::1/129'],
    ['::ffff:10.0.0.0/95'],
    ['010.0.0.0/8'],
    ['fe80::%eth0/10'],
    ['fe80::1%eth0'],
    ['2001:db8'],
    [' 10.0.0.1'],
    ['localhost/8'],
    [['10.0.0.0/8', 'x'], '1'],
    [[]],
    [8],
    ['/8'],
    [''],
  ],
};

const names = Object.keys(operators) as OperatorName[];
const show = (value: Json | symbol) =>
  typeof value === 'symbol' ? 'a missing attribute' : JSON.stringify(value).slice(0, 60);

function holds(name: OperatorName, operand: Json, value: Json | symbol): boolean {
  const conditions = { attributes: { x: { [name]: operand } } };
  expect(validateConditions(conditions)).toEqual([]);
  const predicate = readConditions(conditions).predicate;
  return predicate?.(targeted(typeof value === 'symbol' ? {} : { x: value })) ?? true;
}

describe.each(names)('%s', name => {
  const rows = table[name].flatMap(([operand, matching, others]) => [
    ...matching.map(value => ({ operand, value, expected: true })),
    ...others.map(value => ({ operand, value, expected: false })),
  ]);

  for (const { operand, value, expected } of rows) {
    it(`${show(operand)} ${expected ? 'matches' : 'does not match'} ${show(value)}`, () => {
      expect(holds(name, operand, value)).toBe(expected);
    });
  }

  for (const [operand, ...at] of refused[name]) {
    it(`refuses ${show(operand)} as operand`, () => {
      const issues = validateConditions({ attributes: { x: { [name]: operand } } });
      expect(issues.map(({ path }) => path)).toEqual([['conditions', 'attributes', 'x', name, ...at]]);
      expect(issues[0]?.message).toMatch(/^(Expected|The|null) .*\.$/s);
    });
  }

  it('is the exact complement of the operator that it names', () => {
    const { complementOf } = operators[name];
    const values = [...everyKind, ...rows.map(({ value }) => value)];
    for (const [operand] of table[name]) {
      for (const value of values) {
        if (complementOf !== null) {
          expect(holds(name, operand, value)).toBe(!holds(complementOf as OperatorName, operand, value));
        } else if (name !== 'exists' && (value === missing || value === null)) {
          expect(holds(name, operand, value)).toBe(false);
        }
      }
    }
  });
});

describe('the table of operators', () => {
  it('finds no operator by an inherited name', () => {
    for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty', '', 'EQ']) {
      expect(findOperator(name)).toBeNull();
    }
  });

  it('has a negated form where that makes sense', () => {
    const complements = names.filter(name => operators[name].complementOf !== null);
    expect(complements).toEqual(['neq', 'not_in', 'not_contains']);
  });
});

describe('a list that is long', () => {
  const full = (length: number, last: Json) => [...Array.from({ length: length - 1 }, () => ''), last];

  it.each<[OperatorName, operand: Json, element: Json]>([
    ['lt', 5, 4],
    ['gte', '2024-01-01', '2024-01-01'],
    ['starts_with', 'a', 'ab'],
    ['ends_with', 'b', 'ab'],
    ['matches', 'b', 'ab'],
    ['semver_eq', '1.0', '1.0'],
    ['in_cidr', '::1', '::1'],
  ])('of 100 elements matches %s, one of 101 does not', (name, operand, element) => {
    expect(holds(name, operand, full(100, element))).toBe(true);
    expect(holds(name, operand, full(101, element))).toBe(false);
  });

  it('matches operators on whole values, unless they ignore case', () => {
    const long = full(5_000, 'b');
    for (const [name, operand] of [
      ['eq', 'b'],
      ['in', ['b']],
      ['contains', 'b'],
    ] as const) {
      expect(holds(name, operand, long)).toBe(true);
      const folded = (list: Json) =>
        readConditions({ attributes: { x: { [name]: operand, ignore_case: true } } }).predicate?.(
          targeted({ x: list }),
        );
      expect([folded(full(100, 'B')), folded(long)]).toEqual([true, false]);
    }
  });

  it('has up to 1,000 code units of text together for what reads texts, and any number for the others', () => {
    const long = ['x'.repeat(997), 'a', 'end'];
    expect(holds('starts_with', 'en', long)).toBe(true);
    expect(holds('ends_with', 'nd', long)).toBe(true);
    expect(holds('matches', 'end', long)).toBe(false);
    expect(holds('semver_eq', '1.0', ['x'.repeat(1_000), '1'])).toBe(false);
    expect(holds('gt', '2024-01-01', ['x'.repeat(1_000), '2025-01-01'])).toBe(false);
    expect(holds('in_cidr', '::1', ['x'.repeat(1_000), '::1'])).toBe(false);
    expect(holds('gt', 5, ['x'.repeat(1_000), 6])).toBe(true);
  });
});

describe('operators that read dates, versions and addresses', () => {
  const each = (count: number) => ({
    any: Array.from({ length: count }, (_, n) => ({ attributes: { x: { in_cidr: `10.0.0.${n}` } } })),
  });

  it('are up to 100 in one flag; the next one is refused when it is written', () => {
    expect(validateConditions(each(100))).toEqual([]);
    expect(validateConditions(each(101)).map(({ path, message }) => [path.join('.'), message])).toEqual([
      ['conditions.any.100.attributes.x.in_cidr', expect.stringMatching(/100 operators .* has 101/)],
    ]);
    const numbers = { any: Array.from({ length: 500 }, (_, n) => ({ attributes: { x: { gt: n } } })) };
    expect(validateConditions(numbers)).toEqual([]);
  });

  it('go on where more are stored, and those look at no list, as before', () => {
    const { faults, predicate } = readConditions(each(101));
    expect(faults).toEqual([]);
    expect(predicate?.(targeted({ x: '10.0.0.100' }))).toBe(true);
    expect(predicate?.(targeted({ x: ['10.0.0.99'] }))).toBe(true);
    expect(predicate?.(targeted({ x: ['10.0.0.100'] }))).toBe(false);
  });
});

describe('a slow pattern', () => {
  it('takes linear time where backtracking engines never finish', async () => {
    const predicate = readConditions({ attributes: { x: { matches: '^(a+)+$' } } }).predicate;
    const ask = async () => expect(predicate?.(targeted({ x: `${'a'.repeat(999)}!` }))).toBe(false);
    expect(await cpuTime(ask, 1)).toBeLessThan(2_000_000);
  });
});
