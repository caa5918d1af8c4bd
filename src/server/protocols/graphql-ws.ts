import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ExecutionArgs, GraphQLError } from 'graphql';
import { CloseCode, handleProtocols, makeServer } from 'graphql-ws';
import { isAsyncIterable } from 'graphql-yoga';
import type { Logger } from 'pino';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import { type Caller, InvalidTokenError } from '../../auth/caller.js';
import { credentialOfHandshake } from '../../auth/credentials.js';
import { deviceOfHandshake, InvalidDeviceError } from '../../auth/devices.js';
import type { Verifier } from '../../auth/verifier.js';
import { UnavailableError } from '../../core/errors.js';
import { eachInSlices } from '../../streams/slices.js';
import type { ByteBudget } from '../http/byte-budget.js';
import { LoggedRequest } from '../http/request.js';
import type { UpgradeOrigin } from '../http/route.js';
import type { UnsentBytes } from '../http/unsent-bytes.js';
import type { ServerMetrics } from '../metrics/server-metrics.js';
import { formatErrors } from '../operations/mask-error.js';
import type { OpenStreams } from '../operations/open-streams.js';
import type { Operations } from '../operations/operations.js';
import { RequestOrigin } from '../operations/origin.js';
import type { PreparedOperation, ResultStream } from '../operations/runner.js';
import { PushedResults } from './pushed-results.js';
import { SocketConnection, tryAgainLater } from './socket-connection.js';
import type { SocketLimits } from './socket-inbox.js';
import type { StatedByHandshake } from './socket-introduction.js';
import type { TokenEnds } from './token-ends.js';

export interface SocketsOptions {
  readonly operations: Operations;
  readonly streams: OpenStreams;
  readonly whenTokenEnds: TokenEnds;
  readonly unsent: UnsentBytes;
  /** Bounds the bytes of messages that have not come to their end. */
  readonly unfinished: ByteBudget;
  readonly verifier: Verifier;
  readonly log: Logger;
  readonly limits: SocketLimits;
  readonly metrics: ServerMetrics | null;
}

/** The WebSocket side of the server: the graphql-transport-ws protocol. */
export interface Sockets {
  readonly size: number;
  /** Takes a request to upgrade whose path and origin have been accepted. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer, from: UpgradeOrigin): void;
  /** Closes every socket with 1001; those that do not answer in time are cut. */
  close(graceMs: number): Promise<void>;
}

/** Frames of one message: each costs hundreds of bytes beside its content. */
const maxFragments = 1_024;

/** A WebSocket that knows its connection, so that one listener of each kind serves them all. */
class ConnectedSocket extends WebSocket {
  declare connection: SocketConnection;
}

export function createSockets(options: SocketsOptions): Sockets {
  const { operations, streams, whenTokenEnds, unsent, unfinished, verifier, log, limits, metrics } = options;
  const server = new WebSocketServer({
    noServer: true,
    WebSocket: ConnectedSocket,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: limits.maxMessageSize,
    maxFragments,
    handleProtocols,
  });
  const connections = new Set<SocketConnection>();
  const parts = { unsent, unfinished, log, limits };

  const protocol = makeServer<Record<string, unknown>, SocketConnection>({
    // The connection looks at that itself: the library would keep a timer for as long as the socket is open.
    connectionInitWaitTimeout: 0,
    async onConnect({ extra }) {
      const caller = await identify(extra);
      if (caller === null || !connections.has(extra)) return false;
      const device = extra.introduction.takeDevice();
      if (device instanceof InvalidDeviceError) {
        extra.close(CloseCode.BadRequest, device.message);
        return false;
      }
      extra.device = device;
      extra.caller = caller;
      extra.forgetToken = whenTokenEnds(caller, reason => extra.close(CloseCode.Forbidden, reason));
      return true;
    },
    async onSubscribe({ extra }, id) {
      const asked = extra.inbox.take(id);
      if (asked === null) return [noLonger()];
      const { run, params } = asked;
      if (params instanceof GraphQLError) return [params];
      extra.operations += 1;
      const from = new LoggedRequest(`${extra.requestId}/${extra.operations}`, extra.address, log);
      const prepared = await operations.prepare(params, new RequestOrigin(extra.caller as Caller, extra.device, from));
      if (!('document' in prepared)) return prepared;
      if (run.state === 'over') return [noLonger()];
      if (prepared.operation.kind !== 'subscription') return prepared;
      const { count, kept } = extra.inbox.open;
      if (limits.subscriptionsPerSocket > 0 && count >= limits.subscriptionsPerSocket) {
        metrics?.countRefusal('subscriptions');
        return [tooMany(`A socket may hold at most ${limits.subscriptionsPerSocket} subscriptions open.`)];
      }
      const bytes = prepared.kept.document + prepared.kept.variables;
      if (kept + bytes > limits.keptPerSocket) {
        metrics?.countRefusal('subscriptions');
        const size = `about ${kept + bytes} bytes`;
        return [
          tooMany(
            `The subscriptions of this socket take ${size} of documents and variables; at most ${limits.keptPerSocket} are allowed.`,
          ),
        ];
      }
      extra.inbox.markOpen(run, bytes);
      return prepared;
    },
    onOperation({ extra }, id, _payload, args, result) {
      if (!isAsyncIterable(result)) return;
      // The server ends it, whether or not the protocol library still knows it.
      const open = extra.streams.open(result as ResultStream, args as PreparedOperation);
      return isAsyncIterable(open) ? new PushedResults(open, id, extra) : open;
    },
    onComplete: ({ extra }, id) => extra.inbox.markOver(id),
    execute: (args: ExecutionArgs) => operations.execute(args as PreparedOperation),
    subscribe: (args: ExecutionArgs) => operations.subscribe(args as PreparedOperation),
    onNext(_context, _id, _payload, _args, { errors, data, extensions }) {
      if (errors === undefined) return;
      const rest = { ...(data === undefined ? {} : { data }), ...(extensions === undefined ? {} : { extensions }) };
      return { ...rest, errors: formatErrors(errors) };
    },
    onError({ extra }, id, _payload, errors: readonly GraphQLError[]) {
      extra.inbox.markOver(id);
      return formatErrors(errors);
    },
  });

  async function identify(connection: SocketConnection): Promise<Caller | null> {
    try {
      return await verifier.verify(connection.introduction.takeCredential());
    } catch (error) {
      if (error instanceof InvalidTokenError) {
        connection.close(CloseCode.Forbidden, error.message);
      } else {
        if (!(error instanceof UnavailableError))
          connection.log.error({ err: error }, 'A token could not be verified.');
        connection.close(tryAgainLater, 'Tokens cannot be verified at the moment.');
      }
      return null;
    }
  }

  function open(socket: ConnectedSocket, transport: Socket, from: UpgradeOrigin, stated: StatedByHandshake): void {
    const connection = new SocketConnection(socket, transport, from, stated, streams.connection(), parts);
    socket.connection = connection;
    connections.add(connection);
    socket.on('error', reportFailure).on('ping', receiveControl).on('pong', receiveControl);
    socket.on('message', receive).on('close', letGo);
    connection.leave = protocol.opened(connection, connection);
  }

  function letGo(this: WebSocket, code: number, reason: Buffer): void {
    const connection = connectionOf(this);
    connections.delete(connection);
    connection.letGo();
    connection
      .leave(code, String(reason))
      .catch(error => connection.log.error({ err: error }, 'A subscription did not end well.'));
  }

  let isBeating = false;
  let hasDropped = false;
  async function beat(): Promise<void> {
    if (isBeating) return;
    isBeating = true;
    let dropped = 0;
    // To write to ten thousand takes longer than anybody should wait for an answer.
    await eachInSlices(connections, connection => {
      if (connection.beat()) dropped += 1;
    });
    isBeating = false;
    // One line for rounds in succession.
    if (dropped > 0 && !hasDropped) log.warn({ sockets: dropped }, 'Sockets that gave no sign of life are closed.');
    hasDropped = dropped > 0;
  }
  // Timers come before the bytes that have come meanwhile: those are looked at first.
  const heartbeat = setInterval(() => setImmediate(() => void beat()), limits.pingInterval).unref();

  return {
    get size() {
      return connections.size;
    },
    accept(request, socket, head, from) {
      const stated = { credential: credentialOfHandshake(request), device: deviceOfHandshake(request) };
      server.handleUpgrade(request, socket, head, webSocket => open(webSocket, request.socket, from, stated));
    },
    async close(graceMs) {
      clearInterval(heartbeat);
      const closing = [...connections];
      const gone = closing.map(({ socket }) => new Promise(resolve => socket.once('close', resolve)));
      for (const connection of closing) connection.close(1001, 'The server is going away.');
      const timer = setTimeout(() => {
        for (const { socket } of closing) socket.terminate();
      }, graceMs);
      await Promise.all(gone);
      clearTimeout(timer);
      server.close();
    },
  };
}

const connectionOf = (socket: WebSocket) => (socket as ConnectedSocket).connection;

function reportFailure(this: WebSocket, error: Error): void {
  connectionOf(this).log.debug({ err: error }, 'A socket failed.');
}

function receiveControl(this: WebSocket, data: Buffer): void {
  connectionOf(this).receiveControl(data);
}

function receive(this: WebSocket, data: RawData, isBinary: boolean): void {
  const connection = connectionOf(this);
  // The library has looked at frames of text alone.
  if (isBinary && !isUtf8(data as Buffer)) connection.close(CloseCode.BadRequest, 'A message is not UTF-8.');
  else connection.receive(String(data));
}

/** The result of an operation that its client has ended. It is not sent. */
const noLonger = () => new GraphQLError('This operation has been ended.');

const tooMany = (message: string) => new GraphQLError(message, { extensions: { code: 'TOO_MANY_SUBSCRIPTIONS' } });
