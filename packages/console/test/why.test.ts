import { describe, expect, it } from 'vitest';
import { plainText } from '../src/words/sentence.js';
import { bucketPlace, bucketText, conditionPlace, type StepShape, verdict } from '../src/words/why.js';

const rollout = (bucket: number | null, bound: number): StepShape => ({
  name: 'PERCENTAGE',
  outcome: 'DECIDED',
  text: '',
  bucket,
  bound,
});
const said = (
  reason: string,
  fields: { enabled?: boolean; variant?: string; rule?: string; steps?: StepShape[] } = {},
) =>
  plainText(verdict('ann', 'Pricing', { enabled: false, steps: [], reason, ...fields }, 'en')).replaceAll(
    '\u202f',
    ' ',
  );

describe('the verdict', () => {
  it.each([
    [
      said('RULE', { rule: 'staff', enabled: true, variant: 'cards' }),
      'ann gets Pricing, as cards. The rule staff turns it on.',
    ],
    [
      said('OUTSIDE_ROLLOUT', { steps: [rollout(6463, 2500)] }),
      'ann does not get Pricing. The rollout of 25 % does not reach this user. It would from 65 % on.',
    ],
    [
      said('ROLLOUT', { enabled: true, variant: 'on', steps: [rollout(5, 2500)] }),
      'ann gets Pricing. The rollout of 25 % reaches this user.',
    ],
    [said('DISABLED'), 'ann does not get Pricing. The flag is switched off.'],
  ])('%s', (text, expected) => {
    expect(text).toBe(expected);
  });

  it('names the least whole rollout that includes the user', () => {
    for (const bucket of [0, 99, 100, 9_899, 9_999]) {
      const told = /from (\d+) %/.exec(said('OUTSIDE_ROLLOUT', { steps: [rollout(bucket, 0)] }));
      const least = Number(told?.[1]);
      expect(bucket < least * 100 && bucket >= (least - 1) * 100).toBe(true);
    }
  });
});

it('tells the bucket and what the rollout covers', () => {
  expect(bucketText(rollout(6463, 2500), 'en')?.replaceAll('\u202f', ' ')).toBe(
    'The user’s bucket is 6,463. The rollout of 25 % covers buckets below 2,500.',
  );
  expect(bucketText(rollout(6463, 0), 'en')).toContain('covers nobody');
  expect(bucketText(rollout(null, 2500))).toBeNull();
  expect(bucketPlace(rollout(6463, 2500))).toEqual({ pin: 64.63, covered: 25 });
});

it.each([
  [['dach', 'attributes', 'build', 'gte'], true, { rule: 'dach', field: 'build' }],
  [['staff', 'groups'], true, { rule: 'staff', field: 'group' }],
  [['all', '0', 'attributes', 'all', 'eq'], false, { rule: null, field: 'all' }],
])('the condition at %j', (path, isRules, expected) => {
  expect(conditionPlace(path, isRules)).toEqual(expected);
});
