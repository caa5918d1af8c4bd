import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import { createVerifier } from '../auth/verifier.js';
import { type DatabaseBackend, openDatabase } from '../backends/database.js';
import { readSecrets, type Secret, secrets } from '../backends/secrets.js';
import { useCode } from '../backends/sign-in-codes.js';
import type { Config } from '../config.js';
import { packageVersion } from '../core/package-version.js';
import { type OnEvaluation, observeEach } from '../features/observer.js';
import { FeatureService } from '../features/service.js';
import { createContextFactory, releaseContext } from '../graphql/context.js';
import { createSchema } from '../graphql/index.js';
import { databaseOptionsOf, day, tokenKeysOf } from './from-config.js';
import { createLogger } from './logger.js';
import { FeatureMetrics } from './metrics/feature-metrics.js';
import { builtConsole, readConsole } from './protocols/console/files.js';
import { createHalyardServer, type Readiness, type ServerLimits, type ServerLoad } from './server.js';

export { type Config, ConfigError, readConfig } from '../config.js';

/** Parts that a program or a test may put in place of those from the settings. */
export interface StartOverrides {
  readonly log?: Logger;
  readonly limits?: Partial<ServerLimits>;
  /** An open database; closed with the server. */
  readonly database?: DatabaseBackend;
  /** Milliseconds between reads of the change log that nothing prompted. */
  readonly pollInterval?: number;
  /** Milliseconds between two writes of the counts of questions. */
  readonly usageInterval?: number;
  /** The folder of the console, as it was built. Default: that of this package. */
  readonly consoleFolder?: string;
}

export interface RunningServer {
  /** Without a path: the API is at `/graphql`. */
  readonly url: string;
  readonly port: number;
  /** Where Prometheus asks; null: nowhere. */
  readonly metricsUrl: string | null;
  readonly service: FeatureService;
  /** The connections, requests and bytes that the server holds right now. */
  readonly load: ServerLoad;
  /** Lets answers under way finish, then closes everything. Takes at most five seconds; twice is harmless. */
  close(): Promise<void>;
}

/** Milliseconds that the database has to close, after the server has taken at most three seconds. */
const databaseGrace = 1_500;

/**
 * Opens the database, brings it up to date and serves it.
 * @throws UnavailableError when the database cannot be reached.
 * @throws MigrationError, DirectoryLockedError, LocalSecretError, or the system's error when it cannot listen.
 */
export async function startServer(config: Config, overrides: StartOverrides = {}): Promise<RunningServer> {
  const log = overrides.log ?? createLogger({ level: config.logLevel, pretty: false }).log;
  for (const warning of config.warnings) log.warn(warning);
  const keys = await tokenKeysOf(config);
  const consoleFiles = config.console ? await readConsole(overrides.consoleFolder ?? builtConsole()) : null;
  const database = overrides.database ?? (await openDatabase({ ...databaseOptionsOf(config), log }));
  const { ticket: ticketSecret, confirmation: confirmationSecret } = await secretsOf(database, log);
  const registry = config.metrics === false ? null : new Registry();
  const featureMetrics = registry && new FeatureMetrics(registry);
  const service = await FeatureService.open({
    backend: featureMetrics?.observe(database) ?? database,
    observers: [
      ...(featureMetrics === null ? [] : [featureMetrics]),
      ...(log.isLevelEnabled('debug') ? [observeEach(logEvaluation(log))] : []),
    ],
    defaultEnabled: config.defaultEnabled,
    cacheTtl: config.cacheTtlSeconds,
    cacheSize: config.cacheSize,
    pollInterval: overrides.pollInterval,
    usageInterval: overrides.usageInterval,
    staleAfter: config.staleDays * day,
    isProtected: config.isProtected,
    answersNodes: true,
    holdsApiKeys: true,
    confirmationSecret,
    log,
  }).catch(async error => {
    await database.close();
    throw error;
  });
  const verifier = createVerifier({ ...config.auth, keys, apiKeys: service.apiKeys ?? undefined, log });
  featureMetrics?.follow(() => service.status);
  const server = createHalyardServer({
    schema: createSchema(),
    createContext: createContextFactory({
      allowAnonymous: config.anonymousAllowed,
      service,
      prisma: database.prisma,
      server: {
        version: packageVersion(),
        environment: config.environment ?? null,
        isProtected: config.isProtected,
      },
    }),
    releaseContext,
    stampOf: ({ userId }) => service.stamp(userId),
    dependsOnDevice: ({ userId }) => service.dependsOnDevice(userId),
    ofrep: {
      flags: service,
      allowAnonymous: config.anonymousAllowed,
      ticketSecret,
      publicUrl: config.publicUrl ?? null,
    },
    ...(config.console
      ? { console: { files: consoleFiles, keys, claims: config.auth, useCode: id => useCode(database.prisma, id) } }
      : {}),
    verifier,
    log,
    host: config.host,
    port: config.port,
    corsOrigins: config.corsOrigins,
    suggestions: !config.production,
    anonymousIntrospection: config.anonymousIntrospection,
    readiness: createReadiness(service, config.readyMaxAgeSeconds, log),
    limits: { ...config.limits, ...overrides.limits },
    trustProxy: config.trustProxy,
    prefix: config.pathPrefix ?? '',
    ...(registry === null
      ? {}
      : { metrics: { registry, ...(typeof config.metrics === 'number' ? { port: config.metrics } : {}) } }),
  });
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= server.close().finally(() => atMost(databaseGrace, service.close(), log));
    return closing;
  };
  try {
    const started = await server.start();
    return {
      ...started,
      service,
      get load() {
        return server.load;
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * A node that no longer hears of changes says so, and goes on answering from the last known state. The message of the database
 * is written to the log, once for each outage: anybody may ask whether a node is ready.
 */
function createReadiness(service: FeatureService, maxAgeSeconds: number, log: Logger): () => Readiness {
  let wasReady = true;
  return () => {
    const { revision, age, problem, subscribers } = service.status;
    const ready = age <= maxAgeSeconds * 1_000;
    const details = { revision, ageSeconds: Math.round(age / 100) / 10, subscribers };
    if (!ready && wasReady) log.warn({ problem, ...details }, 'This node is not ready: the change log cannot be read.');
    wasReady = ready;
    if (ready) return { ready, ...details };
    const seconds = Math.round(age / 1_000);
    return {
      ready,
      reason: `The change log could not be read for ${seconds} seconds; answers may be out of date. The log of this node says why.`,
      ...details,
    };
  };
}

/** A database that hangs must not keep the process: calls without an answer are lost with the process either way. */
async function atMost(milliseconds: number, closing: Promise<void>, log: Logger): Promise<void> {
  const late = new AbortController();
  const timeout = sleep(milliseconds, 'late', { signal: late.signal, ref: false }).catch(() => 'in time');
  if ((await Promise.race([closing, timeout])) === 'late') log.warn('The database did not close in time.');
  late.abort();
}

/**
 * The secrets that sign tickets and confirmations.
 * @throws DatabaseSetupError with the statement that gives the right to read them.
 */
async function secretsOf(database: DatabaseBackend, log: Logger): Promise<Readonly<Record<Secret, Uint8Array>>> {
  try {
    const found = await readSecrets(database.prisma);
    const orOwn = (secret: Secret): Uint8Array => {
      const { name, signs } = secrets[secret];
      const value = found[secret];
      if (value === null) log.warn(`The table halyard_secrets has no "${name}": ${signs} count on this node alone.`);
      return value ?? randomBytes(32);
    };
    return { ticket: orOwn('ticket'), confirmation: orOwn('confirmation') };
  } catch (error) {
    const explained = await database.explainDenied(error);
    await database.close();
    throw explained ?? error;
  }
}

function logEvaluation(log: Logger): OnEvaluation {
  return (evaluation, subject) =>
    log.debug(
      { flag: evaluation.key, ...subject.toJSON(), enabled: evaluation.enabled, reason: evaluation.reason },
      'A flag was evaluated.',
    );
}
