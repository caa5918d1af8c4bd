import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import type { BackendLog, Connection } from './connection.js';
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
  /** Milliseconds that one statement may take. */
  readonly statementTimeoutMs: number;
  readonly log: BackendLog;
}

/** Milliseconds to reach the server, or to be given a connection by a pool that is busy. */
const connectTimeout = 5_000;
/** The server ends a statement that takes too long; past this much more it is taken for dead. */
const grace = 1_000;
/** Between two signs of life of the listening connection: a half-open one says nothing by itself. */
const heartbeatInterval = 15_000;
const shortestBackoff = 100;
const longestBackoff = 5_000;

/** A connection whose query went unanswered is of no more use: the pool would hand it out again and again. */
class ImpatientClient extends pg.Client {
  constructor(config?: pg.ClientConfig) {
    super(config);
    const query = this.query.bind(this) as (...args: unknown[]) => unknown;
    this.query = ((...args: unknown[]) => {
      const result = query(...args);
      if (result instanceof Promise) {
        result.catch((error: Error) => {
          if (error.message === 'Query read timeout') this.end().catch(() => undefined);
        });
      }
      return result;
    }) as typeof this.query;
  }
}

interface Target {
  readonly config: pg.ClientConfig;
  readonly schema: string | undefined;
}

/** Prisma's parameter `schema` becomes a search path; both adapters of Prisma send dates that mean UTC. */
function target(url: string, settings: Readonly<Record<string, string>>): Target {
  const parsed = new URL(url);
  const schema = parsed.searchParams.get('schema') ?? undefined;
  if (schema !== undefined && !/^[A-Za-z_][A-Za-z0-9_]*$/.test(schema)) {
    throw new Error(`The schema ${JSON.stringify(schema)} of the database's address is not a plain name.`);
  }
  parsed.searchParams.delete('schema');
  const all = { timezone: 'UTC', ...settings, ...(schema === undefined ? {} : { search_path: `"${schema}"` }) };
  const options = Object.entries(all).map(([name, value]) => `-c ${name}=${value}`);
  parsed.searchParams.set('options', [parsed.searchParams.get('options') ?? '', ...options].join(' ').trim());
  return {
    config: {
      connectionString: parsed.toString(),
      application_name: 'halyard',
      connectionTimeoutMillis: connectTimeout,
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

class PostgresConnection implements Connection {
  readonly adapter;
  readonly idsPerStatement = Number.POSITIVE_INFINITY;
  readonly #pool: pg.Pool;
  readonly #direct: Target;
  readonly #log: BackendLog;

  constructor({ url, listenUrl, poolSize, statementTimeoutMs, log }: PostgresOptions) {
    const pooled = target(url, {
      statement_timeout: String(statementTimeoutMs),
      lock_timeout: String(statementTimeoutMs),
      idle_in_transaction_session_timeout: String(statementTimeoutMs * 2),
    });
    this.#direct = target(listenUrl ?? url, { lock_timeout: String(statementTimeoutMs) });
    this.#log = log;
    const config: pg.PoolConfig = {
      ...pooled.config,
      max: poolSize,
      query_timeout: statementTimeoutMs + grace,
      Client: ImpatientClient as unknown as new () => pg.ClientBase,
    };
    this.#pool = new pg.Pool(config);
    // An idle connection that breaks is replaced at the next use.
    this.#pool.on('error', error => log.warn({ err: error }, 'a database connection broke'));
    this.adapter = new PrismaPg(this.#pool, pooled.schema === undefined ? {} : { schema: pooled.schema });
  }

  async migrate(): Promise<readonly string[]> {
    const { config, schema } = this.#direct;
    const client = new pg.Client(config);
    client.on('error', () => undefined); // the query at work rejects
    try {
      await client.connect();
      if (schema !== undefined) await client.query(`CREATE SCHEMA IF NOT EXISTS "${schema}"`);
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

  listen(hint: () => void): () => void {
    const listener = new Listener(this.#direct.config, hint, this.#log);
    listener.start();
    return () => listener.stop();
  }

  async close(): Promise<void> {
    if (!this.#pool.ended) await this.#pool.end();
  }
}

/** LISTEN on a connection of its own that comes back by itself. */
class Listener {
  #client: pg.Client | undefined;
  #timer: NodeJS.Timeout | undefined;
  #backoff = shortestBackoff;
  #stopped = false;

  constructor(
    readonly config: pg.ClientConfig,
    readonly hint: () => void,
    readonly log: BackendLog,
  ) {}

  start(): void {
    const client = new pg.Client({ ...this.config, query_timeout: connectTimeout });
    this.#client = client;
    client.on('notification', () => this.hint());
    client.on('error', error => this.#lost(client, error));
    client.on('end', () => this.#lost(client, new Error('The connection was closed.')));
    client
      .connect()
      .then(() => client.query('LISTEN halyard_changes'))
      .then(() => {
        if (client !== this.#client) return;
        this.#backoff = shortestBackoff;
        this.hint();
        this.#beat(client);
      })
      .catch((error: Error) => this.#lost(client, error));
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#client?.end().catch(() => undefined);
    this.#client = undefined;
  }

  #beat(client: pg.Client): void {
    this.#timer = setTimeout(() => {
      client.query('SELECT 1').then(
        () => client === this.#client && this.#beat(client),
        (error: Error) => this.#lost(client, error),
      );
    }, heartbeatInterval);
    this.#timer.unref();
  }

  #lost(client: pg.Client, error: Error): void {
    if (this.#stopped || client !== this.#client) return;
    this.#client = undefined;
    clearTimeout(this.#timer);
    client.end().catch(() => undefined);
    this.log.warn({ err: error }, 'the connection that listens for changes broke; connecting again');
    // Jitter, or every node comes back at the same instant.
    this.#timer = setTimeout(() => this.start(), this.#backoff * (0.5 + Math.random()));
    this.#timer.unref();
    this.#backoff = Math.min(this.#backoff * 2, longestBackoff);
  }
}
