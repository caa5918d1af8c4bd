import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, statfs } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { PGlite } from '@electric-sql/pglite';
import { PrismaPGlite } from 'pglite-prisma-adapter';
import { DataDirectoryError, explainFileError } from '../core/data-directory.js';
import type { Log } from '../core/log.js';
import { bounded } from '../core/text.js';
import type { Prisma } from '../generated/prisma/client.js';
import { Checkpointer } from './checkpointer.js';
import type { Connection } from './connection.js';
import { couldNotOpen, folderOf, hasDatabase } from './database-folder.js';
import { lockDirectory } from './directory-lock.js';
import { initialContent } from './initial-content.js';
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

/**
 * PostgreSQL fills its buffers with zeros when it starts, and takes so much memory from then on. With 32 MB in place of its own 128, to read
 * a thousand users held the event loop for a fifth longer; with these it does not.
 */
const sharedBuffers = '64MB';

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
  try {
    // Before the lock, which makes the directory.
    if (existing && dataDir !== null && !(await hasDatabase(dataDir))) {
      throw new MigrationError(`There is no database in ${dataDir}.`);
    }
    const lock = dataDir === null ? null : await lockDirectory(dataDir);
    if (lock !== null && lock.place !== resolve(dataDir ?? '')) {
      log.warn(
        { directory: dataDir, lock: lock.place },
        'The file system of the data directory has no sockets. The lock protects it only from processes that share the temporary directory.',
      );
    }
    try {
      if (dataDir !== null && !(await hasDatabase(dataDir))) await makeDatabase(dataDir, templateDump);
      const database =
        dataDir === null
          ? await openPGlite(null, templateDump ?? (await initialContent()))
          : await openExisting(dataDir);
      return new EmbeddedConnection(database, () => lock?.release() ?? Promise.resolve(), log);
    } catch (error) {
      await lock?.release();
      throw error;
    }
  } catch (error) {
    const fault = dataDir === null || error instanceof DataDirectoryError ? null : await explainFailure(error, dataDir);
    throw fault === null ? error : new DataDirectoryError(fault, { cause: error });
  }
}

async function openExisting(dataDir: string): Promise<PGlite> {
  try {
    return await openPGlite(folderOf(dataDir), undefined);
  } catch (error) {
    const fault = await explainFailure(error, dataDir);
    throw new DataDirectoryError(fault ?? couldNotOpen(folderOf(dataDir), error), { cause: error });
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

/** A database that is being made: it gets its name when it is whole. If its process is killed before, it stays. */
const draftName = bounded(/^postgres-[0-9a-f-]{36}\.new$/, 'postgres-'.length + 36 + '.new'.length);

const notReplaced = (folder: string) =>
  `The new database could not be renamed to ${folder}. If that is a mount point, mount the volume at the data directory above it.`;

/** Makes a database, which is never seen half made: nothing but a draft is ever removed. */
async function makeDatabase(dataDir: string, templateDump: Blob | undefined): Promise<void> {
  for (const name of await readdir(dataDir)) {
    if (draftName.test(name)) await rm(join(dataDir, name), { recursive: true });
  }
  const draft = join(dataDir, `postgres-${randomUUID()}.new`);
  try {
    await mkdir(draft, { mode: 0o700 });
    await (await openPGlite(draft, templateDump ?? (await initialContent()))).close();
    const folder = folderOf(dataDir);
    await rename(draft, folder).catch(error => {
      throw error.code === 'EBUSY' ? new DataDirectoryError(notReplaced(folder), { cause: error }) : error;
    });
  } catch (error) {
    await rm(draft, { recursive: true, force: true }).catch(() => undefined);
    throw error;
  }
}

/** @param folder null: in memory. @param content what a new database begins with. */
async function openPGlite(folder: string | null, content: Blob | undefined): Promise<PGlite> {
  const database = new BreathingPGlite({
    ...(folder === null ? {} : { dataDir: folder }),
    ...(content === undefined ? {} : { loadDataDir: content }),
    startParams: [...PGlite.defaultStartParams, '-c', `shared_buffers=${sharedBuffers}`],
  });
  await database.waitReady;
  await database.exec(setStatements(statedSettings(backgroundSettings)));
  return database;
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
