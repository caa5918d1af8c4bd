import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InvalidTokenError } from '../../src/auth/caller.js';
import { UnavailableError } from '../../src/core/errors.js';
import { httpClient, sseClient } from '../support/clients.js';
import { openRawSocket } from '../support/raw-socket.js';
import { until } from '../support/wait.js';
import { startTestServer, type TestServer, token, userId, verifierWith } from './harness.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

const post = (body: string | undefined, headers: Record<string, string> = {}, path = '/graphql') =>
  fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body }),
  });
const hello = JSON.stringify({ query: '{ hello }' });

/** What comes back for bytes written by hand, until the server closes or `done` says it is enough. */
async function raw(
  bytes: string,
  done: (answer: string) => boolean = () => false,
  port = server.port,
): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.setEncoding('utf8').on('data', text => {
    answer += text;
    if (done(answer)) socket.destroy();
  });
  const closed = new Promise(resolve => socket.on('close', resolve));
  socket.on('error', () => {});
  socket.write(bytes);
  await closed;
  return answer;
}

describe('GraphQL over HTTP', () => {
  it.each([
    ['application/json', 200],
    ['application/json; charset=utf-8', 200],
    ['Application/JSON', 200],
    ['application/x-www-form-urlencoded', 415],
    ['multipart/form-data; boundary=x', 415],
    ['text/plain', 415],
    ['application/graphql', 415],
    ['application/graphql+json', 415],
    ['application/jsonp', 415],
    ['', 415],
  ])('answers a POST of "%s" with %i', async (type, status) => {
    const response = await post(hello, { 'content-type': type });
    expect(response.status).toBe(status);
    if (status === 415) {
      expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'UNSUPPORTED_MEDIA_TYPE' } }] });
    } else {
      expect(await response.json()).toEqual({ data: { hello: 'world' } });
    }
  });

  it('answers queries by GET and no mutations', async () => {
    const get = (query: string) => fetch(`${server.url}/graphql?query=${encodeURIComponent(query)}`);
    const query = await get('{ hello }');
    expect(query.status).toBe(200);
    expect(await query.json()).toEqual({ data: { hello: 'world' } });
    const mutation = await get('mutation { change }');
    expect(mutation.status).toBe(405);
    expect(mutation.headers.get('allow')).toBe('POST');
    expect(await mutation.json()).toMatchObject({ errors: [{ message: expect.stringContaining('POST') }] });
  });

  it.each(['PUT', 'DELETE', 'PATCH'])('refuses %s', async method => {
    expect((await fetch(`${server.url}/graphql`, { method })).status).toBe(405);
  });

  it('refuses a batch', async () => {
    const response = await post(`[${hello},${hello}]`);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'BAD_REQUEST' } }] });
  });

  it.each(['', 'null', '1', '"x"', '{', '{"query":1}', '{"variables":{}}', '{"query":"{hello}","variables":[]}'])(
    'answers the body %s with an error, not a crash',
    async body => {
      const response = await post(body);
      expect(response.status).toBeLessThan(500);
      expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'BAD_REQUEST' } }] });
    },
  );

  it('refuses a body over 1 MB by its stated length, before it is sent', async () => {
    const answer = await raw(
      'POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000001\r\n\r\n',
      text => text.includes('}]}'),
    );
    expect(answer).toMatch(/^HTTP\/1.1 413 /);
    expect(answer).toContain('REQUEST_ENTITY_TOO_LARGE');
  });

  it('answers 413 to a client that sends all of it', async () => {
    const response = await post(JSON.stringify({ query: '{ hello }', padding: 'x'.repeat(5_000_000) }));
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'REQUEST_ENTITY_TOO_LARGE' } }] });
  });

  it('refuses a body over 1 MB that comes in chunks of no stated length, and does not read on', async () => {
    let sent = 0;
    const chunk = new TextEncoder().encode('x'.repeat(64_000));
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += chunk.byteLength;
        controller.enqueue(chunk);
        if (sent > 50_000_000) controller.close();
      },
    });
    const response = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
      duplex: 'half',
    } as RequestInit);
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'REQUEST_ENTITY_TOO_LARGE' } }] });
  });

  it('takes a body just under 1 MB', async () => {
    const body = JSON.stringify({ query: '{ hello }', extensions: { padding: 'x'.repeat(999_900) } });
    expect(body.length).toBeLessThanOrEqual(1_000_000);
    expect((await post(body)).status).toBe(200);
  });

  it('gives a request an id, and keeps one that it came with', async () => {
    expect((await post(hello)).headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect((await post(hello, { 'x-request-id': 'abc-123' })).headers.get('x-request-id')).toBe('abc-123');
    expect((await post(hello, { 'x-request-id': 'a'.repeat(129) })).headers.get('x-request-id')).toHaveLength(36);
    expect((await post(hello, { 'x-request-id': 'a b"c' })).headers.get('x-request-id')).toHaveLength(36);
  });

  it('answers a client that offers HTTP/2 with its request, as Java does', async () => {
    const answer = await raw(
      `POST /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Type: application/json\r\nContent-Length: ${hello.length}\r\n\r\n${hello}`,
      text => text.includes('world'),
    );
    expect(answer).toMatch(/^HTTP\/1.1 200 /);
    expect(answer).toContain('{"data":{"hello":"world"}}');
  });
});

describe('tokens over HTTP', () => {
  const whoami = '{ whoami }';

  it('makes the caller known to resolvers', async () => {
    expect((await httpClient(server.url).query(whoami)).body.data).toEqual({ whoami: 'ANONYMOUS null' });
    expect((await httpClient(server.url, await token()).query(whoami)).body.data).toEqual({ whoami: `USER ${userId}` });
  });

  it.each([
    ['a token that is none', 'Bearer hello'],
    ['another scheme', 'Basic dTpw'],
    ['an empty header', ''],
  ])('refuses %s with 401', async (_name, authorization) => {
    const response = await httpClient(server.url).query(whoami, undefined, { authorization });
    // fetch drops a header without a value: then there is none, and the caller is anonymous.
    if (authorization === '' && response.status === 200) return;
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toMatch(/^Bearer/);
    expect(response.body).toEqual({
      errors: [{ message: expect.any(String), extensions: { code: 'UNAUTHENTICATED' } }],
    });
  });

  it('refuses an expired token on every way over HTTP, and a page may read why', async () => {
    const expired = await token({ expiresInSeconds: -60 });
    const byPost = await httpClient(server.url, expired).query(whoami);
    expect(byPost).toMatchObject({ status: 401, body: { errors: [{ message: 'The token has expired.' }] } });
    expect(byPost.headers.get('access-control-allow-origin')).toBe('*');
    const byGet = await fetch(`${server.url}/graphql?query={whoami}`, {
      headers: { authorization: `Bearer ${expired}` },
    });
    expect(byGet.status).toBe(401);
    const stream = await sseClient(server.url, 'subscription { tick }', { token: expired });
    expect(stream.status).toBe(401);
    expect(await stream.next()).toMatchObject({ errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] });
  });

  it('says 503 when tokens cannot be verified, and hides an unexpected error', async () => {
    let failure: Error = new UnavailableError("The identity provider's keys cannot be read.");
    await using other = await startTestServer({ verifier: verifierWith(() => Promise.reject(failure)) });
    const client = httpClient(other.url, 'x');
    expect(await client.query('{ hello }')).toMatchObject({
      status: 503,
      body: { errors: [{ extensions: { code: 'UNAVAILABLE' } }] },
    });
    failure = new Error('hunter2');
    const answer = await client.query('{ hello }');
    expect(answer).toMatchObject({
      status: 500,
      body: { errors: [{ extensions: { code: 'INTERNAL_SERVER_ERROR' } }] },
    });
    expect(JSON.stringify(answer.body)).not.toContain('hunter2');
    failure = new InvalidTokenError('No.');
    expect(await client.query('{ hello }')).toMatchObject({ status: 401 });
  });

  it('never logs a token', async () => {
    const secretToken = await token({ expiresInSeconds: 1_234 });
    await httpClient(server.url, secretToken).query('mutation { change }');
    await httpClient(server.url, `${secretToken}x`).query('mutation { change }');
    expect(server.lines.length).toBeGreaterThan(0);
    for (const part of secretToken.split('.')) expect(JSON.stringify(server.lines)).not.toContain(part);
  });
});

describe('CORS', () => {
  const ask = (url: string, origin: string, init: RequestInit = {}) =>
    fetch(`${url}/graphql?query={hello}`, { ...init, headers: { origin, ...init.headers } });
  const preflight = (url: string, origin: string) =>
    ask(url, origin, {
      method: 'OPTIONS',
      headers: {
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type',
      },
    });

  it('lets pages of any origin read by default, never with credentials', async () => {
    for (const response of [
      await ask(server.url, 'https://a.example'),
      await preflight(server.url, 'https://a.example'),
    ]) {
      expect(response.headers.get('access-control-allow-origin')).toBe('*');
      expect(response.headers.has('access-control-allow-credentials')).toBe(false);
    }
  });

  it('answers a preflight', async () => {
    const response = await preflight(server.url, 'https://a.example');
    expect(response.status).toBe(204);
    expect(response.headers.get('access-control-allow-methods')).toBe('GET, POST');
    expect(response.headers.get('access-control-allow-headers')).toBe('authorization,content-type');
  });

  it('lets subdomains at any depth read where a * stands for them, and nobody else', async () => {
    await using strict = await startTestServer({ corsOrigins: ['https://*.example.com', 'http://*.dev.test:3000'] });
    for (const origin of ['https://a.example.com', 'https://b-1.a.example.com', 'http://x.dev.test:3000']) {
      const response = await ask(strict.url, origin);
      expect(response.headers.get('access-control-allow-origin'), origin).toBe(origin);
      expect(response.headers.get('vary')).toContain('Origin');
      const raw = await openRawSocket(strict.url, { origin });
      raw.socket.terminate();
    }
    for (const origin of [
      'https://example.com',
      'https://evil-example.com',
      'https://.example.com',
      'https://a..example.com',
      'http://a.example.com',
      'https://a.example.com:8443',
      'https://a.example.com.evil.example',
      'https://evil.example/.example.com',
      'https://evil.example:80.example.com',
      'https://evil.example#.example.com',
      'https://A.example.com',
      'https://*.example.com/',
      `https://${'a.'.repeat(5_000)}example.com`,
      'http://x.dev.test',
      'http://x.dev.test:30000',
    ]) {
      const response = await ask(strict.url, origin);
      expect(response.headers.has('access-control-allow-origin'), origin).toBe(false);
    }
    await expect(openRawSocket(strict.url, { origin: 'https://evil-example.com' })).rejects.toThrow('403');
  });

  it('lets the pages of an app read, whose scheme is its own', async () => {
    const origins = ['capacitor://localhost', 'chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb'];
    await using strict = await startTestServer({ corsOrigins: origins });
    for (const origin of origins) {
      expect((await ask(strict.url, origin)).headers.get('access-control-allow-origin')).toBe(origin);
    }
    expect((await ask(strict.url, 'https://localhost')).headers.has('access-control-allow-origin')).toBe(false);
  });

  it('names a listed origin alone', async () => {
    await using strict = await startTestServer({ corsOrigins: ['https://a.example', 'https://b.example'] });
    for (const response of [
      await ask(strict.url, 'https://b.example'),
      await preflight(strict.url, 'https://b.example'),
    ]) {
      expect(response.headers.get('access-control-allow-origin')).toBe('https://b.example');
      expect(response.headers.get('vary')).toContain('Origin');
      expect(response.headers.has('access-control-allow-credentials')).toBe(false);
    }
    for (const origin of ['https://c.example', 'null', 'https://a.example.evil.example']) {
      const response = await ask(strict.url, origin);
      expect(response.headers.has('access-control-allow-origin')).toBe(false);
      expect(response.headers.get('vary')).toContain('Origin');
    }
  });
});

describe('pages and probes', () => {
  it('serves GraphiQL to a browser, which may load nothing from elsewhere', async () => {
    const response = await fetch(`${server.url}/graphql`, { headers: { accept: 'text/html,*/*' } });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    const page = await response.text();
    expect(page).toContain('YogaGraphiQL');
    expect(page).toContain('npx halyard token --admin');
    expect(page).not.toMatch(/<(script|link)[^>]+(src|href)=["']?(https?:)?\/\//);
  });

  it('leads from / to GraphiQL', async () => {
    const response = await fetch(`${server.url}/`, { redirect: 'manual' });
    expect(response.status).toBe(307);
    expect(new URL(response.headers.get('location') ?? '', `${server.url}/`).pathname).toBe('/graphql');
  });

  it('is healthy while it is up', async () => {
    const response = await fetch(`${server.url}/health`);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ status: 'ok' });
    expect((await fetch(`${server.url}/health`, { method: 'HEAD' })).status).toBe(200);
  });

  it('is ready when it says so', async () => {
    const response = await fetch(`${server.url}/ready`);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ ready: true });
  });

  it('says why it is not ready', async () => {
    await using waiting = await startTestServer({
      readiness: async () => ({ ready: false, reason: 'No.', revision: 7 }),
    });
    const response = await fetch(`${waiting.url}/ready`);
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({ ready: false, reason: 'No.', revision: 7 });
    await using broken = await startTestServer({ readiness: () => Promise.reject(new Error('hunter2')) });
    const failed = await fetch(`${broken.url}/ready`);
    expect(failed.status).toBe(503);
    expect(await failed.text()).not.toContain('hunter2');
  });

  it('says which header a proxy has taken from the handshake of a WebSocket', async () => {
    const response = await fetch(`${server.url}/graphql`, { headers: { 'sec-websocket-key': 'x', accept: '*/*' } });
    expect([response.status, response.headers.get('upgrade')]).toEqual([426, 'websocket']);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'UPGRADE_REQUIRED' } }] });
  });

  it.each(['/nothing', '/graphql/', '/graphql/health', '/GRAPHQL'])('answers 404 in JSON at %s', async path => {
    const response = await post(hello, {}, path);
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'NOT_FOUND' } }] });
  });
});

describe('log lines', () => {
  it('are one an operation, with its name, outcome and duration', async () => {
    await using quiet = await startTestServer();
    const client = httpClient(quiet.url);
    await client.query('query Greeting { hello }', undefined, { 'x-request-id': 'r1' });
    await client.query('mutation Change { change }', undefined, { 'x-request-id': 'r2' });
    await client.query('{ forbidden }', undefined, { 'x-request-id': 'r3' });
    await client.query('{ nothing }', undefined, { 'x-request-id': 'r4' });
    await client.query('{', undefined, { 'x-request-id': 'r5' });
    await until(() => quiet.lines.length >= 5, 'five lines are written');
    expect(quiet.lines).toMatchObject([
      { requestId: 'r1', level: 20, operation: 'query', name: 'Greeting', outcome: 'ok', duration: expect.any(Number) },
      { requestId: 'r2', level: 30, operation: 'mutation', name: 'Change', outcome: 'ok' },
      { requestId: 'r3', level: 20, name: null, outcome: 'FORBIDDEN' },
      { requestId: 'r4', level: 20, outcome: 'GRAPHQL_VALIDATION_FAILED' },
      { requestId: 'r5', level: 20, outcome: 'GRAPHQL_PARSE_FAILED' },
    ]);
  });
});

describe('a request', () => {
  it('may name the whole address, as clients of a proxy do', async () => {
    const answer = await raw(
      `GET http://halyard.example/health?probe=1 HTTP/1.1\r\nHost: halyard.example\r\nConnection: close\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n/);
    for (const target of ['http://halyard.example', '*', 'http:x', 'nothing']) {
      const refused = await raw(`GET ${target} HTTP/1.1\r\nHost: halyard.example\r\nConnection: close\r\n\r\n`);
      expect(refused, target).toMatch(/^HTTP\/1.1 (307|400|404) /);
    }
  });
});
