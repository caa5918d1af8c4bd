import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/backends/database.js';
import type { FlagCount } from '../../src/core/usage.js';
import { callers, openGraphQL, type TestGraphQL } from '../support/graphql.js';
import { createDatabase } from '../support/postgres.js';

const hour = 3_600_000;
const day = 24 * hour;
const now = Date.parse('2026-06-01T12:00:00Z');
const iso = (time: number) => new Date(time);

const databases = [
  { database: 'PGlite', open: async () => ({ api: await openGraphQL({ now: () => now }), drop: async () => {} }) },
  {
    database: 'PostgreSQL',
    open: async () => {
      const database = await createDatabase();
      const options = { url: database.url, reportsQueries: true } as const;
      return { api: await openGraphQL({ now: () => now, database: await openDatabase(options) }), drop: database.drop };
    },
  },
];

describe.each(databases)('usage on $database', ({ open }) => {
  let api: TestGraphQL;
  let drop: () => Promise<void>;
  let serial = 0;

  beforeAll(async () => {
    ({ api, drop } = await open());
  });
  afterAll(async () => {
    await api.close();
    await drop();
  });
  beforeEach(async () => {
    await api.database.prisma.$executeRaw`DELETE FROM map_usage`;
  });

  async function flag(fields: object = {}): Promise<string> {
    const key = `flag-${++serial}`;
    await api.service.management.createFlag({ key, name: key, enabled: true, percentage: 50, ...fields });
    return key;
  }
  const count = (flagKey: string, at: number, fields: Partial<FlagCount> = {}): FlagCount => ({
    flagKey,
    hour: at - (at % hour),
    reason: 'ROLLOUT',
    variant: 'on',
    count: 1,
    lastAt: at,
    ...fields,
  });
  const add = (flags: readonly FlagCount[], maps: { hour: number; count: number; isUncounted: boolean }[] = []) =>
    api.database.addUsage({ writer: randomUUID(), number: 1, flags, maps });
  /** Makes changes of a flag look so many days old. */
  const age = async (key: string, days: number) => {
    const at = new Date(now - days * day);
    await api.database.prisma.$executeRaw`UPDATE feature_flags SET created_at = ${at} WHERE key = ${key}`;
    await api.database.prisma.$executeRaw`UPDATE feature_changes SET at = ${at} WHERE flag_key = ${key}`;
  };

  it('is told by hour and by day, with its reasons and variants', async () => {
    const key = await flag();
    await add([
      count(key, now - 26 * hour, { count: 2 }),
      count(key, now - hour, { count: 3 }),
      count(key, now - hour, { count: 4, reason: 'OUTSIDE_ROLLOUT', variant: 'off' }),
      count(key, now, { count: 9 }),
    ]);
    const query = `query ($key: String!, $since: DateTime!, $until: DateTime, $hour: UsageInterval!) {
      flag(key: $key) {
        lastAskedAt
        days: usage(since: $since, until: $until) { at count reasons variants }
        hours: usage(since: $since, until: $until, interval: $hour) { at count }
      }
    }`;
    const since = iso(now - 40 * hour);
    expect((await api.data(query, { key, since: since.toISOString(), hour: 'HOUR' })).flag).toEqual({
      lastAskedAt: iso(now),
      days: [
        { at: iso(now - 36 * hour), count: 2, reasons: { ROLLOUT: 2 }, variants: { on: 2 } },
        {
          at: iso(now - 12 * hour),
          count: 7,
          reasons: { ROLLOUT: 3, OUTSIDE_ROLLOUT: 4 },
          variants: { on: 3, off: 4 },
        },
      ],
      hours: [
        { at: iso(now - 26 * hour), count: 2 },
        { at: iso(now - hour), count: 7 },
      ],
    });
  });

  it('of a flag that nobody has asked for is empty', async () => {
    const key = await flag();
    const query = 'query ($key: String!) { flag(key: $key) { lastAskedAt usage(since: "2026-05-01") { count } } }';
    expect(await api.data(query, { key })).toEqual({ flag: { lastAskedAt: null, usage: [] } });
  });

  it('counts beyond the greatest Int stop there', async () => {
    const key = await flag();
    await add([count(key, now - hour, { count: 2 ** 40 })]);
    const query = 'query ($key: String!) { flag(key: $key) { usage(since: "2026-05-31") { count reasons } } }';
    expect((await api.data(query, { key })).flag.usage).toEqual([
      { count: 2 ** 31 - 1, reasons: { ROLLOUT: 2 ** 40 } },
    ]);
  });

  it.each([
    ['since: "2026-05-01", until: "2026-05-01"', 'Expected a time after `since`. Default: now.', 'until'],
    ['since: "2026-06-02"', 'Expected a time after `since`. Default: now.', 'until'],
    [
      'since: "2026-05-01", until: "2026-06-01T01:00:00Z", interval: HOUR',
      'Expected at most 744 hours (31 days) from `since` to `until`, found 745. Ask for a shorter time, or ask with `interval: DAY`.',
      'since',
    ],
    [
      'since: "2025-01-01", until: "2026-02-01"',
      'Expected at most 366 days from `since` to `until`, found 396. Ask for a shorter time.',
      'since',
    ],
  ])('of a range that is empty or too long is refused: %s', async (range, message, path) => {
    const key = await flag();
    const { errors } = await api.run(`query ($key: String!) { flag(key: $key) { usage(${range}) { count } } }`, {
      key,
    });
    expect(errors?.map(error => [error.message, error.extensions])).toEqual([
      [`${path}: ${message}`, expect.objectContaining({ code: 'BAD_USER_INPUT', path: [path] })],
    ]);
  });

  it.each(['since: "2026-05-01", until: "2026-06-01", interval: HOUR', 'since: "2025-06-01", until: "2026-06-02"'])(
    'of the longest ranges is told: %s',
    async range => {
      const key = await flag();
      const data = await api.data(`query ($key: String!) { flag(key: $key) { usage(${range}) { count } } }`, { key });
      expect(data.flag.usage).toEqual([]);
    },
  );

  it('of a list of flags takes one statement for each field, however many flags there are', async () => {
    const fields = 'lastAskedAt usage(since: "2026-05-20") { count } staleness { kind }';
    const ask = (first: number) => api.data(`{ flags(first: ${first}) { nodes { ${fields} } } }`);
    for (let n = 0; n < 10; n++) await flag();
    // What the server reads and writes by itself meanwhile can only add to a count.
    const least = async (first: number) => {
      const counts: number[] = [];
      for (let n = 0; n < 3; n++) counts.push(await api.countQueries(() => ask(first)));
      return Math.min(...counts);
    };
    expect(await least(10)).toBe(await least(2));
  });

  it('staleness is told with its kind, its time and a text', async () => {
    const key = await flag({ percentage: 100, expectedUntil: iso(now - 2 * day) });
    await age(key, 40);
    await add([count(key, now - 35 * day)], [{ hour: now - 80 * day, count: 0, isUncounted: false }]);
    const query = 'query ($key: String!) { flag(key: $key) { staleness { kind since isCertain text } } }';
    const { staleness } = (await api.data(query, { key })).flag;
    expect(staleness).toEqual([
      {
        kind: 'FULLY_ON',
        since: iso(now - 40 * day),
        isCertain: true,
        text: expect.stringContaining('on for everybody'),
      },
      { kind: 'UNUSED', since: iso(now - 35 * day), isCertain: true, text: expect.stringContaining('safe to delete') },
      { kind: 'EXPIRED', since: iso(now - 2 * day), isCertain: true, text: expect.stringContaining('expected') },
    ]);
  });

  it('a flag that is off for everybody, and that is read through maps alone, is never called safe to delete', async () => {
    const key = await flag({ enabled: false });
    await age(key, 60);
    await add(
      [],
      [
        { hour: now - 80 * day, count: 0, isUncounted: false },
        { hour: now - 3 * day, count: 5, isUncounted: false },
      ],
    );
    const query = 'query ($key: String!) { flag(key: $key) { staleness { kind since isCertain text } } }';
    const { staleness } = (await api.data(query, { key })).flag;
    expect(staleness).toMatchObject([
      { kind: 'FULLY_OFF', since: iso(now - 60 * day) },
      { kind: 'UNUSED', since: iso(now - 60 * day), isCertain: false },
    ]);
    expect(staleness[1].text).not.toContain('safe');
  });

  it('an override that gives somebody another answer ends that a flag is on for everybody', async () => {
    const key = await flag({ percentage: 100 });
    await age(key, 60);
    const query = 'query ($key: String!) { flag(key: $key) { staleness { kind } } }';
    expect((await api.data(query, { key })).flag.staleness).toEqual([{ kind: 'FULLY_ON' }]);
    await api.service.management.setOverride({ userId: 'ann', flagKey: key, enabled: false });
    expect((await api.data(query, { key })).flag.staleness).toEqual([]);
  });

  describe('reportUsage', () => {
    const report = async (keys: readonly string[], caller: (typeof callers)[keyof typeof callers] = callers.user) => {
      const query = `mutation ($keys: [String!]!) { reportUsage(input: { keys: $keys }) {
        __typename ... on ReportUsagePayload { counted } ... on Error { code message path } } }`;
      return (await api.run(query, { keys }, caller)).data?.reportUsage ?? null;
    };

    it('counts each flag once a minute for each caller, and only flags that exist', async () => {
      const [a, b] = [await flag(), await flag()];
      expect(await report([a, a, 'no-such-flag', b])).toEqual({ __typename: 'ReportUsagePayload', counted: 2 });
      expect(await report([a, b])).toMatchObject({ counted: 0 });
      expect(await report([a], callers.service)).toMatchObject({ counted: 1 });
      expect(await report([])).toMatchObject({ counted: 0 });
      const counted = api.service.usage.counter.take().flags;
      const total = counted.filter(({ flagKey }) => flagKey === a).reduce((sum, { count }) => sum + count, 0);
      expect(total).toBe(2);
      expect(counted.find(({ flagKey }) => flagKey === b)).toMatchObject({ count: 1, variant: expect.any(String) });
    });

    it('takes a bounded number of keys, and none of an anonymous caller', async () => {
      expect(await report(Array.from({ length: 251 }, (_, n) => `k${n}`))).toEqual({
        __typename: 'ValidationError',
        code: 'BAD_USER_INPUT',
        message: 'keys: Expected at most 250 keys, found 251.',
        path: ['keys'],
      });
      const key = await flag();
      api.service.usage.counter.take();
      expect(await report([key], callers.anonymous)).toBeNull();
      expect(api.service.usage.counter.take().flags).toEqual([]);
    });

    it('counts under the reason and the variant that the caller has', async () => {
      const key = await flag({ percentage: 100, conditions: { groups: ['nobody'] } });
      api.service.usage.counter.take();
      await report([key]);
      expect(api.service.usage.counter.take().flags).toMatchObject([
        { flagKey: key, reason: 'CONDITIONS_NOT_MET', variant: 'off', count: 1 },
      ]);
    });
  });
});
