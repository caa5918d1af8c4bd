import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { GraphQLSchema } from 'graphql';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Caller } from '../auth/caller.js';
import type { Verifier } from '../auth/verifier.js';
import type { TrustProxy } from '../config/schema.js';
import { Deadlines } from './deadlines.js';
import { createAddressReader, createPeerReader } from './http/address.js';
import { whenClosed } from './http/closed.js';
import { type CorsOrigins, handleCors, isOriginAllowed } from './http/cors.js';
import { type Place, Places } from './http/places.js';
import { HttpRequest, pathOf, requestIdOf } from './http/request.js';
import { sendError, sendJson } from './http/response.js';
import { HttpResponse, UnsentBytes } from './http/unsent.js';
import { defaultServerLimits, type ServerLimits } from './limits.js';
import { createMetricsListener, metricsPath, sendMetrics } from './metrics/metrics-listener.js';
import { ServerMetrics } from './metrics/server-metrics.js';
import { formatErrors, maskError, reportTo } from './operations/mask-error.js';
import { createOperations } from './operations/operations.js';
import type { OperationOrigin } from './operations/origin.js';
import { OpenStreams } from './operations/streams.js';
import { EventStreams } from './protocols/event-stream.js';
import { createGraphiQL, wantsPage } from './protocols/graphiql.js';
import { createGraphQLOverHttp } from './protocols/graphql-http.js';
import { createSockets } from './protocols/graphql-ws.js';

export type { ServerLimits } from './limits.js';

/** Whether the server can do its work; `reason` says why not. Whatever else stands here is shown too. */
export interface Readiness {
  readonly ready: boolean;
  readonly reason?: string;
  readonly [detail: string]: unknown;
}

export interface HalyardServerOptions {
  readonly schema: GraphQLSchema;
  /** Makes what resolvers see beside the {@link OperationOrigin}; called once an operation. */
  readonly createContext: (caller: Caller, origin: OperationOrigin) => object | Promise<object>;
  /** What the answers of fields that the schema marks as repeatable stand on; see `FeatureService.basis`. */
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
  /** Whether callers without a token may ask for the schema. Default true. */
  readonly anonymousIntrospection?: boolean;
  readonly limits?: Partial<ServerLimits>;
  /** Whose `X-Forwarded-For` is believed. Default false: nobody's. */
  readonly trustProxy?: TrustProxy;
  /** Where to count, and whether `/metrics` has a port of its own. Absent: nothing is counted. */
  readonly metrics?: { readonly registry: Registry; readonly port?: number };
}

/** What a server holds right now. */
export interface ServerLoad {
  /** TCP connections whose address is counted: none of those of trusted proxies. */
  readonly connections: number;
  readonly sockets: number;
  /** Places of WebSockets and streams of events. */
  readonly live: number;
  /** Subscriptions that are open, over WebSocket and server-sent events. */
  readonly streams: number;
  /** Plain requests that are under way. */
  readonly requests: number;
  /** Addresses that hold a place of any kind. */
  readonly addresses: number;
  /** Bytes of answers that wait for their readers. */
  readonly unsentBytes: number;
  /** Deadlines that are yet to come. */
  readonly deadlines: number;
}

export interface HalyardServer {
  readonly load: ServerLoad;
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
  const streams = new OpenStreams();
  const deadlines = new Deadlines();
  const unsent = new UnsentBytes(limits);
  const places = new Places({
    connections: bothOf(limits.connectionsPerAddress, limits.requestsPerAddress),
    live: limits.connectionsPerAddress,
    requests: limits.requestsPerAddress,
  });
  const addressOf = createAddressReader(options.trustProxy ?? false);
  const peerOf = createPeerReader(options.trustProxy ?? false);
  const eventStreams = new EventStreams(limits);
  const metrics =
    options.metrics === undefined
      ? null
      : new ServerMetrics(options.metrics.registry, () => ({ sockets: sockets.size, streams: eventStreams.size }));
  const metricsListener =
    options.metrics?.port === undefined
      ? null
      : createMetricsListener({
          host: options.host,
          port: options.metrics.port,
          answer: answerOperator,
          onError: error => log.error({ err: error }, 'The metrics could not be served.'),
        });
  const operations = createOperations({
    schema: options.schema,
    createContext: options.createContext,
    basisOf: options.basisOf,
    log,
    limits,
    maxBodySize: limits.maxBodySize,
    suggestions: options.suggestions ?? true,
    anonymousIntrospection: options.anonymousIntrospection ?? true,
    metrics,
  });
  const answerGraphQL = createGraphQLOverHttp({
    operations,
    streams,
    eventStreams,
    deadlines,
    maxBodySize: limits.maxBodySize,
  });
  const sockets = createSockets({ operations, streams, deadlines, unsent, verifier, log, limits, metrics });
  const serveGraphiQL = createGraphiQL();
  const operatorPaths = new Set([
    '/health',
    '/ready',
    ...(metrics === null || metricsListener !== null ? [] : [metricsPath]),
  ]);
  const open = new Set<HttpResponse>();
  let closing: Promise<void> | null = null;
  let warnedAt = Number.NEGATIVE_INFINITY;

  /** One line a minute says it; one for each would be the next thing that a flood fills up. */
  function warn(fields: object, message: string): void {
    const level = performance.now() - warnedAt > 60_000 ? 'warn' : 'debug';
    if (level === 'warn') warnedAt = performance.now();
    log[level](fields, message);
  }

  function takeLivePlace(address: string, holder: HttpResponse | Duplex): Place | null {
    const place = places.take('live', address, holder);
    if (place !== null) return place;
    metrics?.refused('connections');
    warn(
      { address, limit: limits.connectionsPerAddress },
      'A connection is refused: its address holds as many as MAX_CONNECTIONS_PER_ADDRESS. If that is a proxy, set TRUST_PROXY.',
    );
    return null;
  }

  function takeRequestPlace(address: string, response: HttpResponse): Place | null {
    const place = places.take('requests', address, response);
    if (place !== null) return place;
    metrics?.refused('requests');
    warn(
      { address, limit: limits.requestsPerAddress },
      'A request is refused: its address has as many under way as MAX_REQUESTS_PER_ADDRESS. If that is a proxy, set TRUST_PROXY.',
    );
    return null;
  }

  async function handle(request: IncomingMessage, response: HttpResponse): Promise<void> {
    const requestId = requestIdOf(request);
    response.setHeader('x-request-id', requestId);
    if (closing !== null) response.setHeader('connection', 'close');
    const path = pathOf(request);
    const address = addressOf(request);
    response.account({
      unsent,
      address,
      onCut: () => warn({ address, requestId }, 'A connection is cut: its reader does not take the answer.'),
    });
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (operatorPaths.has(path)) {
      // Pages of other origins have no business here.
      return isRead ? answerOperator(path, response) : sendError(response, 404, 'NOT_FOUND', notFound);
    }
    if (handleCors(request, response, corsOrigins)) return;
    const place = takeRequestPlace(address, response);
    if (place === null) {
      response.setHeader('retry-after', '5');
      return sendError(response, 429, 'TOO_MANY_REQUESTS', 'This address has as many requests under way as it may.');
    }
    if (path === graphqlPath) return handleGraphQL(request, response, { requestId, address, place });
    if (path === '/' && isRead) {
      response.writeHead(307, { location: graphqlPath }).end();
      return;
    }
    sendError(response, 404, 'NOT_FOUND', notFound);
  }

  async function answerOperator(path: string, response: ServerResponse): Promise<void> {
    if (path === '/health') sendJson(response, 200, { status: 'ok' });
    else if (path === '/ready') await sendReadiness(response);
    else if (path === metricsPath && metrics !== null) await sendMetrics(metrics.registry, response);
    else sendError(response, 404, 'NOT_FOUND', notFound);
  }

  async function handleGraphQL(
    request: IncomingMessage,
    response: HttpResponse,
    { requestId, address, place }: { requestId: string; address: string; place: Place },
  ): Promise<void> {
    if (wantsPage(request)) return serveGraphiQL(request, response);
    if (request.method === 'POST') {
      const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
      if (type !== 'application/json') {
        response.setHeader('accept', 'application/json');
        return sendError(response, 415, 'UNSUPPORTED_MEDIA_TYPE', 'A POST takes a body of application/json.');
      }
      // Yoga compares the type letter by letter.
      request.headers['content-type'] = type;
    }
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
    const origin: OperationOrigin = {
      caller,
      requestId,
      address,
      get log() {
        requestLog ??= log.child({ requestId, address });
        return requestLog;
      },
    };
    await answerGraphQL(request, response, origin, () => {
      if (takeLivePlace(address, response) === null) return false;
      place.release();
      return true;
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

  const server = createServer(
    {
      IncomingMessage: HttpRequest,
      ServerResponse: HttpResponse,
      keepAliveTimeout: 72_000,
      headersTimeout: limits.headersTimeout,
      requestTimeout: limits.requestTimeout,
      connectionsCheckingInterval: Math.min(5_000, limits.headersTimeout),
    },
    (request, response) => {
      open.add(response);
      whenClosed(response, () => {
        open.delete(response);
        metrics?.requested(routeOf(pathOf(request)), response.headersSent ? response.statusCode : clientGone);
      });
      handle(request, response).catch(error => {
        log.error({ err: error }, 'A request could not be answered.');
        if (response.headersSent) response.destroy();
        else sendError(response, 500, 'INTERNAL_SERVER_ERROR', 'Unexpected error.');
      });
    },
  );
  server.on('connection', (socket: Socket) => {
    // Each request that waits on a connection listens for its end.
    socket.setMaxListeners(0);
    const peer = peerOf(socket);
    if (peer === null || places.take('connections', peer, socket) !== null) return;
    metrics?.refused('connections');
    warn(
      { address: peer },
      'A connection is cut: its address holds as many connections as it may. If that is a proxy, set TRUST_PROXY.',
    );
    socket.destroy();
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
    if (takeLivePlace(address, socket) === null) return refuse(429);
    metrics?.requested(path, 101);
    sockets.accept(request, socket, head, { requestId, address });
  });

  async function close(): Promise<void> {
    const closed = new Promise<void>(resolve => server.close(() => resolve()));
    streams.endAll();
    for (const response of open) if (!response.headersSent) response.setHeader('connection', 'close');
    const timer = setTimeout(() => server.closeAllConnections(), limits.shutdownGrace);
    // A connection whose last answer was already on its way when this began is idle only once that has been sent.
    const sweep = setInterval(() => server.closeIdleConnections(), 50);
    await Promise.all([closed, sockets.close(Math.min(1_000, limits.shutdownGrace))]);
    clearTimeout(timer);
    clearInterval(sweep);
    eventStreams.stop();
    deadlines.stop();
    metrics?.close();
    await Promise.all([metricsListener?.close(), operations.yoga.dispose()]);
  }

  return {
    get load() {
      return {
        connections: places.count('connections'),
        sockets: sockets.size,
        live: places.count('live'),
        streams: streams.size,
        requests: places.count('requests'),
        addresses: places.addresses,
        unsentBytes: unsent.inAll,
        deadlines: deadlines.size,
      };
    },
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

/** 0, no limit, if either is. */
const bothOf = (a: number, b: number) => (a === 0 || b === 0 ? 0 : a + b);

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
