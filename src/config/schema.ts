import { z } from 'zod';
import { DatabaseUrlError, parseDatabaseUrl } from '../core/database-url.js';
import { parseAddress, parseNetwork } from '../core/network.js';
import { adviceOnOrigin } from './origins.js';
import type { SettingName } from './settings.js';

/** Whose `X-Forwarded-For` counts: nobody's, everybody's, that of so many hops, or that of proxies in these ranges. */
export type TrustProxy = boolean | number | readonly string[];

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];
/** Of the secret that signs tokens: HS256 asks for as many as its hash has. */
export const minSecretBytes = 32;

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
    const advice = adviceOnOrigin(origin);
    if (advice === null) continue;
    const message = `expected * or comma-separated origins such as https://app.example.com and https://*.example.com; ${advice}`;
    context.addIssue({ code: 'custom', message });
  }
  return list;
});

/** Slashes, and signs of a path that no proxy and no client writes in more than one way. */
const pathPrefix = z.string().transform((text, context) => {
  if (/^(\/[\w.~-]+)+$/.test(text) && !text.split('/').some(part => part === '.' || part === '..')) return text;
  const bare = text.replace(/^\/+|\/+$/g, '');
  const isMended = /^[\w~-]+(\/[\w~-]+)*$/.test(bare);
  const message = isMended
    ? `expected a path with a slash before it and none behind; write /${bare}`
    : 'expected a path such as /flags, of letters, digits and the signs - . _ ~';
  context.addIssue({ code: 'custom', message });
  return text;
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

const postgresUrl = z.string().superRefine((text, context) => {
  try {
    parseDatabaseUrl(text);
  } catch (error) {
    if (!(error instanceof DatabaseUrlError)) throw error;
    context.addIssue({ code: 'custom', message: error.message });
  }
});

/** What each setting accepts, and what it becomes. */
export const schema = z.object({
  FEATURE_BACKEND: z.enum(['database', 'memory'], 'expected database or memory'),
  FEATURE_DEFAULT_ENABLED: boolean,
  FEATURE_CACHE_TTL: integer(0, 86_400),
  FEATURE_CACHE_SIZE: integer(1, 100_000_000),
  FEATURE_CHANGES_KEEP: integer(1, 36_500).optional(),
  FEATURE_ANONYMOUS: boolean,
  ANONYMOUS_INTROSPECTION: boolean,
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
  PATH_PREFIX: pathPrefix.optional(),
  KEEP_ALIVE_TIMEOUT: integer(1, 86_400),
  MAX_CONNECTIONS_PER_ADDRESS: integer(0, 1_000_000),
  MAX_REQUESTS_PER_ADDRESS: integer(0, 1_000_000),
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

export type Values = z.infer<typeof schema>;

function splitList(text: string): readonly string[] {
  return text
    .split(',')
    .map(part => part.trim())
    .filter(part => part !== '');
}
