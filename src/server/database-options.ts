import type { DatabaseOptions } from '../backends/database.js';
import type { Config } from '../config.js';

/** How the settings say to open the database. */
export function databaseOptionsOf({ database, keepChangesDays }: Config): DatabaseOptions {
  const keepChangesMs = keepChangesDays === undefined ? undefined : keepChangesDays * 86_400_000;
  switch (database.kind) {
    case 'postgres': {
      const { url, listenUrl, poolSize, statementTimeoutMs } = database;
      return { url, listenUrl, poolSize, statementTimeoutMs, keepChangesMs };
    }
    case 'embedded':
      return { dataDir: database.dataDir, keepChangesMs };
    case 'memory':
      return { memory: true, keepChangesMs };
  }
}
