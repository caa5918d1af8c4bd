import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { backup, queryOnce, type Restore } from './postgres-server.js';
import { shared } from './shared.js';

export interface TestDatabase {
  /** As `DATABASE_URL` has it. */
  readonly url: string;
  readonly name: string;
  /** The server's own database, for what concerns all of them. */
  readonly serverUrl: string;
  /** Where the server listens, for a proxy before it. */
  readonly socketPath: string;
  /** Runs SQL on a connection of its own: another hand. */
  query(sql: string): Promise<pg.QueryResult>;
  /** Makes a backup. The returned function puts it in the database's place, as a restore does; once. */
  backup(): Promise<Restore>;
  /** Drops the database, with whatever is still connected to it. */
  drop(): Promise<void>;
}

/** A database on the run's PostgreSQL server that nobody else uses: a clone of a migrated template, or an empty one. */
export async function createDatabase(
  options: {
    readonly migrated?: boolean;
    readonly timezone?: string;
    /** What CREATE DATABASE says of the locale or the encoding of an empty one. */
    readonly locale?: string;
  } = {},
): Promise<TestDatabase> {
  const server = await shared<{ url: string; template: string }>('/postgres');
  const name = `test_${randomBytes(6).toString('hex')}`;
  const url = server.url.replace('/postgres?', `/${name}?`);
  const empty = options.locale === undefined ? 'template1' : 'template0';
  const template = options.migrated === false ? empty : server.template;
  await queryOnce(
    server.url,
    `CREATE DATABASE ${name} TEMPLATE ${template} STRATEGY file_copy ${options.locale ?? ''}`,
  );
  if (options.timezone !== undefined) {
    await queryOnce(server.url, `ALTER DATABASE ${name} SET timezone = '${options.timezone}'`);
  }
  // A clone is another database, and would have got an epoch of its own.
  if (options.migrated !== false) await queryOnce(url, 'UPDATE feature_log_head SET epoch = gen_random_uuid()');
  return {
    url,
    name,
    serverUrl: server.url,
    socketPath: `${new URL(url).searchParams.get('host')}/.s.PGSQL.5432`,
    query: sql => queryOnce(url, sql),
    backup: () => backup(server.url, name),
    drop: async () => void (await queryOnce(server.url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)),
  };
}
