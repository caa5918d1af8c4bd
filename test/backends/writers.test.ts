import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { type DatabaseBackend, openDatabase } from '../../src/backends/database.js';
import { UnavailableError } from '../../src/core/errors.js';
import { cleanups } from '../support/cleanups.js';
import { newFlag } from '../support/flags.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';
import { until } from '../support/wait.js';

async function start(statementTimeoutMs: number): Promise<[DatabaseBackend, TestDatabase, pg.Client]> {
  const database = await createDatabase();
  cleanups.push(() => database.drop());
  const backend = await openDatabase({ url: database.url, poolSize: 3, statementTimeoutMs });
  cleanups.push(() => backend.close());
  await backend.createFlag(newFlag('k'), null);
  const hand = new pg.Client({ connectionString: database.url });
  await hand.connect();
  cleanups.push(() => hand.end());
  return [backend, database, hand];
}

/** Another hand has changed a row and thinks it over; forty changes are asked for. */
async function crowd(backend: DatabaseBackend, database: TestDatabase, hand: pg.Client): Promise<Promise<unknown>[]> {
  await hand.query(`BEGIN; UPDATE feature_flags SET name = 'held'`);
  const writes = Array.from({ length: 40 }, (_, i) => backend.addToGroup(`g${i}`, [randomUUID()], null));
  for (const write of writes) write.catch(() => undefined);
  const waiting = `FROM pg_stat_activity WHERE datname = '${database.name}' AND wait_event_type = 'Lock'`;
  await until(async () => (await database.query(`SELECT ${waiting}`)).rowCount !== 0, 'a writer waits for the row');
  return writes;
}

describe('while writers wait behind a row that another hand holds', () => {
  it('readers go on, and the writers when it lets go', async () => {
    const [backend, database, hand] = await start(20_000);
    const writes = await crowd(backend, database, hand);
    const { rows } = await database.query(
      `SELECT FROM pg_stat_activity WHERE datname = '${database.name}' AND wait_event_type = 'Lock'`,
    );
    expect(rows).toHaveLength(1);
    for (let i = 0; i < 10; i += 1) {
      await Promise.all([backend.targeting([randomUUID()]), backend.changes(0, 10), backend.definitions()]);
    }
    await hand.query('COMMIT');
    await Promise.all(writes);
    expect((await backend.changes(0, 0)).head).toBe(2 + 40);
  });

  it('each writer is told within its patience that nothing was changed, also one whose turn never came', async () => {
    const [backend, database, hand] = await start(600);
    const writes = await crowd(backend, database, hand);
    const outcomes = await Promise.allSettled(writes);
    for (const outcome of outcomes) {
      const { reason } = outcome as PromiseRejectedResult;
      expect(reason).toBeInstanceOf(UnavailableError);
      expect(reason.message).toMatch(/Nothing was changed\.$/);
    }
    await hand.query('ROLLBACK');
    expect((await backend.changes(0, 0)).head).toBe(1);
    // The line has gone: nobody stands in the way of who comes next.
    expect((await backend.addToGroup('g', [randomUUID()], null)).value).toBe(1);
  });
});

describe('a constraint that is not ours', () => {
  it('is told as it is: not as a key that is taken, nor as a flag that is missing', async () => {
    const [backend, database] = await start(5_000);
    await database.query('CREATE UNIQUE INDEX theirs ON feature_flags (name)');
    await database.query(`CREATE TABLE allowed (id uuid PRIMARY KEY);
      ALTER TABLE feature_flag_overrides ADD CONSTRAINT also_theirs FOREIGN KEY (user_id) REFERENCES allowed (id)`);
    await backend.updateFlag('k', { name: 'taken' }, null, null);
    await expect(backend.createFlag(newFlag('other', { name: 'taken' }), null)).rejects.toThrow(/23505/);
    const override = { userId: randomUUID(), flagKey: 'k', enabled: true, reason: null, expiresAt: null };
    await expect(backend.setOverride(override, null)).rejects.toThrow(/23503/);
  });
});

describe('a change log whose head is behind its entries', () => {
  it('refuses every write and says how to mend it, is read up to its head, and goes on when it is mended', async () => {
    const [backend, database] = await start(5_000);
    await backend.createFlag(newFlag('l'), null);
    await database.query('UPDATE feature_log_head SET revision = 1');
    const error = await backend.createFlag(newFlag('m'), { actor: randomUUID() }).catch(e => e);
    expect(error).toBeInstanceOf(UnavailableError);
    expect(error.message).toMatch(
      /has entries after its head, revision 1;.* To mend it: UPDATE .*\. Nothing was changed\.$/,
    );
    const read = await backend.changes(0, 10);
    expect(read).toMatchObject({ head: 1, changes: [{ revision: 1 }] });
    await database.query(/To mend it: (.*?\))\./.exec(error.message)?.[1] as string);
    expect((await backend.createFlag(newFlag('m'), null)).revision).toBe(3);
  });
});
