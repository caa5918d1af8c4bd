import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileFlag, evaluate } from '../../src/core/evaluate.js';
import { murmur3 } from '../../src/core/murmur3.js';
import { bucketOfHash, rolloutBucket, rolloutSeed } from '../../src/core/rollout.js';
import { createSubject } from '../../src/core/subject.js';
import { canonicalUserId } from '../../src/core/user-id.js';

/** UUIDs from a counter: the same ones on every run, so that no statistic below depends on luck. */
const users = Array.from({ length: 100_000 }, (_, index) => {
  const hex = Math.imul(index + 1, 0x9e3779b1) >>> 0;
  return `${hex.toString(16).padStart(8, '0')}-0000-4000-8000-${index.toString(16).padStart(12, '0')}`;
});
const flagKeys = ['new_checkout', 'new_dashboard', 'a', 'b', 'beta.search:v2'];

function chiSquare(observed: readonly number[], expected: number): number {
  return observed.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

const flagKey = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,30}$/);
const targetingKey = fc.oneof(fc.uuid(), fc.string({ unit: 'binary' }));

describe('the rollout bucket', () => {
  it('is floor(murmur3(key, murmur3(flag, 0)) * 10000 / 2^32), from 0 to 9,999, the same each time', () => {
    fc.assert(
      fc.property(flagKey, targetingKey, (flag, key) => {
        const bucket = rolloutBucket(flag, key);
        expect(Number.isInteger(bucket) && bucket >= 0 && bucket < 10_000).toBe(true);
        expect(rolloutBucket(flag, key)).toBe(bucket);
        expect(Math.floor((murmur3(canonicalUserId(key), murmur3(flag, 0)) * 10_000) / 2 ** 32)).toBe(bucket);
      }),
    );
  });

  it('is that of the lower-case form for a UUID, and of the text as it is for any other', () => {
    const uuid = 'abcdef12-7a54-4d3c-9b1a-0e5f6d7c8b9a';
    expect(rolloutBucket('f', uuid.toUpperCase())).toBe(rolloutBucket('f', uuid));
    expect(rolloutBucket('f', 'A-b-C')).not.toBe(rolloutBucket('f', 'a-b-c'));
    // 36 characters with capitals, yet no UUID.
    const lookalike = 'g'.repeat(8) + uuid.slice(8);
    expect(rolloutBucket('f', lookalike.toUpperCase())).not.toBe(rolloutBucket('f', lookalike));
  });

  it('is the same for a subject the first time, straight from the text, and later, premixed', () => {
    const anyCase = fc.tuple(targetingKey, fc.boolean()).map(([key, upper]) => (upper ? key.toUpperCase() : key));
    fc.assert(
      fc.property(anyCase, fc.array(flagKey, { minLength: 1, maxLength: 4 }), (key, flags) => {
        const subject = createSubject({ targetingKey: key });
        for (const flag of [...flags, ...flags]) {
          const hash = subject.unit?.hash(rolloutSeed(flag)) ?? Number.NaN;
          expect(bucketOfHash(hash)).toBe(rolloutBucket(flag, key));
        }
      }),
    );
    expect(createSubject({}).unit).toBeNull();
  });

  // 99 degrees of freedom: beyond 148.2 lies a share of 0.001.
  it.each(flagKeys)('is uniform for %s: chi-square over 100 cells below the 0.1 %% limit', key => {
    const cells = new Array<number>(100).fill(0);
    for (const user of users) {
      const cell = Math.floor(rolloutBucket(key, user) / 100);
      cells[cell] = (cells[cell] as number) + 1;
    }
    expect(chiSquare(cells, users.length / 100)).toBeLessThan(148.2);
  });

  // 81 degrees of freedom (9 x 9 of a 10 x 10 table): beyond 126.1 lies a share of 0.001.
  it.each([
    ['new_checkout', 'new_dashboard'],
    ['a', 'b'],
    ['flag-1', 'flag-2'],
  ])('of %s says nothing about that of %s: chi-square of the joint table below the 0.1 %% limit', (one, other) => {
    const cells = new Array<number>(100).fill(0);
    for (const user of users) {
      const cell = Math.floor(rolloutBucket(one, user) / 1000) * 10 + Math.floor(rolloutBucket(other, user) / 1000);
      cells[cell] = (cells[cell] as number) + 1;
    }
    expect(chiSquare(cells, users.length / 100)).toBeLessThan(126.1);
  });
});

describe('a rollout', () => {
  const at = (key: string, percentage: number) => compileFlag({ key, enabled: true, percentage, conditions: {} });

  it('is sticky and monotone: raising the percentage only ever adds users', () => {
    fc.assert(
      fc.property(flagKey, targetingKey, fc.nat(100), fc.nat(100), (key, user, one, other) => {
        const [low, high] = [Math.min(one, other), Math.max(one, other)];
        const subject = createSubject({ userId: user });
        const inLow = evaluate(at(key, low), subject, 0).enabled;
        const inHigh = evaluate(at(key, high), createSubject({ userId: user }), 1).enabled;
        expect(evaluate(at(key, low), subject, 2).enabled).toBe(inLow);
        if (inLow) expect(inHigh).toBe(true);
        if (low === high) expect(inHigh).toBe(inLow);
      }),
    );
  });

  it.each([1, 5, 10, 25, 50, 75, 99])(
    'of %i %% has that share of users inside, within four standard deviations',
    share => {
      const flag = at('new_checkout', share);
      const inside = users.filter(userId => evaluate(flag, createSubject({ userId }), 0).enabled).length;
      const deviation = Math.sqrt(users.length * (share / 100) * (1 - share / 100));
      expect(Math.abs(inside - (users.length * share) / 100)).toBeLessThan(4 * deviation);
    },
  );

  it('answers as the published formula does', () => {
    for (const userId of users.slice(0, 2_000)) {
      const expected = rolloutBucket('new_checkout', userId) < 3_700;
      expect(evaluate(at('new_checkout', 37), createSubject({ userId }), 0).enabled).toBe(expected);
    }
  });
});
