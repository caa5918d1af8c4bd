import { inspect } from 'node:util';
import { LocalSecretError } from '../auth/local-secret.js';
import { DirectoryLockedError } from '../backends/directory-lock.js';
import { DatabaseSetupError } from '../backends/errors.js';
import { MigrationError } from '../backends/migrate.js';
import { ConfigError } from '../config.js';
import { DataDirectoryError } from '../core/data-directory.js';
import { DatabaseUrlError } from '../core/database-url.js';
import { FeatureError, UnavailableError } from '../core/errors.js';

/** The options of a command are wrong. The message says what is expected. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** A command cannot do its work. The message says why, and what to do. */
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

/** The text to print for a failure: the message of an expected error, the whole stack of an unexpected one. */
export function describeFailure(error: unknown): string {
  if (error instanceof UnavailableError) return withReason(error);
  if (expected.some(type => error instanceof type)) return (error as Error).message;
  return error instanceof Error ? (error.stack ?? error.message) : inspect(error);
}

/** Adds the reason, which shows where the database is. Clients of the API do not get it, users of a command do. */
function withReason(error: UnavailableError): string {
  const reason = reasonOf(error.cause);
  return reason === '' ? error.message : `${error.message.replace(/\.$/, '')}: ${reason}.`;
}

/** The message of the innermost cause; if several addresses were tried, that of the first. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return reasonOf(error.errors[0]);
  if (!(error instanceof Error)) return '';
  return reasonOf(error.cause) || error.message;
}

/** 2 for wrong options, 1 for any other failure. */
export function exitCodeOf(error: unknown): number {
  return error instanceof UsageError ? 2 : 1;
}
