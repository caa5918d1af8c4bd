import { describe, expect, it } from 'vitest';
import { settings } from '../src/config/settings.js';
import { ConfigError, readConfig } from '../src/config.js';

const secret = '0123456789abcdef0123456789abcdef';

it('has a default for everything', () => {
  expect(readConfig({})).toEqual({
    database: { kind: 'embedded', dataDir: '.halyard' },
    defaultEnabled: false,
    cacheTtlSeconds: 60,
    cacheSize: 50_000,
    keepChangesDays: undefined,
    keepUsageDays: 90,
    staleDays: 30,
    readyMaxAgeSeconds: 15,
    anonymousAllowed: true,
    isProtected: false,
    console: true,
    anonymousIntrospection: true,
    dataDir: '.halyard',
    host: '127.0.0.1',
    port: 4000,
    corsOrigins: '*',
    trustProxy: false,
    pathPrefix: undefined,
    publicUrl: undefined,
    limits: {
      connectionsPerAddress: 1_000,
      requestsPerAddress: 1_000,
      subscriptionsPerSocket: 100,
      keepAliveTimeout: 72_000,
    },
    metrics: true,
    logLevel: 'info',
    auth: {
      keys: { kind: 'local' },
      issuer: undefined,
      audience: undefined,
      claims: { user: 'sub', role: 'role', attributes: 'attributes' },
    },
    production: false,
    warnings: [],
  });
});

it('is frozen all the way down', () => {
  const config = readConfig({ CORS_ORIGINS: 'https://a.example', TRUST_PROXY: '10.0.0.0/8' });
  for (const part of [
    config,
    config.database,
    config.limits,
    config.auth,
    config.auth.keys,
    config.auth.claims,
    config.warnings,
  ]) {
    expect(Object.isFrozen(part)).toBe(true);
  }
  expect(Object.isFrozen(config.corsOrigins)).toBe(true);
  expect(Object.isFrozen(config.trustProxy)).toBe(true);
});

it('takes an empty value as unset and drops blanks around a value', () => {
  expect(readConfig({ PORT: '', DATABASE_URL: '', AUTH_JWT_SECRET: '', AUTH_JWKS_URL: ' ' })).toEqual(readConfig({}));
  expect(readConfig({ PORT: ' 80 ' }).port).toBe(80);
});

it.each([
  [{ FEATURE_BACKEND: 'memory' }, { database: { kind: 'memory' } }],
  [{ FEATURE_DEFAULT_ENABLED: 'true' }, { defaultEnabled: true }],
  [{ FEATURE_CACHE_TTL: '0' }, { cacheTtlSeconds: 0 }],
  [{ FEATURE_CACHE_SIZE: '1' }, { cacheSize: 1 }],
  [{ FEATURE_CHANGES_KEEP: '90' }, { keepChangesDays: 90 }],
  [
    { FEATURE_USAGE_KEEP: '400', FEATURE_STALE_DAYS: '399' },
    { keepUsageDays: 400, staleDays: 399 },
  ],
  [{ READY_MAX_AGE: '30' }, { readyMaxAgeSeconds: 30 }],
  [
    { DATABASE_URL: 'postgresql://h/d' },
    { database: { listenUrl: undefined, poolSize: 10, statementTimeoutMs: 5_000 } },
  ],
  [
    {
      DATABASE_URL: 'postgresql://pooler/d',
      DATABASE_LISTEN_URL: 'postgresql://h/d',
      DATABASE_POOL_SIZE: '3',
      DATABASE_STATEMENT_TIMEOUT: '2',
    },
    { database: { listenUrl: 'postgresql://h/d', poolSize: 3, statementTimeoutMs: 2_000 } },
  ],
  [{ FEATURE_ANONYMOUS: 'false' }, { anonymousAllowed: false }],
  [{ HALYARD_PROTECTED: 'true' }, { isProtected: true }],
  [{ HALYARD_CONSOLE: 'false' }, { console: false }],
  [{ DATABASE_URL: 'postgresql://u:p@h/d' }, { database: { kind: 'postgres', url: 'postgresql://u:p@h/d' } }],
  [
    { DATABASE_URL: 'postgres:///d?host=/run/pg' },
    { database: { kind: 'postgres', url: 'postgres:///d?host=/run/pg' } },
  ],
  [{ HALYARD_DATA_DIR: '/data' }, { dataDir: '/data', database: { kind: 'embedded', dataDir: '/data' } }],
  [
    { HALYARD_DATA_DIR: '/data', FEATURE_BACKEND: 'memory' },
    { dataDir: '/data', database: { kind: 'memory' } },
  ],
  [{ HOST: '::' }, { host: '::' }],
  [{ PORT: '0' }, { port: 0 }],
  [
    { CORS_ORIGINS: 'https://a.example, http://localhost:3000' },
    { corsOrigins: ['https://a.example', 'http://localhost:3000'] },
  ],
  [{ TRUST_PROXY: 'true' }, { trustProxy: true }],
  [{ TRUST_PROXY: '2' }, { trustProxy: 2 }],
  [{ TRUST_PROXY: '10.0.0.0/8,::1' }, { trustProxy: ['10.0.0.0/8', '::1'] }],
  [{ TRUST_PROXY: '::ffff:10.0.0.0/104' }, { trustProxy: ['::ffff:10.0.0.0/104'] }],
  [{ MAX_CONNECTIONS_PER_ADDRESS: '0' }, { limits: { connectionsPerAddress: 0, subscriptionsPerSocket: 100 } }],
  [{ MAX_SUBSCRIPTIONS_PER_SOCKET: '7' }, { limits: { connectionsPerAddress: 1_000, subscriptionsPerSocket: 7 } }],
  [{ KEEP_ALIVE_TIMEOUT: '620' }, { limits: { keepAliveTimeout: 620_000 } }],
  [{ PATH_PREFIX: '/flags' }, { pathPrefix: '/flags' }],
  [{ PUBLIC_URL: 'https://Flags.example.com' }, { publicUrl: 'https://flags.example.com' }],
  [{ PUBLIC_URL: 'http://example.com:8080/flags/' }, { publicUrl: 'http://example.com:8080/flags' }],
  [{ PATH_PREFIX: '/tools/feature.flags' }, { pathPrefix: '/tools/feature.flags' }],
  [{ METRICS: 'false' }, { metrics: false }],
  [{ METRICS: '9100' }, { metrics: 9_100 }],
  [{ METRICS: '0' }, { metrics: 0 }],
  [{ LOG_LEVEL: 'debug' }, { logLevel: 'debug' }],
  [
    { AUTH_JWT_SECRET: `${secret}, ${secret.toUpperCase()}!` },
    {
      auth: {
        keys: {
          kind: 'secret',
          secrets: [secret, `${secret.toUpperCase()}!`].map(text => new TextEncoder().encode(text)),
        },
      },
    },
  ],
  [{ HALYARD_ENVIRONMENT: 'staging' }, { environment: { name: 'staging', colour: null } }],
  [{ HALYARD_ENVIRONMENT: 'Staging 2:#C2410c' }, { environment: { name: 'Staging 2', colour: '#C2410c' } }],
  [{ AUTH_JWT_SECRET: secret }, { auth: { keys: { kind: 'secret', secrets: [new TextEncoder().encode(secret)] } } }],
  [
    { AUTH_JWKS_URL: 'https://id.example/jwks', NODE_ENV: 'production' },
    { auth: { keys: { kind: 'jwks', url: new URL('https://id.example/jwks') } }, production: true },
  ],
  [{ AUTH_ISSUER: 'us', AUTH_AUDIENCE: 'halyard' }, { auth: { issuer: 'us', audience: 'halyard' } }],
  [
    { AUTH_USER_CLAIM: 'uid', AUTH_ROLE_CLAIM: 'https://x.example/role', AUTH_ATTRIBUTES_CLAIM: 'traits' },
    { auth: { claims: { user: 'uid', role: 'https://x.example/role', attributes: 'traits' } } },
  ],
])('reads %o', (env, expected) => {
  expect(readConfig(env)).toMatchObject(expected);
});

function messageOf(env: Record<string, string>): string {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error('The settings were accepted.');
}

it.each([
  [{ FEATURE_BACKEND: 'redis' }, 'FEATURE_BACKEND is "redis", expected database or memory.'],
  [{ FEATURE_DEFAULT_ENABLED: 'yes' }, 'FEATURE_DEFAULT_ENABLED is "yes", expected true or false.'],
  [{ FEATURE_CACHE_TTL: '-1' }, 'FEATURE_CACHE_TTL is "-1", expected a whole number from 0 to 86400.'],
  [{ FEATURE_CACHE_TTL: '1.5' }, 'FEATURE_CACHE_TTL is "1.5", expected a whole number from 0 to 86400.'],
  [{ FEATURE_CACHE_TTL: '86401' }, 'FEATURE_CACHE_TTL is "86401", expected a whole number from 0 to 86400.'],
  [{ FEATURE_CACHE_SIZE: '0' }, 'FEATURE_CACHE_SIZE is "0", expected a whole number from 1 to 100000000.'],
  [
    { FEATURE_USAGE_KEEP: '20' },
    'FEATURE_STALE_DAYS is 30 and FEATURE_USAGE_KEEP is 20: keep usage for longer than a flag takes to be stale.',
  ],
  [{ FEATURE_CHANGES_KEEP: '0' }, 'FEATURE_CHANGES_KEEP is "0", expected a whole number from 1 to 36500.'],
  [{ READY_MAX_AGE: '0' }, 'READY_MAX_AGE is "0", expected a whole number from 1 to 86400.'],
  [{ DATABASE_POOL_SIZE: '0' }, 'DATABASE_POOL_SIZE is "0", expected a whole number from 1 to 1000.'],
  [{ DATABASE_STATEMENT_TIMEOUT: '0' }, 'DATABASE_STATEMENT_TIMEOUT is "0", expected a whole number from 1 to 600.'],
  [{ FEATURE_ANONYMOUS: '1' }, 'FEATURE_ANONYMOUS is "1", expected true or false.'],
  [{ PORT: '65536' }, 'PORT is "65536", expected a whole number from 0 to 65535.'],
  [{ PORT: 'http' }, 'PORT is "http", expected a whole number from 0 to 65535.'],
  [{ METRICS: 'on' }, 'METRICS is "on", expected true, false, or a port from 0 to 65535.'],
  [{ METRICS: '65536' }, 'METRICS is "65536", expected true, false, or a port from 0 to 65535.'],
  [{ METRICS: '4000' }, 'METRICS and PORT name the same port: set METRICS to true to serve both on one.'],
  [
    { MAX_CONNECTIONS_PER_ADDRESS: '-1' },
    'MAX_CONNECTIONS_PER_ADDRESS is "-1", expected a whole number from 0 to 1000000.',
  ],
  [
    { HALYARD_DATA_DIR: 'file:///var/lib/halyard' },
    'HALYARD_DATA_DIR is "file:///var/lib/halyard", expected the path of a directory, not a URL.',
  ],
  [
    { HALYARD_DATA_DIR: 'memory://x' },
    'HALYARD_DATA_DIR is "memory://x", expected the path of a directory, not a URL.',
  ],
  [{ HOST: 'http://x' }, 'HOST is "http://x", expected an address or a host name.'],
  [{ LOG_LEVEL: 'loud' }, 'LOG_LEVEL is "loud", expected one of fatal, error, warn, info, debug, trace, silent.'],
])('refuses %o', (env, message) => {
  expect(messageOf(env)).toBe(message);
});

it.each([
  [{ KEEP_ALIVE_TIMEOUT: '0' }, /^KEEP_ALIVE_TIMEOUT is "0", expected a whole number from 1 to 86400\.$/],
  [{ TRUST_PROXY: ',' }, /TRUST_PROXY/],
  [{ TRUST_PROXY: 'yes' }, /^TRUST_PROXY is "yes", expected true, false, a number of proxies/],
  [{ TRUST_PROXY: '10.0.0.0/40' }, /TRUST_PROXY/],
  [{ TRUST_PROXY: '010.0.0.1' }, /TRUST_PROXY/],
  [{ TRUST_PROXY: '10.1' }, /TRUST_PROXY/],
  [{ DATABASE_URL: 'mysql://u:hunter2@h/d' }, /^DATABASE_URL is not valid: expected a URL such as postgresql:/],
  [
    { DATABASE_URL: 'postgresql://h/d', DATABASE_LISTEN_URL: 'http://u:hunter2@h/d' },
    /^DATABASE_LISTEN_URL is not valid/,
  ],
  [{ DATABASE_LISTEN_URL: 'postgresql://u:hunter2@h/d' }, /DATABASE_LISTEN_URL is set without DATABASE_URL/],
  [{ AUTH_JWKS_URL: 'file:///etc/passwd' }, /^AUTH_JWKS_URL is "file:\/\/\/etc\/passwd", expected a URL/],
  ...[':#c2410c', 'staging:red', 'staging:#c2410', '-staging', `${'x'.repeat(51)}`, 'a:b:#c2410c'].map(
    (text): [Record<string, string>, RegExp] => [
      { HALYARD_ENVIRONMENT: text },
      /^HALYARD_ENVIRONMENT is .*expected a name/,
    ],
  ),
  [
    { AUTH_JWT_SECRET: 'hunter2' },
    /^AUTH_JWT_SECRET is not valid: expected at least 32 bytes, in each secret of a comma-separated list\.$/,
  ],
  [{ AUTH_JWT_SECRET: `${secret},` }, /^AUTH_JWT_SECRET is not valid: expected at least 32 bytes, in each/],
  [{ AUTH_JWT_SECRET: `${secret},hunter2` }, /^AUTH_JWT_SECRET is not valid: expected at least 32 bytes, in each/],
  [{ AUTH_JWT_SECRET: `${secret}, ${secret}` }, /^AUTH_JWT_SECRET is not valid: expected each secret once\.$/],
  [
    { AUTH_JWT_SECRET: secret, AUTH_JWKS_URL: 'https://id.example/jwks' },
    /AUTH_JWT_SECRET and AUTH_JWKS_URL are both set/,
  ],
  [{ FEATURE_BACKEND: 'memory', DATABASE_URL: 'postgresql://u:hunter2@h/d' }, /FEATURE_BACKEND.*DATABASE_URL/],
  [{ NODE_ENV: 'production' }, /NODE_ENV=production.*AUTH_JWT_SECRET.*AUTH_JWKS_URL/],
  [{ AUTH_USER_CLAIM: 'role' }, /three different claims/],
])('refuses %o', (env, message) => {
  expect(messageOf(env)).toMatch(message);
  expect(messageOf(env)).not.toMatch(/hunter2|0123456789abcdef/);
});

it.each([
  ['https://a.example/', 'in place of "https://a.example/" write https://a.example'],
  ['https://a.example/app', 'in place of "https://a.example/app" write https://a.example'],
  ['https://a.example?', 'in place of "https://a.example?" write https://a.example'],
  ['https://ann@a.example', 'in place of "https://ann@a.example" write https://a.example'],
  ['https://A.Example', 'in place of "https://A.Example" write https://a.example'],
  ['HTTPS://a.example', 'in place of "HTTPS://a.example" write https://a.example'],
  ['https://a.example:443', 'in place of "https://a.example:443" write https://a.example'],
  ['http://a.example:080', 'in place of "http://a.example:080" write http://a.example'],
  ['https://bücher.example', 'in place of "https://bücher.example" write https://xn--bcher-kva.example'],
  ['a.example', 'in place of "a.example" write https://a.example'],
  ['localhost:3000', 'in place of "localhost:3000" write http://localhost:3000'],
  ['wss://a.example', 'in place of "wss://a.example" write https://a.example'],
  ['ws://a.example:3000', 'in place of "ws://a.example:3000" write http://a.example:3000'],
  ['capacitor://localhost/', 'in place of "capacitor://localhost/" write capacitor://localhost'],
  ['Capacitor://LocalHost', 'in place of "Capacitor://LocalHost" write capacitor://localhost'],
  ['https://*.Example.com/', 'in place of "https://*.Example.com/" write https://*.example.com'],
  ['*.example.com', 'in place of "*.example.com" write https://*.example.com'],
  [
    'https://a*.example.com',
    '"https://a*.example.com" has a * in a place where it stands for nothing: only https://*.example.com has a meaning, for all subdomains',
  ],
  ['https://*', /"https:\/\/\*" has a \* in a place/],
  ['https://*.com', /has a \* in a place/],
  ['https://a.*.example.com', /has a \* in a place/],
  ['https://*.*.example.com', /has a \* in a place/],
  ['https://*.example.*', /has a \* in a place/],
  ['https://*example.com', /has a \* in a place/],
  ['*://a.example', '"*://a.example" is no origin'],
  ['https://a.example:*', '"https://a.example:*" is no origin'],
  ['*,https://a.example', 'the * allows every origin, and stands alone'],
  ['null', '"null" is the origin of files and of sandboxed pages of anybody, and only * allows it'],
  ['file:///app', '"file:///app" is no origin'],
  ['ftp://a.example', 'pages of "ftp:" have no origin that could be allowed'],
  [',', '"," is no origin'],
])('refuses %s in CORS_ORIGINS, which no browser sends, and says what to write', (origin, advice) => {
  const message = messageOf({ CORS_ORIGINS: origin });
  expect(message).toMatch(
    /^CORS_ORIGINS is ".*", expected \* or comma-separated origins such as https:\/\/app\.example\.com and https:\/\/\*\.example\.com; /,
  );
  if (typeof advice === 'string') expect(message.split('; ').at(-1)).toBe(`${advice}.`);
  else expect(message).toMatch(advice);
});

it.each([
  'https://a.example',
  'https://a.example:8443',
  'http://localhost:3000',
  'http://[::1]:3000',
  'https://*.example.com',
  'https://*.eu.example.com:8443',
  'http://*.localhost:3000',
  'capacitor://localhost',
  'ionic://localhost',
  'tauri://localhost',
  'chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb',
  'moz-extension://0f35b2ab-9b1a-4d3c-8a54-5d6f7e8c9b0a',
  'vscode-webview://0f35b2ab-9b1a-4d3c-8a54-5d6f7e8c9b0a',
])('takes %s in CORS_ORIGINS', origin => {
  expect(readConfig({ CORS_ORIGINS: origin }).corsOrigins).toEqual([origin]);
});

it.each([
  ['/flags/', 'expected a path with a slash before it and none behind; write /flags'],
  ['flags', 'expected a path with a slash before it and none behind; write /flags'],
  ['tools/flags/', 'expected a path with a slash before it and none behind; write /tools/flags'],
  ['/', 'expected a path such as /flags, of letters, digits and the signs - . _ ~'],
  ['/a//b', 'expected a path such as /flags, of letters, digits and the signs - . _ ~'],
  ['/a/../b', 'expected a path such as /flags, of letters, digits and the signs - . _ ~'],
  ['https://a.example/flags', 'expected a path such as /flags, of letters, digits and the signs - . _ ~'],
  ['/a?b', 'expected a path such as /flags, of letters, digits and the signs - . _ ~'],
])('refuses %s as PATH_PREFIX', (prefix, message) => {
  expect(messageOf({ PATH_PREFIX: prefix })).toBe(`PATH_PREFIX is ${JSON.stringify(prefix)}, ${message}.`);
});

it.each([
  'flags.example.com',
  '/flags',
  'ftp://example.com',
  'https://user:secret@example.com',
  'https://example.com/?a=1',
  'https://example.com/?',
  'https://example.com/#a',
])('refuses %s as PUBLIC_URL', address => {
  expect(messageOf({ PUBLIC_URL: address })).toContain(
    `PUBLIC_URL is ${JSON.stringify(address)}, expected an absolute address such as https://flags.example.com`,
  );
});

it('counts the secret in bytes', () => {
  expect(readConfig({ AUTH_JWT_SECRET: 'é'.repeat(16) }).auth.keys.kind).toBe('secret');
});

it('names every wrong setting at once, a line each', () => {
  expect(messageOf({ PORT: 'x', LOG_LEVEL: 'x', FEATURE_BACKEND: 'x' }).split('\n')).toHaveLength(3);
});

describe('a variable with a prefix of ours that is no setting', () => {
  it.each([
    [
      'FEATURE_DEFAULT_ENABLE',
      'FEATURE_DEFAULT_ENABLE is not a setting and is ignored. Did you mean FEATURE_DEFAULT_ENABLED?',
    ],
    ['AUTH_JWT_SECERT', 'AUTH_JWT_SECERT is not a setting and is ignored. Did you mean AUTH_JWT_SECRET?'],
    ['HALYARD_DATADIR', 'HALYARD_DATADIR is not a setting and is ignored. Did you mean HALYARD_DATA_DIR?'],
    ['HALYARD_QUANTUM_MODE', 'HALYARD_QUANTUM_MODE is not a setting and is ignored.'],
  ])('is warned about: %s', (name, warning) => {
    expect(readConfig({ [name]: 'hunter2', PATH: '/bin' }).warnings).toEqual([warning]);
  });
});

it('lists each setting once, with a default that is accepted', () => {
  const names = settings.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  const defaults = Object.fromEntries(
    settings.flatMap(({ name, default: text }) => (text === null ? [] : [[name, text]])),
  );
  expect(readConfig(defaults)).toEqual(readConfig({}));
});
