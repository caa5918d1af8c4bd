import { z } from 'zod';
import { parseAddress, parseNetwork } from './core/network.js';

/** One or more settings are wrong. The message names each, what it was (never a secret) and what is accepted. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** One setting as people see it. */
export interface Setting {
  readonly name: string;
  /** As it would be written in the environment; null: unset. */
  readonly default: string | null;
  readonly description: string;
  /** The value never appears in a message. */
  readonly secret?: true;
}

/** Every setting, in the order in which help and documentation list them. */
export const settings = [
  {
    name: 'FEATURE_BACKEND',
    default: 'database',
    description: 'Where flags are kept: "database", or "memory", which forgets everything when the process ends.',
  },
  { name: 'FEATURE_DEFAULT_ENABLED', default: 'false', description: 'The answer for a flag that does not exist.' },
  {
    name: 'FEATURE_CACHE_TTL',
    default: '60',
    description:
      'Seconds for which a confirmed read of the change log counts as fresh. 0: the log is checked and targeting is read on each request.',
  },
  {
    name: 'FEATURE_CACHE_SIZE',
    default: '50000',
    description:
      'Users whose groups, overrides and attributes are kept in memory; the least recently asked for go first.',
  },
  {
    name: 'FEATURE_CHANGES_KEEP',
    default: null,
    description: 'Days for which the change log is kept: audit, history and undo reach no further. Unset: for ever.',
  },
  {
    name: 'FEATURE_ANONYMOUS',
    default: 'true',
    description: 'Whether callers without a token may evaluate flags.',
  },
  {
    name: 'DATABASE_URL',
    default: null,
    description: 'A PostgreSQL database. Unset: an embedded one in HALYARD_DATA_DIR.',
    secret: true,
  },
  {
    name: 'DATABASE_LISTEN_URL',
    default: null,
    description:
      "The PostgreSQL server's own address, for listening and migrating, where DATABASE_URL leads to a pooler. Unset: DATABASE_URL.",
    secret: true,
  },
  {
    name: 'DATABASE_POOL_SIZE',
    default: '10',
    description: 'Connections to PostgreSQL that one node uses at most, beside the one that listens.',
  },
  {
    name: 'DATABASE_STATEMENT_TIMEOUT',
    default: '5',
    description:
      'Seconds after which a statement that PostgreSQL has not answered fails, and a write that waits for others.',
  },
  {
    name: 'HALYARD_DATA_DIR',
    default: '.halyard',
    description: 'The directory of the embedded database and of the local secret for tokens.',
  },
  { name: 'HOST', default: '127.0.0.1', description: 'The address to listen on. 0.0.0.0: every IPv4 address.' },
  { name: 'PORT', default: '4000', description: 'The port to listen on. 0: any free one.' },
  {
    name: 'READY_MAX_AGE',
    default: '15',
    description: 'Seconds without a confirmed read of the change log after which /ready answers 503.',
  },
  {
    name: 'CORS_ORIGINS',
    default: '*',
    description:
      'Origins whose pages may read answers and open sockets: "*", or a comma-separated list such as https://app.example.com. Credentials are never a cookie.',
  },
  {
    name: 'TRUST_PROXY',
    default: 'false',
    description:
      'Whose X-Forwarded-For is believed: "false" nobody\'s, "true" everybody\'s, a number of proxies in front, or a comma-separated list of their addresses and CIDR ranges.',
  },
  {
    name: 'MAX_CONNECTIONS_PER_ADDRESS',
    default: '1000',
    description:
      'WebSockets and streams of events that one address may hold open; more are answered 429. Behind a proxy set TRUST_PROXY, or all clients count as one. 0: no limit.',
  },
  {
    name: 'MAX_SUBSCRIPTIONS_PER_SOCKET',
    default: '100',
    description: 'Subscriptions that one WebSocket may hold open; one more fails alone. 0: no limit.',
  },
  {
    name: 'METRICS',
    default: 'true',
    description:
      'Whether /metrics tells Prometheus what the server does: "true" beside the API, a number on a port of its own, "false" not at all. It shows no keys, users or tokens.',
  },
  {
    name: 'LOG_LEVEL',
    default: 'info',
    description: 'The least severe line that is written: fatal, error, warn, info, debug, trace or silent.',
  },
  {
    name: 'AUTH_JWT_SECRET',
    default: null,
    description:
      'The secret of at least 32 bytes that signs tokens (HS256). With neither this nor AUTH_JWKS_URL one is made in HALYARD_DATA_DIR, except with NODE_ENV=production.',
    secret: true,
  },
  {
    name: 'AUTH_JWKS_URL',
    default: null,
    description: "The identity provider's key set (JWKS), in place of AUTH_JWT_SECRET.",
  },
  { name: 'AUTH_ISSUER', default: null, description: 'The "iss" that tokens must have. Unset: any.' },
  { name: 'AUTH_AUDIENCE', default: null, description: 'The "aud" that tokens must have. Unset: any.' },
  { name: 'AUTH_USER_CLAIM', default: 'sub', description: "The claim that holds the user's UUID." },
  {
    name: 'AUTH_ROLE_CLAIM',
    default: 'role',
    description: 'The claim that holds the role: "admin", "service", or absent for a plain user.',
  },
  { name: 'AUTH_ATTRIBUTES_CLAIM', default: 'attributes', description: "The claim that holds the user's attributes." },
] as const satisfies readonly Setting[];

export type SettingName = (typeof settings)[number]['name'];

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

/** Whose `X-Forwarded-For` counts: nobody's, everybody's, that of so many hops, or that of proxies in these ranges. */
export type TrustProxy = boolean | number | readonly string[];

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
  readonly dataDir: string;
  readonly host: string;
  readonly port: number;
  readonly corsOrigins: '*' | readonly string[];
  readonly trustProxy: TrustProxy;
  /** 0: no limit. */
  readonly limits: { readonly connectionsPerAddress: number; readonly subscriptionsPerSocket: number };
  /** Whether there are metrics; a number: on this port. */
  readonly metrics: boolean | number;
  readonly logLevel: (typeof logLevels)[number];
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

/** Where commands that ask a server find their token. No setting of the server. */
export const tokenVariable = 'HALYARD_TOKEN';

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
const minSecretBytes = 32;

const boolean = z.enum(['true', 'false'], 'expected true or false').transform(text => text === 'true');
const name = z.string().max(200, 'expected at most 200 characters');

function integer(min: number, max: number) {
  const message = `expected a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,9}$/, message)
    .transform(Number)
    .refine(value => value >= min && value <= max, message);
}

function url(accepted: string, protocols: readonly string[]) {
  return z
    .string()
    .refine(text => URL.canParse(text) && protocols.includes(new URL(text).protocol), `expected ${accepted}`);
}

const origins = z.string().transform((text, context): '*' | readonly string[] => {
  if (text === '*') return '*';
  const list = splitList(text);
  for (const origin of list.length === 0 ? [text] : list) {
    if (!URL.canParse(origin) || new URL(origin).origin !== origin) {
      const message = `expected * or comma-separated origins such as https://app.example.com, without a path; "${origin}" is none`;
      context.addIssue({ code: 'custom', message });
    }
  }
  return list;
});

const trustProxy = z.string().transform((text, context): TrustProxy => {
  if (text === 'true' || text === 'false') return text === 'true';
  if (/^\d{1,2}$/.test(text)) return Number(text);
  const list = splitList(text);
  for (const range of list.length === 0 ? [text] : list) {
    if (parseAddress(range) === null && parseNetwork(range) === null) {
      const message = `expected true, false, a number of proxies, or comma-separated addresses and CIDR ranges; "${range}" is none`;
      context.addIssue({ code: 'custom', message });
    }
  }
  return list;
});

const metrics = z
  .string()
  .refine(
    text => /^(true|false|\d{1,5})$/.test(text) && !(Number(text) > 65_535),
    'expected true, false, or a port from 0 to 65535',
  )
  .transform(text => (/^\d/.test(text) ? Number(text) : text === 'true'));

const postgresUrl = url('a URL such as postgresql://user:password@host:5432/halyard', ['postgres:', 'postgresql:']);

const schema = z.object({
  FEATURE_BACKEND: z.enum(['database', 'memory'], 'expected database or memory'),
  FEATURE_DEFAULT_ENABLED: boolean,
  FEATURE_CACHE_TTL: integer(0, 86_400),
  FEATURE_CACHE_SIZE: integer(1, 100_000_000),
  FEATURE_CHANGES_KEEP: integer(1, 36_500).optional(),
  FEATURE_ANONYMOUS: boolean,
  DATABASE_URL: postgresUrl.optional(),
  DATABASE_LISTEN_URL: postgresUrl.optional(),
  DATABASE_POOL_SIZE: integer(1, 1_000),
  DATABASE_STATEMENT_TIMEOUT: integer(1, 600),
  HALYARD_DATA_DIR: z.string(),
  HOST: z.string().regex(/^[\w.:%-]+$/, 'expected an address or a host name'),
  PORT: integer(0, 65_535),
  READY_MAX_AGE: integer(1, 86_400),
  CORS_ORIGINS: origins,
  TRUST_PROXY: trustProxy,
  MAX_CONNECTIONS_PER_ADDRESS: integer(0, 1_000_000),
  MAX_SUBSCRIPTIONS_PER_SOCKET: integer(0, 1_000_000),
  METRICS: metrics,
  LOG_LEVEL: z.enum(logLevels, `expected one of ${logLevels.join(', ')}`),
  AUTH_JWT_SECRET: z
    .string()
    .refine(secret => Buffer.byteLength(secret) >= minSecretBytes, `expected at least ${minSecretBytes} bytes`)
    .optional(),
  AUTH_JWKS_URL: url('a URL such as https://id.example.com/.well-known/jwks.json', ['http:', 'https:']).optional(),
  AUTH_ISSUER: z.string().optional(),
  AUTH_AUDIENCE: z.string().optional(),
  AUTH_USER_CLAIM: name,
  AUTH_ROLE_CLAIM: name,
  AUTH_ATTRIBUTES_CLAIM: name,
} satisfies Record<SettingName, z.ZodType>);

type Values = z.infer<typeof schema>;

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
    dataDir: values.HALYARD_DATA_DIR,
    host: values.HOST,
    port: values.PORT,
    corsOrigins: freezeList(values.CORS_ORIGINS),
    trustProxy: freezeList(values.TRUST_PROXY),
    limits: Object.freeze({
      connectionsPerAddress: values.MAX_CONNECTIONS_PER_ADDRESS,
      subscriptionsPerSocket: values.MAX_SUBSCRIPTIONS_PER_SOCKET,
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

/** Variables that carry a prefix of ours and are no setting: most likely a typo, and a silent one would hurt. */
function unknownVariables(env: Readonly<Record<string, string | undefined>>): string[] {
  const names: string[] = settings.map(setting => setting.name);
  return Object.keys(env)
    .filter(name => /^(FEATURE|HALYARD|AUTH)_/.test(name) && !names.includes(name) && name !== tokenVariable)
    .map(unknown => {
      const [nearest] = names
        .map(name => ({ name, distance: editDistance(unknown, name) }))
        .filter(({ distance }) => distance <= 3)
        .sort((a, b) => a.distance - b.distance);
      const hint = nearest === undefined ? '' : ` Did you mean ${nearest.name}?`;
      return `${unknown} is not a setting and is ignored.${hint}`;
    });
}

/** Levenshtein's: the least number of insertions, deletions and substitutions. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

function splitList(text: string): readonly string[] {
  return text
    .split(',')
    .map(part => part.trim())
    .filter(part => part !== '');
}

function freezeList<T>(value: T): T {
  return Array.isArray(value) ? Object.freeze(value) : value;
}

function quote(text: string | undefined): string {
  return JSON.stringify(text !== undefined && text.length > 100 ? `${text.slice(0, 100)}...` : text);
}
