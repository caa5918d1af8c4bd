import pg from 'pg';
import { expect, it } from 'vitest';
import { GuardedPool } from '../../src/backends/guarded-pool.js';
import { silentLog } from '../../src/core/log.js';
import { createDatabase } from '../support/postgres.js';

it('a connection that breaks between two uses ends neither the process nor the pool', async () => {
  const database = await createDatabase();
  const config: pg.ClientConfig = { connectionString: database.url };
  const pool = new GuardedPool({ config, size: 1, queryTimeoutMs: 5_000, connectTimeoutMs: 5_000, log: silentLog });
  try {
    const first = await pool.connect();
    // What the server sends with its last answer is read before the next holder, who waits already, has heard of its turn.
    const second = pool.connect();
    first.release();
    expect(() => first.emit('error', new pg.DatabaseError('terminating connection', 0, 'error'))).not.toThrow();
    const client = await second;
    client.release(true);
    expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  } finally {
    await pool.end();
    await database.drop();
  }
});

it('a connection that comes back within a transaction, open or failed, is not used again', async () => {
  const database = await createDatabase();
  const config: pg.ClientConfig = { connectionString: database.url };
  const pool = new GuardedPool({ config, size: 1, queryTimeoutMs: 5_000, connectTimeoutMs: 5_000, log: silentLog });
  const leaveWithin = async (statements: readonly string[]) => {
    const client = await pool.connect();
    for (const statement of statements) await client.query(statement).catch(() => undefined);
    client.release();
  };
  try {
    await leaveWithin(['BEGIN', 'SELECT 1 / 0']);
    expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    await leaveWithin(['BEGIN', "SELECT set_config('lock_timeout', '7s', true)"]);
    expect((await pool.query('SHOW lock_timeout')).rows).toEqual([{ lock_timeout: '0' }]);
  } finally {
    await pool.end();
    await database.drop();
  }
});

it('a new connection whose check outlasts the caller that waits for it is not lost to the pool', async () => {
  const database = await createDatabase();
  const checks: (() => void)[] = [];
  let isHeld = false;
  const pool = new GuardedPool({
    config: { connectionString: database.url },
    size: 1,
    queryTimeoutMs: 5_000,
    connectTimeoutMs: 1_000,
    check: () => new Promise<void>(resolve => (isHeld ? checks.push(resolve) : resolve())),
    log: silentLog,
  });
  try {
    const first = await pool.connect();
    isHeld = true;
    const waiting = pool.connect();
    first.release(true);
    await expect(waiting).rejects.toThrow('timeout exceeded when trying to connect');
    expect(checks).toHaveLength(1);
    isHeld = false;
    checks[0]?.();
    expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    expect(pool.totalCount).toBe(1);
  } finally {
    // A pool waits at its end for each connection that it has lent.
    await Promise.race([pool.end(), new Promise(resolve => setTimeout(resolve, 2_000))]);
    await database.drop();
  }
});
