// What a push costs at least: a server of `ws` alone that knows its sockets, and sends all of them one text when it is told to.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';

const http = createServer((_, response) => response.end('{}'));
const sockets = new WebSocketServer({ server: http, perMessageDeflate: false });
const first = '{"id":"1","type":"next","payload":{"data":{"viewerFeatures":{"snapshot":true}}}}';

sockets.on('connection', socket => {
  socket.on('message', (data: Buffer) => {
    const { type } = JSON.parse(data.toString()) as { type: string };
    if (type === 'connection_init') socket.send('{"type":"connection_ack"}');
    if (type === 'subscribe') socket.send(first);
  });
});

process.on('message', (message: string) => {
  if (message === 'stop') process.exit(0);
  if (message === 'memory') globalThis.gc?.();
  if (message === 'memory' || message === 'cpu') {
    const { heapUsed, rss } = process.memoryUsage();
    const { user, system } = process.cpuUsage();
    process.send?.({ heapUsed, rss, cpu: user + system });
  }
  if (message.startsWith('{')) {
    for (const socket of sockets.clients) socket.send(message);
    process.send?.({});
  }
});

http.listen(0, '127.0.0.1', () => {
  process.send?.({ url: `http://127.0.0.1:${(http.address() as AddressInfo).port}` });
});
