import { setTimeout as sleep } from 'node:timers/promises';
import { UnavailableError } from '../core/errors.js';
import { Prisma, type PrismaClient } from '../generated/prisma/client.js';
import type { Actor, Written } from './backend.js';
import { isCommitUnanswered, isContention, logDamage, toUnavailable } from './errors.js';
import { read } from './reads.js';
import type { Row } from './sql.js';
import { Turnstile } from './turnstile.js';

/** How often a write that lost against another transaction is tried. */
const attempts = 4;
/** How long a write waits for the writers before it, in milliseconds, at each attempt. */
const longestLockWait = 3_000;
/** The same at the least: less time than this is not worth another attempt. */
const shortestLockWait = 100;

const unknownOutcome =
  'The database was lost while it kept the change: whether it did is not known. Look before you try again.';

/** What a transaction gave: the rows of each statement, and the head of the log after them. */
export interface Outcome {
  readonly rows: readonly (readonly Row[])[];
  readonly revision: number;
}

/**
 * Runs writes: each one a transaction in somebody's name, tried again when it loses against another, and acknowledged once
 * it is seen from outside.
 *
 * Transactions are of Prisma's array form: an interactive one that awaits the client hangs on a single connection.
 */
export class Writer {
  readonly #prisma: PrismaClient;
  readonly #patienceMs: number;
  readonly #turnstile = new Turnstile();

  /** @param patienceMs how long one write may wait for others, all attempts together. */
  constructor(prisma: PrismaClient, patienceMs: number) {
    this.#prisma = prisma;
    this.#patienceMs = patienceMs;
  }

  /** Runs a write whose value is how many rows the counted statements touched, put together. */
  async writeCounted(
    actor: Actor,
    first: readonly Prisma.Sql[],
    counted: readonly Prisma.Sql[],
  ): Promise<Written<number>> {
    const counting = counted.map(
      sql => Prisma.sql`WITH written AS (${sql} RETURNING 1) SELECT count(*)::int AS count FROM written`,
    );
    const { rows, revision } = await this.write(actor, [...first, ...counting]);
    const counts = rows.slice(first.length).map(([row]) => row?.['count'] as number);
    return { value: counts.reduce((sum, count) => sum + count, 0), revision };
  }

  /** Runs statements as one transaction in the name of `actor`; gives the rows of each and the head of the log. */
  async write(actor: Actor, statements: readonly Prisma.Sql[]): Promise<Outcome> {
    const results = await this.#transact(lockWait => [
      Prisma.sql`SELECT set_config('halyard.actor', ${actor ?? ''}, true), set_config('lock_timeout', ${String(lockWait)}, true)`,
      // Before the head: TRUNCATE takes a table first and the head by its trigger. Who takes them the other way round deadlocks.
      Prisma.sql`LOCK TABLE users, feature_flags, user_feature_groups, feature_flag_overrides IN ROW EXCLUSIVE MODE`,
      // Before the statements, not only by their triggers: each then begins with all that earlier writers did.
      Prisma.sql`SELECT pg_current_xact_id()::text AS xid, revision::text AS revision FROM feature_log_head WHERE id = 1 FOR UPDATE`,
      ...statements,
      Prisma.sql`SELECT revision::text AS revision FROM feature_log_head`,
    ]);
    const begin = results[2]?.[0];
    const revision = Number(results.at(-1)?.[0]?.['revision']);
    await this.#confirm(begin?.['xid'] as string, revision, Number(begin?.['revision']) < revision);
    return { rows: results.slice(3, -1), revision };
  }

  async #transact(statements: (lockWait: number) => readonly Prisma.Sql[]): Promise<readonly (readonly Row[])[]> {
    const end = performance.now() + this.#patienceMs;
    // Writers stand in line in the database anyway: there each of them would keep a connection from those who read.
    return this.#turnstile
      .pass(this.#patienceMs, () => this.#attempt(statements, end))
      .catch(error => {
        throw writeFailure(error);
      });
  }

  /** @param end when it must be done, as `performance.now()` has it. */
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
   * A write counts once another query has seen it: PGlite's adapter reports a failed COMMIT as success. The transaction's
   * own status also covers a write that had nothing to log.
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

/** Without an answer to COMMIT nobody knows; before it, the end of the connection has undone everything. */
function writeFailure(error: unknown): unknown {
  const damage = logDamage(error);
  if (damage !== null) return new UnavailableError(`${damage} Nothing was changed.`, { cause: error });
  if (isCommitUnanswered(error)) return new UnavailableError(unknownOutcome, { cause: error });
  const unavailable = toUnavailable(error);
  return unavailable === null
    ? error
    : new UnavailableError(`${unavailable.message} Nothing was changed.`, { cause: error });
}
