import { once } from 'node:events';
import { WebSocket } from 'ws';
import { until } from './wait.js';

export interface RawSocket {
  readonly socket: WebSocket;
  readonly messages: { type: string; id?: string; payload?: unknown }[];
  readonly closed: Promise<{ code: number; reason: string }>;
  send(message: object): void;
  /** Sends these messages in one TCP segment. */
  sendTogether(messages: readonly object[]): void;
}

/** A socket that speaks the protocol by hand, to speak it wrongly. `url` is the server's, without a path. */
export async function openRawSocket(url: string, options: { origin?: string } = {}): Promise<RawSocket> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', options);
  const messages: RawSocket['messages'] = [];
  socket.on('message', data => messages.push(JSON.parse(String(data))));
  socket.on('error', () => {});
  const closed = new Promise<{ code: number; reason: string }>(resolve =>
    socket.on('close', (code, reason) => resolve({ code, reason: String(reason) })),
  );
  let connection: { cork(): void; uncork(): void } | undefined;
  socket.on('upgrade', response => {
    connection = response.socket;
  });
  await once(socket, 'open');
  return {
    socket,
    messages,
    closed,
    send: message => socket.send(JSON.stringify(message)),
    sendTogether: all => {
      connection?.cork();
      for (const message of all) socket.send(JSON.stringify(message));
      connection?.uncork();
    },
  };
}

/** A raw socket that has introduced itself and is acknowledged. */
export async function openInitiatedSocket(url: string): Promise<RawSocket> {
  const raw = await openRawSocket(url);
  raw.send({ type: 'connection_init' });
  await until(() => raw.messages.length > 0, 'the socket is acknowledged');
  return raw;
}
