import type { GraphQLSchema } from 'graphql';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Caller } from '../auth/caller.js';
import type { Verifier } from '../auth/verifier.js';
import type { TrustProxy } from '../config/schema.js';
import { hostInUrl } from './http/address.js';
import { ByteBudget } from './http/byte-budget.js';
import type { CorsOrigins } from './http/cors.js';
import { Deadlines } from './http/deadlines.js';
import type { Route } from './http/route.js';
import { UnsentBytes } from './http/unsent-bytes.js';
import { defaultServerLimits, type ServerLimits } from './limits.js';
import { createListener } from './listener.js';
import { ServerMetrics } from './metrics/server-metrics.js';
import { createAnswerStore } from './operations/kept-answers.js';
import { OpenStreams } from './operations/open-streams.js';
import { createOperations } from './operations/operations.js';
import type { OperationOrigin } from './operations/origin.js';
import type { OperationContext } from './operations/runner.js';
import { createOperatorListener } from './operator-listener.js';
import type { ConsoleFiles } from './protocols/console/files.js';
import { createConsoleRoutes } from './protocols/console/routes.js';
import type { SessionOptions } from './protocols/console/session.js';
import { EventStreams } from './protocols/event-stream.js';
import { createGraphiQLRoute } from './protocols/graphiql.js';
import { createGraphQLRoute } from './protocols/graphql-http.js';
import { graphqlPath } from './protocols/graphql-params.js';
import { createSockets } from './protocols/graphql-ws.js';
import { JsonBodies } from './protocols/json-bodies.js';
import { createOfrepRoutes, type OfrepOptions } from './protocols/ofrep/routes.js';
import { createHealthRoutes, createMetricsRoute, metricsPath, type Readiness } from './protocols/operator-routes.js';
import { createTokenEnds } from './protocols/token-ends.js';

export type { ServerLimits } from './limits.js';
export type { Readiness } from './protocols/operator-routes.js';

export interface HalyardServerOptions {
  readonly schema: GraphQLSchema;
  /** Makes the objects that resolvers see beside the {@link OperationOrigin}; called once an operation. */
  readonly createContext: (caller: Caller, origin: OperationOrigin) => OperationContext | Promise<OperationContext>;
  /** Lets go of what the schema keeps for a context that {@link createContext} has made; called when an operation is over. */
  readonly releaseContext?: (context: object) => void;
  /** The version stamp of the answers of fields that the schema marks as repeatable; see `FeatureService.stamp`. */
  readonly stampOf?: (caller: Caller) => object | null;
  /** Whether these answers may differ from device to device; see `FeatureService.dependsOnDevice`. */
  readonly dependsOnDevice?: (caller: Caller) => boolean;
  /** The flags that OFREP evaluates. Absent: it is not served. */
  readonly ofrep?: OfrepOptions;
  /** The web console. Absent: it is not served. `files` is null if it has not been built. */
  readonly console?: SessionOptions & { readonly files: ConsoleFiles | null };
  readonly verifier: Verifier;
  readonly log: Logger;
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly corsOrigins: CorsOrigins;
  /** Asked at each `/ready`. A rejection counts as not ready. */
  readonly readiness: () => Readiness | Promise<Readiness>;
  /** Whether messages about unknown names propose known ones. Default true. */
  readonly suggestions?: boolean;
  /** Whether callers without a token may ask for the schema. Default true. */
  readonly anonymousIntrospection?: boolean;
  readonly limits?: Partial<ServerLimits>;
  /** The proxies whose `X-Forwarded-For` is trusted. Default false: none. */
  readonly trustProxy?: TrustProxy;
  /** The path under which a proxy serves this, such as `/flags`, whether it takes it away or not. Default: none. */
  readonly prefix?: string;
  /** Where to count, and whether `/metrics` has a port of its own. Absent: nothing is counted. */
  readonly metrics?: { readonly registry: Registry; readonly port?: number };
}

/** The connections, requests and bytes that a server holds right now. */
export interface ServerLoad {
  /** TCP connections that are counted; those of trusted proxies are not. */
  readonly connections: number;
  readonly sockets: number;
  /** Places of WebSockets and streams of events. */
  readonly live: number;
  /** Subscriptions that are open, over WebSocket and server-sent events, and streams of OFREP. */
  readonly streams: number;
  /** Plain requests that are under way. */
  readonly requests: number;
  /** Addresses that hold a place of any kind. */
  readonly addresses: number;
  /** Bytes of answers that wait for their readers. */
  readonly unsentBytes: number;
  /** Bytes of bodies and of messages over WebSockets that wait for their end or the end of their operation, as they are counted. */
  readonly unfinishedBytes: number;
  /** Bytes of documents and variables that subscriptions keep, as `jsonBytes` counts them. */
  readonly keptBytes: number;
  /** Deadlines that are yet to come. */
  readonly deadlines: number;
}

export interface HalyardServer {
  readonly load: ServerLoad;
  /** Listens. Rejects with the error of the operating system (`EADDRINUSE`, `EACCES`, ...) when it cannot. */
  start(): Promise<{ readonly url: string; readonly port: number; readonly metricsUrl: string | null }>;
  /**
   * Stops accepting, closes sockets with 1001, completes streams, waits for answers under way and cuts connections that are
   * left after the grace. May be called at any time, also twice.
   */
  close(): Promise<void>;
}

/** The HTTP and WebSocket server around a schema. Knows of GraphQL and tokens, not of flags. */
export function createHalyardServer(options: HalyardServerOptions): HalyardServer {
  const { verifier, log, host } = options;
  const prefix = options.prefix ?? '';
  const limits: ServerLimits = { ...defaultServerLimits, ...options.limits };
  const streams = new OpenStreams(limits);
  const deadlines = new Deadlines();
  const whenTokenEnds = createTokenEnds(deadlines, verifier);
  const unsent = new UnsentBytes(limits);
  const unfinished = new ByteBudget({ perAddress: limits.bodiesPerAddress, inAll: limits.bodiesInAll });
  const bodies = new JsonBodies({ maxBodySize: limits.maxBodySize, unfinished });
  const kept = createAnswerStore();
  const eventStreams = new EventStreams(limits);
  const metrics =
    options.metrics === undefined
      ? null
      : new ServerMetrics(options.metrics.registry, () => ({ sockets: sockets.size, streams: eventStreams.size }));
  const operations = createOperations({
    ...options,
    limits,
    suggestions: options.suggestions ?? true,
    anonymousIntrospection: options.anonymousIntrospection ?? true,
    metrics,
  });
  const sockets = createSockets({
    operations,
    streams,
    whenTokenEnds,
    unsent,
    unfinished,
    verifier,
    log,
    limits,
    metrics,
  });

  const readiness = () =>
    listener.isClosing ? { ready: false, reason: 'The server is stopping.' } : options.readiness();
  const health = createHealthRoutes(readiness, log);
  const metricsRoute = metrics === null ? [] : [createMetricsRoute(metrics.registry)];
  const metricsPort = options.metrics?.port;
  const operatorListener =
    metricsPort === undefined
      ? null
      : createOperatorListener({
          routes: [...health, ...metricsRoute],
          host,
          port: metricsPort,
          unsent,
          patience: limits.answerTimeout,
          onError: error => log.error({ err: error }, 'The metrics could not be served.'),
        });
  const routes: readonly Route[] = [
    createGraphiQLRoute(graphqlPath),
    createGraphQLRoute({
      operations,
      streams,
      eventStreams,
      whenTokenEnds,
      bodies,
      kept,
    }),
    ...(options.ofrep === undefined
      ? []
      : createOfrepRoutes({
          ...options.ofrep,
          ...{ streams, eventStreams, whenTokenEnds, deadlines, bodies, kept, metrics },
          whenApiKeyLeaves: (id, act) => verifier.whenApiKeyLeaves(id, act),
          trustProxy: options.trustProxy ?? false,
          prefix,
        })),
    ...(options.console === undefined
      ? []
      : createConsoleRoutes({ ...options.console, bodies, codesPerMinute: limits.codesPerMinute })),
    ...health,
    ...(operatorListener === null ? metricsRoute : []),
    {
      path: '/',
      method: 'read',
      caller: 'anybody',
      // Without a prefix that is known, relative: so it stays below any that a proxy has taken away.
      handle: ({ response }) =>
        void response.writeHead(307, { location: prefix === '' ? graphqlPath.slice(1) : prefix + graphqlPath }).end(),
    },
  ];
  const listener = createListener({
    ...options,
    routes,
    upgrade: { path: graphqlPath, accept: sockets.accept },
    trustProxy: options.trustProxy ?? false,
    prefix,
    unsent,
    limits,
    metrics,
  });
  let closing: Promise<void> | null = null;

  async function close(): Promise<void> {
    await listener.close(async () => {
      streams.endAll();
      await sockets.close(Math.min(1_000, limits.shutdownGrace));
    });
    eventStreams.stop();
    deadlines.stop();
    metrics?.close();
    await Promise.all([operatorListener?.close(), operations.yoga.dispose()]);
  }

  return {
    get load() {
      return {
        connections: listener.places.count('connections'),
        sockets: sockets.size,
        live: listener.places.count('live'),
        streams: streams.size,
        requests: listener.places.count('requests'),
        addresses: listener.places.addresses,
        unsentBytes: unsent.held,
        unfinishedBytes: unfinished.held,
        keptBytes: streams.keptBytes,
        deadlines: deadlines.size,
      };
    },
    async start() {
      const urlOf = (port: number) => `http://${hostInUrl(host)}:${port}`;
      const port = await listener.start();
      const operatorPort = (await operatorListener?.start()) ?? port;
      return { url: urlOf(port), port, metricsUrl: metrics === null ? null : `${urlOf(operatorPort)}${metricsPath}` };
    },
    close() {
      closing ??= close();
      return closing;
    },
  };
}
