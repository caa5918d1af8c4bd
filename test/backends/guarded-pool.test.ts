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
