import type { DatabaseUrl } from '../core/database-url.js';
import { UnavailableError } from '../core/errors.js';
import { DatabaseSetupError, sqlState, toUnavailable } from './errors.js';
import { quoteName } from './session.js';
import { explainTlsError } from './tls.js';

/** An address, and the setting that has it. Messages name the setting. */
export interface Address {
  readonly setting: 'DATABASE_URL' | 'DATABASE_LISTEN_URL';
  readonly url: DatabaseUrl;
}

/** Turns an error of a connection at the start into one that names the setting and the remedy. Null: it needs no other text. */
export function explainConnectError(error: unknown, { setting, url }: Address): Error | null {
  if (error instanceof DatabaseSetupError || !(error instanceof Error)) return null;
  const tls = explainTlsError(error, url);
  if (tls !== null) return tls;
  const state = sqlState(error) ?? '';
  const { message } = error;
  if (state === '08P01' && message.includes('startup parameter')) {
    return new DatabaseSetupError(
      `${setting} leads to a pooler that does not accept a parameter of the connection: ${message}. In PgBouncer, set ` +
        'ignore_startup_parameters = options, and give the role the settings: see "pooler" in docs/operating.md.',
      { cause: error },
    );
  }
  // The user, the password, or the name of the database.
  if (state.startsWith('28') || state === '3D000') {
    return new DatabaseSetupError(`The database refuses: ${message}. Check ${setting}.`, { cause: error });
  }
  if (state === '55000' && url.database !== undefined) {
    const name = quoteName(url.database);
    return new DatabaseSetupError(
      `The database refuses: ${message}. As its owner, in another database: ALTER DATABASE ${name} ALLOW_CONNECTIONS true;`,
      { cause: error },
    );
  }
  if (setting === 'DATABASE_URL' || toUnavailable(error) === null) return null;
  return new UnavailableError(`The database at ${setting} cannot be reached.`, { cause: error });
}
