import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { bounded } from '../core/text.js';
import type { BackendLog, Connection } from './connection.js';
import { GuardedPool } from './guarded-pool.js';
import { Listener } from './listener.js';
import { migrate, readMigrations } from './migrate.js';

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
  readonly log: BackendLog;
}

/** Milliseconds to reach the server, or to be given a connection by a pool that is busy, at most. */
const longestConnect = 5_000;
/** Between two signs of life of the listening connection, in milliseconds, at most. */
const longestHeartbeat = 5_000;
/** PostgreSQL cuts longer names off. */
const maxSchemaLength = 63;
const plainName = bounded(/^[A-Za-z_][A-Za-z0-9_]*$/, maxSchemaLength);

/** The server ends a statement somewhat sooner than it is given up here, and so says why. */
const serverShare = 0.9;

interface Target {
  readonly config: pg.ClientConfig;
  readonly schema: string | undefined;
}

/** Prisma's parameter `schema` becomes a search path; both adapters of Prisma send dates that mean UTC. */
function target(url: string, connectTimeoutMs: number, settings: Readonly<Record<string, string>>): Target {
  const parsed = new URL(url);
  const schema = parsed.searchParams.get('schema') ?? undefined;
  if (schema !== undefined && !plainName.test(schema)) {
    throw new Error(
      `The schema ${JSON.stringify(schema)} of the database's address is not a plain name of at most ${maxSchemaLength} characters.`,
    );
  }
  parsed.searchParams.delete('schema');
  const all = { timezone: 'UTC', ...settings, ...(schema === undefined ? {} : { search_path: `"${schema}"` }) };
  const options = Object.entries(all).map(([name, value]) => `-c ${name}=${value}`);
  parsed.searchParams.set('options', [parsed.searchParams.get('options') ?? '', ...options].join(' ').trim());
  return {
    config: {
      connectionString: parsed.toString(),
      application_name: 'halyard',
      connectionTimeoutMillis: connectTimeoutMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
    },
    schema,
  };
}

/** Opens the way to a PostgreSQL server. Nothing is connected yet. */
export function openPostgres(options: PostgresOptions): Connection {
  return new PostgresConnection(options);
}

/** Looked up first: `IF NOT EXISTS` asks for the right to create schemas even where there is nothing to create. */
async function ensureSchema(client: pg.Client, schema: string): Promise<void> {
  const { rowCount } = await client.query('SELECT FROM pg_namespace WHERE nspname = $1', [schema]);
  if (rowCount === 0) await client.query(`CREATE SCHEMA IF NOT EXISTS "${schema}"`);
}

class PostgresConnection implements Connection {
  readonly adapter;
  readonly idsPerStatement = Number.POSITIVE_INFINITY;
  readonly bytesPerPage = 128 * 1_024;
  readonly patienceMs: number;
  readonly #pool: GuardedPool;
  readonly #schema: string | undefined;
  readonly #direct: Target;
  readonly #log: BackendLog;

  constructor({ url, listenUrl, poolSize, statementTimeoutMs, log }: PostgresOptions) {
    const connectTimeoutMs = Math.min(statementTimeoutMs, longestConnect);
    const serverTimeout = String(Math.ceil(statementTimeoutMs * serverShare));
    const pooled = target(url, connectTimeoutMs, {
      statement_timeout: serverTimeout,
      lock_timeout: serverTimeout,
      idle_in_transaction_session_timeout: String(statementTimeoutMs * 2),
    });
    this.patienceMs = statementTimeoutMs;
    this.#direct = target(listenUrl ?? url, connectTimeoutMs, {});
    this.#log = log;
    const { config, schema } = pooled;
    this.#schema = schema;
    this.#pool = new GuardedPool({ config, size: poolSize, queryTimeoutMs: statementTimeoutMs, connectTimeoutMs, log });
    this.adapter = new PrismaPg(this.#pool, schema === undefined ? {} : { schema });
  }

  async migrate(): Promise<readonly string[]> {
    await this.#checkSettings();
    const { config, schema } = this.#direct;
    const client = new pg.Client(config);
    client.on('error', () => undefined); // the query at work rejects
    try {
      await client.connect();
      if (schema !== undefined) await ensureSchema(client, schema);
      return await migrate(
        {
          query: async (sql, values) => (await client.query<Record<string, unknown>>(sql, [...(values ?? [])])).rows,
          script: async sql => void (await client.query(sql)),
        },
        await readMigrations(),
      );
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  /** A pooler that drops them would have dates be hours off, and the tables of another schema be taken for ours. */
  async #checkSettings(): Promise<void> {
    const { rows } = await this.#pool.query<{ timezone: string; path: string }>(
      `SELECT current_setting('timezone') AS timezone, current_setting('search_path') AS path`,
    );
    const { timezone, path } = rows[0] ?? {};
    const isOurPath = this.#schema === undefined || path === this.#schema || path === `"${this.#schema}"`;
    if (timezone === 'UTC' && isOurPath) return;
    throw new Error(
      'The settings that a connection states at its start (options) do not reach the server: a pooler drops them. Give ' +
        "the role them as its own: ALTER ROLE ... SET timezone = 'UTC', and SET search_path where the address names a schema.",
    );
  }

  listen(hint: () => void): () => void {
    const heartbeatMs = Math.min(this.patienceMs, longestHeartbeat);
    const listener = new Listener({ config: this.#direct.config, hint, heartbeatMs, log: this.#log });
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
