import { DatabaseSetupError } from './errors.js';

interface SessionSetting {
  readonly value: string;
  /** Other values that mean the same to us. */
  readonly accepted?: RegExp;
  /** Only a superuser may state it: it is checked, not set. */
  readonly isPrivileged?: true;
}

/**
 * Every setting of a session that statements and drivers rely on. A database, a role or a server may have defaults of its
 * own for each, so each connection states them, and is checked for them: a pooler may drop what it was told.
 */
const relied: Readonly<Record<string, SessionSetting>> = {
  // Prisma's adapters send and read times without an offset.
  timezone: { value: 'UTC', accepted: /^(Etc\/)?(UTC|GMT)$/i },
  datestyle: { value: 'ISO, MDY', accepted: /^ISO,/ },
  intervalstyle: { value: 'postgres' },
  client_encoding: { value: 'UTF8' },
  bytea_output: { value: 'hex' },
  extra_float_digits: { value: '1', accepted: /^[123]$/ },
  standard_conforming_strings: { value: 'on' },
  // Writers stand in line and each then reads what those before did; in another isolation all but the first fail.
  default_transaction_isolation: { value: 'read committed' },
  // Any other answers with a part of what an index finds.
  gin_fuzzy_search_limit: { value: '0' },
  // The connection that listens says little.
  idle_session_timeout: { value: '0' },
  // In replica mode deletions take nothing along.
  session_replication_role: { value: 'origin', accepted: /^(origin|local)$/, isPrivileged: true },
};

const names = Object.keys(relied);

/** What each connection states: the settings above that anybody may set, and those given. */
export function statedSettings(given: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const own = Object.entries(relied).flatMap(([name, { value, isPrivileged }]) =>
    isPrivileged ? [] : [[name, value]],
  );
  return { ...Object.fromEntries(own), ...given };
}

/** Settings as the server reads them at the start of a connection. */
export function startupOptions(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value.replace(/[\\\s]/g, '\\$&')}`)
    .join(' ');
}

/** Settings as statements. */
export function setStatements(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `SELECT set_config('${name}', '${value}', false);`)
    .join('\n');
}

/** Runs one statement and gives its rows. */
export type Query = (sql: string) => Promise<readonly Record<string, unknown>[]>;

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/**
 * Where a session is.
 * @throws DatabaseSetupError when the database is not in UTF8.
 */
export async function sessionSchema(query: Query): Promise<{ readonly schema: string | null; readonly path: string }> {
  const [row] = await query(
    `SELECT current_schema() AS schema, current_setting('search_path') AS path, current_database() AS database,
            current_setting('server_encoding') AS encoding`,
  );
  if (row?.['encoding'] !== 'UTF8') {
    throw new DatabaseSetupError(
      `The database "${row?.['database']}" is encoded in ${row?.['encoding']}, and Halyard needs UTF8. An encoding cannot be ` +
        "changed; make another database: CREATE DATABASE halyard ENCODING 'UTF8' LOCALE 'C.UTF-8' TEMPLATE template0.",
    );
  }
  return { schema: row['schema'] as string | null, path: row['path'] as string };
}

/**
 * Proves that a session has what statements rely on.
 * @throws DatabaseSetupError that names what was found, what is needed, and the statements that mend it.
 */
export async function checkSession(query: Query, schema: string): Promise<void> {
  const settings = names.map(name => `current_setting('${name}') AS "${name}"`).join(', ');
  // PostgreSQL 17 and later only, so it cannot be stated at the start.
  const longest = `current_setting('transaction_timeout', true) AS longest`;
  const [row] = await query(`SELECT ${settings}, ${longest}, current_schema() AS schema, current_user AS role`);
  if (row === undefined) return;
  if (row['longest'] !== null && row['longest'] !== '0') await query(`SET transaction_timeout = 0`);
  const wrong = Object.entries(relied).flatMap(([name, { value, accepted }]) => {
    const found = String(row[name]);
    const isRight = accepted?.test(found) ?? found === value;
    return isRight ? [] : [{ name, found, needed: value, set: `'${value}'` }];
  });
  if (row['schema'] !== schema) {
    wrong.push({ name: 'search_path', found: String(row['schema']), needed: schema, set: quoteName(schema) });
  }
  if (wrong.length === 0) return;
  const found = wrong.map(({ name, found, needed }) => `${name} is ${found} and must be ${needed}`).join('; ');
  const alter = wrong.map(({ name, set }) => `ALTER ROLE ${quoteName(String(row['role']))} SET ${name} = ${set};`);
  throw new DatabaseSetupError(
    `A session of the database has other settings than it was asked for: a pooler drops them, or only a superuser may state ` +
      `them. Here ${found}. Give the role them as its own: ${alter.join(' ')}`,
  );
}
