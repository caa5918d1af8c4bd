import { once } from 'node:events';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { startTestServer, type TestServer, token } from './harness.js';

let server: TestServer;
let bearer: string;
beforeAll(async () => {
  server = await startTestServer();
  bearer = `Bearer ${await token()}`;
});
afterAll(() => server.close());

/** Asks over HTTP with exactly these header lines. */
async function ask(headers: readonly string[] = [], query = ''): Promise<{ status: number; body: string }> {
  const { host } = new URL(server.url);
  const outgoing = request(`${server.url}/graphql${query}`, {
    method: 'POST',
    headers: ['host', host, 'content-type', 'application/json', ...headers] as never,
  });
  outgoing.end('{"query":"{ hello }"}');
  const [response] = await once(outgoing, 'response');
  let body = '';
  for await (const chunk of response) body += chunk;
  return { status: response.statusCode, body };
}

interface Handshake {
  readonly headers?: Record<string, string | string[]>;
  readonly query?: string;
  /** Subprotocols beside ours. */
  readonly offered?: readonly string[];
}

/** Opens a socket and introduces itself: whether it is acknowledged, or the close code and its reason. */
async function introduce(
  payload: unknown,
  { headers = {}, query = '', offered = [] }: Handshake = {},
): Promise<string> {
  const protocols = ['graphql-transport-ws', ...offered];
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/graphql${query}`, protocols, {
    headers: headers as never,
  });
  await once(socket, 'open');
  socket.send(JSON.stringify({ type: 'connection_init', ...(payload === undefined ? {} : { payload }) }));
  try {
    return await new Promise(resolve => {
      socket.on('message', data => resolve(JSON.parse(String(data)).type));
      socket.on('close', (code, reason) => resolve(`${code} ${reason}`));
    });
  } finally {
    socket.terminate();
  }
}

const nothingOf = (secret: string, said: string) => {
  expect(said).not.toContain(secret);
  expect(JSON.stringify(server.lines)).not.toContain(secret);
};

describe('credentials over HTTP', () => {
  it('are used in the header Authorization', async () => {
    expect(await ask(['authorization', bearer])).toMatchObject({ status: 200 });
  });

  it('are not looked for in cookies', async () => {
    expect(await ask(['cookie', 'token=hunter2; authorization=hunter2'])).toMatchObject({ status: 200 });
  });

  it.each<[string, string[], string, RegExp]>([
    ['an Authorization without "Bearer"', ['authorization', 'hunter2'], '', /not of the form \\"Bearer <token>\\"/],
    ['basic authentication', ['authorization', 'Basic hunter2'], '', /scheme Basic.*\\"Bearer <token>\\"/],
    ['X-Api-Key', ['x-api-key', 'hunter2'], '', /X-Api-Key.*Authorization: Bearer <token>/],
    ['X-Access-Token', ['X-Access-Token', 'hunter2'], '', /X-Access-Token.*Authorization: Bearer <token>/],
    ['access_token in the URL', [], '?access_token=hunter2', /access_token.*URL.*Authorization: Bearer <token>/],
    ['token in the URL', [], '?a=1&Token=hunter2', /Token.*URL.*Authorization: Bearer <token>/],
    [
      'two Authorization headers',
      ['authorization', 'Bearer a', 'Authorization', 'Bearer hunter2'],
      '',
      /more than once/,
    ],
  ])('are refused as %s, with the right place named', async (_name, headers, query, message) => {
    const { status, body } = await ask(headers, query);
    expect(status).toBe(401);
    expect(body).toMatch(message);
    nothingOf('hunter2', body);
  });

  it('are refused twice even if both are valid, as Node.js would drop one without a word', async () => {
    expect(await ask(['authorization', bearer, 'authorization', bearer])).toMatchObject({ status: 401 });
  });

  it('leave the key of a gateway in front alone, beside a token', async () => {
    expect(await ask(['authorization', bearer, 'x-api-key', 'of the gateway'])).toMatchObject({ status: 200 });
  });
});

describe('an API key', () => {
  const key = `hly_${'x'.repeat(43)}`;
  const other = `hly_${'y'.repeat(43)}`;

  it.each<[string, string[], RegExp]>([
    ['in Authorization', ['authorization', `Bearer ${key}`], /The API key is unknown/],
    ['in X-API-Key', ['X-API-Key', key], /The API key is unknown/],
    ['in both', ['authorization', `Bearer ${key}`, 'x-api-key', key], /The API key is unknown/],
    ['in both, but another one', ['authorization', `Bearer ${other}`, 'x-api-key', key], /X-API-Key have different/],
    ['beside a token', ['authorization', 'Bearer a.b.c', 'x-api-key', key], /X-API-Key have different/],
    ['twice in X-API-Key', ['x-api-key', key, 'x-api-key', other], /The API key is unknown/],
    ['as basic authentication', ['authorization', `Basic ${key}`], /scheme Basic/],
    ['in another header', ['api-key', key], /Api-Key is not read/],
  ])('is looked for over HTTP: %s', async (_name, headers, message) => {
    const { status, body } = await ask(headers);
    expect(status).toBe(401);
    expect(body).toMatch(message);
    nothingOf('xxx', body);
  });

  it('cannot be a token in X-API-Key: the error names the right place', async () => {
    const { status, body } = await ask(['x-api-key', bearer.slice('Bearer '.length)]);
    expect(status).toBe(401);
    expect(body).toMatch(/X-Api-Key.*hly_.*Authorization: Bearer <token>/);
    nothingOf(bearer.slice(-20), body);
  });

  it.each<[string, unknown, Handshake | undefined, RegExp]>([
    ['in the parameter Authorization', { Authorization: `Bearer ${key}` }, undefined, /^4403 The API key is unknown/],
    ['in the parameter X-API-Key', { 'X-API-Key': key }, undefined, /^4403 The API key is unknown/],
    ['in the parameter x-api-key', { 'x-api-key': key }, undefined, /^4403 The API key is unknown/],
    ['in two parameters', { 'x-api-key': key, 'X-API-KEY': other }, undefined, /^4403 .*more than once/],
    [
      'in both parameters, but another one',
      { 'x-api-key': key, authorization: `Bearer ${other}` },
      undefined,
      /^4403 .*different tokens/,
    ],
    ['in the handshake', undefined, { headers: { 'x-api-key': key } }, /^4403 The API key is unknown/],
    ['in the parameter token', { token: key }, undefined, /^4403 "token" in the connection parameters is not read/],
  ])('is looked for on a WebSocket: %s', async (_name, payload, handshake, answer) => {
    const said = await introduce(payload, handshake);
    expect(said).toMatch(answer);
    nothingOf('xxx', said);
  });
});

describe('credentials of a WebSocket', () => {
  it.each(['Authorization', 'authorization', 'AUTHORIZATION'])(
    'are used in the connection parameter %s',
    async name => {
      expect(await introduce({ [name]: bearer })).toBe('connection_ack');
      expect(await introduce({ [name]: 'Bearer hunter2' })).toMatch(/^4403 The token/);
    },
  );

  it('are used in the header of the handshake', async () => {
    expect(await introduce(undefined, { headers: { authorization: bearer } })).toBe('connection_ack');
    expect(await introduce(undefined, { headers: { authorization: 'Bearer hunter2' } })).toMatch(/^4403 The token/);
  });

  it('may stand in both places if they are the same', async () => {
    const headers = { authorization: bearer };
    expect(await introduce({ authorization: bearer }, { headers })).toBe('connection_ack');
  });

  it.each([
    ['nothing', undefined],
    ['null in their place', { authorization: null, token: null, headers: { Authorization: undefined } }],
    ['parameters of another kind', { client: 'web', headers: { 'x-trace': 'a' } }],
  ])('may be absent: %s', async (_name, payload) => {
    expect(await introduce(payload)).toBe('connection_ack');
  });

  it.each([
    ['the legacy protocol', ['graphql-ws']],
    ['protocols of other servers', ['v12.stomp', 'mqtt', 'com.example.long-name.wsencrypt']],
  ])('are not seen in subprotocols that are only offered: %s', async (_name, offered) => {
    expect(await introduce(undefined, { offered })).toBe('connection_ack');
    expect(await introduce({ authorization: bearer }, { offered })).toBe('connection_ack');
  });

  it.each([
    ['as bearer.<token>', ['bearer.hunter2']],
    ['as Bearer-<token>', ['Bearer-hunter2']],
    ['behind access_token', ['access_token', 'hunter2']],
    ['behind Authorization', ['Authorization', 'hunter2']],
    ['behind X-Api-Key', ['X-Api-Key', 'hunter2']],
    ['as Kubernetes reads it', ['base64url.bearer.authorization.k8s.io.aHVudGVyMg', 'hunter2']],
    ['as AWS AppSync reads it', ['header-eyJBdXRob3JpemF0aW9uIjoiaHVudGVyMiJ9', 'hunter2']],
    ['as a JWT alone', ['eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.hunter2']],
    ['as a long text that names no protocol', [`hunter2${'0123456789abcdef'.repeat(3)}`]],
  ])('are refused among the subprotocols, %s, with the right place named', async (_name, offered) => {
    const closed = await introduce(undefined, { offered });
    expect(closed).toBe(
      '4403 A credential in Sec-WebSocket-Protocol is not read: send connectionParams { "Authorization": "Bearer <token>" }.',
    );
    nothingOf('hunter2', closed);
  });

  it('leave subprotocols to a gateway in front, beside a token in the header of the handshake', async () => {
    const headers = { authorization: bearer };
    expect(await introduce(undefined, { headers, offered: ['bearer.hunter2'] })).toBe('connection_ack');
  });

  it.each<[string, unknown, { headers?: Record<string, string | string[]>; query?: string }, RegExp]>([
    ['connectionParams.token', { token: 'hunter2' }, {}, /"token".*"Authorization": "Bearer <token>"/],
    ['connectionParams.authToken', { authToken: 'hunter2' }, {}, /"authToken".*"Authorization": "Bearer <token>"/],
    [
      'connectionParams.headers.Authorization',
      { headers: { Authorization: 'Bearer hunter2' } },
      {},
      /"headers.Authorization".*"Authorization": "Bearer <token>"/,
    ],
    ['a parameter without "Bearer"', { authorization: 'hunter2' }, {}, /connection parameters.*"Bearer <token>"/],
    ['a parameter that is not text', { authorization: { token: 'hunter2' } }, {}, /"Bearer <token>"/],
    ['token beside a valid token', { authorization: 'ok', token: 'hunter2' }, {}, /"token"/],
    ['two parameters', { authorization: 'Bearer a', Authorization: 'Bearer hunter2' }, {}, /more than once/],
    ['basic authentication', undefined, { headers: { authorization: 'Basic hunter2' } }, /scheme Basic/],
    ['X-Api-Key', undefined, { headers: { 'x-api-key': 'hunter2' } }, /X-Api-Key/],
    ['access_token in the URL', undefined, { query: '?access_token=hunter2' }, /access_token.*"Bearer <token>"/],
    ['access_token in the URL beside a token', { authorization: 'ok' }, { query: '?access_token=hunter2' }, /URL/],
    [
      'two tokens that differ',
      { authorization: 'ok' },
      { headers: { authorization: 'Bearer hunter2' } },
      /handshake.*connection parameters/,
    ],
  ])('are refused as %s, with the right place named', async (_name, payload, options, message) => {
    const given = (payload as { authorization?: unknown } | undefined)?.authorization === 'ok';
    const closed = await introduce(given ? { ...(payload as object), authorization: bearer } : payload, options);
    expect(closed).toMatch(/^4403 /);
    expect(closed).toMatch(message);
    expect(closed).not.toContain('…');
    nothingOf('hunter2', closed);
  });
});
