import { openDatabase } from '../backends/database.js';
import type { Config } from '../config.js';
import { silentLog } from '../core/log.js';
import { databaseOptionsOf } from '../server/from-config.js';
import { CommandError } from './failure.js';

/** Creates or updates the database, as the server does when it starts. Returns a report for people. */
export async function migrate(config: Config): Promise<string> {
  if (config.database.kind === 'memory') {
    throw new CommandError(
      'With FEATURE_BACKEND=memory there is no database to update. Unset FEATURE_BACKEND to use one.',
    );
  }
  const warnings: string[] = [];
  const log = { ...silentLog, warn: (_details: object, message: string) => warnings.push(message) };
  const backend = await openDatabase({ ...databaseOptionsOf(config), log });
  const applied = backend.appliedMigrations;
  await backend.close();
  const done = applied.length === 0 ? ['The database is up to date.'] : applied.map(name => `Applied ${name}.`);
  return [...done, ...warnings].join('\n');
}
