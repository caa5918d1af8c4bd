import { once } from 'node:events';
import { connect } from 'node:net';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { createVerifier } from '../../src/auth/verifier.js';
import { createHalyardServer } from '../../src/server/server.js';
import { httpClient, sseClient, wsClient } from '../support/clients.js';
import { until } from '../support/wait.js';
import { schema, secret, startTestServer } from './harness.js';

it('ends streams, closes sockets with 1001 and lets answers under way finish', async () => {
  // Longer than a test may take: nothing may wait for it.
  const server = await startTestServer({ limits: { shutdownGrace: 300_000 } });
  const socket = wsClient(server.url);
  const overSocket = socket.subscribe('subscription { tick }');
  await overSocket.next();
  const overSse = await sseClient(server.url, 'subscription { tick }');
  await overSse.next();
  const slow = httpClient(server.url).query('{ slow }');
  await until(() => server.ticker.listeners === 2 && server.waiting === 1, 'all are under way');
  const closed = server.close();
  expect((await socket.closed).code).toBe(1001);
  await overSse.ended;
  // Clients take `complete` for the end of the subscription, and do not come back from it.
  expect(overSse.raw).not.toContain('event: complete');
  await expect(overSocket.next()).rejects.toThrow('The socket closed with 1001');
  await until(() => server.ticker.listeners === 0, 'both subscriptions are let go of');
  await expect(once(connect(server.port, '127.0.0.1'), 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  server.openGate();
  expect(await slow).toMatchObject({ status: 200, body: { data: { slow: 'done' } } });
  // Nothing is left to wait for, though the connection of the stream is one that is kept alive.
  await closed;
});

it('cuts requests that do not finish in time', async () => {
  const server = await startTestServer({ limits: { shutdownGrace: 300 } });
  const slow = httpClient(server.url).query('{ slow }');
  const silent = connect(server.port, '127.0.0.1');
  silent.on('error', () => {});
  const deaf = wsClient(server.url);
  (await deaf.connected).pause();
  await until(() => server.waiting === 1, 'the slow one is under way');
  await Promise.all([expect(slow).rejects.toThrow(), server.close()]);
  (await deaf.connected).terminate();
  silent.destroy();
});

it('closes connections that are kept alive and idle, without waiting for them', async () => {
  const server = await startTestServer({ limits: { shutdownGrace: 300_000 } });
  const idle = connect(server.port, '127.0.0.1');
  const ended = new Promise(resolve => idle.on('close', resolve));
  idle.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n');
  await new Promise(resolve => idle.once('data', resolve));
  await server.close();
  await ended;
});

it('may be closed twice, and before it has started', async () => {
  const server = await startTestServer();
  await Promise.all([server.close(), server.close()]);
  await server.close();
  const never = createHalyardServer({
    schema,
    createContext: () => ({}),
    verifier: createVerifier({ keys: { kind: 'secret', secrets: [secret] } }),
    log: pino({ level: 'silent' }),
    host: '127.0.0.1',
    port: 0,
    corsOrigins: '*',
    readiness: () => ({ ready: true }),
  });
  await never.close();
});

it('says that a port is in use in the words of the system', async () => {
  await using server = await startTestServer();
  await expect(startTestServer({ port: server.port })).rejects.toMatchObject({ code: 'EADDRINUSE', syscall: 'listen' });
});

it('keeps nothing of sockets and streams that have come and gone', async () => {
  await using server = await startTestServer({ logLevel: 'warn' });
  const round = async () => {
    await using socket = wsClient(server.url);
    await using ticks = socket.subscribe('subscription { tick }');
    await ticks.next();
    await using stream = await sseClient(server.url, 'subscription { tick }');
    await stream.next();
  };
  for (let i = 0; i < 20; i++) await round();
  const memory = async () => {
    await until(() => server.ticker.listeners === 0, 'all are let go of');
    globalThis.gc?.();
    await new Promise(resolve => setImmediate(resolve));
    globalThis.gc?.();
    return process.memoryUsage().heapUsed;
  };
  const before = await memory();
  for (let i = 0; i < 200; i++) await round();
  expect((await memory()) - before).toBeLessThan(4_000_000);
});
