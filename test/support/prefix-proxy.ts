import { once } from 'node:events';
import { createServer, type IncomingMessage, request as send } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** A reverse proxy that serves a server under a path, over HTTP and WebSocket. */
export interface PrefixProxy extends AsyncDisposable {
  readonly url: string;
}

/** @param takesAway whether the server sees the paths without the prefix. */
export async function startPrefixProxy(target: string, prefix: string, takesAway: boolean): Promise<PrefixProxy> {
  const sockets = new Set<Socket>();
  const to = ({ method, url = '', headers }: IncomingMessage) =>
    send(new URL(takesAway ? url.slice(prefix.length) || '/' : url, target), { method, headers });
  const server = createServer((request, response) => {
    if (!request.url?.startsWith(prefix)) return void response.writeHead(404).end('outside of the prefix');
    const asked = to(request).on('response', answer => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    asked.on('error', () => response.destroy());
    response.on('close', () => asked.destroy());
    request.pipe(asked);
  });
  server.on('upgrade', (request, socket: Socket, head) => {
    const asked = to(request).on('upgrade', (answer, far: Socket) => {
      const headers = Object.entries(answer.headers).map(([name, value]) => `${name}: ${value}\r\n`);
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${headers.join('')}\r\n`);
      far.on('error', () => {}).on('close', () => socket.destroy());
      socket.on('close', () => far.destroy());
      far.write(head);
      far.pipe(socket).pipe(far);
    });
    socket.on('error', () => {});
    asked.on('response', () => socket.destroy()).on('error', () => socket.destroy());
    asked.end();
  });
  server.on('connection', socket => sockets.add(socket.on('close', () => sockets.delete(socket))));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      const closed = once(server.close(), 'close');
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
