import type { Log } from '../core/log.js';
import { DatabaseSetupError, isReadOnly } from './errors.js';
import { type Query, quoteName } from './session.js';

/** The statements that end a default of read-only transactions, by the place where it was set (`pg_settings.source`). */
const resets: Readonly<Record<string, (role: string, database: string) => string>> = {
  database: (_, database) => `ALTER DATABASE ${database} RESET default_transaction_read_only;`,
  user: role => `ALTER ROLE ${role} RESET default_transaction_read_only;`,
  'database user': (role, database) =>
    `ALTER ROLE ${role} IN DATABASE ${database} RESET default_transaction_read_only;`,
  global: () => 'ALTER ROLE ALL RESET default_transaction_read_only;',
  client: () => 'take it out of the options in the address.',
};
const resetOfServer = 'ALTER SYSTEM SET default_transaction_read_only = off; SELECT pg_reload_conf();';

/** Why a session is read-only, and what makes it writable. */
async function reasonOf(query: Query): Promise<string> {
  const [{ standby, source, role, database } = {}] = await query(
    `SELECT pg_is_in_recovery() AS standby, current_user AS role, current_database() AS database,
            (SELECT source FROM pg_settings WHERE name = 'default_transaction_read_only') AS source`,
  );
  if (standby === true)
    return 'the server is a standby. To allow writes, promote it, or set DATABASE_URL to the primary.';
  const reset = resets[String(source)]?.(quoteName(String(role)), quoteName(String(database))) ?? resetOfServer;
  return `default_transaction_read_only is on. To allow writes: ${reset}`;
}

/**
 * Turns the refusal of a write at the start into an error with the remedy. Null for any other error.
 * @param query of the session that was refused.
 */
export async function explainReadOnly(error: unknown, query: Query): Promise<DatabaseSetupError | null> {
  if (!isReadOnly(error)) return null;
  return new DatabaseSetupError(
    `The database is read-only, and its tables have to be made or brought up to date first: ${await reasonOf(query)}`,
    { cause: error },
  );
}

/**
 * Reports once that the database is read-only, with the reason and the remedy, and once that it takes writes again. The returned
 * function is called with each new session.
 */
export function reportReadOnly(log: Log): (query: Query, isReadOnly: boolean) => Promise<void> {
  let isTold = false;
  return async (query, isReadOnly) => {
    if (isReadOnly === isTold) return;
    isTold = isReadOnly;
    if (isTold) log.warn({}, `The database is read-only, so writes are refused: ${await reasonOf(query)}`);
    else log.info({}, 'The database takes writes again.');
  };
}
