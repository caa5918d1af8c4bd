import { connect, type Socket } from 'node:net';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UnavailableError } from '../../src/core/errors.js';
import { httpClient } from '../support/clients.js';
import { settle, until } from '../support/wait.js';
import { exchange, startWaysServer, type WaysServer } from './ways.js';

let server: WaysServer;
beforeAll(async () => {
  server = await startWaysServer({ metrics: { registry: new Registry() } });
});
afterAll(() => server.close());

const bodyOf = (query: string, variables?: object) => JSON.stringify({ query, variables });
const post = (body: string, headers = '') =>
  `POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${headers}\r\n${body}`;

/** Has Yoga answer a document, so that it is thin from now on. */
async function warm(query: string, variables?: object, on = server): Promise<void> {
  expect((await exchange(on, { body: bodyOf(query, variables) })).answer.status).toBe(200);
}

/** A connection, and all that has come back over it. */
async function open(on = server): Promise<{ readonly socket: Socket; readonly received: string } & Disposable> {
  const socket = connect(on.port, '127.0.0.1').setNoDelay();
  let received = '';
  socket.setEncoding('utf8').on('data', text => {
    received += text;
  });
  socket.on('error', () => {});
  await new Promise(resolve => socket.once('connect', resolve));
  return {
    socket,
    get received() {
      return received;
    },
    [Symbol.dispose]: () => socket.destroy(),
  };
}

/** By the two ways: as it is, and with a header that makes a request Yoga's. */
const ways = [
  ['thin', ''],
  ['yoga', 'Content-Encoding: identity\r\n'],
] as const;
let requests = 0;
const named = (headers = '') => {
  requests += 1;
  return { id: `raw-${requests}`, headers: `X-Request-Id: raw-${requests}\r\n${headers}` };
};

async function scrape(on = server): Promise<Map<string, number>> {
  const text = await (await fetch(`${on.url}/metrics`)).text();
  const samples = [...text.matchAll(/^(halyard_[a-z_]+(?:\{[^\n]*\})?) (\S+)$/gm)];
  return new Map(samples.map(([, name, value]) => [name as string, Number(value)]));
}

describe.each(ways)('on the wire, %s', (way, header) => {
  it('answers pipelined requests in their order, however long each takes', async () => {
    const echo = 'query ($text: String) { echo(text: $text) }';
    const slow = warm('{ slow }');
    await until(() => server.held === 1, 'the first one waits');
    server.release();
    await slow;
    await warm(echo);
    using connection = await open();
    const first = named(header);
    connection.socket.write(
      post(bodyOf('{ slow }'), first.headers) +
        post(bodyOf(echo, { text: 'one' }), header) +
        post(bodyOf(echo, { text: 'two' }), header),
    );
    await until(() => server.held === 1, 'it executes');
    expect(server.wayOf(first.id)).toBe(way);
    expect(connection.received).toBe('');
    server.release();
    await until(() => connection.received.includes('two'), 'all have been answered');
    expect(connection.received.match(/HTTP\/1.1 200 OK|done|one|two/g)).toEqual(
      ['done', 'one', 'two'].flatMap(text => ['HTTP/1.1 200 OK', text]),
    );
    // The connection is kept alive.
    connection.socket.write(post(bodyOf(echo, { text: 'three' }), header));
    await until(() => connection.received.includes('three'), 'it goes on');
  });

  it('takes a body that comes byte by byte', async () => {
    const body = bodyOf('query ($text: String) { slowly: echo(text: $text) }', { text: 'é🌍' });
    await warm(JSON.parse(body).query);
    using connection = await open();
    const { id, headers } = named(header);
    for (const byte of Buffer.from(post(body, headers))) {
      connection.socket.write(Buffer.of(byte));
      await settle(1);
    }
    await until(() => connection.received.includes('"slowly"'), 'it is answered');
    expect(connection.received).toContain('é🌍');
    expect(server.wayOf(id)).toBe(way);
  });

  it('asks for a body that waits to be asked for', async () => {
    await warm('{ expected: hello }');
    const body = bodyOf('{ expected: hello }');
    using connection = await open();
    const { id, headers } = named(header);
    connection.socket.write(post(body, `Expect: 100-continue\r\n${headers}`).slice(0, -body.length));
    await until(() => connection.received !== '', 'the server says something');
    expect(connection.received).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    connection.socket.write(body);
    await until(() => connection.received.includes('"expected"'), 'it is answered');
    expect(server.wayOf(id)).toBe(way);
  });

  it('closes the connection of a client that asks for it, and of HTTP/1.0', async () => {
    await warm('{ closed: hello }');
    for (const change of [
      (text: string) => text.replace('Host: x', 'Host: x\r\nConnection: close'),
      (text: string) => text.replace('HTTP/1.1', 'HTTP/1.0'),
    ]) {
      using connection = await open();
      const closed = new Promise(resolve => connection.socket.once('close', resolve));
      connection.socket.write(change(post(bodyOf('{ closed: hello }'), header)));
      await closed;
      expect(connection.received).toMatch(/\r\nconnection: close\r\n/i);
      expect(connection.received).toContain('"closed"');
    }
  });

  it('executes nothing for a client that leaves half-way, and counts it', async () => {
    const mutation = 'mutation ($a: Boolean!) { count @include(if: $a) }';
    await warm(mutation, { a: false });
    const left = 'halyard_http_requests_total{route="/graphql",status="499"}';
    const before = (await scrape()).get(left) ?? 0;
    const { counted, lines } = server;
    const linesBefore = lines.length;
    using connection = await open();
    connection.socket.write(post(bodyOf(mutation, { a: true }), header).slice(0, -1));
    await settle();
    connection.socket.destroy();
    await until(async () => (await scrape()).get(left) === before + 1, 'it is counted');
    expect(server.counted).toBe(counted);
    expect(lines.slice(linesBefore).filter(({ level }) => Number(level) > 20)).toEqual([]);
  });

  it('takes it when a client leaves before the answer', async () => {
    const linesBefore = server.lines.length;
    using connection = await open();
    const { id, headers } = named(header);
    connection.socket.write(post(bodyOf('{ slow }'), headers));
    await until(() => server.held === 1, 'it executes');
    expect(server.wayOf(id)).toBe(way);
    const left = 'halyard_http_requests_total{route="/graphql",status="499"}';
    const before = (await scrape()).get(left) ?? 0;
    connection.socket.destroy();
    await until(async () => (await scrape()).get(left) === before + 1, 'the server knows');
    server.release();
    await until(() => server.lines.some(line => line['requestId'] === id), 'the operation has ended');
    expect(server.lines.slice(linesBefore).filter(({ level }) => Number(level) > 20)).toEqual([]);
    await warm('{ hello }');
  });

  it('executes a mutation once', async () => {
    await warm('mutation { count }');
    const { counted } = server;
    const headers = way === 'thin' ? {} : { 'content-encoding': 'identity' };
    const sent = await exchange(server, { body: bodyOf('mutation { count }'), headers });
    expect(sent).toMatchObject({ way, answer: { body: `{"data":{"count":${counted + 1}}}` } });
    expect(server.counted).toBe(counted + 1);
  });
});

describe('metrics and log lines', () => {
  const operations: readonly (readonly [query: string, variables?: object])[] = [
    ['query Named { hello }'],
    ['{ hello whoami }'],
    ['mutation Counting { count }'],
    ['query ($code: String!) { fails(code: $code) }', { code: 'FORBIDDEN' }],
    ['query ($code: String!) { fails(code: $code) hello }', { code: 'INTERNAL' }],
    ['query ($on: Boolean!) { echo(on: $on) }', { on: 'x' }],
    ['{ nothing }'],
    ['{'],
    ['query A { hello } query B { whoami }'],
  ];

  it('is the same on the fast path and through Yoga', async () => {
    await using other = await startWaysServer({ metrics: { registry: new Registry() } });
    const round = async (headers: Record<string, string>) => {
      const before = await scrape(other);
      const linesBefore = other.lines.length;
      const sent = [];
      for (const [query, variables] of operations) {
        sent.push((await exchange(other, { body: bodyOf(query, variables), headers })).way);
      }
      const grown = [...(await scrape(other))]
        .map(([name, value]) => [name, value - (before.get(name) ?? 0)] as const)
        .filter(([name, growth]) => growth !== 0 && !/_(sum|bucket)/.test(name) && !name.includes('/metrics'));
      const lines = other.lines.slice(linesBefore).map(({ time, duration, requestId, address, ...line }) => {
        expect(address).toBe('127.0.0.1');
        expect(requestId).toMatch(/^request-/);
        expect(typeof duration).toBe(line['msg'] === 'An operation was answered.' ? 'number' : 'undefined');
        return line;
      });
      return { sent, grown: Object.fromEntries(grown), lines: lines.map(({ err, ...line }) => line) };
    };
    const byYoga = await round({ 'content-encoding': 'identity' });
    await round({});
    const thin = await round({});
    expect(thin.sent.slice(0, 6)).toEqual(Array(6).fill('thin'));
    expect(byYoga.sent).not.toContain('thin');
    expect(thin.grown).toEqual(byYoga.grown);
    expect(thin.lines).toEqual(byYoga.lines);
    expect(thin.grown).toMatchObject({
      'halyard_operations_total{kind="unknown",field="none",outcome="GRAPHQL_VALIDATION_FAILED"}': 1,
      'halyard_operations_total{kind="mutation",field="count",outcome="ok"}': 1,
      'halyard_http_requests_total{route="/graphql",status="200"}': 8,
    });
  });

  it.each([
    ['the database is away', new UnavailableError(), 503, 0],
    ['something unexpected happens', new Error('hunter2'), 500, 1],
  ])('is once, where the context cannot be made as %s', async (_name, error, status, lines) => {
    await warm('{ hello }');
    server.failContext(error);
    const before = server.lines.length;
    const answers = [
      await exchange(server, { body: bodyOf('{ hello }'), headers: { 'content-encoding': 'identity' } }),
      await exchange(server, { body: bodyOf('{ hello }') }),
    ];
    server.failContext(null);
    expect(answers[1]?.answer).toEqual(answers[0]?.answer);
    expect(answers[1]?.answer.status).toBe(status);
    expect(server.lines.slice(before)).toHaveLength(2 * lines);
  });
});

describe('the memory of documents', () => {
  it('is bounded: a document from long ago is answered by Yoga again, and the same', async () => {
    const ask = () => exchange(server, { body: bodyOf('{ old: hello }') });
    const first = await ask();
    expect((await ask()).way).toBe('thin');
    const client = httpClient(server.url);
    for (let index = 0; index < 1_100; index += 1) await client.query(`{ a${index}: hello }`);
    const again = await ask();
    expect(again).toEqual({ answer: first.answer, way: 'yoga' });
    expect(await ask()).toEqual({ answer: first.answer, way: 'thin' });
  });

  it('is no document that was refused, whatever the status of the answer', async () => {
    for (const query of ['{', '{ nothing }', '{ node { nothing } }', 'query ($a: Nothing) { hello }']) {
      for (let round = 0; round < 3; round += 1) {
        expect((await exchange(server, { body: bodyOf(query) })).way).toBeUndefined();
      }
    }
  });

  it('serves all callers that ask for the same at once', async () => {
    const sent = await Promise.all(
      Array.from({ length: 20 }, () => exchange(server, { body: bodyOf('{ together: hello }') })),
    );
    for (const { answer } of sent) expect(answer).toEqual(sent[0]?.answer);
  });
});

it('proposes no names if the setting turns proposals off', async () => {
  await using quiet = await startWaysServer({ suggestions: false });
  const place = 'query ($place: Place) { echo(place: $place) }';
  await warm(place, { place: { x: 1 } }, quiet);
  const body = bodyOf(place, { place: { x: 1, tag: [] } });
  const thin = await exchange(quiet, { body });
  expect(thin.way).toBe('thin');
  expect(thin.answer.body).toContain('is not defined by type');
  expect(thin.answer.body).not.toContain('Did you mean');
  const byYoga = await exchange(quiet, { body, headers: { 'content-encoding': 'identity' } });
  expect(byYoga.answer).toEqual(thin.answer);
  expect((await exchange(quiet, { body: bodyOf('{ helo }') })).answer.body).not.toContain('Did you mean');
  // Where nothing is said, it does.
  await warm(place, { place: { x: 1 } });
  expect((await exchange(server, { body })).answer.body).toContain('Did you mean');
});

it.each(ways)('lets a connection go when the server stops, %s', async (way, header) => {
  await using stopping = await startWaysServer();
  const slow = warm('{ slow }', undefined, stopping);
  await until(() => stopping.held === 1, 'it executes');
  stopping.release();
  await slow;
  using connection = await open(stopping);
  const { id, headers } = named(header);
  connection.socket.write(post(bodyOf('{ slow }'), headers));
  await until(() => stopping.held === 1, 'it executes');
  expect(stopping.wayOf(id)).toBe(way);
  const hungUp = new Promise(resolve => connection.socket.once('close', resolve));
  const closed = stopping.close();
  stopping.release();
  await Promise.all([closed, hungUp]);
  expect(connection.received).toMatch(/^HTTP\/1.1 200 OK\r\n/);
  expect(connection.received).toMatch(/\r\nconnection: close\r\n/i);
  expect(connection.received).toContain('{"data":{"slow":"done"}}');
});
