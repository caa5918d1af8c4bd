import { type LogLevel, minSecretBytes, schema, type TrustProxy, type Values } from './config/schema.js';
import { settings } from './config/settings.js';
import { unknownVariables } from './config/unknown-variables.js';

/** One or more settings are wrong. The message names each, what it was (never a secret) and what is accepted. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** Where the flags live. */
export type DatabaseConfig =
  | {
      readonly kind: 'postgres';
      readonly url: string;
      readonly listenUrl: string | undefined;
      readonly poolSize: number;
      readonly statementTimeoutMs: number;
    }
  | { readonly kind: 'embedded'; readonly dataDir: string }
  | { readonly kind: 'memory' };

/** What proves a token. `local`: the secret in the data directory. */
export type AuthKeysConfig =
  | { readonly kind: 'secret'; readonly secret: Uint8Array }
  | { readonly kind: 'jwks'; readonly url: URL }
  | { readonly kind: 'local' };

/** The settings, checked. */
export interface Config {
  readonly database: DatabaseConfig;
  readonly defaultEnabled: boolean;
  readonly cacheTtlSeconds: number;
  readonly cacheSize: number;
  /** Undefined: for ever. */
  readonly keepChangesDays: number | undefined;
  readonly readyMaxAgeSeconds: number;
  readonly anonymousAllowed: boolean;
  readonly anonymousIntrospection: boolean;
  readonly dataDir: string;
  readonly host: string;
  readonly port: number;
  readonly corsOrigins: '*' | readonly string[];
  readonly trustProxy: TrustProxy;
  /** The path under which a proxy serves Halyard, without a slash at its end; empty: none. */
  readonly pathPrefix: string;
  /** 0: no limit. */
  readonly limits: {
    readonly connectionsPerAddress: number;
    readonly requestsPerAddress: number;
    readonly subscriptionsPerSocket: number;
    /** Milliseconds; never 0. */
    readonly keepAliveTimeout: number;
  };
  /** Whether there are metrics; a number: on this port. */
  readonly metrics: boolean | number;
  readonly logLevel: LogLevel;
  readonly auth: {
    readonly keys: AuthKeysConfig;
    readonly issuer: string | undefined;
    readonly audience: string | undefined;
    readonly claims: { readonly user: string; readonly role: string; readonly attributes: string };
  };
  /** `NODE_ENV=production`. */
  readonly production: boolean;
  /** What looks like a mistake but stops nothing, one sentence each. */
  readonly warnings: readonly string[];
}

/**
 * Reads the settings out of environment variables. An empty value counts as unset; blanks around a value are dropped.
 * @throws ConfigError naming everything that is wrong.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const texts = Object.fromEntries(
    settings.map(setting => [setting.name, env[setting.name]?.trim() || (setting.default ?? undefined)]),
  );
  const production = env['NODE_ENV'] === 'production';
  const parsed = schema.safeParse(texts);
  const faults = parsed.success
    ? contradictions(parsed.data, production)
    : parsed.error.issues.map(issue => {
        const setting = settings.find(({ name }) => name === issue.path[0]);
        const was = setting === undefined || 'secret' in setting ? '' : `is ${quote(texts[setting.name])}, `;
        return `${String(issue.path[0])} ${was === '' ? 'is not valid: ' : was}${issue.message}.`;
      });
  if (!parsed.success || faults.length > 0) throw new ConfigError(faults.join('\n'));
  return freeze(parsed.data, production, unknownVariables(env));
}

function freeze(values: Values, production: boolean, warnings: readonly string[]): Config {
  const database: DatabaseConfig =
    values.FEATURE_BACKEND === 'memory'
      ? { kind: 'memory' }
      : values.DATABASE_URL !== undefined
        ? {
            kind: 'postgres',
            url: values.DATABASE_URL,
            listenUrl: values.DATABASE_LISTEN_URL,
            poolSize: values.DATABASE_POOL_SIZE,
            statementTimeoutMs: values.DATABASE_STATEMENT_TIMEOUT * 1_000,
          }
        : { kind: 'embedded', dataDir: values.HALYARD_DATA_DIR };
  const keys: AuthKeysConfig =
    values.AUTH_JWT_SECRET !== undefined
      ? { kind: 'secret', secret: new TextEncoder().encode(values.AUTH_JWT_SECRET) }
      : values.AUTH_JWKS_URL !== undefined
        ? { kind: 'jwks', url: new URL(values.AUTH_JWKS_URL) }
        : { kind: 'local' };
  return Object.freeze({
    database: Object.freeze(database),
    defaultEnabled: values.FEATURE_DEFAULT_ENABLED,
    cacheTtlSeconds: values.FEATURE_CACHE_TTL,
    cacheSize: values.FEATURE_CACHE_SIZE,
    keepChangesDays: values.FEATURE_CHANGES_KEEP,
    readyMaxAgeSeconds: values.READY_MAX_AGE,
    anonymousAllowed: values.FEATURE_ANONYMOUS,
    anonymousIntrospection: values.ANONYMOUS_INTROSPECTION,
    dataDir: values.HALYARD_DATA_DIR,
    host: values.HOST,
    port: values.PORT,
    corsOrigins: freezeList(values.CORS_ORIGINS),
    trustProxy: freezeList(values.TRUST_PROXY),
    pathPrefix: values.PATH_PREFIX ?? '',
    limits: Object.freeze({
      connectionsPerAddress: values.MAX_CONNECTIONS_PER_ADDRESS,
      requestsPerAddress: values.MAX_REQUESTS_PER_ADDRESS,
      subscriptionsPerSocket: values.MAX_SUBSCRIPTIONS_PER_SOCKET,
      keepAliveTimeout: values.KEEP_ALIVE_TIMEOUT * 1_000,
    }),
    metrics: values.METRICS,
    logLevel: values.LOG_LEVEL,
    auth: Object.freeze({
      keys: Object.freeze(keys),
      issuer: values.AUTH_ISSUER,
      audience: values.AUTH_AUDIENCE,
      claims: Object.freeze({
        user: values.AUTH_USER_CLAIM,
        role: values.AUTH_ROLE_CLAIM,
        attributes: values.AUTH_ATTRIBUTES_CLAIM,
      }),
    }),
    production,
    warnings: Object.freeze(warnings),
  });
}

function contradictions(values: Values, production: boolean): string[] {
  const faults: string[] = [];
  if (values.AUTH_JWT_SECRET !== undefined && values.AUTH_JWKS_URL !== undefined) {
    faults.push('AUTH_JWT_SECRET and AUTH_JWKS_URL are both set: tokens are verified by one of them, unset the other.');
  }
  if (values.FEATURE_BACKEND === 'memory' && values.DATABASE_URL !== undefined) {
    faults.push(
      'FEATURE_BACKEND is "memory" while DATABASE_URL is set: unset DATABASE_URL, or set FEATURE_BACKEND to database.',
    );
  }
  if (values.METRICS === values.PORT && values.PORT !== 0) {
    faults.push('METRICS and PORT name the same port: set METRICS to true to serve both on one.');
  }
  if (values.DATABASE_LISTEN_URL !== undefined && values.DATABASE_URL === undefined) {
    faults.push(
      'DATABASE_LISTEN_URL is set without DATABASE_URL: it says where to listen for that database, set both.',
    );
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

function freezeList<T>(value: T): T {
  return Array.isArray(value) ? Object.freeze(value) : value;
}

function quote(text: string | undefined): string {
  return JSON.stringify(text !== undefined && text.length > 100 ? `${text.slice(0, 100)}...` : text);
}
