import { createHash, randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { UnavailableError } from '../core/errors.js';
import { sqlState } from './errors.js';

/** One connection, the same for every call: the lock below belongs to its session. */
export interface MigrationConnection {
  /** One statement; rows as objects. */
  query(sql: string, values?: readonly unknown[]): Promise<readonly Record<string, unknown>[]>;
  /** Any number of statements. */
  script(sql: string): Promise<void>;
}

export interface Migration {
  /** The folder's name, such as `20261123000000_init`. */
  readonly name: string;
  readonly sql: string;
  /** SHA-256 of the file in hexadecimal, as Prisma computes it. */
  readonly checksum: string;
}

/** The database's history of migrations and the program's do not agree, or a migration failed. Somebody must look. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

/** `prisma/migrations` of this package: at the same distance from `src/backends` and from `dist/backends`. */
export const migrationsFolder = fileURLToPath(new URL('../../prisma/migrations', import.meta.url));

/** The lock that Prisma's own `migrate deploy` takes, so that the two exclude each other as well. */
const advisoryLock = 72707369;
/** How long to wait for another process that is migrating. */
const patience = '120s';
/** How long a migration may wait for a table: other sessions queue behind it. */
const tablePatience = '15s';

/** The migrations of a folder in the order in which they are applied. */
export async function readMigrations(folder: string = migrationsFolder): Promise<readonly Migration[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter(entry => entry.isDirectory()).map(entry => entry.name);
  return Promise.all(
    names.sort().map(async name => {
      const file = await readFile(`${folder}/${name}/migration.sql`);
      return { name, sql: file.toString('utf8'), checksum: createHash('sha256').update(file).digest('hex') };
    }),
  );
}

/**
 * Brings a database up to date and records what was applied in `_prisma_migrations` as Prisma does, so that
 * `prisma migrate status` and `deploy` agree. Any number of processes may do this at once: one works, the others wait
 * and find it done. Migrations of a newer program that is already at work are left alone.
 *
 * Each migration is one transaction with its record: one that fails, or a process that dies, leaves nothing behind.
 *
 * @returns the names of the migrations applied now, none when the database was up to date.
 * @throws MigrationError when an applied migration differs from its file, an earlier one has failed, or one fails now.
 * @throws UnavailableError when another process holds the lock for two minutes.
 */
export async function migrate(
  connection: MigrationConnection,
  migrations: readonly Migration[],
): Promise<readonly string[]> {
  await connection.query(`SET lock_timeout = '${patience}'`);
  try {
    await connection.query(`SELECT pg_advisory_lock(${advisoryLock})`);
  } catch (error) {
    if (sqlState(error) !== '55P03') throw error;
    throw new UnavailableError('Another process has been migrating the database for two minutes.', { cause: error });
  }
  try {
    await connection.query(`SET lock_timeout = '${tablePatience}'`);
    // Functions remember the path on which they were made: one that depends on the role would lead others elsewhere.
    await connection.query(`SELECT set_config('search_path', quote_ident(current_schema()), false)`);
    // Looked up first: `IF NOT EXISTS` asks for the right to create tables even where there is nothing to create.
    const [found] = await connection.query(`SELECT to_regclass('_prisma_migrations') IS NOT NULL AS found`);
    if (found?.['found'] !== true) await connection.query(recordsTable);
    const applied: string[] = [];
    for (const migration of await pending(connection, migrations)) {
      await apply(connection, migration);
      applied.push(migration.name);
    }
    return applied;
  } finally {
    // Also lets go of the lock when the connection stays open; one that is broken has let go already.
    await connection.query(`SELECT pg_advisory_unlock(${advisoryLock})`).catch(() => undefined);
  }
}

async function pending(
  connection: MigrationConnection,
  migrations: readonly Migration[],
): Promise<readonly Migration[]> {
  const records = await connection.query(
    'SELECT migration_name AS name, checksum, finished_at IS NOT NULL AS finished FROM _prisma_migrations WHERE rolled_back_at IS NULL',
  );
  const failed = records.find(record => record['finished'] !== true);
  if (failed !== undefined) {
    throw new MigrationError(
      `The migration ${failed['name']} was started earlier and did not finish. Repair the database, then tell it so with ` +
        `"npx prisma migrate resolve --rolled-back ${failed['name']}" (or --applied).`,
    );
  }
  const checksums = new Map(records.map(record => [record['name'], record['checksum']]));
  for (const { name, checksum } of migrations) {
    if (checksums.has(name) && checksums.get(name) !== checksum) {
      throw new MigrationError(
        `The migration ${name} was changed after it had been applied to this database. Put the file back as it was; ` +
          'changes belong in a new migration.',
      );
    }
  }
  return migrations.filter(({ name }) => !checksums.has(name));
}

async function apply(connection: MigrationConnection, { name, sql, checksum }: Migration): Promise<void> {
  await connection.query('BEGIN');
  try {
    await connection.script(sql);
    await connection.query(
      'INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, finished_at, applied_steps_count) ' +
        'VALUES ($1, $2, $3, now(), clock_timestamp(), 1)',
      [randomUUID(), checksum, name],
    );
    await connection.query('COMMIT');
  } catch (error) {
    await connection.query('ROLLBACK').catch(() => undefined);
    // Only what the server said about the migration itself; a broken connection is told as what it is.
    if (sqlState(error) === undefined) throw error;
    throw new MigrationError(
      `The migration ${name} failed and was undone: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
}

const recordsTable = `CREATE TABLE _prisma_migrations (
    id                  VARCHAR(36) PRIMARY KEY NOT NULL,
    checksum            VARCHAR(64) NOT NULL,
    finished_at         TIMESTAMPTZ,
    migration_name      VARCHAR(255) NOT NULL,
    logs                TEXT,
    rolled_back_at      TIMESTAMPTZ,
    started_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
    applied_steps_count INTEGER NOT NULL DEFAULT 0
)`;
