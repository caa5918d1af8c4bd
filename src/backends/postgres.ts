import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { parseDatabaseUrl, withSchema } from '../core/database-url.js';
import type { Log } from '../core/log.js';
import type { Prisma } from '../generated/prisma/client.js';
import { ChangeListener, echoChannel } from './change-listener.js';
import { type Address, explainConnectError } from './connect-errors.js';
import type { Connection } from './connection.js';
import { DatabaseSetupError } from './errors.js';
import { GuardedPool } from './guarded-pool.js';
import { type Migration, type MigrationConnection, migrate, readMigrations } from './migrate.js';
import { explainReadOnly, reportReadOnly } from './read-only.js';
import { explainDenied, explainMissing, missingRights, reportDenials } from './rights.js';
import { requireSameDatabase } from './same-database.js';
import { findSchema } from './schema.js';
import { checkSession, type Query, quoteName, startupOptions, statedSettings } from './session.js';
import { tlsOf } from './tls.js';

export interface PostgresOptions {
  /** `postgresql://user:password@host:5432/database`; the parameter `schema=name` selects another schema. */
  readonly url: string;
  /**
   * The server's own address, for listening and migrating, if `url` is the address of a pooler: a pooler in transaction mode
   * silently loses LISTEN. Default: `url`.
   */
  readonly listenUrl?: string | undefined;
  /** Connections of the pool. One more connection listens. */
  readonly poolSize: number;
  /** The longest time of one statement, in milliseconds. After that it fails. */
  readonly statementTimeoutMs: number;
  /** Opens only an existing database and creates nothing. */
  readonly existing?: true | undefined;
  readonly log: Log;
}

/** The longest time to reach the server, or to wait for a connection of a busy pool, in milliseconds. */
const longestConnect = 5_000;
/** The longest time between two heartbeats of the listening connection, in milliseconds. */
const longestHeartbeat = 5_000;
/** The server's timeout is a little shorter than the one here, so that the server can report the reason. */
const serverShare = 0.9;

/** Settings for migrations and audits: no time limit, at most one processor, and no endless wait for a lock. */
const unhurried = {
  statement_timeout: '0',
  lock_timeout: '15s',
  idle_in_transaction_session_timeout: '0',
  max_parallel_workers_per_gather: '0',
};

/** The settings of the driver. The driver does not read the address itself. */
async function configOf(
  { url, setting }: Address,
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
    ssl: await tlsOf(url, setting),
    options: `${options} ${startupOptions(statedSettings({ ...settings, ...path }))}`.trim(),
    application_name: 'halyard',
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  };
}

/**
 * Connects to a PostgreSQL server, finds the schema, and checks the settings of sessions.
 * @throws DatabaseUrlError, DatabaseSetupError with the remedy, or the driver's error.
 */
export async function openPostgres(options: PostgresOptions): Promise<Connection> {
  const { listenUrl, statementTimeoutMs, poolSize, existing, log } = options;
  const address: Address = { setting: 'DATABASE_URL', url: parseDatabaseUrl(options.url) };
  const directAddress: Address =
    listenUrl === undefined ? address : { setting: 'DATABASE_LISTEN_URL', url: parseDatabaseUrl(listenUrl) };
  const connectTimeoutMs = Math.min(statementTimeoutMs, longestConnect);
  const stated = address.url.schema ?? directAddress.url.schema;
  const other = directAddress.url.schema;
  if (other !== undefined && other !== stated) {
    throw new DatabaseSetupError(
      `DATABASE_LISTEN_URL names the schema "${other}", and DATABASE_URL the schema "${stated}". Name one schema in both.`,
    );
  }
  const asked = await configOf(directAddress, stated, unhurried, connectTimeoutMs);
  const pooled = listenUrl === undefined ? null : await configOf(address, stated, unhurried, connectTimeoutMs);
  const schema = await withClient(directAddress, asked, async query => {
    if (pooled !== null) await withClient(address, pooled, pool => requireSameDatabase(pool, query));
    return findSchema(query, stated, existing === true);
  });
  if (schema.includes('"')) {
    throw new DatabaseSetupError(`The schema ${schema} has a quotation mark in its name, which Prisma cannot write.`);
  }
  const direct = await configOf(directAddress, schema, unhurried, connectTimeoutMs);
  const serverTimeout = String(Math.ceil(statementTimeoutMs * serverShare));
  const timeouts = {
    statement_timeout: serverTimeout,
    lock_timeout: serverTimeout,
    idle_in_transaction_session_timeout: String(statementTimeoutMs * 2),
  };
  const report = reportReadOnly(log);
  const pool: GuardedPool = new GuardedPool({
    config: await configOf(address, schema, timeouts, connectTimeoutMs),
    size: poolSize,
    queryTimeoutMs: statementTimeoutMs,
    connectTimeoutMs,
    check: async client => {
      const { isReadOnly } = await checkSession(queryOf(client), schema, address.setting);
      await report(queryOf(client), isReadOnly);
    },
    onDenied: reportDenials(async () => missingRightsOf(pool, await readMigrations()), log),
    log,
  });
  try {
    (await pool.connect()).release();
  } catch (error) {
    await pool.end();
    throw explainConnectError(error, address) ?? error;
  }
  const elsewhere = withSchema(options.url, 'halyard');
  return new PostgresConnection({
    pool,
    direct,
    directAddress,
    schema,
    elsewhere,
    patienceMs: statementTimeoutMs,
    onlyReads: existing === true,
    log,
  });
}

function queryOf(client: pg.ClientBase): Query {
  return async sql => (await client.query<Record<string, unknown>>(sql)).rows;
}

async function missingRightsOf(
  pool: GuardedPool,
  migrations: readonly Migration[],
  onlyReads = false,
): Promise<string | null> {
  const client = await pool.connect();
  try {
    return await missingRights(queryOf(client), migrations, onlyReads);
  } finally {
    client.release();
  }
}

/** Runs work on a separate connection. @param address of the connection, for messages. */
async function withClient<T>(
  address: Address,
  config: pg.ClientConfig,
  work: (query: Query, client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client(config);
  client.on('error', () => undefined); // The running query rejects.
  try {
    await client.connect();
    return await work(queryOf(client), client);
  } catch (error) {
    throw explainConnectError(error, address) ?? error;
  } finally {
    await client.end().catch(() => undefined);
  }
}

interface Opened {
  readonly pool: GuardedPool;
  /** For the server's own address, without time limits. */
  readonly direct: pg.ClientConfig;
  readonly directAddress: Address;
  readonly schema: string;
  /** The same address with another schema, for messages. */
  readonly elsewhere: string;
  readonly patienceMs: number;
  /** Whether the program only reads. */
  readonly onlyReads: boolean;
  readonly log: Log;
}

class PostgresConnection implements Connection {
  readonly adapter;
  readonly idsPerStatement = Number.POSITIVE_INFINITY;
  readonly bytesPerPage = 128 * 1_024;
  readonly patienceMs: number;
  readonly #pool: GuardedPool;
  readonly #direct: pg.ClientConfig;
  readonly #directAddress: Address;
  readonly #schema: string;
  readonly #elsewhere: string;
  readonly #onlyReads: boolean;
  readonly #log: Log;

  constructor({ pool, direct, directAddress, schema, elsewhere, patienceMs, onlyReads, log }: Opened) {
    this.patienceMs = patienceMs;
    this.#pool = pool;
    this.#direct = direct;
    this.#directAddress = directAddress;
    this.#schema = schema;
    this.#elsewhere = elsewhere;
    this.#onlyReads = onlyReads;
    this.#log = log;
    this.adapter = new PrismaPg(pool, { schema });
  }

  async migrate(): Promise<readonly string[]> {
    const migrations = await readMigrations();
    const { setting } = this.#directAddress;
    const applied = await withClient(this.#directAddress, this.#direct, async (query, client) => {
      await checkSession(query, this.#schema, setting);
      const connection: MigrationConnection = {
        query: async (sql, values) => (await client.query<Record<string, unknown>>(sql, [...(values ?? [])])).rows,
        script: async sql => void (await client.query(sql)),
        elsewhere: this.#elsewhere,
      };
      try {
        return await migrate(connection, migrations, this.#log);
      } catch (error) {
        throw (await explainDenied(error, query, migrations)) ?? (await explainReadOnly(error, query)) ?? error;
      }
    });
    const missing = await missingRightsOf(this.#pool, migrations);
    if (missing !== null) throw new DatabaseSetupError(missing);
    return applied;
  }

  alone = (sql: string): Promise<readonly Record<string, unknown>[]> =>
    withClient(this.#directAddress, this.#direct, async query => {
      try {
        return await query(sql);
      } catch (error) {
        throw (await explainMissing(error, async () => missingRights(query, await readMigrations()))) ?? error;
      }
    });

  async read({ text, values }: Prisma.Sql): Promise<readonly (readonly unknown[])[]> {
    // Without a name: a pooler may hand each statement to another connection.
    return (await this.#pool.query<unknown[]>({ text, values, rowMode: 'array' })).rows;
  }

  explainDenied(error: unknown): Promise<DatabaseSetupError | null> {
    return explainMissing(error, async () => missingRightsOf(this.#pool, await readMigrations(), this.#onlyReads));
  }

  listen(hint: () => void, notes: () => void): () => void {
    const heartbeatMs = Math.min(this.patienceMs, longestHeartbeat);
    const echo = (text: string) => this.#pool.query(`SELECT pg_notify('${echoChannel}', $1)`, [text]);
    const listener = new ChangeListener({ config: this.#direct, hint, notes, echo, heartbeatMs, log: this.#log });
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
