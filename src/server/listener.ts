import { createServer } from 'node:http';
import { type AddressInfo, Server as NetServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import type { Verifier } from '../auth/verifier.js';
import type { TrustProxy } from '../config/schema.js';
import { createAddressReader, createPeerReader } from './http/address.js';
import { type CorsOrigins, createOriginPolicy } from './http/cors.js';
import { HttpResponse, responsesOn, type UnsentPolicy } from './http/http-response.js';
import { Intake } from './http/intake.js';
import { type Place, type PlaceKind, type PlaceLimits, Places } from './http/places.js';
import { createPathReader, HttpRequest, requestIdOf } from './http/request.js';
import type { Route, UpgradeRoute } from './http/route.js';
import { Schedule } from './http/schedule.js';
import { sendError } from './http/send.js';
import { Turns } from './http/turns.js';
import { createUnreadableAnswers } from './http/unreadable.js';
import type { UnsentBytes } from './http/unsent-bytes.js';
import type { ServerLimits } from './limits.js';
import type { ServerMetrics } from './metrics/server-metrics.js';
import { createRouter } from './router.js';

export interface ListenerOptions {
  readonly routes: readonly Route[];
  readonly upgrade: UpgradeRoute;
  readonly verifier: Verifier;
  readonly corsOrigins: CorsOrigins;
  readonly trustProxy: TrustProxy;
  /** The path under which a proxy serves this, such as `/flags`; empty: none. */
  readonly prefix: string;
  readonly unsent: UnsentBytes;
  readonly limits: ServerLimits;
  readonly metrics: ServerMetrics | null;
  readonly log: Logger;
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
}

/** The server's end of its connections: takes them, bounds them, hands requests to their routes, and lets them go. */
export interface Listener {
  readonly places: Places;
  readonly isClosing: boolean;
  /** Listens. Rejects with the error of the operating system (`EADDRINUSE`, `EACCES`, ...) when it cannot. */
  start(): Promise<number>;
  /**
   * Stops accepting and waits for answers under way. Connections that are left after the grace are cut.
   * @param end ends the connections that would otherwise stay open.
   */
  close(end: () => Promise<void>): Promise<void>;
}

/** Connections that may wait to be accepted. The operating system may allow less. */
const maxBacklog = 4_096;

/** The status in metrics of a request whose client left before it was answered, as nginx logs it. */
const clientGone = 499;

export function createListener(options: ListenerOptions): Listener {
  const { upgrade, trustProxy, prefix, unsent, limits, metrics, log, host } = options;
  const perAddress: PlaceLimits = {
    connections: bothOf(limits.connectionsPerAddress, limits.requestsPerAddress),
    live: limits.connectionsPerAddress,
    requests: limits.requestsPerAddress,
  };
  const places = new Places(perAddress);
  const addressOf = createAddressReader(trustProxy);
  const peerOf = createPeerReader(trustProxy);
  const pathOf = createPathReader(prefix);
  const origins = createOriginPolicy(options.corsOrigins);
  const connections = new Set<Socket>();
  const schedule = new Schedule();
  const turns = new Turns(schedule);
  const intake = new Intake(schedule);
  const upgraded = new WeakSet<Duplex>();
  let isClosing = false;
  let warnedAt = Number.NEGATIVE_INFINITY;

  /** One line a minute says it; one for each would be the next thing that a flood fills up. */
  function warn(fields: object, message: string): void {
    const level = performance.now() - warnedAt > 60_000 ? 'warn' : 'debug';
    if (level === 'warn') warnedAt = performance.now();
    log[level](fields, message);
  }

  function take(kind: PlaceKind, address: string, holder: HttpResponse<HttpRequest> | Duplex): Place | null {
    const place = places.take(kind, address, holder);
    if (place !== null) return place;
    metrics?.countRefusal(kind === 'live' ? 'connections' : kind);
    warn({ address, limit: perAddress[kind] }, `${refusedPlaces[kind]} If that is a proxy, set TRUST_PROXY.`);
    return null;
  }

  const unsentPolicy: UnsentPolicy = {
    unsent,
    patience: limits.answerTimeout,
    onCut: address => warn({ address }, 'A connection is cut: its reader does not take the answer.'),
  };
  const router = createRouter({
    ...options,
    unsentPolicy,
    origins,
    pathOf,
    addressOf,
    takePlace: (address, response) => take('requests', address, response),
    takeLivePlace: (address, response) => take('live', address, response) !== null,
  });

  const server = createServer(
    {
      IncomingMessage: HttpRequest,
      ServerResponse: HttpResponse,
      maxHeaderSize: limits.maxHeaderSize,
      keepAliveTimeout: limits.keepAliveTimeout,
      headersTimeout: limits.headersTimeout,
      requestTimeout: limits.requestTimeout,
      connectionsCheckingInterval: Math.min(5_000, limits.headersTimeout),
    },
    receive,
  );
  // Node itself would answer an expectation, as often as one comes.
  server.on('checkExpectation', receive);

  function receive(request: HttpRequest, response: HttpResponse<HttpRequest>): void {
    const { socket } = request;
    intake.receive(request);
    // Node may have read hundreds of requests behind the one for which the connection was closed.
    if (socket.destroyed) return;
    if (isClosing) response.setHeader('connection', 'close');
    if (metrics !== null) {
      response.whenClosed(() =>
        metrics.countRequest(router.labelOf(request), response.headersSent ? response.statusCode : clientGone),
      );
    }
    // A request takes a place from the moment that it is kept.
    const place = turns.mustWait(socket) ? take('requests', addressOf(request), response) : undefined;
    const act = () => {
      place?.release();
      return answer(request, response);
    };
    if (place !== null && turns.run(socket, act)) return;
    if (place !== null) warn({ address: addressOf(request) }, 'A connection is cut: too many of its requests wait.');
    socket.destroy();
  }

  function answer(request: HttpRequest, response: HttpResponse<HttpRequest>): Promise<void> {
    return router.route(request, response).catch(error => {
      log.error({ err: error }, 'A request could not be answered.');
      if (response.headersSent) response.destroy();
      else sendError(response, 500, 'INTERNAL_SERVER_ERROR', 'Unexpected error.');
    });
  }

  /** One function for all connections, told of each by `this`: one for each would stay as long as it is open. */
  function letGo(this: Socket): void {
    connections.delete(this);
  }

  server.on('connection', (socket: Socket) => {
    connections.add(socket);
    intake.add(socket);
    socket.on('close', letGo);
    // Each request that waits on a connection listens for its end.
    socket.setMaxListeners(0);
    const peer = peerOf(socket);
    if (peer !== null && take('connections', peer, socket) === null) socket.destroy();
  });

  const answerUnreadable = createUnreadableAnswers(origins, limits);
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const [first, ...others] = responsesOn(socket as Socket);
    // The request whose body cannot be read is under way itself.
    const isItsOwn = first !== undefined && !first.headersSent && !first.req.complete && others.length === 0;
    const status = answerUnreadable(error, socket, first !== undefined && !isItsOwn);
    if (status !== null) metrics?.countRequest('other', status);
  });

  const hasWaiting = (socket: Socket) => intake.hasWaiting(socket);
  // A function of its own: the listener lives as long as the socket, and would keep the whole request.
  const reportFailure = (socket: Duplex, requestId: string) =>
    socket.on('error', error => log.debug({ err: error, requestId }, 'A socket failed.'));
  server.on('upgrade', (request, socket, head) => {
    // From here on Node no longer times earlier answers: one that is still on its way could stay there for good.
    if (responsesOn(request.socket).size > 0 || socket.writableLength > 0) return socket.destroy();
    // A copy: the id was put together of many parts, which would stay as long as the socket.
    const requestId = Buffer.from(requestIdOf(request)).toString();
    reportFailure(socket, requestId);
    const refuse = (status: keyof typeof refusals) => {
      metrics?.countRequest(router.labelOf(request), status);
      refuseUpgrade(socket, status, requestId);
    };
    if (isClosing) return refuse(503);
    if (pathOf(request) !== upgrade.path) return refuse(404);
    if (!origins.allows(request.headers.origin)) return refuse(403);
    const address = addressOf(request);
    if (take('live', address, socket) === null) return refuse(429);
    upgraded.add(socket);
    intake.guard(request.socket);
    metrics?.countRequest(upgrade.path, 101);
    upgrade.accept(request, socket, head, { requestId, address, hasWaiting });
  });

  return {
    places,
    get isClosing() {
      return isClosing;
    },
    start: () =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(options.port, host, maxBacklog, () => {
          server.off('error', reject);
          server.on('error', error => log.error({ err: error }, 'The server failed.'));
          resolve((server.address() as AddressInfo).port);
        });
      }),
    async close(end) {
      isClosing = true;
      // Node's own `close` cuts connections whose answer has been written and not been taken yet.
      const closed = new Promise<void>(resolve => NetServer.prototype.close.call(server, () => resolve()));
      for (const response of [...connections].flatMap(socket => [...responsesOn(socket)])) {
        if (!response.headersSent) response.setHeader('connection', 'close');
      }
      const timer = setTimeout(() => {
        for (const socket of connections) socket.destroy();
      }, limits.shutdownGrace);
      // A connection whose last answer was already on its way when this began is idle only once that has been taken.
      const sweep = setInterval(closeIdle, 50);
      closeIdle();
      await Promise.all([closed, end()]);
      clearTimeout(timer);
      clearInterval(sweep);
      server.close();
    },
  };

  /** Closes connections on which nothing is under way: no request, no answer, no socket of ours. */
  function closeIdle(): void {
    for (const socket of connections) if (responsesOn(socket).size === 0 && !upgraded.has(socket)) socket.destroy();
  }
}

/** 0, no limit, if either is. */
const bothOf = (a: number, b: number) => (a === 0 || b === 0 ? 0 : a + b);

const refusedPlaces: Readonly<Record<PlaceKind, string>> = {
  connections: 'A connection is cut: its address holds as many connections as it may.',
  live: 'A connection is refused: its address holds as many as MAX_CONNECTIONS_PER_ADDRESS.',
  requests: 'A request is refused: its address has as many under way as MAX_REQUESTS_PER_ADDRESS.',
};

const refusals = { 403: 'Forbidden', 404: 'Not Found', 429: 'Too Many Requests', 503: 'Service Unavailable' } as const;
const retryAfter = 'Retry-After: 5\r\n';

function refuseUpgrade(socket: Duplex, status: keyof typeof refusals, requestId: string): void {
  const headers = `Connection: close\r\nContent-Length: 0\r\nX-Request-Id: ${requestId}\r\n`;
  // A client that is refused cannot hold the connection by keeping its own side open.
  socket.once('finish', () => socket.destroy());
  socket.end(`HTTP/1.1 ${status} ${refusals[status]}\r\n${headers}${status === 429 ? retryAfter : ''}\r\n`);
}
