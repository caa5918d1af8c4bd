import { access, mkdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { PGlite } from '@electric-sql/pglite';
import { PrismaPGlite } from 'pglite-prisma-adapter';
import { DataDirectoryError, explainFileError } from '../core/data-directory.js';
import { Checkpointer } from './checkpointer.js';
import type { BackendLog, Connection } from './connection.js';
import { lockDirectory } from './directory-lock.js';
import { MigrationError, migrate, readMigrations } from './migrate.js';
import { setStatements, statedSettings } from './session.js';

export interface EmbeddedOptions {
  /** The directory that holds the database; null keeps everything in memory. Made with mode 0700 when absent. */
  readonly dataDir: string | null;
  /** What `PGlite.dumpDataDir()` returned, to begin with instead of an empty database. */
  readonly templateDump?: Blob | undefined;
  /** Nothing is made that is not there. */
  readonly existing?: true | undefined;
  readonly log: BackendLog;
}

/** How long statements may keep the event loop to themselves before others get a turn, in milliseconds. */
const longestHold = 8;

/**
 * What a server does in the background, now and then, happens here within some statement and on the event loop. New
 * segments of the write-ahead log are not filled with 16 MB of zeros (50 ms), so that old ones need not be kept to be used
 * again, and what waits to be added to the index over
 * `user_ids` is added in small portions rather than 4 MB at once (250 ms).
 */
const backgroundSettings = { wal_init_zero: 'off', wal_recycle: 'off', gin_pending_list_limit: '64kB' };

/** PGlite answers in promises, yet its work is synchronous: a run of statements would never let a timer or socket in. */
class BreathingPGlite extends PGlite {
  #held = 0;

  override async _runExclusiveQuery<T>(run: () => Promise<T>): Promise<T> {
    const now = performance.now();
    if (now - this.#held > longestHold) {
      await nextTurn();
      this.#held = performance.now();
    }
    return super._runExclusiveQuery(run);
  }
}

/**
 * Opens PGlite, the real PostgreSQL compiled to WebAssembly, in this process.
 * @throws DirectoryLockedError when another process has the directory.
 * @throws DataDirectoryError when it cannot be read or written.
 * @throws MigrationError with `existing` when there is no database in the directory.
 */
export async function openEmbedded({ dataDir, templateDump, existing, log }: EmbeddedOptions): Promise<Connection> {
  if (existing && dataDir !== null) {
    await access(join(dataDir, 'postgres', 'PG_VERSION')).catch(() => {
      throw new MigrationError(`There is no database in ${dataDir}.`);
    });
  }
  try {
    const lock = dataDir === null ? null : await lockDirectory(dataDir);
    if (lock !== null && lock.place !== resolve(dataDir ?? '')) {
      log.warn(
        { directory: dataDir, lock: lock.place },
        'The file system of the data directory has no sockets. The lock protects it only from processes that share the temporary directory.',
      );
    }
    try {
      const database = await openPGlite(dataDir, templateDump);
      return new EmbeddedConnection(database, () => lock?.release() ?? Promise.resolve(), log);
    } catch (error) {
      await lock?.release();
      throw error;
    }
  } catch (error) {
    const fault = dataDir === null ? null : explainFileError(error, dataDir);
    throw fault === null ? error : new DataDirectoryError(fault, { cause: error });
  }
}

async function openPGlite(dataDir: string | null, templateDump: Blob | undefined): Promise<PGlite> {
  const folder = dataDir === null ? null : join(dataDir, 'postgres');
  const isThere =
    folder === null ||
    (await access(join(folder, 'PG_VERSION')).then(
      () => true,
      () => false,
    ));
  try {
    if (folder !== null) await mkdir(folder, { recursive: true, mode: 0o700 });
    const database = new BreathingPGlite({
      ...(folder === null ? {} : { dataDir: folder }),
      ...(templateDump === undefined ? {} : { loadDataDir: templateDump }),
    });
    await database.waitReady;
    await database.exec(setStatements(statedSettings(backgroundSettings)));
    return database;
  } catch (error) {
    // Half a database would be taken for a whole one at the next start.
    if (!isThere) await rm(folder, { recursive: true, force: true }).catch(() => undefined);
    throw error;
  }
}

class EmbeddedConnection implements Connection {
  readonly adapter;
  readonly idsPerStatement = 500;
  readonly bytesPerPage = 64 * 1_024;
  readonly patienceMs = 10_000;
  readonly alone = null;
  readonly #checkpointer: Checkpointer;

  constructor(
    readonly database: PGlite,
    readonly unlock: () => Promise<void>,
    readonly log: BackendLog,
  ) {
    this.adapter = new PrismaPGlite(database);
    this.#checkpointer = new Checkpointer(database, log);
  }

  async migrate(): Promise<readonly string[]> {
    return migrate(
      {
        query: async (sql, values) =>
          (await this.database.query<Record<string, unknown>>(sql, [...(values ?? [])])).rows,
        script: async sql => void (await this.database.exec(sql)),
      },
      await readMigrations(),
    );
  }

  listen(hint: () => void): () => void {
    let ended = false;
    const listening = this.database.listen('halyard_changes', hint);
    listening.then(
      () => ended || hint(),
      (error: unknown) => ended || this.log.error({ err: error }, 'Listening to the embedded database failed.'),
    );
    return () => {
      ended = true;
      listening.then(unlisten => unlisten()).catch(() => undefined);
    };
  }

  async close(): Promise<void> {
    try {
      await this.#checkpointer.stop();
      if (!this.database.closed) await this.database.close();
    } finally {
      await this.unlock();
    }
  }
}
