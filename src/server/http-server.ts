import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { GraphQLSchema } from 'graphql';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Caller } from '../auth/caller.js';
import type { Verifier } from '../auth/verifier.js';
import type { TrustProxy } from '../config/schema.js';
import { AddressSlots } from './address-slots.js';
import { createAddressReader } from './client-address.js';
import { type CorsOrigins, handleCors, isOriginAllowed } from './cors.js';
import { type DocumentLimits, defaultDocumentLimits } from './document-limits.js';
import { createExecutor } from './executor.js';
import { createGraphiQL, wantsPage } from './graphiql.js';
import { HttpRequest, pathOf, requestIdOf } from './http-request.js';
import { sendError, sendJson } from './http-response.js';
import { formatErrors, maskError, reportTo } from './mask-error.js';
import { createMetricsListener, metricsPath, sendMetrics } from './metrics/metrics-listener.js';
import { ServerMetrics } from './metrics/server-metrics.js';
import type { OperationOrigin } from './operation-origin.js';
import { OpenStreams } from './plugins/use-open-streams.js';
import { createThinTransport } from './thin-transport.js';
import { createSockets, type SocketLimits } from './websocket.js';

/** Whether the server can do its work; `reason` says why not. Whatever else stands here is shown too. */
export interface Readiness {
  readonly ready: boolean;
  readonly reason?: string;
  readonly [detail: string]: unknown;
}

export interface ServerLimits extends DocumentLimits, SocketLimits {
  /** The largest body of a request, in bytes; a larger one is answered 413. */
  readonly maxBodySize: number;
  /** WebSockets and streams of events that one address may hold open. 0: no limit. */
  readonly connectionsPerAddress: number;
  /** How long a stop waits for what is under way, in milliseconds. */
  readonly shutdownGrace: number;
}

export const defaultServerLimits: ServerLimits = Object.freeze({
  ...defaultDocumentLimits,
  maxBodySize: 1_000_000,
  maxMessageSize: 1_000_000,
  maxBufferedBytes: 1_000_000,
  stallTimeout: 30_000,
  pingInterval: 12_000,
  initTimeout: 5_000,
  subscriptionsPerSocket: 100,
  connectionsPerAddress: 1_000,
  shutdownGrace: 3_000,
});

export interface HalyardServerOptions {
  readonly schema: GraphQLSchema;
  /** Makes what resolvers see beside the {@link OperationOrigin}; called once an operation. */
  readonly createContext: (caller: Caller, origin: OperationOrigin) => object | Promise<object>;
  /** What the answers of fields that the schema marks as steady stand on; see `FeatureService.basis`. */
  readonly basisOf?: (caller: Caller) => object | null;
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
  readonly limits?: Partial<ServerLimits>;
  /** Whose `X-Forwarded-For` is believed. Default false: nobody's. */
  readonly trustProxy?: TrustProxy;
  /** Where to count, and whether `/metrics` has a port of its own. Absent: nothing is counted. */
  readonly metrics?: { readonly registry: Registry; readonly port?: number };
}

export interface HalyardServer {
  /** Listens. Rejects with the error of the operating system (`EADDRINUSE`, `EACCES`, ...) when it cannot. */
  start(): Promise<{ readonly url: string; readonly port: number; readonly metricsUrl: string | null }>;
  /**
   * Stops accepting, closes sockets with 1001, completes streams, waits for answers under way and cuts what is left after
   * the grace. May be called at any time, also twice.
   */
  close(): Promise<void>;
}

const graphqlPath = '/graphql';

/** The HTTP and WebSocket server around a schema. Knows of GraphQL and tokens, not of flags. */
export function createHalyardServer(options: HalyardServerOptions): HalyardServer {
  const { verifier, log, corsOrigins } = options;
  const limits: ServerLimits = { ...defaultServerLimits, ...options.limits };
  const openStreams = new OpenStreams();
  const slots = new AddressSlots(limits.connectionsPerAddress);
  const addressOf = createAddressReader(options.trustProxy ?? false);
  const metrics =
    options.metrics === undefined
      ? null
      : new ServerMetrics(options.metrics.registry, () => ({ sockets: sockets.size, streams: openStreams.size }));
  const metricsListener =
    options.metrics?.port === undefined
      ? null
      : createMetricsListener({
          host: options.host,
          port: options.metrics.port,
          answer: answerOperator,
          onError: error => log.error({ err: error }, 'The metrics could not be served.'),
        });
  const executor = createExecutor({
    schema: options.schema,
    createContext: options.createContext,
    basisOf: options.basisOf,
    log,
    limits,
    maxBodySize: limits.maxBodySize,
    suggestions: options.suggestions ?? true,
    openStreams,
    streamSlots: { take: takeSlot },
    metrics,
  });
  const transport = createThinTransport(executor);
  const sockets = createSockets({ executor, verifier, log, limits, metrics });
  const serveGraphiQL = createGraphiQL();
  const pending = new Set<ServerResponse>();
  let closing: Promise<void> | null = null;
  let warnedAt = Number.NEGATIVE_INFINITY;

  function takeSlot(address: string): (() => void) | null {
    if (!slots.isFull(address)) return slots.take(address);
    metrics?.refused('connections');
    // One line a minute says it; one for each would be the next thing that a flood fills up.
    const level = performance.now() - warnedAt > 60_000 ? 'warn' : 'debug';
    if (level === 'warn') warnedAt = performance.now();
    log[level](
      { address, limit: limits.connectionsPerAddress },
      'A connection is refused: its address holds as many as MAX_CONNECTIONS_PER_ADDRESS. If that is a proxy, set TRUST_PROXY.',
    );
    return null;
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const requestId = requestIdOf(request);
    response.setHeader('x-request-id', requestId);
    if (closing !== null) response.setHeader('connection', 'close');
    if (handleCors(request, response, corsOrigins)) return;
    const path = pathOf(request);
    if (path === graphqlPath) return handleGraphQL(request, response, requestId);
    if (request.method !== 'GET' && request.method !== 'HEAD') return sendError(response, 404, 'NOT_FOUND', notFound);
    if ((path !== metricsPath || metricsListener === null) && (await answerOperator(path, response))) return;
    if (path === '/') {
      response.writeHead(307, { location: graphqlPath }).end();
      return;
    }
    sendError(response, 404, 'NOT_FOUND', notFound);
  }

  /** What those ask for who look after the server. */
  async function answerOperator(path: string, response: ServerResponse): Promise<boolean> {
    if (path === '/health') sendJson(response, 200, { status: 'ok' });
    else if (path === '/ready') await sendReadiness(response);
    else if (path === metricsPath && metrics !== null) await sendMetrics(metrics.registry, response);
    else return false;
    return true;
  }

  async function handleGraphQL(request: IncomingMessage, response: ServerResponse, requestId: string): Promise<void> {
    if (wantsPage(request)) return serveGraphiQL(request, response);
    if (request.method === 'POST') {
      const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
      if (type !== 'application/json') {
        response.setHeader('accept', 'application/json');
        return sendError(response, 415, 'UNSUPPORTED_MEDIA_TYPE', 'A POST takes a body of application/json.');
      }
      // Yoga compares the type letter by letter.
      request.headers['content-type'] = type;
      if (Number(request.headers['content-length'] ?? 0) > limits.maxBodySize) {
        const message = `The body of a request may have at most ${limits.maxBodySize} bytes.`;
        return sendError(response, 413, 'REQUEST_ENTITY_TOO_LARGE', message);
      }
    }
    const address = addressOf(request);
    let caller: Caller;
    try {
      caller = await verifier.verify(request.headers.authorization);
    } catch (error) {
      const masked = maskError(error, reportTo(log.child({ requestId, address })), true);
      const status = { UNAUTHENTICATED: 401, UNAVAILABLE: 503 }[String(masked.extensions['code'])] ?? 500;
      if (status === 401) response.setHeader('www-authenticate', 'Bearer error="invalid_token"');
      return sendJson(response, status, { errors: formatErrors([masked]) });
    }
    let requestLog: Logger | undefined;
    await transport(request, response, {
      caller,
      requestId,
      address,
      // Most requests write no line.
      get log() {
        requestLog ??= log.child({ requestId, address });
        return requestLog;
      },
      res: response,
    });
  }

  async function sendReadiness(response: ServerResponse): Promise<void> {
    let readiness: Readiness;
    try {
      readiness = closing === null ? await options.readiness() : { ready: false, reason: 'The server is stopping.' };
    } catch (error) {
      log.error({ err: error }, 'The readiness could not be determined.');
      readiness = { ready: false, reason: 'The readiness could not be determined.' };
    }
    sendJson(response, readiness.ready ? 200 : 503, readiness);
  }

  function refuseUpgrade(socket: Duplex, status: keyof typeof refusals, route: string, requestId: string): void {
    metrics?.requested(route, status);
    const headers = `Connection: close\r\nContent-Length: 0\r\nX-Request-Id: ${requestId}\r\n`;
    // Who is refused cannot hold the connection by keeping its own side open.
    socket.once('finish', () => socket.destroy());
    socket.end(`HTTP/1.1 ${status} ${refusals[status]}\r\n${headers}${status === 429 ? retryAfter : ''}\r\n`);
  }

  const server = createServer({ IncomingMessage: HttpRequest, keepAliveTimeout: 72_000 }, (request, response) => {
    pending.add(response);
    response.once('close', () => {
      pending.delete(response);
      metrics?.requested(routeOf(pathOf(request)), response.headersSent ? response.statusCode : clientGone);
    });
    handle(request, response).catch(error => {
      log.error({ err: error }, 'A request could not be answered.');
      if (response.headersSent) response.destroy();
      else sendError(response, 500, 'INTERNAL_SERVER_ERROR', 'Unexpected error.');
    });
  });
  server.on('upgrade', (request, socket, head) => {
    const requestId = requestIdOf(request);
    socket.on('error', error => log.debug({ err: error, requestId }, 'A socket failed.'));
    const path = pathOf(request);
    const refuse = (status: keyof typeof refusals) => refuseUpgrade(socket, status, routeOf(path), requestId);
    if (closing !== null) return refuse(503);
    if (path !== graphqlPath) return refuse(404);
    if (!isOriginAllowed(request.headers.origin, corsOrigins)) return refuse(403);
    const address = addressOf(request);
    const release = takeSlot(address);
    if (release === null) return refuse(429);
    socket.once('close', release);
    metrics?.requested(path, 101);
    sockets.accept(request, socket, head, { requestId, address });
  });

  async function close(): Promise<void> {
    const closed = new Promise<void>(resolve => server.close(() => resolve()));
    openStreams.endAll();
    for (const response of pending) if (!response.headersSent) response.setHeader('connection', 'close');
    const timer = setTimeout(() => server.closeAllConnections(), limits.shutdownGrace);
    // A connection whose last answer was already on its way when this began is idle only once that has been sent.
    const sweep = setInterval(() => server.closeIdleConnections(), 50);
    await Promise.all([closed, sockets.close(Math.min(1_000, limits.shutdownGrace))]);
    clearTimeout(timer);
    clearInterval(sweep);
    metrics?.close();
    await Promise.all([metricsListener?.close(), executor.yoga.dispose()]);
  }

  return {
    start: () =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(options.port, options.host, () => {
          server.off('error', reject);
          server.on('error', error => log.error({ err: error }, 'The server failed.'));
          const { port } = server.address() as AddressInfo;
          const urlOf = (port: number) => `http://${hostInUrl(options.host)}:${port}`;
          const url = urlOf(port);
          const started = (metricsPort: number) =>
            resolve({ url, port, metricsUrl: metrics === null ? null : `${urlOf(metricsPort)}${metricsPath}` });
          if (metricsListener === null) started(port);
          else metricsListener.start().then(started, reject);
        });
      }),
    close() {
      closing ??= close();
      return closing;
    },
  };
}

const notFound = `There is nothing here: the API is at ${graphqlPath}.`;

const refusals = { 403: 'Forbidden', 404: 'Not Found', 429: 'Too Many Requests', 503: 'Service Unavailable' } as const;
const retryAfter = 'Retry-After: 5\r\n';

/** What metrics show for a request whose client left before it was answered, as nginx logs it. */
const clientGone = 499;

const routes = [graphqlPath, '/', '/health', '/ready', metricsPath];

/** Paths are the caller's to choose, so that only those that lead somewhere are told apart. */
const routeOf = (path: string) => (routes.includes(path) ? path : 'other');

/** How to reach a server that listens on this host from the machine it runs on. */
function hostInUrl(host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}
