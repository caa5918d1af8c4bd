import { z } from 'zod';
import {
  boolean,
  claimName,
  environment,
  integer,
  logLevels,
  metrics,
  origins,
  pathPrefix,
  postgresUrl,
  publicUrl,
  tokenSecrets,
  trustProxy,
  url,
} from './schema.js';

/** One setting: all that there is to say about it. */
export interface Setting {
  readonly name: string;
  /** As it would be written in the environment; null: unset. */
  readonly default: string | null;
  /** The texts that are accepted, and what they become. */
  readonly accepts: z.ZodType<unknown, string>;
  /** The place of the value in `Config`. Settings without one are combined in `config.ts`. */
  readonly to?: string;
  /** The text for `--help` and for docs/settings.md. */
  readonly description: string;
  /** The value never appears in a message. */
  readonly secret?: true;
}

/** Every setting, in the order in which help and documentation list them. */
export const settings = [
  {
    name: 'FEATURE_BACKEND',
    default: 'database',
    accepts: z.enum(['database', 'memory'], 'expected database or memory'),
    description: 'Where flags are kept: "database", or "memory", which forgets everything when the process ends.',
  },
  {
    name: 'FEATURE_DEFAULT_ENABLED',
    default: 'false',
    accepts: boolean,
    to: 'defaultEnabled',
    description: 'The answer for a flag that does not exist.',
  },
  {
    name: 'FEATURE_CACHE_TTL',
    default: '60',
    accepts: integer(0, 86_400),
    to: 'cacheTtlSeconds',
    description:
      'Seconds for which a node answers from memory when it hears nothing from its database; after that a request asks the database first. Changes arrive within milliseconds whatever this is. 0: each request asks the database for changes and for its user.',
  },
  {
    name: 'FEATURE_CACHE_SIZE',
    default: '50000',
    accepts: integer(1, 100_000_000),
    to: 'cacheSize',
    description:
      'Users whose groups, overrides and attributes are kept in memory. The least recently used are dropped first.',
  },
  {
    name: 'FEATURE_CHANGES_KEEP',
    default: null,
    accepts: integer(1, 36_500),
    to: 'keepChangesDays',
    description: 'Days for which the change log is kept. Older changes are in no history. Unset: forever.',
  },
  {
    name: 'FEATURE_USAGE_KEEP',
    default: '90',
    accepts: integer(1, 3_650),
    to: 'keepUsageDays',
    description: 'Days for which is kept how often each flag was asked for.',
  },
  {
    name: 'FEATURE_STALE_DAYS',
    default: '30',
    accepts: integer(1, 3_650),
    to: 'staleDays',
    description:
      'Days after which a flag that is on or off for everybody, or that nobody asks for, counts as stale. Less than FEATURE_USAGE_KEEP.',
  },
  {
    name: 'FEATURE_ANONYMOUS',
    default: 'true',
    accepts: boolean,
    to: 'anonymousAllowed',
    description: 'Whether callers without a token may evaluate flags.',
  },
  {
    name: 'HALYARD_PROTECTED',
    default: 'false',
    accepts: boolean,
    to: 'isProtected',
    description:
      'Whether changes over the API that can alter the answers of a flag need a confirmation: the first attempt answers what the change would do, and a token that confirms it.',
  },
  {
    name: 'HALYARD_ENVIRONMENT',
    default: null,
    accepts: environment,
    to: 'environment',
    description:
      'What this server is called, such as staging, and a colour after a colon, such as staging:#c2410c. Admins and readers see it, so that nobody takes one environment for another. Unset: it has no name.',
  },
  {
    name: 'HALYARD_CONSOLE',
    default: 'true',
    accepts: boolean,
    to: 'console',
    description: 'Whether the web console is served at /console.',
  },
  {
    name: 'ANONYMOUS_INTROSPECTION',
    default: 'true',
    accepts: boolean,
    to: 'anonymousIntrospection',
    description:
      'Whether callers without a token may read the GraphQL schema. With "false", GraphiQL shows the documentation after a token is set.',
  },
  {
    name: 'DATABASE_URL',
    default: null,
    accepts: postgresUrl,
    description: 'A PostgreSQL database. Unset: an embedded one in HALYARD_DATA_DIR.',
    secret: true,
  },
  {
    name: 'DATABASE_LISTEN_URL',
    default: null,
    accepts: postgresUrl,
    to: 'postgres.listenUrl',
    description:
      'The address of the PostgreSQL server itself, for listening and migrating, where DATABASE_URL leads to a pooler. It must lead to the same database. Unset: DATABASE_URL.',
    secret: true,
  },
  {
    name: 'DATABASE_POOL_SIZE',
    default: '10',
    accepts: integer(1, 1_000),
    to: 'postgres.poolSize',
    description: 'Connections to PostgreSQL that one node uses at most. One more connection listens for changes.',
  },
  {
    name: 'DATABASE_STATEMENT_TIMEOUT',
    default: '5',
    accepts: integer(1, 600).transform(seconds => seconds * 1_000),
    to: 'postgres.statementTimeoutMs',
    description:
      'Seconds until a statement that PostgreSQL does not answer fails, and until a write that waits for other writes fails.',
  },
  {
    name: 'HALYARD_DATA_DIR',
    default: '.halyard',
    accepts: z.string().regex(/^(?![a-z][a-z\d+.-]*:\/\/)/i, 'expected the path of a directory, not a URL'),
    to: 'dataDir',
    description: 'The directory of the embedded database and of the local secret for tokens.',
  },
  {
    name: 'HOST',
    default: '127.0.0.1',
    accepts: z.string().regex(/^[\w.:%-]+$/, 'expected an address or a host name'),
    to: 'host',
    description: 'The address to listen on. 0.0.0.0: every IPv4 address.',
  },
  {
    name: 'PORT',
    default: '4000',
    accepts: integer(0, 65_535),
    to: 'port',
    description: 'The port to listen on. 0: any free one.',
  },
  {
    name: 'READY_MAX_AGE',
    default: '15',
    accepts: integer(1, 86_400),
    to: 'readyMaxAgeSeconds',
    description: 'Seconds without a confirmed read of the change log after which /ready answers 503.',
  },
  {
    name: 'CORS_ORIGINS',
    default: '*',
    accepts: origins,
    to: 'corsOrigins',
    description:
      'Origins whose pages may read answers and open sockets: "*", or a comma-separated list such as https://app.example.com. https://*.example.com stands for all its subdomains at any depth, and not for example.com itself; origins of apps such as capacitor://localhost are allowed too. The server never uses cookies.',
  },
  {
    name: 'TRUST_PROXY',
    default: 'false',
    accepts: trustProxy,
    to: 'trustProxy',
    description:
      'Which proxies may tell the address of a client by X-Forwarded-For: "false" none, "true" all, a number of proxies in front, or a comma-separated list of their addresses and CIDR ranges.',
  },
  {
    name: 'PATH_PREFIX',
    default: null,
    accepts: pathPrefix,
    to: 'pathPrefix',
    description:
      'The path under which a proxy serves Halyard, such as /flags. Requests are answered with and without it, so the proxy may take it away or not. Unset: none.',
  },
  {
    name: 'PUBLIC_URL',
    default: null,
    accepts: publicUrl,
    to: 'publicUrl',
    description:
      'The address under which clients reach the server, such as https://flags.example.com or https://example.com/flags. OFREP tells it to providers, which open streams of events there. Unset: the host of each request, or the one that a proxy of TRUST_PROXY tells by X-Forwarded-Host and X-Forwarded-Proto, with PATH_PREFIX.',
  },
  {
    name: 'KEEP_ALIVE_TIMEOUT',
    default: '72',
    accepts: integer(1, 86_400).transform(seconds => seconds * 1_000),
    to: 'limits.keepAliveTimeout',
    description:
      'Seconds for which an idle HTTP connection is kept. Make it longer than the idle timeout of the load balancer in front, or some requests meet a connection that is being closed.',
  },
  {
    name: 'MAX_CONNECTIONS_PER_ADDRESS',
    default: '1000',
    accepts: integer(0, 1_000_000),
    to: 'limits.connectionsPerAddress',
    description:
      'WebSockets and streams of events that one address may hold open. More are answered 429. Behind a proxy set TRUST_PROXY, or all clients count as one. 0: no limit.',
  },
  {
    name: 'MAX_REQUESTS_PER_ADDRESS',
    default: '1000',
    accepts: integer(0, 1_000_000),
    to: 'limits.requestsPerAddress',
    description:
      'Plain requests of one address that may be under way at a time. More are answered 429. Behind a proxy set TRUST_PROXY, or all clients count as one. 0: no limit.',
  },
  {
    name: 'MAX_SUBSCRIPTIONS_PER_SOCKET',
    default: '100',
    accepts: integer(0, 1_000_000),
    to: 'limits.subscriptionsPerSocket',
    description: 'Subscriptions that one WebSocket may hold open. One more is refused; the others stay. 0: no limit.',
  },
  {
    name: 'METRICS',
    default: 'true',
    accepts: metrics,
    to: 'metrics',
    description:
      'Whether /metrics answers Prometheus: "true" beside the API, a number on a port of its own (with /health and /ready, which answer there however busy the API is), "false" not at all. Metrics contain no flag keys, users or tokens.',
  },
  {
    name: 'LOG_LEVEL',
    default: 'info',
    accepts: z.enum(logLevels, `expected one of ${logLevels.join(', ')}`),
    to: 'logLevel',
    description:
      'The least severe level that is logged: fatal, error, warn, info, debug, trace or silent. From debug on each evaluation is logged, so no answer is given again from memory.',
  },
  {
    name: 'AUTH_JWT_SECRET',
    default: null,
    accepts: tokenSecrets,
    description:
      'The secret of at least 32 bytes that signs tokens (HS256), or a comma-separated list of secrets: the first one signs, all of them verify. Without this and AUTH_JWKS_URL, the server makes a secret in HALYARD_DATA_DIR, except with NODE_ENV=production.',
    secret: true,
  },
  {
    name: 'AUTH_JWKS_URL',
    default: null,
    accepts: url('a URL such as https://id.example.com/.well-known/jwks.json', ['http:', 'https:']),
    description: 'The key set (JWKS) of the identity provider, in place of AUTH_JWT_SECRET.',
  },
  {
    name: 'AUTH_ISSUER',
    default: null,
    accepts: z.string(),
    to: 'auth.issuer',
    description: 'The "iss" that tokens must have. Unset: any.',
  },
  {
    name: 'AUTH_AUDIENCE',
    default: null,
    accepts: z.string(),
    to: 'auth.audience',
    description: 'The "aud" that tokens must have. Unset: any.',
  },
  {
    name: 'AUTH_USER_CLAIM',
    default: 'sub',
    accepts: claimName,
    to: 'auth.claims.user',
    description: 'The claim with the id of the user.',
  },
  {
    name: 'AUTH_ROLE_CLAIM',
    default: 'role',
    accepts: claimName,
    to: 'auth.claims.role',
    description:
      'The claim with the role: "admin", "reader" or "service", as a text or in a list. Any other value is a plain user.',
  },
  {
    name: 'AUTH_ATTRIBUTES_CLAIM',
    default: 'attributes',
    accepts: claimName,
    to: 'auth.claims.attributes',
    description: 'The claim with the attributes of the user.',
  },
] as const satisfies readonly Setting[];

type Row = (typeof settings)[number];
type ValueOf<R extends Row> = z.output<R['accepts']> | (R['default'] extends null ? undefined : never);
type At<Path extends string, Value> = Path extends `${infer Head}.${infer Rest}`
  ? { readonly [K in Head]: At<Rest, Value> }
  : { readonly [K in Path]: Value };
type AllOf<Union> = (Union extends unknown ? (part: Union) => void : never) extends (all: infer All) => void
  ? All
  : never;

/** The values of all settings by their names. */
export type Values = { readonly [R in Row as R['name']]: ValueOf<R> };
/** The values of the settings that have a place of their own, each at its place. */
export type Placed = AllOf<
  Row extends infer R
    ? R extends Row & { readonly to: infer Path extends string }
      ? At<Path, ValueOf<R>>
      : never
    : never
>;

/** Where commands that ask a server find their token. No setting of the server. */
export const tokenVariable = 'HALYARD_TOKEN';
