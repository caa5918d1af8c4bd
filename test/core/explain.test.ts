import { describe, expect, it } from 'vitest';
import { compileFlag, type EvaluationReason, evaluate } from '../../src/core/evaluate.js';
import { type Explanation, explain, explainNotFound } from '../../src/core/explain.js';
import type { EvaluationStep, StepOutcome, ToldOverride } from '../../src/core/explain-steps.js';
import type { FlagDefinition } from '../../src/core/flag.js';
import type { Json, JsonObject } from '../../src/core/json.js';
import { createSubject, type OverrideDecision, type SubjectFields } from '../../src/core/subject.js';

const ann: Partial<SubjectFields> = { userId: 'ann' };
const noon = Date.UTC(2026, 10, 26, 12);

const flagOf = (fields: Partial<FlagDefinition>): FlagDefinition => ({
  key: 'new_checkout',
  enabled: true,
  percentage: 100,
  conditions: {},
  ...fields,
});

function explained(
  fields: Partial<FlagDefinition>,
  subject: Partial<SubjectFields> = ann,
  stored: ToldOverride | null = null,
) {
  return explain(compileFlag(flagOf(fields)), createSubject(subject), noon, stored);
}

const stepOf = ({ steps }: Explanation, name: EvaluationStep) => steps.find(step => step.name === name);
const outcomes = ({ steps }: Explanation) => steps.map(({ outcome }) => outcome);

const theme: Partial<FlagDefinition> = {
  type: 'STRING',
  variants: [
    { key: 'blue', value: '#00f', weight: 1 },
    { key: 'green', value: '#0f0', weight: 3 },
    { key: 'grey', value: '#888', weight: 0 },
  ],
  offVariant: 'grey',
};
const staff = { id: 'staff', when: { groups: ['staff'] }, percentage: 100, on: true, serve: [] };
const half = { id: 'half', when: {}, percentage: 50, on: false, serve: [] };

const overridden = (override: Partial<OverrideDecision>): Partial<SubjectFields> => ({
  userId: 'ann',
  overrides: new Map([['new_checkout', { enabled: true, expiresAt: null, ...override }]]),
});
const stored: ToldOverride = {
  reason: 'Case 4711',
  createdById: 'bob',
  createdAt: new Date('2026-11-20T08:00:00Z'),
};

interface Row {
  readonly what: string;
  readonly flag: Partial<FlagDefinition>;
  readonly subject?: Partial<SubjectFields>;
  readonly stored?: ToldOverride;
  readonly reason: EvaluationReason;
  readonly decided: EvaluationStep;
  readonly text: string;
}

const rows: readonly Row[] = [
  {
    what: 'an override',
    flag: { percentage: 0, conditions: { attributes: { plan: ['pro', 'team'] } } },
    subject: { ...overridden({ enabled: false, expiresAt: noon + 3_600_000 }), attributes: { plan: 'free' } },
    stored,
    reason: 'OVERRIDE',
    decided: 'OVERRIDE',
    text:
      'The flag "new_checkout" is off for the user "ann". An override of this user turns the flag off. It expires at 2026-11-26T13:00:00.000Z. ' +
      'It was set by "bob" at 2026-11-20T08:00:00.000Z. The reason that was given: "Case 4711". This is not the only obstacle. ' +
      'The rollout includes 0 %, which is nobody. The conditions are not met: plan is "free", expected "pro" or "team".',
  },
  {
    what: 'an override of which no more is known',
    flag: {},
    subject: overridden({}),
    reason: 'OVERRIDE',
    decided: 'OVERRIDE',
    text: 'The flag "new_checkout" is on for the user "ann". An override of this user turns the flag on. It never expires.',
  },
  {
    what: 'the switch',
    flag: { enabled: false },
    reason: 'DISABLED',
    decided: 'ENABLED',
    text: 'The flag "new_checkout" is off for the user "ann". The flag is switched off for everybody without an override.',
  },
  {
    what: 'the switch, while a rule would turn the flag on',
    flag: { enabled: false, percentage: 0, rules: [{ ...staff, when: {} }] },
    reason: 'DISABLED',
    decided: 'ENABLED',
    text: 'The flag "new_checkout" is off for the user "ann". The flag is switched off for everybody without an override.',
  },
  {
    what: 'a rule',
    flag: { rules: [half, staff] },
    subject: { userId: 'dan', groups: new Set(['staff']) },
    reason: 'RULE',
    decided: 'RULES',
    text: 'The flag "new_checkout" is on for the user "dan". The rule "staff" turns the flag on: the user is in the group "staff".',
  },
  {
    what: 'a rule with a percentage',
    flag: { rules: [staff, half] },
    reason: 'RULE',
    decided: 'RULES',
    text:
      'The flag "new_checkout" is off for the user "ann". The rule "half" turns the flag off: it matches everybody. ' +
      'The rule "half" includes 50 %: buckets 0 to 4,999 of 10,000; the user id "ann" is in bucket 2,345, inside.',
  },
  {
    what: 'no id to hash',
    flag: { percentage: 25 },
    subject: {},
    reason: 'USER_REQUIRED',
    decided: 'PERCENTAGE',
    text:
      'The flag "new_checkout" is off for an anonymous caller. ' +
      'The rollout includes 25 % and needs a user id, a targeting key or a device, and there is none of them.',
  },
  {
    what: 'no attribute to hash',
    flag: { percentage: 25, bucketBy: 'org.id' },
    subject: { ...ann, attributes: { 'org.id': true } },
    reason: 'USER_REQUIRED',
    decided: 'PERCENTAGE',
    text:
      'The flag "new_checkout" is off for the user "ann". ' +
      'The rollout includes 25 % and needs org.id, a number or a text that is not empty, and it is true, which cannot be hashed.',
  },
  {
    what: 'no id for the split',
    flag: theme,
    subject: {},
    reason: 'USER_REQUIRED',
    decided: 'VARIANT',
    text:
      'The flag "new_checkout" is off for an anonymous caller, with the off variant "grey". The split of the variants needs a user id, ' +
      'a targeting key or a device, and there is none of them. The flag is off, so it gives its off variant "grey".',
  },
  {
    what: 'the percentage',
    flag: { percentage: 25, conditions: { attributes: { plan: 'pro' } } },
    subject: { userId: 'ann', targetingKey: 'org-42' },
    reason: 'OUTSIDE_ROLLOUT',
    decided: 'PERCENTAGE',
    text:
      'The flag "new_checkout" is off for the user "ann" with the targeting key "org-42". The rollout includes 25 %: ' +
      'buckets 0 to 2,499 of 10,000; the targeting key "org-42" is in bucket 9,705, outside. ' +
      'This is not the only obstacle. The conditions are not met: plan is missing, expected "pro".',
  },
  {
    what: 'a device inside the percentage',
    flag: { percentage: 99 },
    subject: { device: 'device-0001' },
    reason: 'ROLLOUT',
    decided: 'PERCENTAGE',
    text:
      'The flag "new_checkout" is on for an anonymous caller with the device "device-0001". ' +
      'The rollout includes 99 %: buckets 0 to 9,899 of 10,000; the device "device-0001" is in bucket 2,345, inside.',
  },
  {
    what: 'conditions that are met',
    flag: { conditions: { any: [{ groups: ['vip'] }, { attributes: { plan: 'pro', seats: { gte: 5 } } }] } },
    subject: { ...ann, attributes: { plan: 'pro', seats: 7 } },
    reason: 'CONDITIONS_MET',
    decided: 'CONDITIONS',
    text: 'The flag "new_checkout" is on for the user "ann". The conditions are met: plan is "pro"; seats is 7.',
  },
  {
    what: 'conditions that are not met',
    flag: {
      conditions: {
        all: [{ attributes: { plan: ['pro', 'team'] }, groups: ['staff'] }, { not: { groups: ['banned'] } }],
      },
    },
    subject: { ...ann, attributes: { plan: 'free' }, groups: new Set(['banned', 'beta']) },
    reason: 'CONDITIONS_NOT_MET',
    decided: 'CONDITIONS',
    text:
      'The flag "new_checkout" is off for the user "ann". The conditions are not met: plan is "free", expected "pro" or "team"; ' +
      'the user is not in the group "staff"; the user is in the group "banned", expected no member of "banned".',
  },
  {
    what: 'stored conditions that are not valid',
    flag: { conditions: { attributes: { age: { gte: 'old' } } } },
    reason: 'CONDITIONS_NOT_MET',
    decided: 'CONDITIONS',
    text:
      'The flag "new_checkout" is off for the user "ann". The stored conditions are not valid, so the flag is off for everybody without an override. ' +
      'conditions.attributes.age.gte: Expected a number, or a date that exists such as "2024-01-31" or "2024-01-31T09:30:00Z".',
  },
  {
    what: 'stored variants that are not valid',
    flag: { ...theme, offVariant: 'gone' },
    reason: 'CONDITIONS_NOT_MET',
    decided: 'CONDITIONS',
    text:
      'The flag "new_checkout" is off for the user "ann". The stored variants or rules are not valid, so the flag is off for everybody without an override. ' +
      'offVariant: The flag has no variant "gone". Its variants are blue, green, grey.',
  },
  {
    what: 'nothing that could turn it off',
    flag: {},
    reason: 'ENABLED',
    decided: 'ENABLED',
    text:
      'The flag "new_checkout" is on for the user "ann". ' +
      'The flag is on for everybody: it is switched on, its percentage is 100, and it has no conditions.',
  },
  {
    what: 'the weights',
    flag: theme,
    reason: 'SPLIT',
    decided: 'VARIANT',
    text:
      'The flag "new_checkout" is on for the user "ann", with the variant "green". ' +
      'The weights of the flag are "blue" 1, "green" 3; they give the user id "ann" the variant "green".',
  },
];

/** Buckets are checked by other tests. */
const withoutBucket = (text: string) => text.replace(/in bucket [\d,]+/, 'in bucket n');

describe('the text names the fact that decided', () => {
  it.each(rows)('$what', ({ flag, subject = ann, stored = null, reason, decided, text }) => {
    const explanation = explained(flag, subject, stored);
    expect(explanation.reason).toBe(reason);
    expect(explanation.steps.filter(({ outcome }) => outcome === 'DECIDED').map(({ name }) => name)).toEqual([decided]);
    expect(withoutBucket(explanation.text)).toBe(withoutBucket(text));
    const { text: _text, steps: _steps, ...answer } = explanation;
    expect(answer).toEqual(evaluate(compileFlag(flagOf(flag)), createSubject(subject), noon));
  });

  it('has a row for each reason and each step', () => {
    expect(new Set(rows.map(row => row.reason)).size).toBe(10);
    expect(new Set(rows.map(row => row.decided)).size).toBe(6);
  });

  it('of a flag that does not exist says so', () => {
    const { text, steps, reason, enabled } = explainNotFound('nope', true);
    expect({ text, steps, reason, enabled }).toEqual({
      text: 'There is no flag with the key "nope", so the answer is the default: on.',
      steps: [],
      reason: 'FLAG_NOT_FOUND',
      enabled: true,
    });
  });
});

describe('the steps', () => {
  const all: readonly [string, Partial<FlagDefinition>, Partial<SubjectFields>, readonly StepOutcome[]][] = [
    [
      'an override that is on',
      {},
      overridden({}),
      ['DECIDED', 'NOT_ASKED', 'NOT_ASKED', 'NOT_ASKED', 'NOT_ASKED', 'PASSED'],
    ],
    ['the switch', { enabled: false }, ann, ['PASSED', 'DECIDED', 'NOT_ASKED', 'NOT_ASKED', 'NOT_ASKED', 'NOT_ASKED']],
    ['everybody', {}, ann, ['PASSED', 'DECIDED', 'PASSED', 'PASSED', 'PASSED', 'PASSED']],
    ['the percentage', { percentage: 0 }, ann, ['PASSED', 'PASSED', 'PASSED', 'DECIDED', 'NOT_ASKED', 'NOT_ASKED']],
    ['the split', theme, ann, ['PASSED', 'PASSED', 'PASSED', 'PASSED', 'PASSED', 'DECIDED']],
    [
      'variants that are not valid',
      { ...theme, variants: [] },
      ann,
      ['PASSED', 'PASSED', 'NOT_ASKED', 'NOT_ASKED', 'DECIDED', 'NOT_ASKED'],
    ],
  ];

  it.each(all)('%s', (_what, flag, subject, expected) => {
    expect(outcomes(explained(flag, subject))).toEqual(expected);
  });

  it('that were not asked tell what they would have seen', () => {
    const explanation = explained(
      { enabled: false, percentage: 10, conditions: { attributes: { plan: 'pro' } }, rules: [staff] },
      { ...ann, attributes: { plan: 'free' } },
    );
    expect(stepOf(explanation, 'RULES')).toMatchObject({
      outcome: 'NOT_ASKED',
      text: 'Not asked. No rule decides. The rule "staff" does not match: the user is not in the group "staff".',
      rule: null,
      conditions: [{ path: ['staff', 'groups'], matched: false, expected: 'a member of "staff"', actual: null }],
    });
    expect(stepOf(explanation, 'PERCENTAGE')).toMatchObject({
      outcome: 'NOT_ASKED',
      bound: 1_000,
      bucket: expect.any(Number),
    });
    expect(stepOf(explanation, 'CONDITIONS')).toMatchObject({
      outcome: 'NOT_ASKED',
      text: 'Not asked. The conditions are not met: plan is "free", expected "pro".',
      conditions: [{ path: ['attributes', 'plan'], matched: false, expected: '"pro"', actual: '"free"' }],
    });
  });

  it('tell of an override that has expired, and of one that has a variant which is gone', () => {
    const expired = explained({}, overridden({ enabled: false, expiresAt: noon }), stored);
    expect(stepOf(expired, 'OVERRIDE')).toMatchObject({
      outcome: 'PASSED',
      text: expect.stringMatching(
        /^An override of this user turned the flag off. It expired at 2026-11-26T12:00:00.000Z. It was set by "bob"/,
      ),
      override: stored,
    });
    const gone = explained(theme, overridden({ variant: 'pink' }));
    expect(stepOf(gone, 'VARIANT')?.text).toBe(
      'The override names the variant "pink", which the flag does not have; the weights of the flag are "blue" 1, "green" 3; ' +
        'they give the user id "ann" the variant "green".',
    );
  });
});

/** operator, operand, a value that does not match, and the texts of both. */
const operatorRows: readonly [expectation: Json, value: Json | undefined, expected: string, negated: string][] = [
  ['pro', 'free', '"pro"', 'anything but "pro"'],
  [5, '5', '5', 'anything but 5'],
  [['a', 1, true], 'b', '"a", 1 or true', 'anything but "a", 1 or true'],
  [{ neq: 'pro' }, 'pro', 'anything but "pro"', '"pro"'],
  [{ not_in: ['a', 'b'] }, 'a', 'anything but "a" or "b"', '"a" or "b"'],
  [{ lt: 3 }, 3, 'a number below 3', 'anything but a number below 3'],
  [{ lt: '2024-01-01' }, '2025-01-01', 'a time before 2024-01-01', 'anything but a time before 2024-01-01'],
  [{ lte: 3 }, 4, 'a number of at most 3', 'anything but a number of at most 3'],
  [{ gt: 3 }, 3, 'a number above 3', 'anything but a number above 3'],
  [{ gte: '2024-01-01' }, 5, 'a time not before 2024-01-01', 'anything but a time not before 2024-01-01'],
  [{ contains: 'x' }, ['y'], 'a text or a list with "x" in it', 'anything but a text or a list with "x" in it'],
  [
    { not_contains: ['x', 'y'] },
    'xo',
    'anything but a text or a list with "x" or "y" in it',
    'a text or a list with "x" or "y" in it',
  ],
  [
    { starts_with: 'A', ignore_case: true },
    'b',
    'a text that starts with "A" in upper or lower case',
    'anything but a text that starts with "A" in upper or lower case',
  ],
  [{ ends_with: ['@a.test'] }, 'x', 'a text that ends with "@a.test"', 'anything but a text that ends with "@a.test"'],
  [
    { matches: '^a+$' },
    'b',
    'a text in which the pattern "^a+$" is found',
    'anything but a text in which the pattern "^a+$" is found',
  ],
  [{ exists: true }, undefined, 'any value', 'no value'],
  [{ exists: false }, 1, 'no value', 'any value'],
  [{ semver_eq: '1.2' }, '1.3', 'the version 1.2', 'anything but the version 1.2'],
  [{ semver_lt: '1.2' }, '1.3', 'a version before 1.2', 'anything but a version before 1.2'],
  [{ semver_lte: '1.2' }, '1.3', 'the version 1.2 or an earlier one', 'anything but the version 1.2 or an earlier one'],
  [{ semver_gt: '1.2' }, '1.0', 'a version after 1.2', 'anything but a version after 1.2'],
  [{ semver_gte: '1.2' }, 'x', 'the version 1.2 or a later one', 'anything but the version 1.2 or a later one'],
  [
    { in_cidr: ['10.0.0.0/8', '::1'] },
    '11.0.0.1',
    'an IP address in 10.0.0.0/8 or ::1',
    'anything but an IP address in 10.0.0.0/8 or ::1',
  ],
];

describe('what a condition expects', () => {
  const outcomeOf = (conditions: JsonObject, attributes: JsonObject) =>
    stepOf(explained({ conditions }, { ...ann, attributes }), 'CONDITIONS')?.conditions[0];

  it.each(operatorRows)('%j with %j', (expectation, value, expected, negated) => {
    const attributes = value === undefined ? {} : { a: value };
    const actual = value === undefined ? null : JSON.stringify(value);
    const condition = { attributes: { a: expectation } };
    expect(outcomeOf(condition, attributes)).toMatchObject({ matched: false, expected, actual });
    const not = outcomeOf({ not: condition }, attributes);
    expect(not).toMatchObject({ matched: true, expected: negated, actual });
    expect(not?.path.slice(0, 3)).toEqual(['not', 'attributes', 'a']);
  });

  it('names the built-in attributes as people do, and quotes names that are no words', () => {
    const textOf = (name: string) => explained({ conditions: { attributes: { [name]: 'x' } } }).text;
    expect(textOf('$id')).toContain('the user id is "ann", expected "x"');
    expect(textOf('$targetingKey')).toContain('the targeting key is "ann", expected "x"');
    expect(textOf('my plan')).toContain('"my plan" is missing, expected "x"');
    expect(textOf('address.country')).toContain('address.country is missing');
  });
});

describe('an explanation is bounded', () => {
  it('repeats at most 200 characters of a value, and escapes it', () => {
    const long = 'x'.repeat(100_000);
    const huge = { a: long, list: Array.from({ length: 10_000 }, () => 'element'), object: { deep: { deep: long } } };
    const conditions = { attributes: { a: { in: [long, 'b'] }, list: 'b', object: 'c', control: 'd' } };
    const attributes = { ...huge, control: '\u0000\n"'.repeat(1_000) };
    const explanation = explained({ conditions }, { ...ann, attributes });
    for (const { expected, actual } of stepOf(explanation, 'CONDITIONS')?.conditions ?? []) {
      expect(expected?.length).toBeLessThan(300);
      expect(actual?.length).toBeLessThan(300);
    }
    expect(explanation.text.length).toBeLessThan(3_000);
    expect(explanation.text).not.toMatch(/\p{Cc}/u);
    expect(explanation.text).toContain('object is an object, expected "c"');
    expect(explanation.text).toMatch(/list is \["element", .*, 9,\d+ more\]/);
  });

  it('tells of at most 100 conditions, first of those that are not met, and names five in the text', () => {
    const any = Array.from({ length: 500 }, (_, index) => ({ attributes: { [`a${index}`]: index < 480 ? 'x' : 'y' } }));
    const attributes = Object.fromEntries(Array.from({ length: 480 }, (_, index) => [`a${index}`, 'x']));
    const met = stepOf(explained({ conditions: { any } }, { ...ann, attributes }), 'CONDITIONS');
    expect(met?.conditions).toHaveLength(100);
    expect(met?.conditions.slice(0, 21).map(({ matched }) => matched)).toEqual([...Array(20).fill(false), true]);
    const rules = Array.from({ length: 100 }, (_, index) => ({ ...staff, id: `r${index}` }));
    const unmet = explained({ conditions: { any }, rules });
    expect(unmet.text).toMatch(/a4 is missing, expected "x"; and 495 more\.$/);
    expect(stepOf(unmet, 'RULES')?.text).toMatch(/; and 95 more\.$/);
  });

  it('does not throw for what programs and other programs hold', () => {
    const attributes = {
      __proto__: null,
      a: { toString: 5 },
      b: [Symbol.iterator],
      c: Number.NaN,
    } as unknown as JsonObject;
    const conditions = JSON.parse('{"attributes":{"__proto__":"x","constructor":"y","a":"z","b":["q"],"c":1}}');
    const { text, steps } = explained({ conditions }, { ...ann, attributes });
    expect(text).toContain('__proto__ is missing, expected "x"; constructor is missing');
    expect(steps).toHaveLength(6);
    const distant = explained({}, overridden({ expiresAt: 9e15 }), { ...stored, createdAt: new Date(Number.NaN) });
    expect(distant.text).toContain('It expires at a time beyond the year 275760.');
  });
});
