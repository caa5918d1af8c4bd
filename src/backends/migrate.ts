import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { UnavailableError } from '../core/errors.js';
import { type Log, silentLog } from '../core/log.js';
import { sqlState } from './errors.js';

/** A single connection for all calls: the advisory lock below belongs to its session. */
export interface MigrationConnection {
  /** Runs one statement and returns its rows as objects. */
  query(sql: string, values?: readonly unknown[]): Promise<readonly Record<string, unknown>[]>;
  /** Runs any number of statements. */
  script(sql: string): Promise<void>;
  /** The address of another schema in the same database, for messages. */
  readonly elsewhere?: string;
}

/** The record of an applied migration. */
export interface MigrationRecord {
  /** The folder's name, such as `20261123000000_init`. */
  readonly name: string;
  /** SHA-256 of the file in hexadecimal, as Prisma computes it. */
  readonly checksum: string;
}

export interface Migration extends MigrationRecord {
  readonly sql: string;
}

/** The migrations of the database and of the program do not agree, or a migration failed. An operator must resolve it. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

/** `prisma/migrations` of this package. The relative path is the same from `src/backends` and from `dist/backends`. */
export const migrationsFolder = fileURLToPath(new URL('../../prisma/migrations', import.meta.url));

/** The lock of Prisma's own `migrate deploy`. It is needed because this module may change Prisma's table of migrations. */
const advisoryLock = 72707369;
/** The longest wait for another process that migrates. */
const patience = '120s';
/** The longest wait of a migration for a table. It is short because other sessions queue behind it. */
const tablePatience = '15s';

/** The migrations in a folder, in the order of their application. */
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

/** The tables that are there when all migrations are applied: what one makes, a later one may drop or rename. */
export function tableNames(migrations: readonly Migration[]): readonly string[] {
  const names = new Set<string>();
  for (const { sql } of migrations) {
    for (const [, made, dropped, renamed, name] of sql.matchAll(tableStatements)) {
      if (made !== undefined) names.add(made);
      for (const gone of dropped?.split(',') ?? [renamed ?? '']) names.delete(gone.trim());
      if (name !== undefined) names.add(name);
    }
  }
  return [...names];
}

const tableStatements =
  /^(?:CREATE (?:UNLOGGED )?TABLE (\w+)|DROP TABLE (?:IF EXISTS )?(\w+(?:, *\w+)*)|ALTER TABLE (\w+) RENAME TO (\w+))/gm;

/**
 * Brings a database up to date and records the applied migrations in a separate table, `halyard_migrations`. Other programs with
 * their own migrations can share the schema. Records that an earlier version kept in Prisma's table are moved. Any number of
 * processes may call this at the same time: one of them migrates, and the others wait. Migrations of a newer program in the same
 * database are reported to the log, and are no reason to stop: during a rolling upgrade the nodes that are yet to be replaced go on.
 *
 * Each migration and its record are one transaction, so a failed migration or a killed process leaves nothing behind.
 *
 * @returns the names of the migrations applied now, none when the database was up to date.
 * @throws MigrationError when an applied migration differs from its file, when one fails now, when its tables are gone, or,
 *   before anything is written, when another program has tables of the same names.
 * @throws UnavailableError when another process holds the lock for two minutes.
 */
export async function migrate(
  connection: MigrationConnection,
  migrations: readonly Migration[],
  log: Log = silentLog,
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
    // Functions store the search path of their creation. A path that depends on the role would differ for other roles.
    await connection.query(`SELECT set_config('search_path', quote_ident(current_schema()), false)`);
    const applied: string[] = [];
    const records = await readRecords(connection, migrations);
    for (const migration of pending(migrations, records)) {
      await apply(connection, migration);
      applied.push(migration.name);
    }
    const newest = newestUnknown(migrations, records);
    await requireTables(connection, migrations, newest);
    if (newest !== null) {
      log.warn({ newestInDatabase: newest, newestKnown: migrations.at(-1)?.name }, newerDatabase);
    }
    await enableTriggers(connection);
    return applied;
  } finally {
    // Needed for connections that stay open. A broken connection has released the lock already.
    await connection.query(`SELECT pg_advisory_unlock(${advisoryLock})`).catch(() => undefined);
  }
}

/** The records of applied migrations. Creates their table if it does not exist. */
async function readRecords(
  connection: MigrationConnection,
  migrations: readonly Migration[],
): Promise<readonly MigrationRecord[]> {
  // The lookup is needed: `IF NOT EXISTS` requires the right to create tables even if the table exists.
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

/** The records of version 0.1, which kept them in Prisma's table. */
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

/** Removes the moved records from Prisma's table: Prisma reports records without a file. Drops the table if it is then empty. */
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
  const [found] = await connection.query(
    `SELECT current_schema() AS schema, string_agg(quote_ident(relname), ', ' ORDER BY relname) AS tables FROM pg_class
     WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) AND relname = ANY($1)`,
    [tableNames(migrations)],
  );
  if (found === undefined || found['tables'] === null) return;
  throw new MigrationError(
    `The schema "${found['schema']}" has tables already that Halyard needs for itself (${found['tables']}), and no record ` +
      'that Halyard made them. Nothing was changed. Give Halyard a schema of its own, which it makes: ' +
      elsewhereOf(connection),
  );
}

/** The newest of the applied migrations that this program does not have. */
function newestUnknown(migrations: readonly Migration[], records: readonly MigrationRecord[]): string | null {
  const known = new Set(migrations.map(({ name }) => name));
  const unknown = records.map(({ name }) => name).filter(name => !known.has(name));
  return unknown.sort().at(-1) ?? null;
}

const newerDatabase =
  'The database has migrations of a newer version of Halyard, which this version does not know. In a rolling upgrade this is as it should be: replace this node too. If you have gone back to this version, see docs/operating.md, "Going back".';

/** @param newest the newest migration of a newer program; null if there is none. */
async function requireTables(
  connection: MigrationConnection,
  migrations: readonly Migration[],
  newest: string | null,
): Promise<void> {
  const [found] = await connection.query(
    `SELECT current_schema() AS schema, string_agg(name, ', ') AS lost FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NULL`,
    [tableNames(migrations)],
  );
  if (found === undefined || found['lost'] === null) return;
  if (newest !== null) {
    throw new MigrationError(
      `The schema "${found['schema']}" belongs to a newer version of Halyard (its migration ${newest} is applied), and no longer has ` +
        `tables that this version needs (${found['lost']}). Start that version, or restore a backup from before it.`,
    );
  }
  throw new MigrationError(
    `The schema "${found['schema']}" has lost tables of Halyard (${found['lost']}), and the records of their migrations are there. ` +
      `Restore the database from a backup, or begin anew in another schema: ${elsewhereOf(connection)}`,
  );
}

async function isTable(connection: MigrationConnection, name: string, right?: string): Promise<boolean> {
  const may = right === undefined ? '' : ` AND has_table_privilege(to_regclass('${name}'), '${right}')`;
  const [found] = await connection.query(`SELECT to_regclass('${name}') IS NOT NULL${may} AS found`);
  return found?.['found'] === true;
}

function elsewhereOf({ elsewhere }: MigrationConnection): string {
  return elsewhere ?? 'put ?schema=halyard at the end of DATABASE_URL';
}

/** Sets the triggers to ALWAYS again. After a restore with disabled triggers they would not fire in replica mode. */
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
    // Only errors of the server are about the migration. Errors of the connection are thrown as they are.
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
