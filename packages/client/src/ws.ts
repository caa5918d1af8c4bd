import { HalyardError } from './error.js';
import { errorOf, liveOperation, type Result, updateOf } from './operations.js';
import type { Transport } from './types.js';

/** The part of a WebSocket that is used. */
export interface WebSocketLike {
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: string): void;
  close(code?: number, reason?: string): void;
}

export interface WebSocketTransportOptions {
  /** Default: the global one, which browsers have, and Node.js 22 and later. For Node.js 20: that of the package `ws`. */
  readonly WebSocket?: (new (url: string, protocol: string) => WebSocketLike) | undefined;
}

/** Milliseconds until the server must have acknowledged. */
const ackTimeout = 10_000;
/** Milliseconds between two pings; the server must answer each. */
const pingInterval = 12_000;

/** Close codes that a client comes back from, with the code of the error. All others are `SOCKET_CLOSED`. */
const codes: Readonly<Record<number, string>> = {
  1001: 'STREAM_ENDED',
  1012: 'STREAM_ENDED',
  1013: 'TOO_MANY_REQUESTS',
  4400: 'BAD_USER_INPUT',
  4401: 'UNAUTHENTICATED',
  4403: 'UNAUTHENTICATED',
  4429: 'TOO_MANY_REQUESTS',
};

/**
 * Updates over a WebSocket (the protocol `graphql-transport-ws`), for `transport`. A WebSocket takes none of the six connections that a
 * browser opens to an origin over HTTP/1.1.
 */
export function webSocketTransport(options: WebSocketTransportOptions = {}): Transport {
  return (request, listener) => {
    let isClosed = false;
    let isAcknowledged = false;
    let pingTimer: ReturnType<typeof setInterval> | undefined;
    let socket: WebSocketLike | undefined;

    const close = (): void => {
      isClosed = true;
      clearTimeout(ackTimer);
      clearInterval(pingTimer);
      try {
        socket?.close(1000);
      } catch {
        // It has not been opened.
      }
    };
    const end = (error: HalyardError): void => {
      if (isClosed) return;
      close();
      listener.onEnd(error);
    };
    const send = (message: object): void => socket?.send(JSON.stringify(message));
    const ackTimer = setTimeout(
      () => end(new HalyardError('NETWORK_ERROR', `${request.url} has not acknowledged within 10 s.`)),
      ackTimeout,
    );

    const receive = ({ type, payload }: { readonly type?: string; readonly payload?: unknown }): void => {
      if (type === 'connection_ack' && !isAcknowledged) {
        isAcknowledged = true;
        clearTimeout(ackTimer);
        pingTimer = setInterval(() => send({ type: 'ping' }), pingInterval);
        send({ id: '1', type: 'subscribe', payload: liveOperation(request) });
      } else if (type === 'ping') send({ type: 'pong' });
      else if (type === 'next') listener.onUpdate(updateOf(payload as Result));
      else if (type === 'error') throw errorOf(payload as Result['errors'], 'SERVER_ERROR');
      else if (type === 'complete') throw new HalyardError('STREAM_ENDED', 'The server ended the subscription.');
    };

    try {
      const { WebSocket = (globalThis as WebSocketTransportOptions).WebSocket } = options;
      if (!WebSocket) throw new TypeError('There is no global WebSocket: pass one as `WebSocket`.');
      const address = new URL(request.url, (globalThis as { location?: { href: string } }).location?.href);
      address.protocol = address.protocol.replace('http', 'ws');
      socket = new WebSocket(address.href, 'graphql-transport-ws');
      socket.onopen = () => {
        const { token, device } = request;
        send({
          type: 'connection_init',
          payload: { ...(token && { Authorization: `Bearer ${token}` }), ...(device && { device }) },
        });
      };
      socket.onmessage = ({ data }: { readonly data: unknown }) => {
        if (isClosed) return;
        listener.onAlive();
        try {
          receive(JSON.parse(String(data)));
        } catch (error) {
          end(
            error instanceof HalyardError ? error : new HalyardError('BAD_RESPONSE', 'A message is malformed.', error),
          );
        }
      };
      socket.onerror = () => {
        // `onclose` follows.
      };
      socket.onclose = ({ code, reason }: { readonly code: number; readonly reason: string }) => {
        // The token has expired: the usual end of a socket that has served.
        const known = isAcknowledged && code === 4403 ? 'STREAM_ENDED' : codes[code];
        end(new HalyardError(known ?? 'SOCKET_CLOSED', reason || `The socket closed with ${code}.`));
      };
    } catch (cause) {
      queueMicrotask(() => end(new HalyardError('NETWORK_ERROR', `No socket to ${request.url} can be opened.`, cause)));
    }
    return close;
  };
}
