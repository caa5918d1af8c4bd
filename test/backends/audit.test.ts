import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Auditor } from '../../src/backends/auditor.js';
import { type DatabaseBackend, openDatabase } from '../../src/backends/database.js';
import { silentLog } from '../../src/core/log.js';
import { FeatureService } from '../../src/features/service.js';
import { readLog } from '../support/change-log.js';
import { newFlag } from '../support/flags.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';
import { queryOnce } from '../support/postgres-server.js';
import { until } from '../support/wait.js';

// Changes that no trigger sees: those of logical replication, which runs no statement triggers, and those of a restore that
// disables them.

const tables = ['users', 'feature_flags', 'user_feature_groups', 'feature_flag_overrides', 'api_keys'];
const [ann, bob] = [randomUUID(), randomUUID()];

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(): Promise<{ database: TestDatabase; backend: DatabaseBackend; audit: () => Promise<unknown> }> {
  const database = await createDatabase();
  cleanups.push(() => database.drop());
  const backend = await openDatabase({ url: database.url });
  cleanups.push(() => backend.close());
  await backend.createFlag(newFlag('k'), null);
  await backend.addToGroup('g', [ann, bob], null);
  await backend.setUserAttributes(ann, { plan: 'free' }, null);
  await backend.setOverride({ userId: ann, flagKey: 'k', enabled: true, reason: null, expiresAt: null }, null);
  return { database, backend, audit: () => audited(database, backend) };
}

/** What an auditor finds when every table is due. */
async function audited(database: TestDatabase, backend: DatabaseBackend): Promise<readonly string[]> {
  await database.query('UPDATE feature_log_digests SET check_after = now()');
  const alone = async (sql: string) => (await queryOnce(database.url, sql)).rows;
  const auditor = new Auditor({ prisma: backend.prisma, alone, log: silentLog });
  cleanups.push(() => auditor.stop());
  return [...(await auditor.audit())].sort();
}

/** The statements of a restore with disabled triggers. */
function past(table: string, sql: string): string {
  return `ALTER TABLE ${table} DISABLE TRIGGER ALL; ${sql}; ALTER TABLE ${table} ENABLE TRIGGER ALL`;
}

describe('the audit of the tables', () => {
  it('finds nothing where every change went through the triggers, whatever it was', async () => {
    const { database, backend, audit } = await start();
    await backend.updateFlag('k', { enabled: true, conditions: { groups: ['g'] } }, null, { actor: ann });
    await backend.removeFromGroup('g', [bob], null);
    await database.query(`UPDATE feature_flags SET key = 'renamed', created_by_id = '${bob}'`);
    await database.query(
      `UPDATE users SET created_at = '2020-01-01Z', attributes = '{"x": [1.50, "ü"]}' WHERE id = '${bob}'`,
    );
    await database.query(`BEGIN; DELETE FROM users; ROLLBACK`);
    await backend.deleteUser(bob, null);
    await database.query('SET session_replication_role = replica; UPDATE feature_flags SET enabled = NOT enabled');
    await database.query('TRUNCATE user_feature_groups');
    await backend.addToGroup('h', [ann, randomUUID()], null);
    const { head } = await backend.changes(0, 0);
    expect(await audit()).toEqual([]);
    expect((await backend.changes(0, 0)).head).toBe(head);
  });

  it.each([
    ['users', `UPDATE users SET attributes = '{"plan": "pro"}' WHERE id = '${ann}'`],
    ['users', `INSERT INTO users (id) VALUES ('${randomUUID()}')`],
    ['feature_flags', 'UPDATE feature_flags SET enabled = true'],
    ['feature_flags', `INSERT INTO feature_flags (key, name) VALUES ('new', 'n')`],
    ['user_feature_groups', `DELETE FROM user_feature_groups WHERE user_id = '${bob}'`],
    ['user_feature_groups', `UPDATE user_feature_groups SET group_name = 'h' WHERE user_id = '${bob}'`],
    ['feature_flag_overrides', 'UPDATE feature_flag_overrides SET enabled = false'],
    ['feature_flag_overrides', 'DELETE FROM feature_flag_overrides'],
  ])('finds in %s what no trigger has seen, logs it as RESET, once: %s', async (table, sql) => {
    const { database, backend, audit } = await start();
    const { head } = await backend.changes(0, 0);
    await database.query(past(table, sql));
    expect((await backend.changes(0, 0)).head).toBe(head);
    expect(await audit()).toEqual([table]);
    expect(await readLog(backend, head)).toMatchObject([{ kind: 'RESET', revision: head + 1 }]);
    expect(await audit()).toEqual([]);
  });

  it('is spared what a start mends: triggers that were left disabled, or enabled as any others', async () => {
    const { database } = await start();
    const kinds = async () =>
      (await database.query(`SELECT DISTINCT tgenabled AS kind FROM pg_trigger WHERE tgname LIKE 'halyard%'`)).rows;
    await database.query(past('feature_flags', 'SELECT 1'));
    await database.query('ALTER TABLE users DISABLE TRIGGER USER');
    expect(await kinds()).toHaveLength(3);
    await (await openDatabase({ url: database.url })).close();
    expect(await kinds()).toEqual([{ kind: 'A' }]);
  });

  it('makes every node load everything again, with the right answers', async () => {
    const { database, backend, audit } = await start();
    const other = await FeatureService.open({ backend: await openDatabase({ url: database.url }) });
    cleanups.push(() => other.close());
    const isOn = async (userId: string) => (await other.evaluator({ userId })).evaluate('k').enabled;
    expect([await isOn(ann), await isOn(bob)]).toEqual([true, false]);
    await database.query(past('feature_flags', 'UPDATE feature_flags SET enabled = true'));
    await database.query(past('feature_flag_overrides', 'UPDATE feature_flag_overrides SET enabled = false'));
    expect(await audit()).toEqual(['feature_flag_overrides', 'feature_flags']);
    await until(async () => !(await isOn(ann)) && (await isOn(bob)), 'the node answers from what is stored');
    expect((await backend.changes(0, 0)).head).toBeGreaterThan(4);
  });

  it('of one table is done by one node at a time, and again after a pause', async () => {
    const { database, backend } = await start();
    await database.query('UPDATE feature_log_digests SET check_after = now()');
    const asked: string[] = [];
    const alone = async (sql: string) => {
      asked.push(sql);
      return (await queryOnce(database.url, sql)).rows;
    };
    const auditors = [1, 2, 3].map(() => new Auditor({ prisma: backend.prisma, alone, log: silentLog }));
    cleanups.push(() => Promise.all(auditors.map(auditor => auditor.stop())));
    await Promise.all(auditors.map(auditor => auditor.audit()));
    expect(asked).toHaveLength(tables.length);
    const { rows } = await database.query(
      `SELECT table_name FROM feature_log_digests WHERE check_after BETWEEN now() + interval '50 s' AND now() + interval '61 s'`,
    );
    expect(rows.map(row => row.table_name).sort()).toEqual([...tables].sort());
  });

  it('is not needed after a column was added and accepted, which logs one RESET at once', async () => {
    const { database, backend } = await start();
    await database.query('ALTER TABLE users ADD COLUMN note text');
    const accept = async () => (await database.query(`SELECT halyard_accept('users') AS logged`)).rows;
    const before = (await readLog(backend)).length;
    expect(await accept()).toEqual([{ logged: true }]);
    expect((await readLog(backend)).slice(before)).toMatchObject([{ kind: 'RESET' }]);
    await database.query('CREATE INDEX ON users (note)');
    expect(await accept()).toEqual([{ logged: false }]);
    expect(await audited(database, backend)).toEqual([]);
  });

  it.each(["'nix'", "'halyard_migrations'", 'NULL'])('accepts no table that is not logged: %s', async name => {
    const { database } = await start();
    await expect(database.query(`SELECT halyard_accept(${name})`)).rejects.toThrow(
      `halyard_accept takes the name of a logged table (api_keys, feature_flag_overrides, feature_flags, user_feature_groups, users), not ${name}`,
    );
  });

  it('never deadlocks with TRUNCATE by another hand, nor with writers', async () => {
    const { database, backend } = await start();
    let isOver = false;
    const write = async () => {
      for (let i = 0; !isOver; i += 1) await backend.addToGroup(`g${i % 3}`, [ann, randomUUID()], null);
    };
    const writing = [write(), write()];
    try {
      for (let i = 0; i < 5; i += 1) {
        await Promise.all([
          ...tables.map(table => database.query(`SELECT halyard_accept('${table}')`)),
          database.query('TRUNCATE user_feature_groups'),
        ]);
      }
    } finally {
      isOver = true;
      await Promise.all(writing);
    }
    expect(await audited(database, backend)).toEqual([]);
  });

  it('begins by itself, and ends with the database', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'], shouldAdvanceTime: true });
    try {
      const { database, backend } = await start();
      await database.query(past('feature_flags', 'UPDATE feature_flags SET enabled = true'));
      await database.query('UPDATE feature_log_digests SET check_after = now()');
      await vi.advanceTimersByTimeAsync(15_000);
      await until(async () => (await readLog(backend)).at(-1)?.kind === 'RESET', 'the audit has found it');
    } finally {
      vi.useRealTimers();
    }
  });
});
