import type { TokenKeys } from '../auth/keys.js';
import { readLocalSecrets, readOrCreateLocalSecrets } from '../auth/local-secret.js';
import type { DatabaseOptions } from '../backends/database.js';
import type { Config } from '../config.js';

/** In milliseconds. */
export const day = 86_400_000;

/** How the settings say to open the database. */
export function databaseOptionsOf({ database, keepChangesDays, keepUsageDays }: Config): DatabaseOptions {
  const keep = {
    keepChangesMs: keepChangesDays === undefined ? undefined : keepChangesDays * day,
    keepUsageMs: keepUsageDays * day,
  };
  return database.kind === 'memory' ? { memory: true, ...keep } : { ...database, ...keep };
}

/**
 * The keys that verify tokens under these settings.
 * @throws LocalSecretError when the secret in the data directory cannot be used.
 */
export async function tokenKeysOf({ auth: { keys }, dataDir }: Config): Promise<TokenKeys> {
  if (keys.kind !== 'local') return keys;
  const secrets = await readOrCreateLocalSecrets(dataDir);
  return { kind: 'secret', secrets, reread: () => readLocalSecrets(dataDir) };
}
