import { describe, expect, it } from 'vitest';
import { compileFlag } from '../../src/core/evaluate.js';
import type { FlagDefinition } from '../../src/core/flag.js';
import { constantAnswer, type StalenessFacts, stalenessOf } from '../../src/core/staleness.js';

const day = 86_400_000;
const at = (text: string) => Date.parse(`${text}Z`);
const now = at('2026-06-01T12:00:00');
const daysAgo = (days: number) => now - days * day;
const hourOf = (time: number) => Math.floor(time / 3_600_000) * 3_600_000;

/** A flag that is asked for every day, by a program that counts for a year. */
const facts: StalenessFacts = {
  now,
  staleAfter: 30 * day,
  createdAt: daysAgo(200),
  expectedUntil: null,
  constant: null,
  lastAskedAt: daysAgo(1),
  maps: { countedSince: daysAgo(90), lastMap: null, lastUncounted: null },
};

const told = (fields: Partial<StalenessFacts>) =>
  stalenessOf({ ...facts, ...fields }).map(({ kind, since, isCertain }) => [
    kind,
    (now - since.getTime()) / day,
    isCertain,
  ]);

describe('the reasons to remove a flag, with the days since when', () => {
  it.each<[what: string, fields: Partial<StalenessFacts>, reasons: [kind: string, days: number, isCertain: boolean][]]>(
    [
      ['it is asked for, and its answers differ', {}, []],
      ['on for everybody for 30 days', { constant: { enabled: true, since: daysAgo(30) } }, [['FULLY_ON', 30, true]]],
      ['on for everybody for less', { constant: { enabled: true, since: daysAgo(30) + 1 } }, []],
      [
        'off for everybody for 45 days',
        { constant: { enabled: false, since: daysAgo(45) } },
        [['FULLY_OFF', 45, true]],
      ],
      ['off for everybody since yesterday', { constant: { enabled: false, since: daysAgo(1) } }, []],
      ['not asked for 30 days', { lastAskedAt: daysAgo(30) }, [['UNUSED', 30, true]]],
      ['not asked for less', { lastAskedAt: daysAgo(30) + 1 }, []],
      ['never asked, and counted for 90 days', { lastAskedAt: null }, [['UNUSED', 90, true]]],
      ['never asked, and created 40 days ago', { lastAskedAt: null, createdAt: daysAgo(40) }, [['UNUSED', 40, true]]],
      ['never asked, and created yesterday', { lastAskedAt: null, createdAt: daysAgo(1) }, []],
      [
        'never asked, but counted since yesterday',
        { lastAskedAt: null, maps: { ...facts.maps, countedSince: daysAgo(1) } },
        [],
      ],
      ['nobody has counted yet', { lastAskedAt: null, maps: { ...facts.maps, countedSince: null } }, []],
      [
        'not asked for, but in a map since',
        { lastAskedAt: daysAgo(50), maps: { ...facts.maps, lastMap: hourOf(daysAgo(2)) } },
        [['UNUSED', 50, false]],
      ],
      [
        'in a map of the same hour as the last question',
        { lastAskedAt: daysAgo(50), maps: { ...facts.maps, lastMap: hourOf(daysAgo(50)) } },
        [['UNUSED', 50, false]],
      ],
      [
        'in a map of an hour before the last question',
        { lastAskedAt: daysAgo(50), maps: { ...facts.maps, lastMap: hourOf(daysAgo(50)) - 3_600_000 } },
        [['UNUSED', 50, true]],
      ],
      [
        'not asked for, but read by anonymous callers or through streams',
        { lastAskedAt: daysAgo(50), maps: { ...facts.maps, lastUncounted: hourOf(daysAgo(2)) } },
        [['UNUSED', 50, false]],
      ],
      ['expected until yesterday', { expectedUntil: daysAgo(1) }, [['EXPIRED', 1, true]]],
      ['expected until now', { expectedUntil: now }, []],
      ['expected until tomorrow', { expectedUntil: daysAgo(-1) }, []],
      [
        'all of it',
        { constant: { enabled: true, since: daysAgo(60) }, lastAskedAt: daysAgo(50), expectedUntil: daysAgo(40) },
        [
          ['FULLY_ON', 60, true],
          ['UNUSED', 50, true],
          ['EXPIRED', 40, true],
        ],
      ],
      [
        'another number of days',
        { staleAfter: 7 * day, constant: { enabled: true, since: daysAgo(7) }, lastAskedAt: daysAgo(8) },
        [
          ['FULLY_ON', 7, true],
          ['UNUSED', 8, true],
        ],
      ],
    ],
  )('%s', (_what, fields, reasons) => {
    expect(told(fields)).toEqual(reasons);
  });
});

describe('the text', () => {
  const text = (fields: Partial<StalenessFacts>) => stalenessOf({ ...facts, ...fields }).map(each => each.text)[0];

  it.each<[Partial<StalenessFacts>, string]>([
    [
      { constant: { enabled: true, since: daysAgo(45) } },
      'The flag has been on for everybody, with one value, since 2026-04-17 (45 days ago). Remove the question from the code and keep the code for users who have the feature; then delete the flag.',
    ],
    [
      { constant: { enabled: false, since: daysAgo(45) } },
      'The flag has been off for everybody since 2026-04-17 (45 days ago). Remove the question from the code together with the code for users who have the feature; then delete the flag.',
    ],
    [
      { lastAskedAt: daysAgo(50) },
      'Nobody has asked for the flag by its key since 2026-04-12 (50 days ago). No program that counts has read it together with all other flags in this time. If no code names it any more, it is safe to delete.',
    ],
    [
      { lastAskedAt: null, createdAt: daysAgo(31) },
      'Nobody has asked for the flag by its key since 2026-05-01 (31 days ago), when it was created. No program that counts has read it together with all other flags in this time. If no code names it any more, it is safe to delete.',
    ],
    [
      { lastAskedAt: null, maps: { countedSince: daysAgo(90), lastMap: daysAgo(1), lastUncounted: daysAgo(2) } },
      'Nobody has asked for the flag by its key since 2026-03-03 (90 days ago), the earliest time of which counts are kept. But answers with all flags were given, the last on 2026-05-31, and anonymous callers, readers or streams, which are not counted by flag, were answered, the last on 2026-05-30: a program may read this flag among them. Do not delete it before you have searched all code for its key.',
    ],
    [
      { expectedUntil: daysAgo(1) },
      'The flag was expected to be needed until 2026-05-31 (1 day ago). Ask its owner whether it is still needed; then remove it, or set a later time.',
    ],
    [
      { expectedUntil: now - 1 },
      'The flag was expected to be needed until 2026-06-01 (less than a day ago). Ask its owner whether it is still needed; then remove it, or set a later time.',
    ],
  ])('of %o', (fields, expected) => {
    expect(text(fields)).toBe(expected);
  });

  it('never calls a flag safe to delete that programs may read from maps', () => {
    for (const maps of [{ lastMap: daysAgo(3) }, { lastUncounted: daysAgo(3) }]) {
      const [reason] = stalenessOf({ ...facts, lastAskedAt: null, maps: { ...facts.maps, ...maps } });
      expect(reason?.isCertain).toBe(false);
      expect(reason?.text).not.toContain('safe');
    }
  });
});

describe('the answer that everybody gets', () => {
  const plain: FlagDefinition = { key: 'a', enabled: true, percentage: 100, conditions: {} };
  const two = [
    { key: 'x', value: 'X', weight: 1 },
    { key: 'y', value: 'Y', weight: 0 },
  ];
  const text = { ...plain, type: 'STRING', variants: two, offVariant: 'y', bucketBy: null } as const;
  const rule = { id: 'r', when: { groups: ['g'] }, percentage: 100, on: true, serve: [] };
  const on = { enabled: true, variant: null };
  const off = { enabled: false, variant: null };

  it.each<[what: string, flag: FlagDefinition, answer: object | null]>([
    ['a plain flag that is on', plain, on],
    ['a flag that is off, whatever else it says', { ...plain, enabled: false, percentage: 5 }, off],
    ['a rollout', { ...plain, percentage: 99 }, null],
    ['conditions', { ...plain, conditions: { groups: ['g'] } }, null],
    ['conditions that are not valid', { ...plain, conditions: { nonsense: 1 } }, null],
    ['a rule that turns on', { ...plain, rules: [rule] }, on],
    ['a rule that turns off', { ...plain, rules: [{ ...rule, on: false }] }, null],
    ['one variant with a weight', text, { enabled: true, variant: 'x' }],
    ['two variants with weights', { ...text, variants: two.map(each => ({ ...each, weight: 1 })) }, null],
    [
      'a rule that gives the same variant',
      { ...text, rules: [{ ...rule, serve: [{ variant: 'x', weight: 1 }] }] },
      { enabled: true, variant: 'x' },
    ],
    [
      'a rule that gives another variant',
      { ...text, rules: [{ ...rule, serve: [{ variant: 'y', weight: 1 }] }] },
      null,
    ],
    ['a rule that turns a flag with variants off', { ...text, rules: [{ ...rule, on: false }] }, null],
    ['variants that are not valid', { ...text, variants: [] }, null],
    ['the same, turned off', { ...text, variants: [], enabled: false }, off],
  ])('of %s', (_what, flag, answer) => {
    expect(constantAnswer(compileFlag(flag))).toEqual(answer);
  });
});
