import { execFile } from 'node:child_process';
import { chown, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backends/backend.js';
import { openDatabase } from '../../src/backends/database.js';
import { FeatureService } from '../../src/features/service.js';
import { ChaosDatabase } from '../chaos/database.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';
import { until } from '../support/wait.js';

// A backup is restored under running nodes, and the database goes on from there: the same epoch and the same numbers, but
// another history.

const ann = '3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a';
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(options: { pollInterval: number; cacheTtl?: number; deaf?: true }) {
  const database = await createDatabase();
  cleanups.push(() => database.drop());
  const opened = await openDatabase({ url: database.url });
  const backend = options.deaf ? deaf(opened) : opened;
  const service = await FeatureService.open({ backend, ...options });
  cleanups.push(() => service.close());
  return { database, service };
}

/** A node that stood still hears of nothing. */
function deaf(backend: Backend): Backend {
  return new Proxy(backend, {
    get(target, property) {
      if (property === 'watch') return () => () => {};
      const member = Reflect.get(target, property) as unknown;
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}

async function answers(service: FeatureService, userId: string | null = null): Promise<Record<string, boolean>> {
  const evaluator = await service.evaluator({ userId });
  return Object.fromEntries(evaluator.evaluateAll().map(({ key, enabled }) => [key, enabled]));
}

const flag = (key: string) => `INSERT INTO feature_flags (key, name, enabled) VALUES ('${key}', '${key}', true)`;
const isBack = (service: FeatureService, database: TestDatabase) =>
  until(async () => {
    await database.query('SELECT 1');
    return (await service.flags().catch(() => null)) !== null;
  }, 'the database is back');

describe('a node under which an older backup is restored', () => {
  it('answers from it and pushes it, though its log has grown past what the node had applied', async () => {
    const { database, service } = await start({ pollInterval: 100 });
    await database.query(flag('kept'));
    const restore = await database.backup();
    await isBack(service, database);
    // Lost with the restore: a kill switch off, and a flag that is no more.
    await database.query(`UPDATE feature_flags SET enabled = false WHERE key = 'kept'`);
    await database.query(flag('lost'));
    await until(async () => service.status.revision === 3, 'the node has followed');
    const updates = service.subscribe({ userId: ann });
    cleanups.push(() => updates.return?.());
    await updates.next();
    const pushed = updates.next();
    await restore();
    await database.query(`${flag('new')}; ${flag('newer')}; ${flag('newest')}`);
    const right = { kept: true, new: true, newer: true, newest: true };
    await until(
      async () => JSON.stringify(await answers(service)) === JSON.stringify(right),
      'the node answers from the restored history',
    );
    const { value } = await pushed;
    expect(value?.removed).toContain('lost');
    expect(value?.features).toContainEqual(expect.objectContaining({ key: 'kept', enabled: true }));
  });

  it.each([
    ['behind', 1],
    ['exactly at', 2],
    ['one past', 3],
    ['far past', 40],
  ])('and which stood still meanwhile, sees that its log ends %s its own place', async (_, growth) => {
    const { database, service } = await start({ pollInterval: 3_600_000, cacheTtl: 0, deaf: true });
    await database.query(flag('kept'));
    await database.query(`INSERT INTO users (id) VALUES ('${ann}')`);
    const restore = await database.backup();
    await isBack(service, database);
    await database.query(`UPDATE feature_flags SET enabled = false WHERE key = 'kept'`);
    await database.query(
      `INSERT INTO feature_flag_overrides (user_id, flag_key, enabled) VALUES ('${ann}', 'kept', true)`,
    );
    expect(await answers(service, ann)).toEqual({ kept: true });
    expect(await answers(service)).toEqual({ kept: false });
    await restore();
    await database.query(Array.from({ length: growth }, (__, n) => flag(`new-${n}`)).join(';'));
    await database.query('UPDATE feature_flags SET name = name');
    await isBack(service, database);
    const right = Object.fromEntries(
      ['kept', ...Array.from({ length: growth }, (__, n) => `new-${n}`)].map(k => [k, true]),
    );
    await until(() => service.status.problem === null, 'the log is read again');
    expect(await answers(service)).toEqual(right);
    expect(await answers(service, ann)).toEqual(right);
  });
});

describe('a node whose standby is promoted', () => {
  it('answers from it, though it had lost the last transactions and has grown past them', {
    timeout: 60_000,
  }, async () => {
    const server = await ChaosDatabase.start();
    cleanups.push(() => server.stop());
    const backend = await openDatabase({ url: server.url });
    // It reads when it is asked, and nobody asks before the promoted standby has grown.
    const service = await FeatureService.open({ backend: deaf(backend), pollInterval: 3_600_000, cacheTtl: 0 });
    cleanups.push(() => service.close());
    const query = (sql: string) =>
      until(
        () =>
          server.pool.query(sql).then(
            () => true,
            () => false,
          ),
        sql,
      );
    const data = join(server.server.directory, 'data');
    const standby = `${data}-standby`;

    await query(flag('kept'));
    await server.restart('shutdown', () => promisify(execFile)('cp', ['-a', data, standby]));
    await query(`UPDATE feature_flags SET enabled = false WHERE key = 'kept'`);
    await query(flag('lost'));
    // A read during the restart may have failed. The service then answers from its last state until it has tried again.
    const first = JSON.stringify({ kept: false, lost: true });
    await until(async () => JSON.stringify(await answers(service)) === first, 'the node has read what will be lost');
    const { epoch } = await backend.definitions();
    await server.restart('shutdown', async () => {
      await rm(data, { recursive: true });
      await rename(standby, data);
      const signal = join(data, 'standby.signal');
      await writeFile(signal, '');
      if (process.getuid?.() === 0) await chown(signal, 65534, 65534);
    });
    await query('SELECT pg_promote()');
    await query(`${flag('new')}; ${flag('newer')}; ${flag('newest')}`);
    const right = { kept: true, new: true, newer: true, newest: true };
    await until(
      async () => JSON.stringify(await answers(service)) === JSON.stringify(right),
      'the node answers from the promoted standby',
    );
    // The same database on another timeline of its server.
    const [before, after] = [epoch.split('/'), (await backend.definitions()).epoch.split('/')];
    expect(after[0]).toBe(before[0]);
    expect(Number(after[1])).toBeGreaterThan(Number(before[1]));
  });
});
