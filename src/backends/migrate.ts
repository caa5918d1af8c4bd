import { createHash } from 'node:crypto';
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
  /** The address of another schema in the same database, for people. */
  readonly elsewhere?: string;
}

/** That a migration was applied. */
export interface MigrationRecord {
  /** The folder's name, such as `20261123000000_init`. */
  readonly name: string;
  /** SHA-256 of the file in hexadecimal, as Prisma computes it. */
  readonly checksum: string;
}

export interface Migration extends MigrationRecord {
  readonly sql: string;
}

/** The database's history of migrations and the program's do not agree, or a migration failed. Somebody must look. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

/** `prisma/migrations` of this package: at the same distance from `src/backends` and from `dist/backends`. */
export const migrationsFolder = fileURLToPath(new URL('../../prisma/migrations', import.meta.url));

/** The lock that Prisma's own `migrate deploy` takes: its table of migrations may be changed here. */
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
 * Brings a database up to date and records what was applied in a table of its own, `halyard_migrations`: other programs
 * that share the schema, with migrations of their own, are not concerned. Records that an earlier version kept among
 * Prisma's are taken over. Any number of processes may do this at once: one works, the others wait and find it done.
 * Migrations of a newer program that is already at work are left alone.
 *
 * Each migration is one transaction with its record: one that fails, or a process that dies, leaves nothing behind.
 *
 * @returns the names of the migrations applied now, none when the database was up to date.
 * @throws MigrationError when an applied migration differs from its file, when one fails now, or, before anything is
 *   written, when another program has tables of the same names.
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
    const applied: string[] = [];
    for (const migration of pending(migrations, await readRecords(connection, migrations))) {
      await apply(connection, migration);
      applied.push(migration.name);
    }
    await enableTriggers(connection);
    return applied;
  } finally {
    // Also lets go of the lock when the connection stays open; one that is broken has let go already.
    await connection.query(`SELECT pg_advisory_unlock(${advisoryLock})`).catch(() => undefined);
  }
}

/** What was applied already, in a table that is there afterwards. */
async function readRecords(
  connection: MigrationConnection,
  migrations: readonly Migration[],
): Promise<readonly MigrationRecord[]> {
  // Looked up first: `IF NOT EXISTS` asks for the right to create tables even where there is nothing to create.
  const isThere = await isTable(connection, 'halyard_migrations');
  const records = isThere ? await connection.query('SELECT name, checksum FROM halyard_migrations') : [];
  if (records.length > 0) return records as unknown as readonly MigrationRecord[];
  const earlier = await readEarlierRecords(connection, migrations);
  if (earlier.length === 0) await refuseForeignTables(connection, migrations);
  return inTransaction(connection, async () => {
    if (!isThere) await connection.query(recordsTable);
    for (const record of earlier) await insertRecord(connection, record);
    if (earlier.length > 0) await forgetEarlierRecords(connection, earlier);
    return earlier;
  });
}

/** Version 0.1 kept its records where Prisma keeps those of the schema's own program. */
async function readEarlierRecords(
  connection: MigrationConnection,
  migrations: readonly Migration[],
): Promise<readonly MigrationRecord[]> {
  if (!(await isTable(connection, '_prisma_migrations', 'SELECT'))) return [];
  const rows = await connection.query(
    `SELECT migration_name AS name, checksum FROM _prisma_migrations
     WHERE migration_name = ANY($1) AND finished_at IS NOT NULL AND rolled_back_at IS NULL ORDER BY migration_name`,
    [migrations.map(({ name }) => name)],
  );
  return rows as unknown as readonly MigrationRecord[];
}

/** The table is the other program's again, or nobody's: Prisma takes a record without a file for a loss. */
async function forgetEarlierRecords(
  connection: MigrationConnection,
  earlier: readonly MigrationRecord[],
): Promise<void> {
  if (!(await isTable(connection, '_prisma_migrations', 'DELETE'))) return;
  const names = earlier.map(({ name }) => name);
  await connection.query('DELETE FROM _prisma_migrations WHERE migration_name = ANY($1)', [names]);
  const [left] = await connection.query(
    `SELECT EXISTS (SELECT FROM _prisma_migrations)
            OR NOT pg_has_role((SELECT relowner FROM pg_class WHERE oid = to_regclass('_prisma_migrations')), 'USAGE') AS kept`,
  );
  if (left?.['kept'] !== true) await connection.query('DROP TABLE _prisma_migrations');
}

async function refuseForeignTables(connection: MigrationConnection, migrations: readonly Migration[]): Promise<void> {
  const names = migrations.flatMap(({ sql }) => [...sql.matchAll(/^CREATE TABLE (\w+)/gm)].map(([, name]) => name));
  const [found] = await connection.query(
    `SELECT current_schema() AS schema, string_agg(quote_ident(relname), ', ' ORDER BY relname) AS tables FROM pg_class
     WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) AND relname = ANY($1)`,
    [names],
  );
  if (found === undefined || found['tables'] === null) return;
  throw new MigrationError(
    `The schema "${found['schema']}" has tables already that Halyard needs for itself (${found['tables']}), and no record ` +
      'that Halyard made them. Nothing was changed. Give Halyard a schema of its own, which it makes: ' +
      `${connection.elsewhere ?? 'put ?schema=halyard at the end of DATABASE_URL'}`,
  );
}

async function isTable(connection: MigrationConnection, name: string, right?: string): Promise<boolean> {
  const may = right === undefined ? '' : ` AND has_table_privilege(to_regclass('${name}'), '${right}')`;
  const [found] = await connection.query(`SELECT to_regclass('${name}') IS NOT NULL${may} AS found`);
  return found?.['found'] === true;
}

/** A restore that disables triggers and enables them again leaves them as any others: silent where a replica is played. */
async function enableTriggers(connection: MigrationConnection): Promise<void> {
  const rows = await connection.query(
    `SELECT format('ALTER TABLE %I ENABLE ALWAYS TRIGGER %I', relname, tgname) AS statement
     FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
     WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())
       AND tgname LIKE 'halyard\\_%' AND NOT tgisinternal AND tgenabled <> 'A' AND pg_has_role(relowner, 'USAGE')`,
  );
  for (const { statement } of rows) await connection.query(statement as string);
}

function pending(migrations: readonly Migration[], records: readonly MigrationRecord[]): readonly Migration[] {
  const checksums = new Map(records.map(record => [record.name, record.checksum]));
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

async function apply(connection: MigrationConnection, migration: Migration): Promise<void> {
  try {
    await inTransaction(connection, async () => {
      await connection.script(migration.sql);
      await insertRecord(connection, migration);
    });
  } catch (error) {
    // Only what the server said about the migration itself; a broken connection is told as what it is.
    if (sqlState(error) === undefined) throw error;
    throw new MigrationError(
      `The migration ${migration.name} failed and was undone: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
}

async function insertRecord(connection: MigrationConnection, { name, checksum }: MigrationRecord): Promise<void> {
  await connection.query('INSERT INTO halyard_migrations (name, checksum) VALUES ($1, $2)', [name, checksum]);
}

async function inTransaction<T>(connection: MigrationConnection, work: () => Promise<T>): Promise<T> {
  await connection.query('BEGIN');
  try {
    const result = await work();
    await connection.query('COMMIT');
    return result;
  } catch (error) {
    await connection.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

const recordsTable = `CREATE TABLE halyard_migrations (
    name       VARCHAR(255) NOT NULL,
    checksum   VARCHAR(64) NOT NULL,
    applied_at TIMESTAMPTZ(3) NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT halyard_migrations_pkey PRIMARY KEY (name)
)`;
