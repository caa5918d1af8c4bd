import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { PassThrough } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readBody } from '../../src/server/http/body.js';
import { ByteBudget } from '../../src/server/http/byte-budget.js';
import { heapInUse } from '../support/cpu.js';
import { openInitiatedSocket } from '../support/raw-socket.js';
import { until } from '../support/wait.js';
import { startTestServer, type TestServer } from './harness.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

const json = { 'content-type': 'application/json' };
const hello = JSON.stringify({ query: '{ hello }' });
const url = () => `${server.url}/graphql`;

async function post(body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) {
  const response = await fetch(url(), { method: 'POST', headers: { ...json, ...headers }, body });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text };
}

const errorIn = (text: string) => (JSON.parse(text) as { errors: { message: string; extensions: object }[] }).errors[0];

describe('a body', () => {
  it.each(['gzip', 'br', 'deflate', 'zstd', 'GZIP', 'identity, gzip'])(
    'that is encoded with %s is refused in words',
    async encoding => {
      const { status, headers, text } = await post(gzipSync(hello), { 'content-encoding': encoding });
      expect(status).toBe(415);
      expect(headers.get('accept-encoding')).toBe('identity');
      expect(errorIn(text)).toEqual({
        message: `The body has the Content-Encoding "${encoding.toLowerCase()}". Send it without one.`,
        extensions: { code: 'UNSUPPORTED_MEDIA_TYPE' },
      });
    },
  );

  it.each(['ISO-8859-1', 'utf-16', '"latin1"', 'utf-8x'])(
    'in the character set %s is refused in words',
    async charset => {
      const { status, text } = await post(hello, { 'content-type': `application/json; charset=${charset}` });
      expect(status).toBe(415);
      expect(errorIn(text)).toEqual({
        message: `The body has the character set "${charset.replaceAll('"', '').toLowerCase()}". Send it in UTF-8.`,
        extensions: { code: 'UNSUPPORTED_MEDIA_TYPE' },
      });
    },
  );

  it('with an encoding or a character set of any length is refused in few words', async () => {
    for (const headers of [
      { 'content-encoding': 'x'.repeat(5_000) },
      { 'content-type': `application/json; charset=${'x'.repeat(5_000)}` },
    ]) {
      const { status, text } = await post(hello, headers as Record<string, string>);
      expect([status, text.length < 500]).toEqual([415, true]);
    }
  });

  it.each([
    ['identity', { 'content-encoding': 'identity' }],
    ['utf-8', { 'content-type': 'application/json; charset="UTF-8"' }],
    ['utf8', { 'content-type': 'application/json;charset=utf8' }],
    ['other parameters', { 'content-type': 'application/json; odd=1; charset=utf-8; x' }],
  ])('with %s is taken', async (_name, headers) => {
    expect((await post(hello, headers as Record<string, string>)).text).toBe('{"data":{"hello":"world"}}');
  });

  it('that begins with a byte order mark is taken, first and again', async () => {
    for (let i = 0; i < 3; i += 1) expect((await post(`\uFEFF${hello}`)).text).toBe('{"data":{"hello":"world"}}');
  });

  it.each([
    ['Latin-1', Buffer.from('{"query":"{ hello }","operationName":"größe"}', 'latin1')],
    ['UTF-16', Buffer.from(`\uFEFF${hello}`, 'utf16le')],
    ['a sequence that is cut', Buffer.from([...Buffer.from('{"query":"{ hello }","operationName":"'), 0xe2, 0x82])],
    ['half of a surrogate pair', Buffer.from([...Buffer.from(`${hello} `), 0xed, 0xa0, 0x80])],
    ['an overlong form', Buffer.from([...Buffer.from(`${hello} `), 0xc0, 0xaf])],
  ])('whose bytes are no UTF-8 is refused without its bytes: %s', async (_name, body) => {
    const { status, text } = await post(body);
    expect(status).toBe(400);
    expect(text).toBe(
      '{"errors":[{"message":"The body is not UTF-8. Encode it as UTF-8.","extensions":{"code":"BAD_REQUEST"}}]}',
    );
  });
});

describe('the query string of a GET', () => {
  const get = async (search: string) => {
    const response = await fetch(`${url()}?${search}`, { headers: { accept: 'application/json' } });
    return { status: response.status, text: await response.text() };
  };

  it.each([
    'query={hello}&operationName=gr%F6%DFe',
    'query={hello}&variables={%22a%22:%22%E4%22}',
    'query=%23%FF%0A{hello}',
  ])('is refused where it is no UTF-8: %s', async search => {
    const { status, text } = await get(search);
    expect(status).toBe(400);
    expect(errorIn(text)).toEqual({
      message: 'The query string of the address is not UTF-8. Encode it as UTF-8, then in percent-encoding.',
      extensions: { code: 'BAD_REQUEST' },
    });
  });

  it.each(['query={hello}%23%C3%A4', 'query={hello}%23%EF%BF%BD', 'query={hello}%23%ef%bf%bd', 'query={hello}%23100%'])(
    'is taken where it is: %s',
    async search => {
      expect((await get(search)).text).toBe('{"data":{"hello":"world"}}');
    },
  );
});

it('an address with bytes that are not in percent-encoding is refused', async () => {
  const socket = connect(server.port, '127.0.0.1');
  const closed = new Promise(resolve => socket.once('close', resolve));
  let answer = '';
  socket.setEncoding('utf8').on('data', text => {
    answer += text;
  });
  socket.write('GET /graphql?query={hello}&operationName=größe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  await closed;
  expect(answer).toMatch(/^HTTP\/1.1 400 /);
});

describe('the media types that a client accepts', () => {
  const ask = (accept: string, query: string) => post(JSON.stringify({ query }), { accept });

  it.each(['text/html', 'image/png', 'application/graphql+json', 'application/json;charset=latin1'])(
    '%s: a mutation is refused in words, before it runs',
    async accept => {
      const { status, text } = await ask(accept, 'mutation { change }');
      expect(status).toBe(406);
      expect(errorIn(text)).toEqual({
        message:
          'The answer is application/json or application/graphql-response+json; a subscription is sent as text/event-stream, or over WebSocket. Accept one of these.',
        extensions: { code: 'NOT_ACCEPTABLE' },
      });
    },
  );

  it.each([
    'multipart/mixed;subscriptionSpec=1.0',
    'multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/graphql-response+json,application/json;q=0.9',
    'application/json',
  ])('%s: a subscription is refused with what can be used', async accept => {
    const { status, text } = await ask(accept, 'subscription { tick }');
    expect(status).toBe(406);
    expect(errorIn(text)).toEqual({
      message:
        'A subscription is sent as text/event-stream (Server-Sent Events), or over WebSocket (graphql-transport-ws). Accept text/event-stream, or use a WebSocket client such as graphql-ws.',
      extensions: { code: 'NOT_ACCEPTABLE' },
    });
  });

  it.each([
    '*/*',
    'application/*',
    'application/json',
    'text/html, application/json;q=0.1',
    'multipart/mixed',
    'text/event-stream',
    '',
  ])('"%s": a query is answered', async accept => {
    const { status, text } = await ask(accept, '{ hello }');
    expect(status).toBe(200);
    expect(text).toContain('{"data":{"hello":"world"}}');
  });
});

describe('a message of a WebSocket', () => {
  const message = (name: string) =>
    JSON.stringify({ id: '1', type: 'subscribe', payload: { query: 'query größe { hello }'.replace('größe', name) } });

  it('may come in a binary frame, as UTF-8', async () => {
    const { socket, messages } = await openInitiatedSocket(server.url);
    socket.send(Buffer.from(message('A')), { binary: true });
    await until(() => messages.some(({ type }) => type === 'next'), 'the answer comes');
    socket.close();
  });

  it('closes the socket where it is no UTF-8', async () => {
    const { socket, closed } = await openInitiatedSocket(server.url);
    socket.send(Buffer.from(message('größe'), 'latin1'), { binary: true });
    expect(await closed).toEqual({ code: 4400, reason: 'A message is not UTF-8.' });
  });
});

it.each([
  ['in one chunk', [8_000]],
  ['in several chunks', [3_000, 5_000]],
])('a body that came %s is not kept with its request', async (_name, sizes) => {
  const request = Object.assign(new PassThrough(), { headers: { 'content-length': '8000' } });
  const budget = new ByteBudget({ perAddress: 100_000, inAll: 100_000 });
  async function read(): Promise<WeakRef<Buffer>> {
    const reading = readBody(request as unknown as IncomingMessage, { limit: 10_000, budget, address: '192.0.2.1' });
    for (const size of sizes) request.write(Buffer.alloc(size, 'a'));
    request.end();
    const body = await reading;
    if (typeof body === 'string') throw new Error(body);
    expect(body.toString()).toBe('a'.repeat(8_000));
    return new WeakRef(body);
  }
  const body = await read();
  expect(budget.held).toBe(0);
  // What a WeakRef has shown stays for the rest of its turn.
  await nextTurn();
  await heapInUse();
  expect(body.deref() === undefined).toBe(true);
  expect(request.headers['content-length']).toBe('8000');
});
