import { describe, expect, it } from 'vitest';
import { changeWords, differenceText } from '../src/words/changes.js';
import { conditionRows, conditionsText } from '../src/words/conditions.js';
import { errorText, placeWords, rolloutFault } from '../src/words/errors.js';
import { count, duration, gainsAndLoses, percent, share } from '../src/words/numbers.js';
import { ending, exact, relative } from '../src/words/times.js';

const spaced = (text: string) => text.replace(/[\u202f\u00a0]/g, ' ');

describe('numbers', () => {
  it('have thousands, and a narrow space before the percent sign', () => {
    expect(count(1204, 'en-GB')).toBe('1,204');
    expect(count(1204, 'de')).toBe('1.204');
    expect(percent(33.333, 'en')).toBe('33.33\u202f%');
    expect(duration(38.4, 'en')).toBe('38 ms');
    expect(duration(1234, 'en')).toBe('1.2 s');
  });

  it.each([
    [0, 100, '0 %'],
    [1, 4816, '< 1 %'],
    [1482, 4816, '31 %'],
    [4815, 4816, '> 99 %'],
    [4816, 4816, '100 %'],
    [0, 0, '0 %'],
  ])('the share of %i in %i is %s', (part, whole, expected) => {
    expect(spaced(share(part, whole, 'en'))).toBe(expected);
  });

  it('say who gains and who loses', () => {
    expect(gainsAndLoses(512, 96, true, 'en')).toBe('512 viewers gain it, 96 lose it');
    expect(gainsAndLoses(1, 1, false, 'en')).toBe('at least 1 viewer gains it, at least 1 loses it');
  });
});

describe('times', () => {
  const now = '2026-11-26T10:42:00Z';

  it.each([
    ['2026-11-26T10:41:50Z', 'just now'],
    ['2026-11-26T10:37:00Z', '5 minutes ago'],
    ['2026-11-26T13:42:00Z', 'in 3 hours'],
    ['2026-11-22T10:42:00Z', '4 days ago'],
    ['2026-10-01T10:42:00Z', '1 Oct 2026'],
  ])('%s is %s', (time, expected) => {
    expect(relative(time, now, 'en-GB')).toBe(expected);
  });

  it('tell the exact instant', () => {
    expect(exact('2026-11-26T10:41:07.214Z', 'en-GB', 'UTC')).toBe('26 November 2026 at 10:41:07.214 UTC');
  });

  it.each([
    [null, 'no end'],
    ['2026-12-02T10:42:00Z', 'ends in 6 days'],
    ['2026-11-26T08:42:00Z', 'ended 2 hours ago'],
    ['2027-01-31T10:42:00Z', 'ends on 31 Jan 2027'],
  ])('an end at %s is told as %s', (time, expected) => {
    expect(ending(time, now, 'en-GB')).toBe(expected);
  });
});

describe('conditions', () => {
  it('are rows with paths', () => {
    const rows = conditionRows({
      all: [{ attributes: { country: ['DE', 'AT'], build: { gte: 420 } } }, { not: { groups: ['banned'] } }],
    });
    expect(
      rows.map(({ path, joint, field, operator, values, isNegated }) => [
        path.join('.'),
        joint,
        field,
        operator,
        values,
        isNegated,
      ]),
    ).toEqual([
      ['all.0.attributes.country', null, 'country', 'is', ['DE', 'AT'], false],
      ['all.0.attributes.build.gte', 'and', 'build', 'is at least', ['420'], false],
      ['all.1.not.groups', 'and', 'group', 'is', ['banned'], true],
    ]);
  });

  it.each([
    [{}, ''],
    [{ attributes: { plan: 'pro' }, groups: ['vip'] }, 'plan is pro or group is vip'],
    [{ attributes: { plan: 'pro', beta: true }, groups: ['vip'] }, '(plan is pro and beta is true) or group is vip'],
    [
      {
        all: [
          { attributes: { plan: 'pro' } },
          { any: [{ groups: ['a'] }, { attributes: { trial: { exists: false } } }] },
        ],
      },
      'plan is pro and (group is a or trial has no value)',
    ],
    [{ not: { groups: ['banned'] } }, 'not (group is banned)'],
    [{ either: 1 }, 'conditions that cannot be read'],
  ])('%j as one line', (conditions, expected) => {
    expect(conditionsText(conditions)).toBe(expected);
  });
});

describe('changes', () => {
  const updated = (...differences: { path: string[]; before?: never | unknown; after?: unknown }[]) =>
    changeWords({ kind: 'FLAG_UPDATED', differences: differences as never });

  it.each([
    [updated({ path: ['percentage'], before: 20, after: 25 }), 'raised the rollout', ''],
    [updated({ path: ['rules', 'dach-pilot'], after: { id: 'dach-pilot' } }), 'added rule', 'dach-pilot'],
    [
      updated(
        { path: ['rules', 'a', 'when'], before: {}, after: {} },
        { path: ['rules', 'a', 'percentage'], before: 1, after: 2 },
      ),
      'changed rule',
      'a',
    ],
    [
      updated(
        { path: ['variants', 'a', 'weight'], before: 1, after: 2 },
        { path: ['variants', 'b', 'weight'], before: 1, after: 2 },
      ),
      'changed variant weights',
      '',
    ],
    [
      updated({ path: ['enabled'], before: true, after: false }, { path: ['owner'], before: null, after: 'growth' }),
      'changed 2 fields: switched it off',
      '',
    ],
    [updated({ path: ['rules'], before: ['a', 'b'], after: ['b', 'a'] }), 'moved rules', ''],
    [updated(), 'saved it again', ''],
    [changeWords({ kind: 'FLAG_UPDATED', reverts: 12, differences: [] }), 'took back changes (revision 12)', ''],
    [
      changeWords({ kind: 'OVERRIDE_SET', userIds: ['ann'], differences: [{ path: ['enabled'], after: true }] }),
      'turned it on for',
      'ann',
    ],
    [
      changeWords({ kind: 'MEMBERS_ADDED', group: 'beta', userIds: ['a'], userCount: 1200, differences: [] }),
      'added 1,200 users to group',
      'beta',
    ],
    [changeWords({ kind: 'SOMETHING_NEW', differences: [] }), 'something new', ''],
  ])('%j', (words, verb, name) => {
    expect(words).toEqual({ verb, name });
  });

  it('tells rules and conditions in words', () => {
    expect(differenceText(['rules', 'a'], { when: { groups: ['staff'] }, on: false, percentage: 50 })).toBe(
      'off for 50 %: group is staff',
    );
    expect(differenceText(['conditions'], {})).toBe('everybody');
    expect(differenceText(['owner'], null)).toBe('nothing');
  });
});

describe('errors', () => {
  it.each([
    [['rules', '1', 'when', 'attributes', 'plan'], 'rule staff, plan'],
    [['variants', '0', 'weight'], 'variant red, weight'],
    [['conditions', 'attributes', 'build', 'gte'], 'everyone else, build, gte'],
    [['percentage'], 'rollout'],
    [[], null],
  ])('%j is %s', (path, expected) => {
    expect(placeWords(path, { rules: ['a', 'staff'], variants: ['red'] })).toBe(expected);
  });

  it('tells the first fault, and how many more there are', () => {
    const issue = { path: ['percentage'], message: 'Expected 0 to 100.' };
    const error = { code: 'VALIDATION_FAILED', message: 'Two faults.', issues: [issue, issue, issue] };
    expect(errorText(error)).toBe('Rollout: Expected 0 to 100. And 2 more faults.');
    expect(errorText({ code: 'FLAG_NOT_FOUND', message: 'There is no flag "x".' })).toBe('There is no flag "x".');
  });

  it.each<[number, 0 | 2, string | null]>([
    [140, 0, '140 is too high. A rollout is 0 to 100.'],
    [-1, 2, '-1 is too low. A rollout is 0 to 100.'],
    [12.5, 0, '12.5 has decimals. This rollout is a whole number.'],
    [12.25, 2, null],
    [Number.NaN, 2, 'Write a number from 0 to 100.'],
  ])('a rollout of %d', (value, decimals, expected) => {
    expect(rolloutFault(value, decimals)).toBe(expected);
  });
});
