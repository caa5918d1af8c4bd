import type { PrismaClient } from '../generated/prisma/client.js';
import type { BackendLog, Connection } from './connection.js';
import { toUnavailable } from './errors.js';
import { PeriodicTask } from './periodic-task.js';

export interface AuditorOptions {
  readonly prisma: PrismaClient;
  readonly alone: NonNullable<Connection['alone']>;
  readonly log: BackendLog;
}

/** Milliseconds between two looks whether a table is due, by any node. */
const interval = 15_000;
/** Seconds between two audits of one table, at least. */
const shortestPause = 60;
/** A table is read for one part in so many of the time, at most. */
const share = 100;

/**
 * Looks for changes that no trigger has seen (replication, triggers that were disabled for a restore): compares what the
 * triggers have counted of a table with its rows, and where they differ has the log say so, for all nodes.
 *
 * Any number of nodes may do this at once: a table is audited by one of them at a time, and again a minute later, or later
 * where it is large.
 */
export class Auditor {
  readonly #options: AuditorOptions;
  readonly #task: PeriodicTask;

  constructor(options: AuditorOptions) {
    this.#options = options;
    // The delay varies at random: nodes that started together would otherwise audit together for ever.
    this.#task = new PeriodicTask(
      () => this.#run(),
      () => interval * (0.8 + Math.random() * 0.2),
    );
  }

  /** Audits each table that is due. Returns those in which something had changed past the triggers. */
  async audit(): Promise<readonly string[]> {
    const { alone, log } = this.#options;
    const changed: string[] = [];
    for (let table = await this.#claim(); table !== undefined && !this.#task.isStopped; table = await this.#claim()) {
      const startedAt = performance.now();
      // One statement, and so one state: the rows, and what the triggers had counted by then.
      const [row] = await alone(
        `SELECT digest <> halyard_digest_of(table_name) AS differs FROM feature_log_digests WHERE table_name = '${table}'`,
      );
      const seconds = (performance.now() - startedAt) / 1_000;
      if (row?.['differs'] === true) {
        const [accepted] = await alone(`SELECT halyard_accept('${table}') AS logged`);
        if (accepted?.['logged'] === true) {
          changed.push(table);
          log.warn({ table }, 'Rows were changed without the triggers of the change log. All nodes reload everything.');
        }
      }
      if (seconds * share > shortestPause) await this.#postpone(table, seconds * share);
    }
    return changed;
  }

  stop(): Promise<void> {
    return this.#task.stop();
  }

  /** A table that is due and that nobody else has: it is due again later. */
  async #claim(): Promise<string | undefined> {
    const rows = await this.#options.prisma.$queryRaw<{ name: string }[]>`
      UPDATE feature_log_digests SET check_after = now() + make_interval(secs => ${shortestPause}::float8)
      WHERE table_name = (SELECT table_name FROM feature_log_digests WHERE check_after <= now()
                          ORDER BY check_after LIMIT 1 FOR UPDATE SKIP LOCKED)
      RETURNING table_name AS name`;
    return rows[0]?.name;
  }

  async #postpone(table: string, seconds: number): Promise<void> {
    await this.#options.prisma.$executeRaw`
      UPDATE feature_log_digests SET check_after = now() + make_interval(secs => ${seconds}::float8) WHERE table_name = ${table}`;
  }

  async #run(): Promise<void> {
    try {
      await this.audit();
    } catch (error) {
      if (!this.#task.isStopped) {
        this.#options.log.warn({ err: toUnavailable(error) ?? error }, 'The tables could not be audited.');
      }
    }
  }
}
