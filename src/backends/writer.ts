import { setTimeout as sleep } from 'node:timers/promises';
import { UnavailableError } from '../core/errors.js';
import { Prisma, type PrismaClient } from '../generated/prisma/client.js';
import type { Actor, Written } from './backend.js';
import { isContention, toUnavailable } from './errors.js';
import type { Row } from './sql.js';

/** How often a write that lost against another transaction is tried. */
const attempts = 4;
/** How long a write waits for the writers before it, in milliseconds, at each attempt. */
const lockTimeout = 3_000;

/** What a transaction gave: the rows of each statement, and the head of the log after them. */
export interface Outcome {
  readonly rows: readonly (readonly Row[])[];
  readonly revision: number;
}

/** One statement, outside any transaction. */
export async function read(prisma: PrismaClient, sql: Prisma.Sql): Promise<readonly Row[]> {
  try {
    return await prisma.$queryRaw<Row[]>(sql);
  } catch (error) {
    throw toUnavailable(error) ?? error;
  }
}

/**
 * Runs writes: each one a transaction in somebody's name, tried again when it loses against another, and acknowledged once
 * it is seen from outside.
 *
 * Transactions are of Prisma's array form: an interactive one that awaits the client hangs on a single connection.
 */
export class Writer {
  readonly #prisma: PrismaClient;

  constructor(prisma: PrismaClient) {
    this.#prisma = prisma;
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
    const all = [
      Prisma.sql`SELECT set_config('halyard.actor', ${actor ?? ''}, true), set_config('lock_timeout', ${String(lockTimeout)}, true)`,
      // Before the statements, not only by their triggers: each then begins with all that earlier writers did.
      Prisma.sql`SELECT pg_current_xact_id()::text AS xid, revision::text AS revision FROM feature_log_head WHERE id = 1 FOR UPDATE`,
      ...statements,
      Prisma.sql`SELECT revision::text AS revision FROM feature_log_head`,
    ];
    const results = await this.#transact(all);
    const begin = results[1]?.[0];
    const revision = Number(results.at(-1)?.[0]?.['revision']);
    await this.#confirm(begin?.['xid'] as string, revision, Number(begin?.['revision']) < revision);
    return { rows: results.slice(2, -1), revision };
  }

  async #transact(statements: readonly Prisma.Sql[]): Promise<readonly (readonly Row[])[]> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#prisma.$transaction(statements.map(sql => this.#prisma.$queryRaw<Row[]>(sql)));
      } catch (error) {
        if (attempt === attempts || !isContention(error)) throw toUnavailable(error) ?? error;
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
    );
    if (row?.['status'] !== 'committed' || (logged && row['logged'] !== true)) {
      throw new UnavailableError('The database did not keep the change; nothing was changed.');
    }
  }
}
