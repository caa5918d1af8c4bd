import { PGlite } from '@electric-sql/pglite';
import { PrismaPg } from '@prisma/adapter-pg';
import { PrismaPGlite } from 'pglite-prisma-adapter';
import { describe, expect, it } from 'vitest';
import { flagFromLog } from '../../src/backends/backend.js';
import { type DatabaseBackend, openDatabase } from '../../src/backends/database.js';
import { readMigrations } from '../../src/backends/migrate.js';
import { FeatureService } from '../../src/features/service.js';
import { readLog } from '../support/change-log.js';
import { cleanups, database } from '../support/cleanups.js';
import { PrismaEngine } from '../support/schema-engine.js';

// A database as the first version left it, with data in every table, must answer after the upgrade as it did before.

const migrations = await readMigrations();
const [first] = migrations as [(typeof migrations)[number]];
const id = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const [ann, bob, cyd, gone, stranger] = [id(1), id(2), id(3), id(4), id(5)];

/** What programs of the first version wrote. */
const content = `
  SELECT set_config('halyard.actor', '${ann}', false);
  INSERT INTO users (id, attributes) VALUES ('${ann}', '{"plan": "pro"}'), ('${bob}', '{"plan": "free"}'), ('${gone}', '{"mail": "gone@example.com"}');
  INSERT INTO users (id) VALUES ('${cyd}');
  INSERT INTO feature_flags (key, name, enabled, percentage, conditions, created_by_id) VALUES
    ('everybody', 'E', true, 100, '{}', '${ann}'),
    ('half', 'H', true, 50, '{}', '${ann}'),
    ('nobody', 'N', false, 100, '{}', NULL),
    ('pro', 'P', true, 100, '{"attributes": {"plan": "pro"}}', '${gone}'),
    ('testers', 'T', true, 100, '{"groups": ["beta"]}', NULL),
    ('deleted', 'D', true, 100, '{}', NULL);
  INSERT INTO user_feature_groups (user_id, group_name, added_by_id) VALUES ('${bob}', 'beta', '${ann}'), ('${gone}', 'beta', '${ann}');
  INSERT INTO feature_flag_overrides (user_id, flag_key, enabled, reason, expires_at, created_by_id) VALUES
    ('${bob}', 'everybody', false, 'asked for it', NULL, '${ann}'),
    ('${cyd}', 'nobody', true, NULL, '2999-01-01Z', '${gone}'),
    ('${cyd}', 'pro', true, NULL, '2020-01-01Z', NULL),
    ('${gone}', 'pro', true, 'gone wants it', NULL, NULL);
  UPDATE feature_flags SET description = 'changed' WHERE key = 'half';
  DELETE FROM feature_flags WHERE key = 'deleted';
  DELETE FROM users WHERE id = '${gone}';`;

/** The flags that are on, as the first version answered. */
const answers: Record<string, readonly string[]> = {
  [ann]: ['everybody', 'half', 'pro'],
  [bob]: ['testers'],
  [cyd]: ['everybody', 'half', 'nobody'],
  [stranger]: ['everybody'],
};

interface Upgraded {
  readonly backend: DatabaseBackend;
  /** The log as the first version left it. */
  readonly log: readonly Record<string, unknown>[];
}

const logOf = `SELECT revision::text, at, actor_id, kind::text, flag_key, user_id, group_name, user_ids, before, after
  FROM feature_changes ORDER BY feature_changes.revision`;

async function onPGlite(): Promise<Upgraded> {
  const old = await PGlite.create();
  await old.exec(first.sql);
  const engine = await PrismaEngine.connect(new PrismaPGlite(old));
  await engine.markApplied(migrations, first.name);
  engine.free();
  await old.exec(content);
  const log = (await old.query<Record<string, unknown>>(logOf)).rows;
  const templateDump = await old.dumpDataDir('none');
  await old.close();
  return { backend: await openDatabase({ memory: true, templateDump }), log };
}

async function onPostgres(): Promise<Upgraded> {
  const old = await database({ migrated: false });
  await old.query(first.sql);
  const engine = await PrismaEngine.connect(new PrismaPg(old.url));
  await engine.markApplied(migrations, first.name);
  engine.free();
  await old.query(content);
  const log = (await old.query(logOf)).rows;
  return { backend: await openDatabase({ url: old.url }), log };
}

describe.each([
  ['PGlite', onPGlite],
  ['PostgreSQL', onPostgres],
])('a database of the first version on %s', (_name, upgrade) => {
  async function start() {
    const upgraded = await upgrade();
    const service = await FeatureService.open({ backend: upgraded.backend, pollInterval: 3_600_000 });
    cleanups.push(() => service.close());
    return { ...upgraded, service };
  }

  it('is brought up to date, and answers every user as before', async () => {
    const { backend, service } = await start();
    expect(backend.appliedMigrations).toEqual(migrations.slice(1).map(({ name }) => name));
    for (const [userId, expected] of Object.entries(answers)) {
      const map = (await service.evaluator({ userId })).evaluateMap();
      expect(
        Object.keys(map).filter(key => map[key]),
        userId,
      ).toEqual(expected);
    }
  });

  it('keeps its flags, users and history, and erases users who were deleted before', async () => {
    const { backend, log } = await start();
    const { flags } = await backend.definitions();
    expect(flags.map(({ key, version, createdById }) => [key, version, createdById])).toEqual([
      ['everybody', 1, ann],
      ['half', 2, ann],
      ['nobody', 1, null],
      ['pro', 1, null],
      ['testers', 1, null],
    ]);
    const values = { type: 'BOOLEAN', variants: [], offVariant: 'off', rules: [], bucketBy: null };
    const plain = { ...values, tags: [], owner: null, expectedUntil: null };
    for (const flag of flags) expect(flag).toMatchObject(plain);
    expect(
      await backend.prisma.user.findMany({ select: { id: true, externalId: true }, orderBy: { id: 'asc' } }),
    ).toEqual([ann, bob, cyd].map(each => ({ id: each, externalId: null })));
    const changes = await readLog(backend);
    const old = changes.slice(0, log.length);
    // Entries from before flags had values and tags say nothing of them.
    const state = old.find(({ kind, flagKey }) => kind === 'FLAG_UPDATED' && flagKey === 'half')?.after;
    expect(state).not.toHaveProperty('rules');
    expect(flagFromLog(state ?? {})).toMatchObject({ key: 'half', description: 'changed', ...plain });
    expect(old.map(({ at, kind, actorId, flagKey, userId }) => ({ at, kind, actorId, flagKey, userId }))).toEqual(
      log.map(row => ({
        at: row['at'],
        kind: row['kind'],
        actorId: row['actor_id'],
        flagKey: row['flag_key'],
        userId: row['user_id'],
      })),
    );
    for (const [index, { userId, before, after }] of old.entries()) {
      if (userId !== gone)
        expect({ before, after }).toEqual({ before: log[index]?.['before'], after: log[index]?.['after'] });
    }
    expect(JSON.stringify(log)).toMatch(/gone@example\.com.*gone wants it/s);
    expect(JSON.stringify(changes)).not.toMatch(/gone@example\.com|gone wants it/);
    expect(new Set(changes.slice(log.length).map(({ kind }) => kind))).toEqual(new Set(['RESET']));
    const differing = 'SELECT table_name FROM feature_log_digests WHERE digest <> halyard_digest_of(table_name)';
    expect(await backend.prisma.$queryRawUnsafe(differing)).toEqual([]);
  });

  it('goes on with users of both kinds', async () => {
    const { service } = await start();
    const { management } = service;
    await management.setOverride({ userId: 'auth0|5f7c1', flagKey: 'nobody', enabled: true }, { actor: 'auth0|admin' });
    await management.addToGroup({ group: 'beta', userIds: ['auth0|5f7c1', ann] }, { actor: ann });
    await management.deleteUser({ userId: bob }, { actor: 'auth0|admin' });
    const isOn = async (userId: string, key: string) => (await service.evaluator({ userId })).evaluate(key).enabled;
    expect(await isOn('auth0|5f7c1', 'nobody')).toBe(true);
    expect(await isOn('auth0|5f7c1', 'testers')).toBe(true);
    expect(await isOn(ann, 'testers')).toBe(true);
    expect(await isOn(bob, 'testers')).toBe(false);
    expect(await isOn(bob, 'everybody')).toBe(true);
  });
});
