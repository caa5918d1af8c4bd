import { request } from 'node:http';
import { connect } from 'node:net';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { sseClient, wsClient } from '../support/clients.js';
import { until } from '../support/wait.js';
import { startTestServer } from './harness.js';

const tick = 'subscription { tick }';
const tooMany = { errors: [{ extensions: { code: 'TOO_MANY_CONNECTIONS' } }] };

/** What a request to open a socket is answered, in the name of an address behind a proxy. */
async function upgrade(
  url: string,
  forwardedFor?: string,
): Promise<{ status: number; retryAfter?: string; socket: WebSocket }> {
  const headers = forwardedFor === undefined ? {} : { 'x-forwarded-for': forwardedFor };
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', { headers });
  socket.on('error', () => {});
  return new Promise(resolve => {
    socket.on('open', () => resolve({ status: 101, socket }));
    socket.on('unexpected-response', (_request, response) => {
      const retryAfter = response.headers['retry-after'];
      resolve({ status: response.statusCode ?? 0, ...(retryAfter === undefined ? {} : { retryAfter }), socket });
    });
  });
}

describe('connections of one address', () => {
  it('are refused with 429 from the one too many on, sockets and streams together, until one ends', async () => {
    const metrics = { registry: new Registry() };
    await using server = await startTestServer({ limits: { connectionsPerAddress: 2 }, metrics });
    const socket = wsClient(server.url);
    await socket.connected;
    const stream = await sseClient(server.url, tick);
    await stream.next();

    expect(await upgrade(server.url)).toMatchObject({ status: 429, retryAfter: '5' });
    await using refused = await sseClient(server.url, tick);
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toBe('5');
    expect(await refused.next()).toMatchObject(tooMany);
    expect(await (await fetch(`${server.url}/metrics`)).text()).toContain(
      'halyard_refusals_total{limit="connections"} 2',
    );
    // Said once, not for each.
    expect(server.lines.filter(line => String(line['msg']).includes('MAX_CONNECTIONS_PER_ADDRESS'))).toMatchObject([
      { level: 40, address: '127.0.0.1', limit: 2 },
      { level: 20 },
    ]);
    // What asks and leaves needs no slot.
    expect((await fetch(`${server.url}/graphql?query={hello}`)).status).toBe(200);

    await stream.stop();
    let again = await upgrade(server.url);
    await until(async () => {
      if (again.status !== 101) again = await upgrade(server.url);
      return again.status === 101;
    }, 'the slot of the stream is free');
    await socket.close();
  });

  it('are given back by clients that fail to subscribe, that are refused, and that never introduce themselves', async () => {
    await using server = await startTestServer({ limits: { connectionsPerAddress: 1, initTimeout: 50 } });
    for (let i = 0; i < 5; i++) {
      await using stream = await sseClient(server.url, 'subscription { throwsAtOnce }');
      expect(await stream.next()).toMatchObject({ errors: [{ extensions: { code: 'INTERNAL_SERVER_ERROR' } }] });
    }
    for (let i = 0; i < 3; i++) {
      const client = wsClient(server.url, { token: 'nonsense' });
      expect((await client.closed).code).toBe(4403);
      await until(async () => {
        const { status, socket } = await upgrade(server.url);
        if (status !== 101) return false;
        await new Promise(resolve => socket.on('close', resolve));
        return true;
      }, 'its slot is free');
    }
    // A request for another protocol is answered 400 by the WebSocket server itself.
    for (let i = 0; i < 3; i++) {
      const status = await new Promise(resolve => {
        const asked = request(`${server.url}/graphql`, { headers: { connection: 'Upgrade', upgrade: 'websocket' } });
        asked.on('response', ({ statusCode }) => resolve(statusCode));
        asked.end();
      });
      expect([400, 429]).toContain(status);
    }
    await until(async () => (await upgrade(server.url)).status === 101, 'nothing holds the slot');
  });

  it('are those of the client, not of a proxy that is trusted', async () => {
    const limits = { connectionsPerAddress: 1 };
    await using server = await startTestServer({ limits, trustProxy: ['127.0.0.0/8'] });
    expect((await upgrade(server.url, '192.0.2.1')).status).toBe(101);
    expect((await upgrade(server.url, '192.0.2.2')).status).toBe(101);
    expect((await upgrade(server.url, '192.0.2.2')).status).toBe(429);
    // The proxy appends what it sees; what a client writes before that helps nobody.
    expect((await upgrade(server.url, '198.51.100.9, 192.0.2.2')).status).toBe(429);
    await using untrusting = await startTestServer({ limits });
    expect((await upgrade(untrusting.url, '192.0.2.1')).status).toBe(101);
    expect((await upgrade(untrusting.url, '192.0.2.2')).status).toBe(429);
  });

  it('are cut when they are refused, though the client keeps its own side open', async () => {
    await using server = await startTestServer({ limits: { connectionsPerAddress: 1 } });
    await upgrade(server.url);
    const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
    let answer = '';
    socket.setEncoding('utf8').on('data', text => {
      answer += text;
    });
    socket.write(
      'GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    await new Promise(resolve => socket.on('end', resolve));
    expect(answer).toMatch(/^HTTP\/1.1 429 Too Many Requests\r\n/);
    // Whoever writes to a connection that is gone is told so.
    const cut = new Promise(resolve => socket.on('error', resolve));
    const writing = setInterval(() => socket.write('x'), 10);
    expect(await cut).toMatchObject({ code: expect.stringMatching(/EPIPE|ECONNRESET/) });
    clearInterval(writing);
  });

  it('are not limited by 0', async () => {
    await using server = await startTestServer({ limits: { connectionsPerAddress: 0 } });
    for (let i = 0; i < 5; i++) expect((await upgrade(server.url)).status).toBe(101);
  });
});

describe('subscriptions of one socket', () => {
  const refusal = {
    errors: [
      { message: 'A socket may hold at most 2 subscriptions open.', extensions: { code: 'TOO_MANY_SUBSCRIPTIONS' } },
    ],
  };

  it('fail alone from the one too many on, until one ends', async () => {
    const metrics = { registry: new Registry() };
    await using server = await startTestServer({ limits: { subscriptionsPerSocket: 2 }, metrics });
    await using client = wsClient(server.url);
    const [one, two] = [client.subscribe(tick), client.subscribe(tick)];
    await one.next();
    await two.next();
    expect(await client.subscribe(tick).next()).toEqual(refusal);
    expect(await client.query('{ hello }')).toEqual({ data: { hello: 'world' } });
    expect(server.ticker.listeners).toBe(2);
    server.ticker.tick();
    expect(await one.next()).toMatchObject({ data: { tick: 1 } });
    expect(await (await fetch(`${server.url}/metrics`)).text()).toContain(
      'halyard_refusals_total{limit="subscriptions"} 1',
    );
    await two.stop();
    await until(() => server.ticker.listeners === 1, 'the stopped one is let go of');
    const three = client.subscribe(tick);
    expect(await three.next()).toMatchObject({ data: { tick: 1 } });
    // Another socket has its own.
    await using other = wsClient(server.url);
    expect(await other.subscribe(tick).next()).toMatchObject({ data: { tick: 1 } });
  });

  it('are given back by those that fail, end by themselves or cannot begin', async () => {
    await using server = await startTestServer({ limits: { subscriptionsPerSocket: 1 } });
    await using client = wsClient(server.url);
    for (const query of ['throwsAtOnce', 'throwsLater', 'throwsInResolver', 'nothing']) {
      for (let i = 0; i < 3; i++) {
        await using stream = client.subscribe(`subscription { ${query} }`);
        await stream.ended;
      }
    }
    expect(await client.subscribe(tick).next()).toMatchObject({ data: { tick: expect.any(Number) } });
  });

  it('are counted when many are asked for at once', async () => {
    await using server = await startTestServer({ limits: { subscriptionsPerSocket: 2 } });
    await using client = wsClient(server.url);
    const answers = await Promise.all(Array.from({ length: 50 }, () => client.subscribe(tick).next()));
    expect(answers.filter(answer => answer.errors !== undefined)).toHaveLength(48);
    expect(server.ticker.listeners).toBe(2);
  });
});
