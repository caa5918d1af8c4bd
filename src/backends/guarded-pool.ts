import pg from 'pg';
import { UnavailableError } from '../core/errors.js';
import type { Log } from '../core/log.js';
import { isPromise } from '../streams/pulled.js';
import { CommitUnansweredError, forLog, isOutage, isSqlState } from './errors.js';

export interface GuardedPoolOptions {
  readonly config: pg.ClientConfig;
  /** Connections at most. */
  readonly size: number;
  /** Milliseconds until a statement without an answer fails and its connection is closed. */
  readonly queryTimeoutMs: number;
  /** Milliseconds to reach the server, or to wait for a connection of a busy pool. */
  readonly connectTimeoutMs: number;
  /** Checks a new connection. If it rejects, the connection is not used. */
  readonly check?: (client: pg.ClientBase) => Promise<void>;
  /** Called with each error of a statement that the role has no right to. */
  readonly onDenied?: (error: Error) => void;
  readonly log: Log;
}

/** Milliseconds before the first probe in an outage. Doubled for each further probe, with jitter, up to the longest. */
const shortestBackoff = 100;
const longestBackoff = 1_000;
/** The longest time of a probe, in milliseconds. */
const probeTimeout = 2_000;
/** The driver's message for a statement without an answer. */
const unanswered = 'Query read timeout';

/**
 * A pool that detects outages of its server. An outage begins when a connection cannot be made, or when the server does not
 * answer a statement. During an outage every call fails at once instead of waiting for its own timeout, and one probe at a time
 * checks whether the server can be reached again. Connections from before an outage are not used after it: they may be
 * half-open.
 *
 * A statement that the server itself ends, a busy pool, or a single broken connection is not an outage.
 *
 * A connection that comes back within a transaction, because its ROLLBACK failed too, is not used again.
 */
export class GuardedPool extends pg.Pool {
  readonly #guard: GuardedPoolOptions;
  readonly #listeners = new Set<() => void>();
  readonly #waiting = new Set<(error: Error) => void>();
  readonly #madeIn = new WeakMap<pg.ClientBase, number>();
  #generation = 0;
  #outage: Error | null = null;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: GuardedPoolOptions) {
    const { check, onDenied = () => undefined } = options;
    const hear = (error: Error, client: pg.ClientBase) => {
      const { code } = error as { code?: unknown };
      // A session stays read-only after the default of the database has changed. It is not used again.
      if (code === '25006') this.#madeIn.delete(client);
      else if (code === '42501') onDenied(error);
      else if (error.message === unanswered) this.#suspect(error);
    };
    super({
      ...options.config,
      // Not `verify`: a caller who gives up during it would leave the connection lent for ever.
      ...(check === undefined ? {} : { onConnect: check }),
      max: options.size,
      query_timeout: options.queryTimeoutMs,
      connectionTimeoutMillis: options.connectTimeoutMs,
      Client: class extends SuspiciousClient {
        override readonly hear = hear;
      } as unknown as new () => pg.ClientBase,
    });
    this.#guard = options;
    this.on('connect', client => {
      this.#madeIn.set(client, this.#generation);
      // The next user of a connection listens to its errors only after a turn of the promise queue. A shutdown of the server
      // in between emits an error, which would end the process without this listener.
      client.on('error', () => undefined);
    });
    // An idle connection that breaks is replaced at the next use.
    this.on('error', error => options.log.warn({ err: forLog(error) }, 'A database connection broke.'));
  }

  /** Calls `listener` at the end of each outage. Returns a function that removes the listener. */
  onBack(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  override connect(): Promise<pg.PoolClient>;
  override connect(callback: PoolCallback): void;
  override connect(callback?: PoolCallback): Promise<pg.PoolClient> | undefined {
    const taken = this.#take();
    if (callback === undefined) return taken;
    taken.then(
      client => callback(undefined, client, client.release),
      (error: Error) => callback(error, undefined, () => undefined),
    );
    return undefined;
  }

  override async end(): Promise<void> {
    clearTimeout(this.#timer);
    this.#listeners.clear();
    await super.end();
  }

  async #take(): Promise<pg.PoolClient> {
    for (;;) {
      if (this.#outage !== null) throw away(this.#outage);
      const client = await this.#unlessAway(super.connect());
      if (this.#madeIn.get(client) === this.#generation && !isInTransaction(client)) return client;
      client.release(true);
    }
  }

  /** Rejects when an outage begins, so that callers do not wait for a connection any longer. */
  #unlessAway(pending: Promise<pg.PoolClient>): Promise<pg.PoolClient> {
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      pending.then(
        client => {
          if (this.#waiting.delete(reject)) resolve(client);
          else client.release(true);
        },
        (error: Error) => {
          this.#waiting.delete(reject);
          this.#suspect(error);
          reject(error);
        },
      );
    });
  }

  #suspect(error: unknown): void {
    if (this.#outage !== null || this.ending || !isOutage(error)) return;
    this.#outage = error as Error;
    this.#generation += 1;
    this.#guard.log.warn({ err: forLog(error) }, 'The database cannot be reached.');
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const reject of waiting) reject(away(this.#outage));
    this.#probeLater(shortestBackoff);
  }

  #probeLater(backoff: number): void {
    this.#timer = setTimeout(() => void this.#probe(backoff), backoff * (0.5 + Math.random() / 2));
    this.#timer.unref();
  }

  async #probe(backoff: number): Promise<void> {
    const { config, log } = this.#guard;
    const client = new pg.Client({ ...config, connectionTimeoutMillis: probeTimeout, query_timeout: probeTimeout });
    client.on('error', () => undefined); // The call below rejects.
    try {
      await client.connect();
      await client.query('SELECT true');
    } catch (error) {
      if (isOutage(error)) {
        if (!this.ending) this.#probeLater(Math.min(backoff * 2, longestBackoff));
        return;
      }
      // The server refuses the probe, but it answers: the outage is over. Callers get such errors themselves.
    } finally {
      client.end().catch(() => undefined);
    }
    this.#outage = null;
    log.info({}, 'The database can be reached again.');
    for (const listener of [...this.#listeners]) listener();
  }
}

type PoolCallback = (
  error: Error | undefined,
  client: pg.PoolClient | undefined,
  done: (release?: boolean | Error) => void,
) => void;

function isInTransaction(client: pg.ClientBase): boolean {
  const status = client.getTransactionStatus();
  return status !== 'I' && status !== null;
}

function away(cause: Error): UnavailableError {
  return new UnavailableError(undefined, { cause });
}

/**
 * Tells the pool of each failed statement, and closes its connection after a statement without an answer. Otherwise the pool
 * would use the connection again and again.
 */
class SuspiciousClient extends pg.Client {
  readonly hear: (error: Error, client: pg.ClientBase) => void = () => undefined;

  constructor(config?: pg.ClientConfig) {
    super(config);
    const query = this.query.bind(this) as (...args: unknown[]) => unknown;
    this.query = ((...args: unknown[]) => {
      const callback = args.at(-1);
      if (typeof callback === 'function') {
        const watched = (error: Error | null, ...rest: unknown[]) => {
          if (error) this.#noteFailure(error);
          callback(error, ...rest);
        };
        return query(...args.slice(0, -1), watched);
      }
      const result = query(...args);
      if (!isPromise(result)) return result;
      return result.catch((error: Error) => {
        this.#noteFailure(error);
        if (isCommit(args[0]) && isUnanswered(error)) {
          throw new CommitUnansweredError('The answer to COMMIT never came.', { cause: error });
        }
        throw error;
      });
    }) as typeof this.query;
  }

  #noteFailure(error: Error): void {
    this.hear(error, this);
    if (error.message === unanswered) this.end().catch(() => undefined);
  }
}

function isCommit(query: unknown): boolean {
  return (typeof query === 'string' ? query : (query as { text?: unknown } | null)?.text) === 'COMMIT';
}

/** An error with a SQLSTATE is an answer of the server, unless it means that the session has ended. */
function isUnanswered(error: Error): boolean {
  const { code } = error as { code?: unknown };
  return typeof code !== 'string' || !isSqlState(code) || code.startsWith('57P0') || code.startsWith('08');
}
