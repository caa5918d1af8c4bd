import { LocalSecretError } from '../auth/local-secret.js';
import { DirectoryLockedError } from '../backends/directory-lock.js';
import { DatabaseSetupError, sqlState } from '../backends/errors.js';
import { MigrationError } from '../backends/migrate.js';
import { ConfigError } from '../config.js';
import { DataDirectoryError } from '../core/data-directory.js';
import { DatabaseUrlError } from '../core/database-url.js';
import { FeatureError, UnavailableError } from '../core/errors.js';

/** A command was used in a way that its help does not describe. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** A command cannot do what was asked; the message says why and what to do. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

const expected = [
  CommandError,
  ConfigError,
  DataDirectoryError,
  DatabaseSetupError,
  DatabaseUrlError,
  DirectoryLockedError,
  FeatureError,
  LocalSecretError,
  MigrationError,
  UsageError,
];

/** The server knows neither the user, the password, the database nor the schema, or does not let the user in. */
const refusedStates = /^(28|3D000|3F000|42501)/;

/** What to tell about a failure: one clear message where it could be expected, everything where it could not. */
export function describeFailure(error: unknown): string {
  if (error instanceof UnavailableError) return withReason(error);
  if (expected.some(type => error instanceof type)) return (error as Error).message;
  if (refusedStates.test(sqlState(error) ?? '')) return `The database refuses: ${reasonOf(error)}. Check DATABASE_URL.`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** Clients of the API are not told where the database is; who starts a command is. */
function withReason(error: UnavailableError): string {
  const reason = reasonOf(error.cause);
  return reason === '' ? error.message : `${error.message.replace(/\.$/, '')}: ${reason}.`;
}

/** The message at the bottom of it all; of several addresses tried, the first one's. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return reasonOf(error.errors[0]);
  if (!(error instanceof Error)) return '';
  return reasonOf(error.cause) || error.message;
}

/** 2: used wrongly, 1: any other failure. */
export function exitCodeOf(error: unknown): number {
  return error instanceof UsageError ? 2 : 1;
}
