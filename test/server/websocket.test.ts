import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { UnavailableError } from '../../src/core/errors.js';
import { Intake } from '../../src/server/http/intake.js';
import { defaultServerLimits } from '../../src/server/limits.js';
import { wsClient } from '../support/clients.js';
import { openInitiatedSocket, openRawSocket, type RawSocket } from '../support/raw-socket.js';
import { until } from '../support/wait.js';
import { startTestServer, type TestServer, token, userId, verifierWith } from './harness.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

const rawSocket = (url = server.url, options: { origin?: string } = {}) => openRawSocket(url, options);
const initiated = (url = server.url) => openInitiatedSocket(url);

const subscribe = (query: string, id = '1') => ({ id, type: 'subscribe', payload: { query } });

describe('operations over a WebSocket', () => {
  it('are queries, mutations and subscriptions', async () => {
    await using client = wsClient(server.url);
    expect(await client.query('{ hello }')).toEqual({ data: { hello: 'world' } });
    expect(await client.query('mutation { change }')).toEqual({ data: { change: 'changed' } });
    await using ticks = client.subscribe('subscription { tick }');
    const first = (await ticks.next()).data.tick;
    server.ticker.tick();
    expect(await ticks.next()).toEqual({ data: { tick: first + 1 } });
  });

  it('let go of everything as soon as they are stopped, or the socket closes', async () => {
    const before = server.ticker.listeners;
    const client = wsClient(server.url);
    const stopped = client.subscribe('subscription { tick }');
    const left = client.subscribe('subscription { tick }');
    await stopped.next();
    await left.next();
    expect(server.ticker.listeners).toBe(before + 2);
    await stopped.stop();
    await until(() => server.ticker.listeners === before + 1, 'the stopped one is let go of');
    (await client.connected).terminate();
    await until(() => server.ticker.listeners === before, 'the one that was left is let go of');
    await client.closed;
  });

  it.each([
    ['a syntax error', '{', 'GRAPHQL_PARSE_FAILED'],
    ['an unknown field', '{ nothing }', 'GRAPHQL_VALIDATION_FAILED'],
    ['no operation', 'fragment F on Query { hello }', expect.any(String)],
    ['a subscription that cannot begin', 'subscription { throwsAtOnce }', 'INTERNAL_SERVER_ERROR'],
    ['too many tokens', `{ ${'hello '.repeat(3_000)} }`, 'GRAPHQL_PARSE_FAILED'],
  ])('with %s fail alone: their siblings live on', async (_name, query, code) => {
    await using client = wsClient(server.url);
    await using sibling = client.subscribe('subscription { tick }');
    await sibling.next();
    expect(await client.query(query)).toMatchObject({ errors: [{ extensions: { code } }] });
    server.ticker.tick();
    expect(await sibling.next()).toMatchObject({ data: { tick: expect.any(Number) } });
  });

  it('whose context cannot be made fail alone', async () => {
    let failure: Error | null = null;
    await using other = await startTestServer({
      createContext: () => {
        if (failure) throw failure;
        return {};
      },
    });
    await using client = wsClient(other.url);
    expect(await client.query('{ hello }')).toEqual({ data: { hello: 'world' } });
    failure = new Error('hunter2');
    const masked = await client.query('{ hello }');
    expect(masked).toMatchObject({ errors: [{ extensions: { code: 'INTERNAL_SERVER_ERROR' } }] });
    expect(JSON.stringify(masked)).not.toContain('hunter2');
    failure = new UnavailableError();
    expect(await client.query('{ hello }')).toMatchObject({ errors: [{ extensions: { code: 'UNAVAILABLE' } }] });
    failure = null;
    expect(await client.query('{ hello }')).toEqual({ data: { hello: 'world' } });
  });
});

describe('tokens over a WebSocket', () => {
  const whoami = '{ whoami }';

  it('make the caller known to resolvers', async () => {
    await using nobody = wsClient(server.url);
    expect(await nobody.query(whoami)).toEqual({ data: { whoami: 'ANONYMOUS null' } });
    await using user = wsClient(server.url, { token: await token() });
    expect(await user.query(whoami)).toEqual({ data: { whoami: `USER ${userId}` } });
  });

  it.each([
    ['none', async () => 'hello'],
    ['expired', () => token({ expiresInSeconds: -60 })],
    ['signed by another', async () => `${await token()}x`],
  ])('that are %s close the socket with 4403, and the reason does not repeat them', async (_name, make) => {
    const bad = await make();
    const client = wsClient(server.url, { token: bad });
    const { code, reason } = await client.closed;
    expect(code).toBe(4403);
    expect(reason).toMatch(/token/i);
    expect(reason).not.toContain(bad);
  });

  it.each([7, {}, ['Bearer x']])('that are not text (%o) close the socket with 4403', async authorization => {
    const raw = await rawSocket();
    raw.send({ type: 'connection_init', payload: { authorization } });
    expect((await raw.closed).code).toBe(4403);
    expect(raw.messages).toEqual([]);
  });

  it('are found under any spelling of their name', async () => {
    const raw = await rawSocket();
    raw.send({ type: 'connection_init', payload: { Authorization: 'Bearer nonsense' } });
    expect((await raw.closed).code).toBe(4403);
  });

  it('close the socket with 4403 when they end', async () => {
    // Within the tolerance for clocks a token still counts: this one ends in one to two seconds.
    const client = wsClient(server.url, { token: await token({ expiresInSeconds: -3 }) });
    const ticks = client.subscribe('subscription { tick }');
    await ticks.next();
    const listeners = server.ticker.listeners;
    expect(await client.closed).toEqual({ code: 4403, reason: 'The token has expired.' });
    await until(() => server.ticker.listeners < listeners, 'its subscription is let go of');
  });

  it('that nobody can verify at the moment close the socket with 1013, for the client to try again', async () => {
    await using other = await startTestServer({ verifier: verifierWith(() => Promise.reject(new UnavailableError())) });
    expect((await wsClient(other.url, { token: 'x' }).closed).code).toBe(1013);
  });
});

describe('a WebSocket', () => {
  it.each([
    ['says nothing at first', 4408, () => {}],
    [
      'introduces itself twice',
      4429,
      ({ send }: RawSocket) => {
        send({ type: 'connection_init' });
        send({ type: 'connection_init' });
      },
    ],
    ['asks before it introduces itself', 4401, ({ send }: RawSocket) => send(subscribe('{ hello }'))],
    ['sends no JSON', 4400, ({ socket }: RawSocket) => socket.send('hello')],
    ['sends an unknown message', 4400, ({ send }: RawSocket) => send({ type: 'hello' })],
    ['sends more than 1 MB', 1009, ({ socket }: RawSocket) => socket.send('x'.repeat(1_000_001))],
  ])('that %s is closed with %i', async (_name, code, act) => {
    await using other = await startTestServer({ limits: { initTimeout: 200 } });
    const raw = await rawSocket(other.url);
    act(raw);
    expect((await raw.closed).code).toBe(code);
  });

  it('that introduced itself in time stays open, however late that is read', async () => {
    await using other = await startTestServer({ limits: { initTimeout: 100 } });
    const raw = await rawSocket(other.url);
    raw.send({ type: 'connection_init' });
    // The server runs in this process too.
    for (const end = performance.now() + 300; performance.now() < end; );
    await until(() => raw.messages.length > 0 || raw.socket.readyState !== raw.socket.OPEN, 'it is answered');
    expect(raw.messages).toEqual([{ type: 'connection_ack' }]);
    raw.socket.terminate();
  });

  it.each([0, Number.POSITIVE_INFINITY])(
    'has any time to introduce itself with an initTimeout of %d',
    async initTimeout => {
      await using other = await startTestServer({ limits: { initTimeout } });
      const raw = await rawSocket(other.url);
      await sleep(20);
      raw.send({ type: 'connection_init' });
      await until(() => raw.messages.length > 0 || raw.socket.readyState !== raw.socket.OPEN, 'it is answered');
      expect(raw.messages).toEqual([{ type: 'connection_ack' }]);
      raw.socket.terminate();
    },
  );

  it('that uses an id twice at a time is closed with 4409', async () => {
    const raw = await initiated();
    raw.send(subscribe('subscription { tick }'));
    raw.send(subscribe('subscription { tick }'));
    expect((await raw.closed).code).toBe(4409);
  });

  it('that is closed while it waits for its turn is gone when its client agrees, or leaves', {
    timeout: 20_000,
  }, async () => {
    await using other = await startTestServer({ limits: { concurrentPerSocket: 2 } });
    const [agreeing, leaving] = [await initiated(other.url), await initiated(other.url)];
    leaving.socket.pause();
    for (const { sendTogether } of [agreeing, leaving]) {
      sendTogether([...['1', '2', '3'].map(id => subscribe('{ slow }', id)), { type: 'nonsense' }]);
    }
    expect((await agreeing.closed).code).toBe(4400);
    await until(() => other.load.sockets === 1 && other.waiting === 4, 'only the other is still there');
    leaving.socket.terminate();
    await until(() => other.load.sockets === 0, 'it is gone');
    other.openGate();
  });

  it('of another protocol, path or origin is refused before it opens', async () => {
    await using strict = await startTestServer({ corsOrigins: ['https://a.example'] });
    const attempt = async (path: string, options: { origin?: string } = {}) => {
      const socket = new WebSocket(`${strict.url.replace('http', 'ws')}${path}`, 'graphql-transport-ws', options);
      const status = await new Promise<number>(resolve => {
        socket.on('open', () => resolve(101));
        socket.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
      });
      socket.on('error', () => {});
      socket.terminate();
      return status;
    };
    expect(await attempt('/graphql')).toBe(101);
    expect(await attempt('/graphql', { origin: 'https://a.example' })).toBe(101);
    expect(await attempt('/graphql', { origin: 'https://b.example' })).toBe(403);
    expect(await attempt('/graphql', { origin: 'null' })).toBe(403);
    expect(await attempt('/other')).toBe(404);
  });

  it('whose peer is dead is cut, and one that answers pings is not', async () => {
    await using other = await startTestServer({ limits: { pingInterval: 50 } });
    const dead = wsClient(other.url);
    const deadTicks = dead.subscribe('subscription { tick }');
    await deadTicks.next();
    const live = wsClient(other.url);
    const liveTicks = live.subscribe('subscription { tick }');
    await liveTicks.next();
    expect(other.ticker.listeners).toBe(2);
    // Stops reading: pings are never seen, so never answered.
    (await dead.connected).pause();
    await until(() => other.ticker.listeners === 1, 'the dead one is let go of');
    expect(other.lines.filter(({ level }) => level === 40)).toMatchObject([
      { msg: 'Sockets that gave no sign of life are closed.', sockets: 1 },
    ]);
    other.ticker.tick();
    expect(await liveTicks.next()).toMatchObject({ data: { tick: 1 } });
    (await dead.connected).terminate();
    await live.close();
  });

  it('whose answer to a ping may wait for its turn is alive', async () => {
    const waits = vi.spyOn(Intake.prototype, 'hasWaiting').mockReturnValue(true);
    await using other = await startTestServer({ limits: { pingInterval: 50 } });
    const raw = await initiated(other.url);
    raw.socket.pause();
    await until(() => waits.mock.calls.length > 3, 'it has answered no ping for some rounds');
    expect(other.load.sockets).toBe(1);
    waits.mockReturnValue(false);
    await until(() => other.load.sockets === 0, 'nothing waits, and it is cut');
    waits.mockRestore();
    raw.socket.terminate();
  });

  it('that never ends its message is closed, however alive it is', async () => {
    await using other = await startTestServer({ limits: { stallTimeout: 300, pingInterval: 100 } });
    const raw = await initiated(other.url);
    const [whole, slow] = [await initiated(other.url), await initiated(other.url)];
    raw.socket.send('{"type":"ping","payload":{"a":"'.padEnd(100_000, 'x'), { fin: false });
    slow.socket.send('{"type":"pi', { fin: false });
    // Answers to pings come from the library.
    expect(await raw.closed).toEqual({ code: 4400, reason: 'A message must be complete within 0.3 seconds.' });
    slow.socket.send('ng"}', { fin: true });
    await until(() => slow.messages.some(({ type }) => type === 'pong'), 'a short message may be slow');
    whole.send({ type: 'subscribe', id: '1', payload: { query: `{ hello } #${'x'.repeat(30_000)}` } });
    await until(() => whole.messages.some(({ type }) => type === 'complete'), 'others are answered');
    for (const { socket } of [whole, slow]) socket.terminate();
  });

  it('for which little waits is closed too when it takes nothing of it, though it answers pings', async () => {
    await using other = await startTestServer({
      limits: { pingInterval: 1_000, stallTimeout: 600 },
      logLevel: 'warn',
    });
    const raw = await initiated(other.url);
    raw.send(subscribe('subscription { flood(size: 50000) }'));
    await until(() => raw.messages.length > 10, 'the flood begins');
    raw.socket.pause();
    const pongs = setInterval(() => raw.socket.pong(() => {}), 20);
    await until(() => other.load.sockets === 0, 'it is closed', 10_000);
    clearInterval(pongs);
    expect(other.lines[0]).toMatchObject({ msg: 'A socket that stopped reading is closed.' });
    raw.socket.terminate();
  });

  it('that asks much and reads nothing takes bounded memory and is closed', async () => {
    await using other = await startTestServer({
      limits: { maxBufferedBytes: 100_000, stallTimeout: 300, pingInterval: 500 },
      logLevel: 'warn',
    });
    const raw = await initiated(other.url);
    raw.socket.pause();
    let asked = 0;
    const ask = setInterval(() => {
      if (raw.socket.readyState !== raw.socket.OPEN) return;
      for (let i = 0; i < 120; i++) {
        asked += 1;
        raw.send(subscribe('{ large(size: 100000) }', `q${asked}`));
      }
    }, 10);
    await until(() => other.lines.some(line => 'bufferedBytes' in line), 'the stalled socket is noticed');
    clearInterval(ask);
    const [line] = other.lines.filter(line => 'bufferedBytes' in line);
    // Those that were executed together when the bound was reached go beyond it, however much was asked for.
    const { concurrentPerSocket } = defaultServerLimits;
    expect(line?.['bufferedBytes']).toBeLessThan(100_000 + concurrentPerSocket * 100_100);
    expect(asked * 100_000).toBeGreaterThan(10_000_000);
    // Should it wake up in time, it finds out why.
    raw.socket.resume();
    expect((await raw.closed).code).toBe(1013);
  });

  it('whose reader stalls is sent no more than fits on the way, however much its subscription could make', async () => {
    let made = 0;
    const other = await startTestServer({
      limits: { pingInterval: 300 },
      createContext: () => ({ onMade: () => (made += 1) }),
    });
    const raw = await initiated(other.url);
    raw.send(subscribe('subscription { flood(size: 50000) }'));
    await until(() => raw.messages.length > 10, 'the flood begins');
    raw.socket.pause();
    // It answers no ping either, so it is cut: until then the flood stood still.
    await until(
      () => other.lines.some(line => line['name'] === null && line['operation'] === 'subscription'),
      'it ends',
    );
    expect(made * 50_000).toBeLessThan(50_000_000);
    raw.socket.terminate();
    await raw.closed;
    await other.close();
  });
});
