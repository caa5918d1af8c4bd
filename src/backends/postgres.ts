import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { type DatabaseUrl, parseDatabaseUrl, withSchema } from '../core/database-url.js';
import type { BackendLog, Connection } from './connection.js';
import { DatabaseSetupError } from './errors.js';
import { GuardedPool } from './guarded-pool.js';
import { Listener } from './listener.js';
import { type MigrationConnection, migrate, readMigrations } from './migrate.js';
import { checkSession, type Query, quoteName, sessionSchema, startupOptions, statedSettings } from './session.js';
import { explainTlsError, tlsOf } from './tls.js';

export interface PostgresOptions {
  /** `postgresql://user:password@host:5432/database`; `schema=name` among its parameters names another schema. */
  readonly url: string;
  /**
   * The server itself, for listening and migrating, where `url` leads to a pooler: one in transaction mode loses LISTEN
   * without a word. Default: `url`.
   */
  readonly listenUrl?: string | undefined;
  /** Connections of the pool, beside the one that listens. */
  readonly poolSize: number;
  /** Milliseconds that one statement may take; whoever waits for it knows by then. */
  readonly statementTimeoutMs: number;
  /** Nothing is made that is not there. */
  readonly existing?: true | undefined;
  readonly log: BackendLog;
}

/** Milliseconds to reach the server, or to be given a connection by a pool that is busy, at most. */
const longestConnect = 5_000;
/** Between two signs of life of the listening connection, in milliseconds, at most. */
const longestHeartbeat = 5_000;
/** The server ends a statement somewhat sooner than it is given up here, and so says why. */
const serverShare = 0.9;

/** No migration and no audit is cut short, whatever the defaults; none takes more than one processor or waits for ever. */
const unhurried = {
  statement_timeout: '0',
  lock_timeout: '15s',
  idle_in_transaction_session_timeout: '0',
  max_parallel_workers_per_gather: '0',
};

/** What the driver is told. Nothing is left to its own reading of an address. */
async function configOf(
  url: DatabaseUrl,
  schema: string | undefined,
  settings: Readonly<Record<string, string>>,
  connectTimeoutMs: number,
): Promise<pg.ClientConfig> {
  const path: Record<string, string> = schema === undefined ? {} : { search_path: quoteName(schema) };
  const { user, password, host, port, database, options = '' } = url;
  return {
    user,
    password,
    host,
    port,
    database,
    ssl: await tlsOf(url),
    options: `${options} ${startupOptions(statedSettings({ ...settings, ...path }))}`.trim(),
    application_name: 'halyard',
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  };
}

/**
 * Opens the way to a PostgreSQL server: finds out which schema is meant, and proves that sessions are as they must be.
 * @throws DatabaseUrlError, DatabaseSetupError with what to write instead, or the driver's error.
 */
export async function openPostgres(options: PostgresOptions): Promise<Connection> {
  const { listenUrl, statementTimeoutMs, poolSize, existing, log } = options;
  const url = parseDatabaseUrl(options.url);
  const directUrl = listenUrl === undefined ? url : parseDatabaseUrl(listenUrl);
  const connectTimeoutMs = Math.min(statementTimeoutMs, longestConnect);
  const stated = url.schema ?? directUrl.schema;
  const asked = await configOf(directUrl, stated, unhurried, connectTimeoutMs);
  const schema = await withClient(asked, client => findSchema(client, stated, existing === true));
  if (schema.includes('"')) {
    throw new DatabaseSetupError(`The schema ${schema} has a quotation mark in its name, which Prisma cannot write.`);
  }
  const direct = await configOf(directUrl, schema, unhurried, connectTimeoutMs);
  const serverTimeout = String(Math.ceil(statementTimeoutMs * serverShare));
  const timeouts = {
    statement_timeout: serverTimeout,
    lock_timeout: serverTimeout,
    idle_in_transaction_session_timeout: String(statementTimeoutMs * 2),
  };
  const pool = new GuardedPool({
    config: await configOf(url, schema, timeouts, connectTimeoutMs),
    size: poolSize,
    queryTimeoutMs: statementTimeoutMs,
    connectTimeoutMs,
    check: client => checkSession(queryOf(client), schema),
    log,
  });
  try {
    (await pool.connect()).release();
  } catch (error) {
    await pool.end();
    throw explainTlsError(error) ?? error;
  }
  const elsewhere = withSchema(options.url, 'halyard');
  return new PostgresConnection({ pool, direct, schema, elsewhere, patienceMs: statementTimeoutMs, log });
}

function queryOf(client: pg.ClientBase): Query {
  return async sql => (await client.query<Record<string, unknown>>(sql)).rows;
}

/** Runs work on a connection of its own. */
async function withClient<T>(config: pg.ClientConfig, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(config);
  client.on('error', () => undefined); // the query at work rejects
  try {
    await client.connect();
    return await work(client);
  } catch (error) {
    throw explainTlsError(error) ?? error;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** The schema that is meant: the stated one, which is made where it may be, else the first one of the search path. */
async function findSchema(client: pg.Client, stated: string | undefined, existing: boolean): Promise<string> {
  const { schema, path } = await sessionSchema(queryOf(client));
  if (schema !== null) return schema;
  if (stated === undefined) {
    throw new DatabaseSetupError(
      `No schema of the search path (${path}) exists. Make one of them, or name one at the end of the address: ?schema=halyard.`,
    );
  }
  // Looked up first: `IF NOT EXISTS` asks for the right to make schemas even where there is nothing to make.
  const { rowCount } = await client.query('SELECT FROM pg_namespace WHERE nspname = $1', [stated]);
  if (rowCount !== 0) {
    throw new DatabaseSetupError(
      `The role may not use the schema "${stated}". As its owner: GRANT USAGE, CREATE ON SCHEMA ${quoteName(stated)} TO the role.`,
    );
  }
  if (existing) throw new DatabaseSetupError(`There is no schema "${stated}" in the database.`);
  await client.query(`CREATE SCHEMA IF NOT EXISTS ${quoteName(stated)}`);
  return stated;
}

interface Opened {
  readonly pool: GuardedPool;
  /** Of the server itself, without time limits. */
  readonly direct: pg.ClientConfig;
  readonly schema: string;
  /** The same address with a schema of our own, for people. */
  readonly elsewhere: string;
  readonly patienceMs: number;
  readonly log: BackendLog;
}

class PostgresConnection implements Connection {
  readonly adapter;
  readonly idsPerStatement = Number.POSITIVE_INFINITY;
  readonly bytesPerPage = 128 * 1_024;
  readonly patienceMs: number;
  readonly #pool: GuardedPool;
  readonly #direct: pg.ClientConfig;
  readonly #schema: string;
  readonly #elsewhere: string;
  readonly #log: BackendLog;

  constructor({ pool, direct, schema, elsewhere, patienceMs, log }: Opened) {
    this.patienceMs = patienceMs;
    this.#pool = pool;
    this.#direct = direct;
    this.#schema = schema;
    this.#elsewhere = elsewhere;
    this.#log = log;
    this.adapter = new PrismaPg(pool, { schema });
  }

  async migrate(): Promise<readonly string[]> {
    return withClient(this.#direct, async client => {
      await checkSession(queryOf(client), this.#schema);
      const connection: MigrationConnection = {
        query: async (sql, values) => (await client.query<Record<string, unknown>>(sql, [...(values ?? [])])).rows,
        script: async sql => void (await client.query(sql)),
        elsewhere: this.#elsewhere,
      };
      return migrate(connection, await readMigrations());
    });
  }

  alone = (sql: string): Promise<readonly Record<string, unknown>[]> =>
    withClient(this.#direct, client => queryOf(client)(sql));

  listen(hint: () => void): () => void {
    const heartbeatMs = Math.min(this.patienceMs, longestHeartbeat);
    const listener = new Listener({ config: this.#direct, hint, heartbeatMs, log: this.#log });
    const stopWaiting = this.#pool.onBack(() => {
      listener.check();
      hint();
    });
    return () => {
      stopWaiting();
      listener.stop();
    };
  }

  async close(): Promise<void> {
    if (!this.#pool.ended) await this.#pool.end();
  }
}
