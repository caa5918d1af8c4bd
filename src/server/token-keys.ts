import type { TokenKeys } from '../auth/keys.js';
import { readOrCreateLocalSecret } from '../auth/local-secret.js';
import type { Config } from '../config.js';

/**
 * The keys that verify tokens under these settings.
 * @throws LocalSecretError when the secret in the data directory cannot be used.
 */
export async function tokenKeysOf(config: Config): Promise<TokenKeys> {
  const { keys } = config.auth;
  return keys.kind === 'local' ? { kind: 'secret', secret: await readOrCreateLocalSecret(config.dataDir) } : keys;
}
