import type { DatabaseOptions } from '../backends/database.js';
import type { Config } from '../config.js';

/** How the settings say to open the database. */
export function databaseOptionsOf({ database, keepChangesDays }: Config): DatabaseOptions {
  const keepChangesMs = keepChangesDays === undefined ? undefined : keepChangesDays * 86_400_000;
  return database.kind === 'memory' ? { memory: true, keepChangesMs } : { ...database, keepChangesMs };
}
