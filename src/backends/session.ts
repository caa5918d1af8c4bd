import { DatabaseSetupError } from './errors.js';

interface SessionSetting {
  readonly value: string;
  /** Other values with the same meaning for Halyard. */
  readonly accepted?: RegExp;
  /** Only a superuser may set it, so it is only checked. */
  readonly isPrivileged?: true;
}

/**
 * Every setting of a session that statements and drivers rely on. Databases, roles and servers may have other defaults, so each
 * connection sets them. Each connection is also checked, because a pooler may drop settings.
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
  // Writers queue, and each then reads the changes of those before it. In another isolation all but the first fail.
  default_transaction_isolation: { value: 'read committed' },
  // Other values return only a part of the rows that an index finds.
  gin_fuzzy_search_limit: { value: '0' },
  // The listening connection is idle most of the time.
  idle_session_timeout: { value: '0' },
  // In replica mode deletions do not cascade.
  session_replication_role: { value: 'origin', accepted: /^(origin|local)$/, isPrivileged: true },
};

const names = Object.keys(relied);

/** The settings that each connection sets: those above that every role may set, and the given ones. */
export function statedSettings(given: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const own = Object.entries(relied).flatMap(([name, { value, isPrivileged }]) =>
    isPrivileged ? [] : [[name, value]],
  );
  return { ...Object.fromEntries(own), ...given };
}

/** Settings in the form of options for the start of a connection. */
export function startupOptions(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value.replace(/[\\\s]/g, '\\$&')}`)
    .join(' ');
}

/** Settings in the form of statements. */
export function setStatements(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `SELECT set_config('${name}', '${value}', false);`)
    .join('\n');
}

/** Runs one statement and returns its rows. */
export type Query = (sql: string) => Promise<readonly Record<string, unknown>[]>;

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/**
 * The schema and the search path of a session.
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
 * Checks the settings that statements rely on. Returns whether the session is read-only, which is allowed.
 * @param setting that has the address, for messages.
 * @throws DatabaseSetupError with the values found, the values needed, and statements that correct them.
 */
export async function checkSession(
  query: Query,
  schema: string,
  setting: string,
): Promise<{ readonly isReadOnly: boolean }> {
  const settings = names.map(name => `current_setting('${name}') AS "${name}"`).join(', ');
  // Exists only since PostgreSQL 17, so it cannot be an option at the start.
  const longest = `current_setting('transaction_timeout', true) AS longest`;
  const [row = {}] = await query(
    `SELECT ${settings}, ${longest}, current_setting('transaction_read_only') = 'on' AS "isReadOnly",
            current_schema() AS schema, current_user AS role`,
  );
  if (row['longest'] !== null && row['longest'] !== '0') await query(`SET transaction_timeout = 0`);
  const wrong = Object.entries(relied).flatMap(([name, { value, accepted }]) => {
    const found = String(row[name]);
    const isRight = accepted?.test(found) ?? found === value;
    return isRight ? [] : [{ name, found, needed: value, set: `'${value}'` }];
  });
  if (row['schema'] !== schema) {
    wrong.push({ name: 'search_path', found: String(row['schema']), needed: schema, set: quoteName(schema) });
  }
  if (wrong.length === 0) return { isReadOnly: row['isReadOnly'] === true };
  const found = wrong.map(({ name, found, needed }) => `${name} is ${found} and must be ${needed}`).join('; ');
  const alter = wrong.map(({ name, set }) => `ALTER ROLE ${quoteName(String(row['role']))} SET ${name} = ${set};`);
  throw new DatabaseSetupError(
    `The sessions of ${setting} do not keep the settings that Halyard needs: ${found}. Either a pooler drops them, or only a ` +
      `superuser may set them. Set them for the role: ${alter.join(' ')} PgBouncer keeps the old values until you run ` +
      'RECONNECT in its admin console.',
  );
}
