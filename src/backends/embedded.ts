import { access, mkdir, rm, statfs } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { PGlite } from '@electric-sql/pglite';
import { PrismaPGlite } from 'pglite-prisma-adapter';
import { DataDirectoryError, explainFileError } from '../core/data-directory.js';
import type { Log } from '../core/log.js';
import type { Prisma } from '../generated/prisma/client.js';
import { Checkpointer } from './checkpointer.js';
import type { Connection } from './connection.js';
import { lockDirectory } from './directory-lock.js';
import { MigrationError, migrate, readMigrations } from './migrate.js';
import { notesChannel } from './node-notes.js';
import { setStatements, statedSettings } from './session.js';

export interface EmbeddedOptions {
  /** The directory that holds the database; null keeps everything in memory. Made with mode 0700 when absent. */
  readonly dataDir: string | null;
  /** The initial content, from `PGlite.dumpDataDir()`. Default: an empty database. */
  readonly templateDump?: Blob | undefined;
  /** Opens only an existing database and creates nothing. */
  readonly existing?: true | undefined;
  readonly log: Log;
}

/** The longest time that statements hold the event loop before other work gets a turn, in milliseconds. */
const longestHold = 8;

/**
 * A server does some work in the background. PGlite does this work within a statement and on the event loop, so it must be
 * short. New segments of the write-ahead log are not filled with 16 MB of zeros (50 ms), and old segments are not kept for
 * reuse. Pending entries of the index over `user_ids` are added in small portions and not 4 MB at once (250 ms).
 */
const backgroundSettings = { wal_init_zero: 'off', wal_recycle: 'off', gin_pending_list_limit: '64kB' };

/** Bytes of room without which the database may fail to open. */
const leastRoom = 100_000;

/** PGlite returns promises, but its work is synchronous: timers and sockets would get no turn during many statements. */
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
    const fault = dataDir === null ? null : await explainFailure(error, dataDir);
    throw fault === null ? error : new DataDirectoryError(fault, { cause: error });
  }
}

/** PGlite hides why an existing database cannot be opened, so a file system without room is looked for. */
async function explainFailure(error: unknown, dataDir: string): Promise<string | null> {
  const explained = explainFileError(error, dataDir);
  if (explained !== null) return explained;
  const room = await statfs(dataDir).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => Number.POSITIVE_INFINITY,
  );
  return room < leastRoom ? explainFileError({ code: 'ENOSPC' }, dataDir) : null;
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
    // The next start would take an incomplete database for a complete one.
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
    readonly log: Log,
  ) {
    this.adapter = new PrismaPGlite(database);
    this.#checkpointer = new Checkpointer(database, log);
  }

  explainDenied = async () => null;

  async read({ text, values }: Prisma.Sql): Promise<readonly (readonly unknown[])[]> {
    return (await this.database.query<unknown[]>(text, values, { rowMode: 'array' })).rows;
  }

  async migrate(): Promise<readonly string[]> {
    return migrate(
      {
        query: async (sql, values) =>
          (await this.database.query<Record<string, unknown>>(sql, [...(values ?? [])])).rows,
        script: async sql => void (await this.database.exec(sql)),
      },
      await readMigrations(),
      this.log,
    );
  }

  listen(hint: () => void, notes: () => void): () => void {
    let ended = false;
    const listening = Promise.all([
      this.database.listen('halyard_changes', hint),
      this.database.listen(notesChannel, notes),
    ]);
    listening.then(
      () => ended || hint(),
      (error: unknown) => ended || this.log.error({ err: error }, 'Listening to the embedded database failed.'),
    );
    return () => {
      ended = true;
      listening.then(([log, notes]) => Promise.all([log(), notes()])).catch(() => undefined);
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
