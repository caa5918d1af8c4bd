import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ExecutionArgs, GraphQLError, getOperationAST } from 'graphql';
import { CloseCode, handleProtocols, makeServer, type SubscribePayload } from 'graphql-ws';
import type { GraphQLParams } from 'graphql-yoga';
import type { Logger } from 'pino';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import type { Caller } from '../auth/caller.js';
import { InvalidTokenError } from '../auth/invalid-token-error.js';
import type { Verifier } from '../auth/verifier.js';
import { UnavailableError } from '../core/errors.js';
import { atDeadline } from './deadline.js';
import type { Executor } from './executor.js';
import { formatErrors } from './mask-error.js';
import type { ServerMetrics } from './metrics/server-metrics.js';

export interface SocketLimits {
  /** The largest message that is taken, in bytes; a larger one closes the socket with 1009. */
  readonly maxMessageSize: number;
  /** So many bytes may wait for a slow reader before nothing more is read from it. */
  readonly maxBufferedBytes: number;
  /** A reader that stays slow for so many milliseconds is closed with 1013. */
  readonly stallTimeout: number;
  /** Milliseconds between pings. Who has not answered one when the next is due is taken for dead. */
  readonly pingInterval: number;
  /** Milliseconds within which a new socket must say who it is; later it is closed with 4408. */
  readonly initTimeout: number;
  /** Subscriptions that one socket may hold open; one more fails alone. 0: no limit. */
  readonly subscriptionsPerSocket: number;
}

export interface SocketsOptions {
  readonly executor: Executor;
  readonly verifier: Verifier;
  readonly log: Logger;
  readonly limits: SocketLimits;
  readonly metrics: ServerMetrics | null;
}

/** The WebSocket side of the server: the graphql-transport-ws protocol. */
export interface Sockets {
  readonly size: number;
  /** Takes a request to upgrade whose path and origin have been accepted. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer, from: { requestId: string; address: string }): void;
  /** Closes every socket with 1001; those that do not answer in time are cut. */
  close(graceMs: number): Promise<void>;
}

const tryAgainLater = 1013;

interface Connection {
  readonly socket: WebSocket;
  readonly log: Logger;
  readonly requestId: string;
  readonly address: string;
  caller: Caller | null;
  /** How many there have been. */
  operations: number;
  /** Those that are open now, each by the message that began it: a client may use an id again. */
  readonly subscriptions: Set<SubscribePayload>;
  /** Whether anything has come from the peer since the last ping. */
  alive: boolean;
  /** Since when reading is paused because the peer does not take what it asked for. */
  stalledSince: number | null;
  cancelDeadline(): void;
  /** Resolves when the socket has closed and its operations have been told to end. */
  readonly closed: Promise<void>;
}

export function createSockets({ executor, verifier, log, limits, metrics }: SocketsOptions): Sockets {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: limits.maxMessageSize,
    handleProtocols,
  });
  const connections = new Set<Connection>();

  const protocol = makeServer<Record<string, unknown>, Connection>({
    connectionInitWaitTimeout: limits.initTimeout,
    async onConnect({ connectionParams, extra }) {
      const caller = await identify(extra, authorizationIn(connectionParams));
      if (caller === null) return false;
      extra.caller = caller;
      if (!connections.has(extra)) return false;
      extra.cancelDeadline = atDeadline(caller.expiresAt, () =>
        extra.socket.close(CloseCode.Forbidden, 'The token has expired.'),
      );
      return true;
    },
    async onSubscribe({ extra }, _id, payload) {
      extra.operations += 1;
      const requestId = `${extra.requestId}/${extra.operations}`;
      const { address, subscriptions } = extra;
      const prepared = await executor.prepare(paramsOf(payload), {
        caller: extra.caller as Caller,
        requestId,
        address,
        log: log.child({ requestId, address }),
      });
      if (!('document' in prepared)) return prepared;
      if (getOperationAST(prepared.document, prepared.operationName)?.operation !== 'subscription') return prepared;
      if (limits.subscriptionsPerSocket > 0 && subscriptions.size >= limits.subscriptionsPerSocket) {
        metrics?.refused('subscriptions');
        return [tooManySubscriptions(limits.subscriptionsPerSocket)];
      }
      subscriptions.add(payload);
      return prepared;
    },
    onComplete({ extra }, _id, payload) {
      extra.subscriptions.delete(payload);
    },
    execute: (args: ExecutionArgs) => executor.execute(args),
    subscribe: (args: ExecutionArgs) => executor.subscribe(args),
    onNext(_context, _id, _payload, _args, { errors, data, extensions }) {
      if (errors === undefined) return;
      const rest = { ...(data === undefined ? {} : { data }), ...(extensions === undefined ? {} : { extensions }) };
      return { ...rest, errors: formatErrors(errors) };
    },
    onError: (_context, _id, _payload, errors: readonly GraphQLError[]) => formatErrors(errors),
  });

  async function identify({ socket, log }: Connection, authorization: unknown): Promise<Caller | null> {
    try {
      if (authorization != null && typeof authorization !== 'string') {
        throw new InvalidTokenError('The authorization is not text.');
      }
      return await verifier.verify(authorization);
    } catch (error) {
      if (error instanceof InvalidTokenError) {
        socket.close(CloseCode.Forbidden, error.message);
      } else {
        if (!(error instanceof UnavailableError)) log.error({ err: error }, 'A token could not be verified.');
        socket.close(tryAgainLater, 'Tokens cannot be verified at the moment.');
      }
      return null;
    }
  }

  /**
   * Resolves when the kernel has taken the message: what produces messages waits for that before it makes the next, so a
   * slow reader holds up its own streams. What it asks for beyond that is held up by no longer reading from it.
   */
  function send(connection: Connection, data: string): Promise<void> {
    const { socket } = connection;
    // Until its operations are told to end, a closing socket holds them up: nothing else would stop a busy one.
    if (socket.readyState !== socket.OPEN) return connection.closed;
    return new Promise(resolve => {
      socket.send(data, () => {
        if (connection.stalledSince !== null && socket.bufferedAmount <= limits.maxBufferedBytes / 2) {
          connection.stalledSince = null;
          socket.resume();
        }
        resolve();
      });
      if (connection.stalledSince === null && socket.bufferedAmount > limits.maxBufferedBytes) {
        connection.stalledSince = Date.now();
        socket.pause();
      }
    });
  }

  function opened(socket: WebSocket, { requestId, address }: { requestId: string; address: string }): void {
    let resolveClosed = () => {};
    const connection: Connection = {
      closed: new Promise(resolve => {
        resolveClosed = resolve;
      }),
      socket,
      requestId,
      address,
      log: log.child({ requestId, address }),
      caller: null,
      operations: 0,
      subscriptions: new Set(),
      alive: true,
      stalledSince: null,
      cancelDeadline: () => {},
    };
    connections.add(connection);
    socket.on('error', error => connection.log.debug({ err: error }, 'A socket failed.'));
    socket.on('pong', () => {
      connection.alive = true;
    });
    const closed = protocol.opened(
      {
        protocol: socket.protocol,
        send: data => send(connection, data),
        close: (code, reason) => socket.close(code, reason),
        onMessage: handle =>
          socket.on('message', (data: RawData) => {
            connection.alive = true;
            handle(String(data)).catch(error => {
              connection.log.error({ err: error }, 'A message could not be handled.');
              socket.close(CloseCode.InternalServerError, 'Internal server error');
            });
          }),
      },
      connection,
    );
    socket.once('close', (code, reason) => {
      connections.delete(connection);
      connection.cancelDeadline();
      closed(code, String(reason)).catch(error =>
        connection.log.error({ err: error }, 'A subscription did not end well.'),
      );
      resolveClosed();
    });
  }

  const heartbeat = setInterval(() => {
    for (const connection of connections) {
      const { socket, stalledSince } = connection;
      if (stalledSince !== null) {
        if (Date.now() - stalledSince >= limits.stallTimeout) dropStalled(connection);
      } else if (!connection.alive) {
        socket.terminate();
      } else {
        connection.alive = false;
        if (socket.readyState === socket.OPEN) socket.ping();
      }
    }
  }, limits.pingInterval).unref();

  function dropStalled({ socket, log }: Connection): void {
    log.warn({ bufferedBytes: socket.bufferedAmount }, 'A socket that stopped reading is closed.');
    // The reader may yet wake up and see why; it will not be waited for longer than until the next round.
    if (socket.readyState === socket.OPEN) socket.close(tryAgainLater, 'The connection is too slow.');
    else socket.terminate();
  }

  return {
    get size() {
      return connections.size;
    },
    accept(request, socket, head, from) {
      server.handleUpgrade(request, socket, head, webSocket => opened(webSocket, from));
    },
    async close(graceMs) {
      clearInterval(heartbeat);
      const sockets = [...connections].map(({ socket }) => socket);
      const gone = sockets.map(socket => new Promise(resolve => socket.once('close', resolve)));
      for (const socket of sockets) {
        socket.resume();
        socket.close(1001, 'The server is going away.');
      }
      const timer = setTimeout(() => {
        for (const socket of sockets) socket.terminate();
      }, graceMs);
      await Promise.all(gone);
      clearTimeout(timer);
      server.close();
    },
  };
}

const tooManySubscriptions = (limit: number) =>
  new GraphQLError(`A socket may hold at most ${limit} subscriptions open.`, {
    extensions: { code: 'TOO_MANY_SUBSCRIPTIONS' },
  });

function paramsOf({ query, operationName, variables }: SubscribePayload): GraphQLParams {
  return {
    query,
    ...(operationName == null ? {} : { operationName }),
    ...(variables == null ? {} : { variables }),
  };
}

/** Like a header's, its name is taken in any case. */
function authorizationIn(params: Readonly<Record<string, unknown>> | null | undefined): unknown {
  const found = Object.entries(params ?? {}).find(([name]) => name.toLowerCase() === 'authorization');
  return found?.[1];
}
