import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type DatabaseBackend, openDatabase } from '../../src/backends/database.js';
import { Pruner } from '../../src/backends/pruner.js';
import { silentLog } from '../../src/core/log.js';
import type { FlagCount } from '../../src/core/usage.js';
import { FeatureService } from '../../src/features/service.js';
import { readLog } from '../support/change-log.js';
import { newFlag } from '../support/flags.js';
import { openPGlite } from '../support/pglite.js';
import { createDatabase } from '../support/postgres.js';
import { until } from '../support/wait.js';

const day = 86_400_000;

describe.each([
  ['PGlite', async () => ({ backend: await openPGlite(), drop: async () => {} })],
  [
    'PostgreSQL',
    async () => {
      const database = await createDatabase();
      return { backend: await openDatabase({ url: database.url, reportsQueries: true }), drop: database.drop };
    },
  ],
])('pruning the change log on %s', (_, open) => {
  let backend: DatabaseBackend;
  let drop: () => Promise<void>;
  const pruners: Pruner[] = [];

  beforeEach(async () => {
    ({ backend, drop } = await open());
  });
  afterEach(async () => {
    await Promise.all(pruners.splice(0).map(pruner => pruner.stop()));
    await backend.close();
    await drop();
  });

  function pruner(keepChangesMs = 30 * day): Pruner {
    const made = new Pruner({ prisma: backend.prisma, keepChangesMs, log: silentLog });
    pruners.push(made);
    return made;
  }

  /** So many changes, the first `old` of them made 31 days ago. */
  async function history(count: number, old: number): Promise<void> {
    await backend.prisma
      .$executeRaw`INSERT INTO users (id, attributes) SELECT gen_random_uuid(), '{"n": 1}' FROM generate_series(1, ${count}::int)`;
    await backend.prisma
      .$executeRaw`UPDATE feature_changes SET at = now() - interval '31 days' WHERE revision <= ${old}`;
  }

  const revisions = async () => (await readLog(backend)).map(({ revision }) => revision);

  it('deletes older entries, in slices, and nothing else; this is not a change itself', async () => {
    await history(2_510, 2_500);
    const deletes: string[] = [];
    backend.onQuery(sql => sql.includes('DELETE FROM feature_changes') && deletes.push(sql));
    expect(await pruner().prune()).toBe(2_500);
    expect(deletes).toHaveLength(3);
    expect(await revisions()).toEqual(Array.from({ length: 10 }, (_, i) => 2_501 + i));
    expect((await backend.changes(0, 0)).head).toBe(2_510);
    expect(await pruner().prune()).toBe(0);
  });

  it('keeps the last entry however old it is, so that a write finds its place', async () => {
    await history(3, 3);
    expect(await pruner().prune()).toBe(2);
    expect(await revisions()).toEqual([3]);
    expect((await backend.createFlag(newFlag('k'), null)).revision).toBe(4);
    expect((await backend.createFlag(newFlag('l'), { actor: randomUUID() })).revision).toBe(5);
  });

  it('leaves no gap where times run backwards', async () => {
    await history(5, 2);
    await backend.prisma.$executeRaw`UPDATE feature_changes SET at = now() - interval '40 days' WHERE revision = 4`;
    expect(await pruner().prune()).toBe(2);
    expect(await revisions()).toEqual([3, 4, 5]);
  });

  it('finds nothing to do in an empty log', async () => {
    expect(await pruner().prune()).toBe(0);
  });

  it('by many nodes at once deletes the same once', async () => {
    await history(2_000, 1_990);
    await Promise.all([pruner(), pruner(), pruner()].map(each => each.prune()));
    expect(await revisions()).toEqual(Array.from({ length: 10 }, (_, i) => 1_991 + i));
  });

  it('deletes old counts of usage but the last hour of each flag, and those of deleted flags', async () => {
    const hour = 3_600_000;
    const now = Math.floor(Date.now() / hour) * hour;
    const [asked, silent, gone] = await Promise.all(
      ['asked', 'silent', 'gone'].map(async key => (await backend.createFlag(newFlag(key), null)).value),
    );
    const count = (flagKey: string, days: number, reason = 'ENABLED') =>
      ({ flagKey, hour: now - days * day, reason, variant: 'on', count: 1, lastAt: now - days * day }) as FlagCount;
    const old = Array.from({ length: 2_200 }, (_, n) => count('asked', 91 + n / 24));
    const flags = [
      ...old,
      ...[count('asked', 1), count('asked', 89), count('silent', 95), count('silent', 95, 'SPLIT')],
      ...[count('silent', 96), count('gone', 1), count('gone', 100)],
    ];
    const maps = [95, 89, 1].map(days => ({ hour: now - days * day, count: 1, isUncounted: false }));
    await backend.addUsage({ writer: randomUUID(), number: 1, flags, maps });
    await backend.prisma
      .$executeRaw`INSERT INTO usage_writers VALUES (gen_random_uuid(), 1, now() - interval '8 days')`;
    await backend.deleteFlag('gone', null);
    const usagePruner = new Pruner({ prisma: backend.prisma, keepUsageMs: 90 * day, log: silentLog });
    pruners.push(usagePruner);
    // Old hours, the hour before the last one of a silent flag, a deleted flag, an hour of maps, and a writer.
    expect(await usagePruner.pruneUsage()).toBe(2_200 + 1 + 2 + 1 + 1);
    expect(await usagePruner.pruneUsage()).toBe(0);
    expect(await usagePruner.prune()).toBe(0);
    const ids = [asked, silent, gone].map(flag => flag?.id as string);
    const range = { since: 0, until: now + hour, interval: 'HOUR' } as const;
    const points = await backend.usage(ids.map(flagId => ({ flagId, ...range })));
    expect(points.map(each => each.map(point => [(now - point.at) / day, point.count]))).toEqual([
      [
        [89, 1],
        [1, 1],
      ],
      [[95, 2]],
      [],
    ]);
    expect((await backend.mapUsage()).countedSince).toBe(now - 89 * day);
  });

  it('makes a reader whose place was deleted reload, with the right answers', async () => {
    await backend.createFlag({ ...newFlag('a'), enabled: true }, null);
    const service = await FeatureService.open({ backend: deaf(backend), pollInterval: 3_600_000, cacheTtl: 0 });
    const isOn = async (key: string) => (await service.evaluator({})).evaluate(key).reason;
    expect(await isOn('a')).toBe('ENABLED');
    await backend.deleteFlag('a', null);
    await backend.createFlag({ ...newFlag('b'), enabled: true }, null);
    await backend.prisma.$executeRaw`UPDATE feature_changes SET at = now() - interval '31 days'`;
    await pruner().prune();
    expect(await isOn('a')).toBe('FLAG_NOT_FOUND');
    expect(await isOn('b')).toBe('ENABLED');
  });
});

/** Hints would have the reader catch up before anything is pruned. */
function deaf(backend: DatabaseBackend): DatabaseBackend {
  return new Proxy(backend, {
    get(target, property) {
      if (property === 'onHint') return () => () => {};
      const member = Reflect.get(target, property) as unknown;
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}

it('begins by itself where the settings say for how long, and stops with the database', async () => {
  const database = await createDatabase();
  const random = vi.spyOn(Math, 'random').mockReturnValue(0);
  const backend = await openDatabase({ url: database.url, keepChangesMs: day });
  random.mockRestore();
  for (const key of ['a', 'b', 'c']) await backend.createFlag(newFlag(key), null);
  await backend.prisma.$executeRaw`UPDATE feature_changes SET at = now() - interval '2 days' WHERE revision < 3`;
  await until(async () => (await readLog(backend)).length === 1, 'what is older is gone');
  await backend.close();
  await database.drop();
});
