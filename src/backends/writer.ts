import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { UnavailableError } from '../core/errors.js';
import type { Log } from '../core/log.js';
import { Prisma, type PrismaClient } from '../generated/prisma/client.js';
import type { Author, Written } from './backend.js';
import { forLog, isCommitUnanswered, isContention, isDiskFull, logDamage, toUnavailable } from './errors.js';
import { read } from './reads.js';
import { type Row, storedOrNull } from './sql.js';
import { Turnstile } from './turnstile.js';

/** The most attempts of a write that fails because of other transactions. */
const attempts = 4;
/** The longest wait of one attempt for earlier writers, in milliseconds. */
const longestLockWait = 3_000;
/** The shortest wait of one attempt, in milliseconds. With less time left there is no further attempt. */
const shortestLockWait = 100;

const unknownOutcome =
  'The connection broke while the database stored the change, so the result is not known. Check it before you try again.';

/** The result of a transaction: the rows of each statement. */
export type Outcome = Written<readonly (readonly Row[])[]>;

/**
 * Runs writes. Each write is one transaction in the name of an author. It is repeated if it fails because of another transaction,
 * and confirmed when another query has seen it.
 *
 * Transactions have Prisma's array form: an interactive transaction that awaits the client hangs on a single connection.
 */
export class Writer {
  readonly #prisma: PrismaClient;
  readonly #patienceMs: number;
  readonly #log: Log;
  readonly #turnstile = new Turnstile();
  /** Whether the last write found no room in the database. */
  #isFull = false;

  /** @param patienceMs the longest wait of one write for others, over all attempts, in milliseconds. */
  constructor(prisma: PrismaClient, patienceMs: number, log: Log) {
    this.#prisma = prisma;
    this.#patienceMs = patienceMs;
    this.#log = log;
  }

  /** Runs a write whose value is the number of rows that all counted statements changed. */
  async writeCounted(
    by: Author | null,
    first: readonly Prisma.Sql[],
    counted: readonly Prisma.Sql[],
  ): Promise<Written<number>> {
    const counting = counted.map(
      sql => Prisma.sql`WITH written AS (${sql} RETURNING 1) SELECT count(*)::int AS count FROM written`,
    );
    const { value: rows, ...written } = await this.write(by, [...first, ...counting]);
    const counts = rows.slice(first.length).map(([row]) => row?.['count'] as number);
    return { ...written, value: counts.reduce((sum, count) => sum + count, 0) };
  }

  /** Runs statements as one transaction in the name of an author. Returns the rows of each. */
  async write(by: Author | null, statements: readonly Prisma.Sql[]): Promise<Outcome> {
    const { actor = null, note, batch = randomUUID(), reverts, apiKeyId } = by ?? {};
    const results = await this.#transact(lockWait => [
      Prisma.sql`
        SELECT set_config('halyard.actor', ${storedOrNull(actor) ?? ''}, true), set_config('halyard.note', ${note ?? ''}, true),
               set_config('halyard.batch', ${batch}, true), set_config('halyard.reverts', ${String(reverts ?? '')}, true),
               set_config('halyard.api_key', ${apiKeyId ?? ''}, true),
               set_config('lock_timeout', ${String(lockWait)}, true)`,
      // Tables before the head: TRUNCATE locks a table first and then the head, by its trigger. The other order can deadlock.
      Prisma.sql`LOCK TABLE users, feature_flags, user_feature_groups, feature_flag_overrides, api_keys IN ROW EXCLUSIVE MODE`,
      // The head before the statements, so that each statement sees all changes of earlier writers.
      Prisma.sql`SELECT pg_current_xact_id()::text AS xid, revision::text AS revision FROM feature_log_head WHERE id = 1 FOR UPDATE`,
      ...statements,
      Prisma.sql`SELECT revision::text AS revision FROM feature_log_head`,
    ]);
    const begin = results[2]?.[0];
    const revision = Number(results.at(-1)?.[0]?.['revision']);
    const isLogged = Number(begin?.['revision']) < revision;
    await this.#confirm(begin?.['xid'] as string, revision, isLogged);
    return { value: results.slice(3, -1), revision, batch: isLogged ? batch : null };
  }

  async #transact(statements: (lockWait: number) => readonly Prisma.Sql[]): Promise<readonly (readonly Row[])[]> {
    const end = performance.now() + this.#patienceMs;
    // Writers would queue in the database too, but there each of them would hold a connection that readers need.
    try {
      const rows = await this.#turnstile.pass(this.#patienceMs, () => this.#attempt(statements, end));
      this.#isFull = false;
      return rows;
    } catch (error) {
      // One line for as long as it lasts.
      if (isDiskFull(error) && !this.#isFull) {
        this.#isFull = true;
        this.#log.warn(
          { err: forLog(error) },
          'The disk of the database is full, so changes are refused. Make room on it.',
        );
      }
      throw writeFailure(error);
    }
  }

  /** @param end the deadline, in the time of `performance.now()`. */
  async #attempt(
    statements: (lockWait: number) => readonly Prisma.Sql[],
    end: number,
  ): Promise<readonly (readonly Row[])[]> {
    for (let attempt = 1; ; attempt++) {
      const left = Math.floor(end - performance.now());
      const lockWait = Math.max(Math.min(longestLockWait, left), shortestLockWait);
      try {
        return await this.#prisma.$transaction(statements(lockWait).map(sql => this.#prisma.$queryRaw<Row[]>(sql)));
      } catch (error) {
        const isLast = attempt === attempts || end - performance.now() < shortestLockWait;
        if (isLast || !isContention(error)) throw error;
        await sleep(attempt * 20 * (0.5 + Math.random()));
      }
    }
  }

  /**
   * Confirms a write by another query, because PGlite's adapter reports a failed COMMIT as success. The status of the transaction
   * also confirms a write without log entries.
   */
  async #confirm(xid: string, revision: number, logged: boolean): Promise<void> {
    const [row] = await read(
      this.#prisma,
      Prisma.sql`
      SELECT pg_xact_status(${xid}::xid8) AS status,
             EXISTS (SELECT FROM feature_changes WHERE revision = ${revision}) AS logged`,
    ).catch(error => {
      throw error instanceof UnavailableError ? new UnavailableError(unknownOutcome, { cause: error }) : error;
    });
    if (row?.['status'] !== 'committed' || (logged && row['logged'] !== true)) {
      throw new UnavailableError('The database did not keep the change; nothing was changed.');
    }
  }
}

/** Without an answer to COMMIT the result is unknown. Before COMMIT, the end of the connection has undone everything. */
function writeFailure(error: unknown): unknown {
  const damage = logDamage(error);
  if (damage !== null) return new UnavailableError(`${damage} Nothing was changed.`, { cause: error });
  if (isCommitUnanswered(error)) return new UnavailableError(unknownOutcome, { cause: error });
  const unavailable = toUnavailable(error);
  return unavailable === null
    ? error
    : new UnavailableError(`${unavailable.message} Nothing was changed.`, { cause: error });
}
