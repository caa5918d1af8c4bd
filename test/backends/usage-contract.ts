import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backends/backend.js';
import {
  type FlagCount,
  intervalLengths,
  intervalStart,
  type MapCount,
  type UsageBatch,
} from '../../src/core/usage.js';
import { newFlag } from '../support/flags.js';

const hour = intervalLengths.HOUR;
const day = intervalLengths.DAY;
/** A midnight of some days ago: backends prune what is older than they keep. */
const midnight = intervalStart(Date.now(), 'DAY') - 5 * day;

/** Questions that one process has counted. */
function batch(fields: Partial<UsageBatch> = {}): UsageBatch {
  return { writer: randomUUID(), number: 1, flags: [], maps: [], ...fields };
}

function flagCount(flagKey: string, fields: Partial<FlagCount> = {}): FlagCount {
  return { flagKey, hour: midnight, reason: 'ENABLED', variant: 'on', count: 1, lastAt: midnight + 1_234, ...fields };
}

const mapCount = (fields: Partial<MapCount> = {}): MapCount => ({
  hour: midnight,
  count: 1,
  isUncounted: false,
  ...fields,
});

/** The sentences about usage and staleness in src/backends/backend.ts. */
export function describeUsage(of: () => { readonly backend: Backend; readonly key: () => string }): void {
  describe('usage', () => {
    const flag = async () => (await of().backend.createFlag(newFlag(of().key(), { enabled: true }), null)).value;
    const pointsOf = async (
      flagId: string,
      since = midnight,
      until = midnight + 30 * day,
      interval: 'HOUR' | 'DAY' = 'HOUR',
    ) => (await of().backend.usage([{ flagId, since, until, interval }]))[0];

    it('adds up by flag, hour, reason and variant', async () => {
      const { backend } = of();
      const { id, key } = await flag();
      await backend.addUsage(
        batch({
          flags: [
            flagCount(key, { count: 2 }),
            flagCount(key, { reason: 'SPLIT', variant: 'a' }),
            flagCount(key, { hour: midnight + hour, count: 5_000_000_000 }),
            flagCount(key, { reason: 'CONDITIONS_NOT_MET', variant: null }),
          ],
        }),
      );
      await backend.addUsage(batch({ flags: [flagCount(key, { count: 3 })] }));
      expect(await pointsOf(id)).toEqual([
        {
          at: midnight,
          count: 7,
          reasons: { ENABLED: 5, SPLIT: 1, CONDITIONS_NOT_MET: 1 },
          variants: { on: 5, a: 1 },
        },
        {
          at: midnight + hour,
          count: 5_000_000_000,
          reasons: { ENABLED: 5_000_000_000 },
          variants: { on: 5_000_000_000 },
        },
      ]);
    });

    it('adds up by day in UTC, from the day of `since` to the hour before `until`', async () => {
      const { backend } = of();
      const { id, key } = await flag();
      const hours = [-1, 0, 23, 24, 25, 48].map(offset => midnight + offset * hour);
      await backend.addUsage(batch({ flags: hours.map(at => flagCount(key, { hour: at })) }));
      const counts = async (since: number, until: number, interval: 'HOUR' | 'DAY') =>
        (await pointsOf(id, since, until, interval))?.map(({ at, count }) => [(at - midnight) / hour, count]);
      expect(await counts(midnight + 12 * hour, midnight + 25 * hour, 'DAY')).toEqual([
        [0, 2],
        [24, 1],
      ]);
      expect(await counts(midnight + 1, midnight + 24 * hour + 1, 'HOUR')).toEqual([
        [0, 1],
        [23, 1],
        [24, 1],
      ]);
      expect(await counts(midnight + 2 * hour, midnight + 3 * hour, 'HOUR')).toEqual([]);
    });

    it('answers several requests in their order, also the same flag twice', async () => {
      const { backend } = of();
      const [a, b] = [await flag(), await flag()];
      await backend.addUsage(batch({ flags: [flagCount(a.key, { count: 4 }), flagCount(b.key, { count: 6 })] }));
      const range = { since: midnight, until: midnight + hour } as const;
      const found = await backend.usage([
        { flagId: b.id, ...range, interval: 'DAY' },
        { flagId: randomUUID(), ...range, interval: 'DAY' },
        { flagId: a.id, ...range, interval: 'HOUR' },
        { flagId: b.id, ...range, interval: 'HOUR' },
      ]);
      expect(found.map(points => points.map(({ count }) => count))).toEqual([[6], [], [4], [6]]);
      expect(await backend.usage([])).toEqual([]);
    });

    it('takes a batch that comes again once, and later ones of the same writer', async () => {
      const { backend } = of();
      const { id, key } = await flag();
      const first = batch({ flags: [flagCount(key, { count: 7 })], maps: [mapCount({ hour: midnight + 3 * hour })] });
      await backend.addUsage(first);
      await backend.addUsage(first);
      await backend.addUsage({ ...first, number: 3, maps: [] });
      await backend.addUsage({ ...first, number: 2, maps: [] });
      expect((await pointsOf(id))?.[0]?.count).toBe(14);
    });

    it('leaves out keys of no flag, and is no change', async () => {
      const { backend } = of();
      const { id, key } = await flag();
      const before = await backend.definitions();
      await backend.addUsage(batch({ flags: [flagCount('no-such-flag'), flagCount(key)] }));
      expect((await pointsOf(id))?.[0]?.count).toBe(1);
      expect(await backend.definitions()).toEqual(before);
    });

    it('of a deleted flag is no usage of the one that is created under its key', async () => {
      const { backend } = of();
      const { key } = await flag();
      await backend.addUsage(batch({ flags: [flagCount(key)] }));
      await backend.deleteFlag(key, null);
      const again = (await backend.createFlag(newFlag(key), null)).value;
      expect(await pointsOf(again.id)).toEqual([]);
      expect(await backend.lastAsked([again.id])).toEqual(new Map());
    });

    it('by many writers at once loses nothing', async () => {
      const { backend } = of();
      const flags = [await flag(), await flag(), await flag()];
      const counts = flags.map(({ key }) => flagCount(key));
      await Promise.all(
        Array.from({ length: 20 }, (_, n) => {
          const order = n % 2 === 0 ? counts : counts.toReversed();
          return backend.addUsage(batch({ flags: order, maps: [mapCount({ hour: midnight + 9 * hour })] }));
        }),
      );
      for (const { id } of flags) expect((await pointsOf(id))?.[0]?.count).toBe(20);
    });

    it('tells when flags were last asked for, to the millisecond', async () => {
      const { backend } = of();
      const [asked, silent] = [await flag(), await flag()];
      const at = [
        flagCount(asked.key, { hour: midnight, lastAt: midnight + 5 }),
        flagCount(asked.key, { hour: midnight + hour, lastAt: midnight + hour + 17 }),
        flagCount(asked.key, { hour: midnight + hour, reason: 'SPLIT', lastAt: midnight + hour + 777 }),
      ];
      await backend.addUsage(batch({ flags: at }));
      await backend.addUsage(
        batch({ flags: [flagCount(asked.key, { hour: midnight + hour, lastAt: midnight + hour })] }),
      );
      expect(await backend.lastAsked([silent.id, asked.id])).toEqual(new Map([[asked.id, midnight + hour + 777]]));
      expect(await backend.lastAsked([])).toEqual(new Map());
    });

    it('tells the first hour in which somebody counted, and the last of maps and of what is not counted', async () => {
      const { backend } = of();
      const first = midnight - day;
      await backend.addUsage(
        batch({
          maps: [
            mapCount({ hour: first, count: 0 }),
            mapCount({ hour: midnight + 10 * hour, count: 2 }),
            mapCount({ hour: midnight + 11 * hour, count: 0, isUncounted: true }),
          ],
        }),
      );
      await backend.addUsage(batch({ maps: [mapCount({ hour: midnight + 11 * hour, count: 0 })] }));
      expect(await backend.mapUsage()).toEqual({
        countedSince: first,
        lastMap: midnight + 10 * hour,
        lastUncounted: midnight + 11 * hour,
      });
    });
  });

  describe('the time since which a flag is constant', () => {
    const user = () => `constant ${randomUUID()}`;
    const since = async (flagKey: string, enabled: boolean, variant: string | null = null, now = Date.now()) =>
      (await of().backend.constantSince([{ flagKey, enabled, variant }], now))[0];
    const timeOfLog = async () => {
      const { changes } = await of().backend.search({ after: 0, any: [{}], limit: 1, newestFirst: true });
      return changes[0]?.at.getTime();
    };

    it('is the last change that altered an answer, and none of a name or a tag', async () => {
      const { backend } = of();
      const { key } = (await backend.createFlag(newFlag(of().key(), { enabled: true, percentage: 10 }), null)).value;
      await backend.updateFlag(key, { percentage: 100 }, null, null);
      const full = await timeOfLog();
      await backend.updateFlag(key, { name: 'other', tags: ['t'], owner: 'o', description: 'd' }, null, null);
      expect(await since(key, true)).toBe(full);
      await backend.updateFlag(key, { enabled: false }, null, null);
      const off = await timeOfLog();
      await backend.updateFlag(key, { percentage: 50 }, null, null);
      expect(await since(key, false)).toBe(off);
    });

    it('is the creation of a flag that was made so', async () => {
      const { backend } = of();
      const { key } = (await backend.createFlag(newFlag(of().key()), null)).value;
      const created = await timeOfLog();
      await backend.updateFlag(key, { name: 'other' }, null, null);
      expect(await since(key, false)).toBe(created);
      expect(await since('no-such-flag', false)).toBeNull();
    });

    it('is not there while an override gives somebody another answer, and begins when that ends', async () => {
      const { backend } = of();
      const { key } = (await backend.createFlag(newFlag(of().key(), { enabled: true }), null)).value;
      const override = { flagKey: key, reason: null, expiresAt: null } as const;
      const [same, other] = [user(), user()];
      const created = await timeOfLog();
      await backend.setOverride({ ...override, userId: same, enabled: true }, null);
      expect(await since(key, true)).toBe(created);
      await backend.setOverride({ ...override, userId: other, enabled: false }, null);
      expect(await since(key, true)).toBeNull();
      await backend.removeOverride(other, key, null);
      expect(await since(key, true)).toBe(await timeOfLog());
      await backend.removeOverride(same, key, null);
      const expiresAt = new Date(Date.now() + 3_600_000);
      await backend.setOverride({ ...override, userId: other, enabled: false, expiresAt }, null);
      expect(await since(key, true)).toBeNull();
      expect(await since(key, true, null, expiresAt.getTime() + 1)).toBe(expiresAt.getTime());
    });

    it('is not there while an override names another variant', async () => {
      const { backend } = of();
      const variants = ['a', 'b'].map((name, n) => ({ key: name, value: name, weight: 1 - n }));
      const valued = newFlag(of().key(), { enabled: true, type: 'STRING', variants, offVariant: 'b' });
      const { key } = (await backend.createFlag(valued, null)).value;
      const override = { userId: user(), flagKey: key, enabled: true, reason: null, expiresAt: null };
      await backend.setOverride({ ...override, variant: 'a' }, null);
      expect(await since(key, true, 'a')).toEqual(expect.any(Number));
      await backend.setOverride({ ...override, variant: 'b' }, null);
      expect(await since(key, true, 'a')).toBeNull();
    });
  });
}
