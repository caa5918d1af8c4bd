import { Agent, request as send } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, createClient, type RequestParams } from 'graphql-sse';
import { describe, expect, it } from 'vitest';
import { defaultServerLimits } from '../../src/server/limits.js';
import { httpClient, sseClient, wsClient } from '../support/clients.js';
import { startPrefixProxy } from '../support/prefix-proxy.js';
import { startTestServer as startHalyard } from '../support/server.js';
import { until } from '../support/wait.js';
import { startTestServer, token } from './harness.js';

describe.each([
  { proxy: 'takes the prefix away', takesAway: true, prefix: '' },
  { proxy: 'takes the prefix away, and PATH_PREFIX is set', takesAway: true, prefix: '/tools/flags' },
  { proxy: 'leaves the prefix', takesAway: false, prefix: '/tools/flags' },
])('behind a proxy that $proxy', ({ takesAway, prefix }) => {
  async function start() {
    const server = await startTestServer({ prefix });
    const proxy = await startPrefixProxy(server.url, '/tools/flags', takesAway);
    const url = `${proxy.url}/tools/flags`;
    const stop = async () => {
      await proxy[Symbol.asyncDispose]();
      await server.close();
    };
    return { server, url, [Symbol.asyncDispose]: stop };
  }

  it('/ leads to GraphiQL, which is below the prefix too', async () => {
    await using halyard = await start();
    const page = await fetch(`${halyard.url}/`, { headers: { accept: 'text/html' } });
    expect(page.url).toBe(`${halyard.url}/graphql`);
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toContain('text/html');
  });

  it('everything is answered below the prefix', async () => {
    await using halyard = await start();
    expect((await httpClient(halyard.url).query('{ hello }')).body).toEqual({ data: { hello: 'world' } });
    await using socket = wsClient(halyard.url);
    expect(await socket.query('{ hello }')).toEqual({ data: { hello: 'world' } });
    await using stream = await sseClient(halyard.url, 'subscription { tick }');
    expect(await stream.next()).toEqual({ data: { tick: expect.any(Number) } });
    for (const path of ['/health', '/ready']) expect((await fetch(halyard.url + path)).status).toBe(200);
    const nowhere = await fetch(`${halyard.url}/nowhere`);
    expect(nowhere.status).toBe(404);
    expect(await nowhere.json()).toMatchObject({
      errors: [{ message: `There is nothing here: the API is at ${prefix}/graphql.` }],
    });
  });

  it('probes that do not come through the proxy are answered without the prefix', async () => {
    await using halyard = await start();
    expect((await fetch(`${halyard.server.url}/health`)).status).toBe(200);
  });
});

it('a prefix is one of whole names', async () => {
  await using server = await startTestServer({ prefix: '/flags' });
  expect((await fetch(`${server.url}/flagship/health`)).status).toBe(404);
  const bare = await fetch(`${server.url}/flags`, { redirect: 'manual' });
  expect([bare.status, bare.headers.get('location')]).toEqual([307, '/flags/graphql']);
});

describe('a connection that a balancer keeps', () => {
  const get = (port: number, agent: Agent) =>
    new Promise<Record<string, unknown>>((resolve, reject) => {
      const asked = send({ port, path: '/health', agent }, response => {
        response.resume().on('end', () => resolve({ ...response.headers, isReused: asked.reusedSocket }));
      });
      asked.on('error', reject).end();
    });

  it('is kept for KEEP_ALIVE_TIMEOUT, of which its client is told', async () => {
    const agent = new Agent({ keepAlive: true });
    for (const [seconds, env] of [
      [72, {}],
      [605, { KEEP_ALIVE_TIMEOUT: '605' }],
    ] as const) {
      await using server = await startHalyard(env);
      expect(await get(server.port, agent)).toMatchObject({ 'keep-alive': `timeout=${seconds}` });
    }
    agent.destroy();
  });

  it('outlives the time in which the headers of a request must come', async () => {
    await using server = await startTestServer({ limits: { headersTimeout: 100, requestTimeout: 100 } });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    await get(server.port, agent);
    // A connection whose headers do not come is cut meanwhile: so the server has looked for such connections.
    const slow = connect(server.port, '127.0.0.1').on('error', () => {});
    slow.write('GET /health HTTP/1.1\r\n');
    slow.resume();
    await new Promise(resolve => slow.on('close', resolve));
    expect(await get(server.port, agent)).toMatchObject({ isReused: true });
    agent.destroy();
  });

  it('is closed after that time', async () => {
    await using server = await startTestServer({ limits: { keepAliveTimeout: 50 } });
    const idle = connect(server.port, '127.0.0.1').on('error', () => {});
    idle.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n');
    idle.resume();
    await new Promise(resolve => idle.on('close', resolve));
  });
});

describe('the headers of a request', () => {
  /** Attributes of so many bytes of JSON. */
  const attributesOf = (bytes: number) => ({ text: 'x'.repeat(bytes - '{"text":""}'.length) });

  it('may carry a token with as many attributes as are allowed', async () => {
    await using server = await startHalyard();
    const largest = await server.token('user', { attributes: attributesOf(16_384) });
    const answer = await httpClient(server.url, largest).query('{ viewer { role } }');
    expect(answer).toMatchObject({ status: 200, body: { data: { viewer: { role: 'USER' } } } });
    await using socket = wsClient(server.url, { token: largest as string });
    expect(await socket.query('{ viewer { role } }')).toMatchObject({ data: { viewer: { role: 'USER' } } });
    // One byte more is refused by what reads the token.
    const tooLarge = await server.token('user', { attributes: attributesOf(16_385) });
    expect((await httpClient(server.url, tooLarge).query('{ viewer { role } }')).status).toBe(401);
  });

  it('are answered 431 with words that a page may read when they are larger than the limit', async () => {
    await using server = await startTestServer();
    for (const size of [defaultServerLimits.maxHeaderSize, 10 * defaultServerLimits.maxHeaderSize]) {
      const answer = await httpClient(server.url).query('{ hello }', undefined, { 'x-large': 'x'.repeat(size) });
      expect(answer.status).toBe(431);
      expect(answer.headers.get('access-control-allow-origin')).toBe('*');
      expect(answer.body).toEqual({
        errors: [
          {
            message: expect.stringContaining('may have 32,768 bytes together'),
            extensions: { code: 'REQUEST_HEADER_FIELDS_TOO_LARGE' },
          },
        ],
      });
    }
    expect((await httpClient(server.url).query('{ hello }')).status).toBe(200);
  });

  it('are answered without leave to read where not every page has it', async () => {
    await using server = await startTestServer({ corsOrigins: ['https://a.example'] });
    const answer = await httpClient(server.url).query('{ hello }', undefined, { 'x-large': 'x'.repeat(40_000) });
    expect(answer.status).toBe(431);
    expect(answer.headers.has('access-control-allow-origin')).toBe(false);
  });

  it.each([
    ['that are no HTTP', 400, '\x16\x03\x01\x02\x00\x01\x00'],
    ['that do not come', 408, 'GET /health HTTP/1.1\r\n'],
  ])('%s are answered %i, with words', async (_what, status, bytes) => {
    await using server = await startTestServer({ limits: { headersTimeout: 100, requestTimeout: 100 } });
    const socket = connect(server.port, '127.0.0.1').on('error', () => {});
    let answer = '';
    socket.setEncoding('utf8').on('data', text => {
      answer += text;
    });
    socket.write(bytes);
    await until(() => answer.includes('}]}'), 'it is answered');
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    socket.end();
    await until(() => server.load.connections === 0, 'the connection is closed');
  });
});

describe('a client of graphql-sse', () => {
  interface Seen {
    readonly results: unknown[];
    readonly ends: unknown[];
  }

  function watch(client: Client, request: RequestParams): Seen {
    const seen: Seen = { results: [], ends: [] };
    client.subscribe(request, {
      next: result => seen.results.push(result),
      error: error => seen.ends.push(error),
      complete: () => seen.ends.push('complete'),
    });
    return seen;
  }

  const tick = { query: 'subscription { tick }' };

  it('comes back with a new token when its token has ended', async () => {
    await using server = await startTestServer();
    // Within the tolerance for clocks a token still counts: the first one ends in about one second.
    const lives = [-4, 3_600];
    const client = createClient({
      url: `${server.url}/graphql`,
      retry: () => sleep(10),
      headers: async () => ({ authorization: `Bearer ${await token({ expiresInSeconds: lives.shift() ?? 3_600 })}` }),
    });
    const seen = watch(client, tick);
    await until(() => lives.length === 0 && server.ticker.listeners === 1 && seen.results.length === 2, 'it is back');
    expect(seen).toEqual({ results: Array(2).fill({ data: { tick: expect.any(Number) } }), ends: [] });
    client.dispose();
  });

  it('comes back to another node when the first one stops', async () => {
    const first = await startTestServer();
    await using second = await startTestServer();
    let node = first;
    const client = createClient({ url: () => `${node.url}/graphql`, retry: () => sleep(10) });
    const seen = watch(client, tick);
    await until(() => seen.results.length === 1, 'it has begun');
    node = second;
    await first.close();
    await until(() => seen.results.length === 2, 'it is back');
    expect(seen.ends).toEqual([]);
    client.dispose();
  });

  it('does not come back when the subscription is over', async () => {
    await using server = await startTestServer();
    const client = createClient({ url: `${server.url}/graphql`, retry: () => sleep(10) });
    const seen = watch(client, { query: 'subscription { throwsLater }' });
    await until(() => seen.ends.length > 0, 'it is over');
    expect(seen.ends).toEqual(['complete']);
    client.dispose();
  });
});
