import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { anonymous, type Caller } from '../../src/auth/caller.js';
import { sseClient, wsClient } from '../support/clients.js';
import { openInitiatedSocket, openRawSocket, type RawSocket } from '../support/raw-socket.js';
import { settle, until } from '../support/wait.js';
import { startTestServer, type TestServer, token, verifierWith } from './harness.js';

// What is left of a client that has gone, however it went.

const tick = 'subscription { tick }';
/** Waits until nothing is held any more but idle connections, which clients may keep. */
async function untilEmpty(server: TestServer): Promise<void> {
  const held = () => {
    const { connections, addresses, ...rest } = server.load;
    return rest;
  };
  const nothing = {
    ...{ sockets: 0, live: 0, streams: 0, requests: 0 },
    ...{ unsentBytes: 0, unfinishedBytes: 0, keptBytes: 0, deadlines: 0 },
  };
  await until(() => Object.values(held()).every(count => count === 0), 'nothing is held').catch(() => undefined);
  expect(held()).toEqual(nothing);
  expect(server.ticker.listeners).toBe(0);
}

describe('an id that is used again', () => {
  const subscribe = (id = '1') => ({ id, type: 'subscribe', payload: { query: tick } });
  const complete = (id = '1') => ({ id, type: 'complete' });
  const of = ({ messages }: RawSocket, type: string) => messages.filter(message => message.type === type);

  it('in the segment that ends its first use is the second’s, which lives, and can be ended', async () => {
    await using server = await startTestServer();
    const raw = await openInitiatedSocket(server.url);
    raw.sendTogether([subscribe(), complete(), subscribe()]);
    await until(() => of(raw, 'next').length > 0, 'the second is sent its first result');
    await settle();
    expect(server.ticker.listeners).toBe(1);
    expect(server.load.streams).toBe(1);
    server.ticker.tick();
    await until(() => of(raw, 'next').length > 1, 'it lives');
    expect(of(raw, 'complete')).toEqual([]);
    raw.send(complete());
    await until(() => server.ticker.listeners === 0, 'it is ended');
    expect(server.load.streams).toBe(0);
    raw.socket.terminate();
    await untilEmpty(server);
  });

  it('a thousand times over leaves one subscription, and none when the socket goes', async () => {
    await using server = await startTestServer();
    const raw = await openInitiatedSocket(server.url);
    for (let round = 0; round < 20; round += 1) {
      raw.sendTogether(Array.from({ length: 50 }, () => [subscribe(), complete()]).flat());
    }
    raw.sendTogether([subscribe(), { type: 'ping' }]);
    await until(() => of(raw, 'pong').length > 0 && server.load.streams === 1, 'the last one is open');
    expect(server.ticker.listeners).toBe(1);
    expect(of(raw, 'complete')).toEqual([]);
    raw.sendTogether(Array.from({ length: 500 }, () => [complete(), subscribe()]).flat());
    raw.socket.terminate();
    await untilEmpty(server);
  });

  it('waits for the end of its predecessor, though that cannot begin yet', async () => {
    let open = () => {};
    const gate = new Promise<void>(resolve => {
      open = resolve;
    });
    let contexts = 0;
    await using server = await startTestServer({
      createContext: async () => {
        contexts += 1;
        await gate;
        return { ticker: { stream: () => server.ticker.stream() } };
      },
    });
    const raw = await openInitiatedSocket(server.url);
    raw.sendTogether([subscribe(), complete(), subscribe()]);
    await settle();
    expect(contexts).toBe(1);
    open();
    await until(() => of(raw, 'next').length > 0, 'the second begins');
    expect(contexts).toBe(2);
    expect(server.ticker.listeners).toBe(1);
    raw.socket.terminate();
    await untilEmpty(server);
  });

  it('as soon as the server has ended its first use is free', async () => {
    await using server = await startTestServer({ limits: { subscriptionsPerSocket: 1 } });
    const raw = await openInitiatedSocket(server.url);
    for (const query of ['subscription { throwsAtOnce }', 'subscription { throwsLater }', '{ hello }', '{ nothing }']) {
      for (let round = 1; round <= 3; round += 1) {
        raw.messages.length = 0;
        raw.send({ ...subscribe(), payload: { query } });
        await until(() => raw.messages.some(({ type }) => type === 'complete' || type === 'error'), 'it is over');
      }
    }
    expect(raw.socket.readyState).toBe(raw.socket.OPEN);
    raw.socket.terminate();
    await untilEmpty(server);
  });
});

describe('a client that leaves', () => {
  /** A server whose tokens are verified when the test says so. */
  async function startSlowVerifier() {
    const waiting: (() => void)[] = [];
    const verify = () => new Promise<Caller>(resolve => waiting.push(() => resolve(anonymous)));
    const server = await startTestServer({ verifier: verifierWith(verify), limits: { connectionsPerAddress: 3 } });
    return { server, waiting };
  }

  const body = JSON.stringify({ query: tick });
  const accept = 'Host: x\r\nAccept: text/event-stream\r\n';
  it.each([
    ['GET', `GET /graphql?query=${encodeURIComponent(tick)} HTTP/1.1\r\n${accept}\r\n`],
    [
      'POST',
      `POST /graphql HTTP/1.1\r\n${accept}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    ],
  ])('while its token is being verified holds no place, over server-sent events by %s', async (_method, request) => {
    const { server, waiting } = await startSlowVerifier();
    await using _ = server;
    for (let round = 0; round < 10; round += 1) {
      const socket = connect(server.port, '127.0.0.1');
      socket.write(request);
      await until(() => waiting.length === 1, 'it is verified');
      socket.destroy();
      await until(() => server.load.connections === 0, 'it has left');
      waiting.shift()?.();
      await untilEmpty(server);
    }
    // There have been more than there are places.
    const next = sseClient(server.url, tick);
    await until(() => waiting.length === 1, 'the next one is verified');
    waiting.shift()?.();
    expect((await next).status).toBe(200);
    await (await next).stop();
  });

  it('while its token is being verified holds no place, over WebSocket', async () => {
    const { server, waiting } = await startSlowVerifier();
    await using _ = server;
    for (let round = 0; round < 10; round += 1) {
      const raw = await openRawSocket(server.url);
      raw.send({ type: 'connection_init', payload: { authorization: 'Bearer x' } });
      await until(() => waiting.length === 1, 'it is verified');
      raw.socket.terminate();
      await until(() => server.load.connections === 0, 'it has left');
      waiting.shift()?.();
      await untilEmpty(server);
    }
  });

  it('while its requests wait behind one another holds no place', async () => {
    await using server = await startTestServer();
    const body = JSON.stringify({ query: '{ slow }' });
    const request = `POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const socket = connect(server.port, '127.0.0.1');
    socket.write(request.repeat(20));
    await until(() => server.waiting === 1, 'the first is under way');
    await settle();
    expect(server.waiting).toBe(1);
    socket.destroy();
    await untilEmpty(server);
    server.openGate();
    await settle();
    await untilEmpty(server);
    // Nothing is executed for a client that has left.
    expect(server.waiting).toBe(1);
  });

  it('right after it has asked for a stream leaves nothing behind', async () => {
    await using server = await startTestServer();
    for (let round = 0; round < 30; round += 1) {
      const stream = sseClient(server.url, tick, { token: await token({ expiresInSeconds: 600 + round }) });
      if (round % 3 > 0) await settle(round % 5);
      (await stream).stop();
    }
    await untilEmpty(server);
  });
});

describe('plain requests of one address', () => {
  it('are refused with 429 from the one too many on, until one is answered', async () => {
    await using server = await startTestServer({ limits: { requestsPerAddress: 2 } });
    const ask = (query: string) => fetch(`${server.url}/graphql?query=${encodeURIComponent(query)}`);
    const slow = [ask('{ slow }'), ask('{ slow }')];
    await until(() => server.waiting === 2, 'both are under way');
    const refused = await ask('{ hello }');
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toBe('5');
    expect(refused.headers.get('access-control-allow-origin')).toBe('*');
    expect(await refused.json()).toMatchObject({ errors: [{ extensions: { code: 'TOO_MANY_REQUESTS' } }] });
    // Those who look after the server are not locked out with everybody else.
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
    server.openGate();
    for (const answer of slow) expect((await answer).status).toBe(200);
    expect((await ask('{ hello }')).status).toBe(200);
    // A stream takes a place among the connections, and gives back that of its request.
    await using one = await sseClient(server.url, tick);
    await using two = await sseClient(server.url, tick);
    await one.next();
    await two.next();
    expect(server.load.requests).toBe(0);
    expect((await ask('{ hello }')).status).toBe(200);
  });

  it('come over no more connections than both limits together, unless a proxy brings them', async () => {
    const limits = { requestsPerAddress: 1, connectionsPerAddress: 1 };
    for (const [trustProxy, kept] of [
      [false, 2],
      [['127.0.0.1'], 5],
    ] as const) {
      await using server = await startTestServer({ limits, trustProxy });
      const sockets = Array.from({ length: 5 }, () => connect(server.port, '127.0.0.1').on('error', () => {}));
      let closed = 0;
      for (const socket of sockets) socket.on('close', () => (closed += 1));
      await until(() => closed === 5 - kept, 'the others are cut');
      await settle();
      expect(closed).toBe(5 - kept);
      for (const socket of sockets) socket.destroy();
    }
  });
});

describe('a plain answer that its reader does not take', () => {
  const large = 8_000_000;
  const asking = (query = `{ large(size: ${large}) }`) => {
    const body = JSON.stringify({ query });
    return `POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  };
  /** A client that does not read. */
  async function unreading(server: TestServer, bytes: string): Promise<{ socket: Socket; closed: Promise<unknown> }> {
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => {});
    const closed = new Promise(resolve => socket.on('close', resolve));
    socket.pause();
    await new Promise(resolve => socket.once('connect', resolve));
    socket.write(bytes);
    return { socket, closed };
  }

  it('is given up after a while, and nothing of it is left', async () => {
    await using server = await startTestServer({ limits: { answerTimeout: 200 } });
    const clients = await Promise.all(Array.from({ length: 3 }, () => unreading(server, asking())));
    await until(() => server.load.unsentBytes > 0, 'some waits');
    await until(() => server.load.connections === 0, 'all are cut');
    await untilEmpty(server);
    for (const { socket } of clients) socket.destroy();
  });

  it('is given up though its reader goes on sending, also on a connection that had a long request', async () => {
    await using server = await startTestServer({ limits: { answerTimeout: 300 } });
    const long = `{ large(size: ${large}) }`.padEnd(20_000);
    const clients = await Promise.all([asking(long), asking()].map(bytes => unreading(server, bytes)));
    await until(() => server.load.unsentBytes > large, 'both wait');
    const sending = setInterval(() => {
      for (const { socket } of clients) socket.write('\r\n');
    }, 20);
    await until(() => server.load.connections === 0, 'both are cut');
    clearInterval(sending);
    for (const { socket } of clients) socket.destroy();
  });

  it('is bounded meanwhile, by address, also behind one another on one connection', async () => {
    await using server = await startTestServer({ limits: { unsentPerAddress: 20_000_000 } });
    const clients = await Promise.all([
      ...Array.from({ length: 8 }, () => unreading(server, asking())),
      unreading(server, asking().repeat(8)),
    ]);
    let most = 0;
    await until(() => {
      most = Math.max(most, server.load.unsentBytes);
      return server.load.connections <= 3;
    }, 'the others are cut');
    expect(most).toBeLessThanOrEqual(20_000_000);
    // Another client of the same address that reads is served meanwhile.
    expect((await fetch(`${server.url}/graphql?query={hello}`)).status).toBe(200);
    for (const { socket } of clients) socket.destroy();
    await untilEmpty(server);
  });

  it('does not outlive an upgrade that follows it, and does not keep the server from stopping', async () => {
    await using server = await startTestServer({ limits: { shutdownGrace: 300 } });
    const upgrade = (path: string) =>
      `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;
    const slow = asking('{ slow }');
    const clients = await Promise.all(
      ['/nope', '/graphql'].flatMap(path => [
        unreading(server, asking() + upgrade(path)),
        unreading(server, slow + upgrade(path)),
      ]),
    );
    await until(() => server.load.connections === 0, 'all are cut');
    await untilEmpty(server);
    for (const { socket } of clients) socket.destroy();
    const { socket } = await unreading(server, asking());
    await until(() => server.load.unsentBytes > 0, 'an answer waits');
    socket.write(upgrade('/graphql'));
    await server.close();
    socket.destroy();
  });

  it('is waited for as long as its reader takes some of it', { timeout: 60_000 }, async () => {
    const size = 4 * large;
    await using server = await startTestServer({ limits: { answerTimeout: 3_000, unsentPerAddress: 2 * size } });
    const { socket, closed } = await unreading(server, asking(`{ large(size: ${size}) }`));
    let read = 0;
    // At most 64 kB each 10 ms: it takes five seconds at least, and the timeout is shorter.
    socket.on('data', chunk => {
      read += chunk.length;
      socket.pause();
    });
    const reading = setInterval(() => socket.resume(), 10);
    await until(() => read > size || socket.destroyed, 'all is read', 50_000);
    clearInterval(reading);
    expect(read).toBeGreaterThan(size);
    socket.destroy();
    await closed;
    await untilEmpty(server);
  });

  it('of a socket counts for its address too', async () => {
    await using server = await startTestServer({
      limits: { unsentPerAddress: 10_000_000, maxBufferedBytes: 50_000_000 },
    });
    const sockets = await Promise.all(Array.from({ length: 6 }, () => openInitiatedSocket(server.url)));
    for (const { socket } of sockets) socket.pause();
    for (const raw of sockets)
      raw.send({ id: '1', type: 'subscribe', payload: { query: `{ large(size: ${large}) }` } });
    await until(() => server.load.sockets <= 1, 'the others are cut');
    expect(server.load.unsentBytes).toBeLessThanOrEqual(10_000_000);
    for (const { socket } of sockets) socket.terminate();
    await untilEmpty(server);
  });
});

describe('a clock that is set, or a machine that slept', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it('ends sockets and streams whose token has ended within seconds', async () => {
    await using server = await startTestServer();
    const client = wsClient(server.url, { token: await token({ expiresInSeconds: 3_600 }) });
    const ticks = client.subscribe(tick);
    await ticks.next();
    const stream = await sseClient(server.url, tick, { token: await token({ expiresInSeconds: 3_600 }) });
    await stream.next();
    expect(server.load.deadlines).toBe(2);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 2 * 3_600_000 });
    expect(await client.closed).toEqual({ code: 4403, reason: 'The token has expired.' });
    await stream.ended;
    vi.useRealTimers();
    await untilEmpty(server);
  });
});
