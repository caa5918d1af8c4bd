import { describe, expect, it } from 'vitest';
import { plainText, sentence, shortSentence } from '../src/words/sentence.js';
import type { FlagShape, Json, RuleShape } from '../src/words/shapes.js';

const flag = (fields: Partial<FlagShape> = {}): FlagShape => ({
  enabled: true,
  percentage: 100,
  conditions: {},
  type: 'BOOLEAN',
  variants: [],
  rules: [],
  bucketBy: null,
  ...fields,
});
const rule = (when: Json, fields: Partial<RuleShape> = {}): RuleShape => ({
  id: 'r',
  when,
  percentage: 100,
  on: true,
  serve: [],
  ...fields,
});
const attributes = (some: Json) => flag({ conditions: { attributes: some } });
const variants = [
  { key: 'a', value: 'a', weight: 1 },
  { key: 'b', value: 'b', weight: 1 },
];
const dach = { attributes: { country: ['DE', 'AT', 'CH'], build: { gte: 420 } } };
const pricing = flag({
  rules: [
    rule({ groups: ['staff'] }),
    rule({ attributes: { plan: 'enterprise' } }, { on: false }),
    rule(dach, { percentage: 50 }),
  ],
  percentage: 25,
  conditions: { attributes: { plan: ['pro', 'team'] } },
});

/** Percent signs stand behind a narrow space. */
const text = (parts: ReturnType<typeof sentence>) => plainText(parts).replaceAll('\u202f', ' ');

describe('the sentence of a flag', () => {
  it.each<[string, FlagShape, string]>([
    [
      'rules in their order',
      pricing,
      'On for everyone in group staff. Otherwise off for everyone on plan enterprise. Otherwise on for half of users in Germany, Austria or Switzerland from build 420 on, and for 25 % of everyone else on plan pro or team.',
    ],
    ['everybody', flag(), 'On for everyone.'],
    ['nobody', flag({ percentage: 0 }), 'Nobody.'],
    ['nobody, whatever rules turn it off', flag({ percentage: 0, rules: [rule({}, { on: false })] }), 'Nobody.'],
    [
      'the switch',
      flag({ enabled: false, percentage: 10 }),
      'Nobody, switched off. If switched on: on for 10 % of everyone.',
    ],
    [
      'rules that match nobody',
      flag({ percentage: 5, rules: [rule({}, { percentage: 0 })] }),
      'On for 5 % of everyone.',
    ],
    ['a rule for everybody ends it', flag({ percentage: 5, rules: [rule({})] }), 'On for everyone.'],
    ['a rollout by device', flag({ percentage: 5, bucketBy: '$device' }), 'On for 5 % of all devices.'],
    ['a rollout by attribute', flag({ percentage: 5, bucketBy: 'org.id' }), 'On for 5 % of everyone by org.id.'],
    ['a split needs a unit', flag({ type: 'STRING', variants }), 'On for every user.'],
    ['a split of companies', flag({ type: 'STRING', variants, bucketBy: 'org' }), 'On for every user with org.'],
    [
      'conditions that cannot be read',
      flag({ conditions: { either: [] } }),
      'On for everyone that conditions match which cannot be read.',
    ],
  ])('%s', (_name, given, expected) => {
    expect(text(sentence(given))).toBe(expected);
  });

  it.each<[Json, string]>([
    [{ plan: { neq: 'free' } }, 'On for everyone except plan free.'],
    [{ plan: { not_in: ['free', 'trial'] }, beta: true }, 'On for everyone with beta true except plan free or trial.'],
    [{ seats: { gte: 5, lt: 10 } }, 'On for everyone with seats of at least 5 and with seats below 10.'],
    [{ code: '5' }, 'On for everyone with code "5".'],
    [{ created_at: { lt: '2024-01-01' } }, 'On for everyone with created_at before 2024-01-01.'],
    [{ app_version: { semver_gte: '2.1.0' } }, 'On for everyone from app_version 2.1.0 on.'],
    [{ country: { exists: false } }, 'On for everyone except those with any country.'],
    [
      { email: { ends_with: '@example.com', ignore_case: true } },
      'On for everyone with email that ends with @example.com in upper or lower case.',
    ],
    [
      { $id: ['1', '2', '3', '4', '5', '6', '7', '8'] },
      'On for everyone with user id "1", "2", "3", "4", "5" or 3 others.',
    ],
  ])('attributes %j', (some, expected) => {
    expect(text(sentence(attributes(some)))).toBe(expected);
  });

  it.each<[Json, string]>([
    [{ any: [{ groups: ['vip'] }, { attributes: { plan: 'pro' } }] }, 'On for everyone in group vip or on plan pro.'],
    [
      { attributes: { plan: 'pro', beta: true }, groups: ['vip'] },
      'On for everyone either on plan pro with beta true, or in group vip.',
    ],
    [{ not: { groups: ['banned'] } }, 'On for everyone except group banned.'],
    [
      { not: { any: [{ groups: ['banned'] }, { attributes: { plan: 'free' } }] } },
      'On for everyone except those in group banned or on plan free.',
    ],
    [{ not: { attributes: { plan: 'free', beta: true } } }, 'On for everyone not on plan free or not with beta true.'],
    [
      {
        all: [
          { attributes: { plan: 'pro' } },
          { any: [{ groups: ['a'] }, { all: [{ groups: ['b'] }, { any: [{ groups: ['c'] }, { groups: ['d'] }] }] }] },
        ],
      },
      'On for everyone on plan pro that 4 more conditions match.',
    ],
  ])('the form %j', (conditions, expected) => {
    expect(text(sentence(flag({ conditions })))).toBe(expected);
  });

  it('tells overrides, which win over the switch', () => {
    const overrides = { on: 2, off: 1 };
    expect(text(sentence(flag({ percentage: 10 }), { overrides }))).toBe(
      'On for 10 % of everyone. On for 2 users by override. Off for 1 user by override.',
    );
    expect(text(sentence(flag({ enabled: false, percentage: 0 }), { overrides }))).toBe(
      'Nobody, switched off, except 2 users by override.',
    );
  });

  it('counts the steps that it does not tell', () => {
    const rules = Array.from({ length: 9 }, (_, index) => rule({ groups: [`g${index}`] }, { id: `r${index}` }));
    expect(text(sentence(flag({ rules })))).toMatch(/group g4\. Otherwise 5 more steps decide\.$/);
  });
});

it.each<[string, FlagShape, string]>([
  ['everybody', flag(), 'Everyone'],
  ['a share', flag({ percentage: 10 }), '10 % of everyone'],
  ['a country', attributes({ country: 'BR' }), 'Users in Brazil'],
  ['an exception', attributes({ plan: { neq: 'free' } }), 'Everyone except plan free'],
  ['a plan', attributes({ plan: 'enterprise' }), 'Plan enterprise'],
  ['nobody', flag({ percentage: 0 }), 'Nobody'],
  ['the switch', flag({ enabled: false }), 'Nobody, switched off'],
  [
    'a group, and a share of the rest',
    flag({ rules: [rule({ groups: ['beta'] })], percentage: 5, conditions: { attributes: { plan: 'team' } } }),
    'Group beta, and 5 % of everyone else on plan team',
  ],
  ['several rules', pricing, 'Group staff; otherwise not plan enterprise; otherwise 2 more steps decide'],
])('in short: %s', (_name, given, expected) => {
  expect(text(shortSentence(given))).toBe(expected);
});

it('in short tells overrides of a flag that is off', () => {
  expect(text(shortSentence(flag({ enabled: false }), { overrides: { on: 2, off: 0 } }))).toBe(
    'Nobody, except 2 users by override',
  );
});

it('makes what readers look for strong', () => {
  const strong = sentence(pricing).flatMap(part => (part.strong ? [part.text.replace('\u202f', ' ')] : []));
  expect(strong).toEqual([
    'staff',
    'enterprise',
    'half',
    'Germany, Austria or Switzerland',
    '420',
    '25 %',
    'pro or team',
  ]);
});
