import type { PGlite } from '@electric-sql/pglite';
import type { Log } from '../core/log.js';
import { PeriodicTask } from '../streams/periodic-task.js';

/** Bytes of the write-ahead log (two of its files) that cause a checkpoint. The checkpoint then takes 10 to 20 ms. */
const longestLog = 32 * 1_024 * 1_024;
/** Milliseconds between two checks of the log's length. A check takes less than a millisecond. */
const interval = 1_000;

/**
 * Makes checkpoints, which a server makes in the background and PGlite does not. Without them the write-ahead log grows for as
 * long as the database is open; for a database in memory the log is in memory too.
 */
export class Checkpointer {
  readonly #database: PGlite;
  readonly #log: Log;
  readonly #task: PeriodicTask;

  constructor(database: PGlite, log: Log) {
    this.#database = database;
    this.#log = log;
    this.#task = new PeriodicTask(
      () => this.#run(),
      () => interval,
    );
  }

  stop(): Promise<void> {
    return this.#task.stop();
  }

  async #run(): Promise<void> {
    try {
      const { rows } = await this.#database.query<{ isDue: boolean }>(
        'SELECT pg_current_wal_lsn() - redo_lsn >= $1 AS "isDue" FROM pg_control_checkpoint()',
        [longestLog],
      );
      if (rows[0]?.isDue && !this.#task.isStopped) await this.#database.exec('CHECKPOINT');
    } catch (error) {
      if (!this.#task.isStopped) this.#log.warn({ err: error }, 'The checkpoint of the embedded database failed.');
    }
  }
}
