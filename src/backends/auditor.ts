import type { Log } from '../core/log.js';
import type { PrismaClient } from '../generated/prisma/client.js';
import { PeriodicTask } from '../streams/periodic-task.js';
import type { Connection } from './connection.js';
import { isReadOnly, toUnavailable } from './errors.js';

export interface AuditorOptions {
  readonly prisma: PrismaClient;
  readonly alone: NonNullable<Connection['alone']>;
  readonly log: Log;
  /** Milliseconds between two checks whether a table is due. Default 15,000. */
  readonly interval?: number;
}

const defaultInterval = 15_000;
/** The shortest time between two audits of one table, in seconds. */
const shortestPause = 60;
/** An audit of a table takes at most this part of the time: one hundredth. */
const share = 100;

/**
 * Finds changes that no trigger has seen, such as those of replication, or of a restore with disabled triggers. It compares the
 * digest that the triggers keep of a table with the table's rows. If they differ, it writes a RESET to the log for all nodes.
 *
 * Any number of nodes may audit at the same time. Only one of them audits a table at a time, and the next audit of the table
 * follows after a minute, or later if the table is large.
 */
export class Auditor {
  readonly #options: AuditorOptions;
  readonly #task: PeriodicTask;
  /** Why the last audit of a table failed; null if it did not. */
  #failure: string | null = null;

  constructor(options: AuditorOptions) {
    this.#options = options;
    const { interval = defaultInterval } = options;
    // The delay varies at random: nodes that started together would otherwise audit together for ever.
    this.#task = new PeriodicTask(
      () => this.#run(),
      () => interval * (0.8 + Math.random() * 0.2),
    );
  }

  /** Audits each table that is due. Returns the tables with changes that the triggers had not seen. */
  async audit(): Promise<readonly string[]> {
    const { alone, log } = this.#options;
    const changed: string[] = [];
    for (let table = await this.#claim(); table !== undefined && !this.#task.isStopped; table = await this.#claim()) {
      const startedAt = performance.now();
      // One statement reads the rows and the digest in one state.
      const [row] = await alone(
        `SELECT digest <> halyard_digest_of(table_name) AS differs FROM feature_log_digests WHERE table_name = '${table}'`,
      );
      // A round that finds no table due says nothing of the failure of the one before.
      this.#failure = null;
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

  /** Takes a table that is due and that no other node audits, and sets its next audit. Undefined if there is none. */
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
      // A read-only database is reported where its sessions begin.
      if (this.#task.isStopped || isReadOnly(error)) return;
      const err = toUnavailable(error) ?? (error as Error);
      // A right that is missing stays missing until somebody gives it.
      if (err.message !== this.#failure) this.#options.log.warn({ err }, 'The tables could not be audited.');
      this.#failure = err.message;
    }
  }
}
