import { minSecretBytes } from './config/schema.js';
import { type Placed, settings, type Values } from './config/settings.js';
import { unknownVariables } from './config/unknown-variables.js';
import { isPlainObject } from './core/json.js';

/** One or more settings are wrong. The message names each setting, its value (unless it is a secret) and the accepted values. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** The database that keeps the flags. */
export type DatabaseConfig =
  | ({ readonly kind: 'postgres'; readonly url: string } & Placed['postgres'])
  | { readonly kind: 'embedded'; readonly dataDir: string }
  | { readonly kind: 'memory' };

/** The keys that tokens are verified with. `local`: the secret in the data directory. */
export type AuthKeysConfig =
  | { readonly kind: 'secret'; readonly secrets: readonly Uint8Array[] }
  | { readonly kind: 'jwks'; readonly url: URL }
  | { readonly kind: 'local' };

/** The settings, checked. `config/settings.ts` says what each means; these are made from several of them. */
export type Config = Omit<Placed, 'postgres'> & {
  readonly database: DatabaseConfig;
  readonly auth: { readonly keys: AuthKeysConfig };
  /** `NODE_ENV=production`. */
  readonly production: boolean;
  /** Likely mistakes that stop nothing, one sentence each. */
  readonly warnings: readonly string[];
};

/**
 * Reads the settings out of environment variables. An empty value counts as unset; blanks around a value are dropped.
 * @throws ConfigError naming everything that is wrong.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const production = env['NODE_ENV'] === 'production';
  const faults: string[] = [];
  const values: Record<string, unknown> = {};
  for (const setting of settings) {
    const { name, accepts } = setting;
    const text = env[name]?.trim() || setting.default;
    if (text === null) continue;
    const parsed = accepts.safeParse(text);
    values[name] = parsed.data;
    for (const { message } of parsed.error?.issues ?? []) {
      faults.push(`${name} ${'secret' in setting ? 'is not valid:' : `is ${quote(text)},`} ${message}.`);
    }
  }
  if (faults.length === 0) faults.push(...contradictions(values as Values, production));
  if (faults.length > 0) throw new ConfigError(faults.join('\n'));
  return configOf(values as Values, production, unknownVariables(env));
}

function configOf(values: Values, production: boolean, warnings: readonly string[]): Config {
  const { postgres, ...placed } = placedIn(values);
  const database: DatabaseConfig =
    values.FEATURE_BACKEND === 'memory'
      ? { kind: 'memory' }
      : values.DATABASE_URL !== undefined
        ? { kind: 'postgres', url: values.DATABASE_URL, ...postgres }
        : { kind: 'embedded', dataDir: values.HALYARD_DATA_DIR };
  const keys: AuthKeysConfig =
    values.AUTH_JWT_SECRET !== undefined
      ? { kind: 'secret', secrets: values.AUTH_JWT_SECRET.map(secret => new TextEncoder().encode(secret)) }
      : values.AUTH_JWKS_URL !== undefined
        ? { kind: 'jwks', url: new URL(values.AUTH_JWKS_URL) }
        : { kind: 'local' };
  return freeze({ ...placed, database, auth: { ...placed.auth, keys }, production, warnings });
}

/** Puts the value of each setting in its place. */
function placedIn(values: Values): Placed {
  const placed: Record<string, unknown> = {};
  for (const setting of settings) {
    if (!('to' in setting)) continue;
    const path = setting.to.split('.');
    const last = path.pop() as string;
    let parent = placed;
    for (const name of path) {
      parent[name] ??= {};
      parent = parent[name] as Record<string, unknown>;
    }
    parent[last] = values[setting.name];
  }
  return placed as Placed;
}

function contradictions(values: Values, production: boolean): string[] {
  const faults: string[] = [];
  if (values.AUTH_JWT_SECRET !== undefined && values.AUTH_JWKS_URL !== undefined) {
    faults.push(
      'AUTH_JWT_SECRET and AUTH_JWKS_URL are both set: tokens are verified with one of them, so unset the other.',
    );
  }
  if (values.FEATURE_BACKEND === 'memory' && values.DATABASE_URL !== undefined) {
    faults.push(
      'FEATURE_BACKEND is "memory" while DATABASE_URL is set: unset DATABASE_URL, or set FEATURE_BACKEND to database.',
    );
  }
  if (values.FEATURE_STALE_DAYS >= values.FEATURE_USAGE_KEEP) {
    faults.push(
      `FEATURE_STALE_DAYS is ${values.FEATURE_STALE_DAYS} and FEATURE_USAGE_KEEP is ${values.FEATURE_USAGE_KEEP}: keep usage for longer than a flag takes to be stale.`,
    );
  }
  if (values.METRICS === values.PORT && values.PORT !== 0) {
    faults.push('METRICS and PORT name the same port: set METRICS to true to serve both on one.');
  }
  if (values.DATABASE_LISTEN_URL !== undefined && values.DATABASE_URL === undefined) {
    faults.push('DATABASE_LISTEN_URL is set without DATABASE_URL: set DATABASE_URL too, or unset DATABASE_LISTEN_URL.');
  }
  if (production && values.AUTH_JWT_SECRET === undefined && values.AUTH_JWKS_URL === undefined) {
    faults.push(
      `With NODE_ENV=production tokens need a key of your own: set AUTH_JWT_SECRET to a secret of at least ${minSecretBytes} bytes, or AUTH_JWKS_URL to the key set of your identity provider.`,
    );
  }
  const claims = [values.AUTH_USER_CLAIM, values.AUTH_ROLE_CLAIM, values.AUTH_ATTRIBUTES_CLAIM];
  if (new Set(claims).size < claims.length) {
    faults.push('AUTH_USER_CLAIM, AUTH_ROLE_CLAIM and AUTH_ATTRIBUTES_CLAIM must name three different claims.');
  }
  return faults;
}

/** Freezes an object with all plain objects and lists in it. */
function freeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) {
    if (typeof part === 'object' && part !== null && (Array.isArray(part) || isPlainObject(part))) freeze(part);
  }
  return Object.freeze(value);
}

function quote(text: string | undefined): string {
  return JSON.stringify(text !== undefined && text.length > 100 ? `${text.slice(0, 100)}...` : text);
}
