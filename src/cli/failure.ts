import { LocalSecretError } from '../auth/local-secret.js';
import { DirectoryLockedError } from '../backends/directory-lock.js';
import { MigrationError } from '../backends/migrate.js';
import { ConfigError } from '../config.js';
import { FeatureError } from '../core/errors.js';

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
  DirectoryLockedError,
  FeatureError,
  LocalSecretError,
  MigrationError,
  UsageError,
];

/** What to tell about a failure: one clear message where it could be expected, everything where it could not. */
export function describeFailure(error: unknown): string {
  if (expected.some(type => error instanceof type)) return (error as Error).message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** 2: used wrongly, 1: any other failure. */
export function exitCodeOf(error: unknown): number {
  return error instanceof UsageError ? 2 : 1;
}
