import { once } from 'node:events';
import { type ClientRequest, request } from 'node:http';
import { connect } from 'node:net';
import fc from 'fast-check';
import { GraphQLError, getLocation, parse, Source } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { locate, parseDocument } from '../../src/server/operations/document.js';
import { type GraphQLAnswer, httpClient, sseClient, wsClient } from '../support/clients.js';
import { cpuTime, heapInUse } from '../support/cpu.js';
import { openInitiatedSocket, openRawSocket, type RawSocket } from '../support/raw-socket.js';
import { until } from '../support/wait.js';
import { startTestServer, type TestServer, token } from './harness.js';

type Variables = Record<string, unknown>;

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ logLevel: 'warn', suggestions: false });
});
afterAll(() => server.close());

/** The first answer, by each entry point. */
const entryPoints: Record<string, (query: string, variables?: Variables) => Promise<GraphQLAnswer>> = {
  HTTP: async (query, variables) => (await httpClient(server.url).query(query, variables)).body,
  SSE: async (query, variables = {}) => {
    await using stream = await sseClient(server.url, query, { variables });
    return await stream.next();
  },
  WebSocket: async (query, variables) => {
    await using client = wsClient(server.url);
    await using stream = client.subscribe(query, variables);
    return await stream.next();
  },
};

/** So many characters of what takes most memory for its length. */
const objects = (length: number) => Array.from({ length: length / 3 }, () => ({}));
const tick = 'subscription { tick }';

describe.each(Object.keys(entryPoints))('over %s', name => {
  const ask = entryPoints[name] as NonNullable<(typeof entryPoints)[string]>;

  it('a text in a variable of a wrong type costs as much as any text of its length', async () => {
    const query = 'query ($of: Int!) { ratio(of: $of) }';
    const proposals = '" Did you mean '.repeat(13_000);
    const time = (of: string) => cpuTime(() => ask(query, { of }));
    const plain = await time('x'.repeat(proposals.length));
    expect(await time(proposals)).toBeLessThan(plain * 20);
    const { errors } = await ask(query, { of: proposals });
    expect(errors).toHaveLength(1);
    expect(errors?.[0]).toMatchObject({ extensions: { code: 'BAD_USER_INPUT', path: ['of'] } });
    expect(errors?.[0]?.message.length).toBeLessThanOrEqual(200);
  });

  it('a document of more than 40,000 characters is not read', async () => {
    const errors = [
      {
        message: 'The document has 40001 characters; at most 40000 are allowed. Use variables for values.',
        extensions: { code: 'GRAPHQL_PARSE_FAILED' },
      },
    ];
    expect(await ask('{ hello }'.padEnd(40_001))).toEqual({ errors });
    expect(await ask('{ hello }'.padEnd(40_000))).toEqual({ data: { hello: 'world' } });
  });

  it('a document of more than 2,000 tokens says to use variables', async () => {
    const list = (count: number) => `{ hello(ids: [${'"x" '.repeat(count)}]) }`;
    expect(await ask(list(2_000))).toEqual({
      errors: [
        {
          message: 'The document has more than 2000 tokens. Use variables for values, such as long lists of ids.',
          extensions: { code: 'GRAPHQL_PARSE_FAILED' },
        },
      ],
    });
    expect(JSON.stringify(await ask(list(1_900)))).toContain('Unknown argument');
  });

  it('errors in a document of lines cost no more than in one of blanks, and are where they are', async () => {
    const wrong = Array.from({ length: 100 }, (_, index) => `w${index}`).join(' ');
    const time = (filler: string) => cpuTime(() => ask(`{${filler.repeat(39_000)}${wrong}}`));
    const blanks = await time(' ');
    expect(await time('\n')).toBeLessThan(blanks * 5 + 20_000);
    const { errors } = await ask(`{${'\n'.repeat(39_000)}${wrong}}`);
    expect(errors?.length).toBeLessThanOrEqual(21);
    expect(errors?.[1]?.locations).toEqual([{ line: 39_001, column: 4 }]);
  });

  it('errors repeat little of a request, however much of it is wrong', async () => {
    const long = 'x'.repeat(30_000);
    const answers = [
      await ask(`{ ${long} }`),
      await ask(`query ($${long.slice(15_000)}: Int!) { ratio(of: $${long.slice(15_000)}) }`),
      await ask(`query ($places: [Place]) { place(places: $places) }`, { places: Array(30).fill(long) }),
      await ask(`query ($place: Place) { place(place: $place) }`, { place: { [long]: 1 } }),
      await ask(`{ place(place: { even: "${long}" }) }`),
    ];
    for (const answer of answers) {
      expect(JSON.stringify(answer).length).toBeLessThan(20_000);
      expect(answer.errors?.length).toBeLessThanOrEqual(51);
      for (const { message, extensions } of answer.errors ?? []) {
        expect(message.length).toBeLessThanOrEqual(200);
        expect(extensions?.code).toMatch(/BAD_USER_INPUT|GRAPHQL_VALIDATION_FAILED/);
      }
    }
  });
});

describe('places in a document', () => {
  const texts = fc.array(fc.constantFrom('{', '}', 'a', ' ', '\n', '\r', '\r\n', '# x', '"é"', '🌍'), {
    maxLength: 60,
  });

  it('are those that graphql finds', () => {
    fc.assert(
      fc.property(texts, fc.nat(), (parts, nat) => {
        const blanks = parts.map(part => part.trim().replace(/^.+$/, '#')).join('');
        const body = `${parts.filter(part => /^\s+$/.test(part)).join('')}{ a }${blanks.replaceAll('#', ' ')}`;
        const document = parseDocument(body, { documentLength: 1_000, tokens: 1_000 });
        const source = document.loc?.source as Source;
        const position = nat % body.length;
        // No token begins between the two characters of a line's end.
        fc.pre(body[position - 1] !== '\r' || body[position] !== '\n');
        const error = locate(new GraphQLError('x', { source, positions: [position] }));
        expect(error.locations).toEqual([getLocation(new Source(body), position)]);
      }),
    );
  });

  it('are those of a syntax error too', async () => {
    const text = '{\n  hello\r\n  ?\n}';
    const expected = (() => {
      try {
        return parse(text);
      } catch (error) {
        return (error as GraphQLError).locations;
      }
    })();
    const { errors } = (await httpClient(server.url).query(text)).body;
    expect(errors?.[0]?.locations).toEqual(expected);
  });
});

describe('a subscription keeps', () => {
  it('nothing that it does not declare', async () => {
    const count = 20;
    const before = await heapInUse();
    const socket = await openInitiatedSocket(server.url);
    for (let id = 0; id < count; id += 1) {
      socket.send({
        ...{ id: String(id), type: 'subscribe', more: objects(200_000) },
        payload: { query: tick, variables: { none: objects(300_000) }, extensions: { a: objects(300_000) } },
      });
    }
    await until(() => socket.messages.length > count, 'all have begun', 20_000);
    const body = JSON.stringify({ query: tick, variables: { none: objects(900_000) } });
    const streams: ClientRequest[] = [];
    for (let index = 0; index < count; index += 1) {
      const headers = { accept: 'text/event-stream', 'content-type': 'application/json' };
      const stream = request(`${server.url}/graphql`, { method: 'POST', agent: false, headers }).end(body);
      streams.push(stream.on('error', () => {}));
      await once(stream, 'response');
    }
    await until(() => server.ticker.listeners === 2 * count, 'all are open');
    expect((await heapInUse()) - before).toBeLessThan(2 * count * 200_000);
    for (const stream of streams) stream.destroy();
    socket.socket.terminate();
    await until(() => server.ticker.listeners === 0, 'all have ended');
  });

  it.each(['SSE', 'WebSocket'])('no more than 600,000 bytes of document and variables, over %s', async name => {
    const query = 'subscription ($size: String!) { kept(value: $size) }';
    const answer = await entryPoints[name]?.(query, { size: 'x'.repeat(300_000) });
    expect(answer?.errors).toMatchObject([
      { message: expect.stringContaining('at most 600000 are allowed'), extensions: { code: 'BAD_USER_INPUT' } },
    ]);
    expect(await entryPoints[name]?.(query, { size: 'x'.repeat(280_000) })).toEqual({ data: { kept: 280_000 } });
  });

  it('nothing that is nested more deeply than can be written', async () => {
    const variables = `{"size":${'['.repeat(20_000)}${']'.repeat(20_000)}}`;
    const response = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: `{"query":"subscription ($size: String!) { kept(value: $size) }","variables":${variables}}`,
    });
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'BAD_USER_INPUT' } }] });
  });

  it('no more than 2,000,000 bytes with all others of its socket, until one of them ends', async () => {
    await using client = wsClient(server.url);
    const query = 'subscription ($size: String!) { kept(value: $size) }';
    const open = () => client.subscribe(query, { size: 'x'.repeat(280_000) });
    const streams = Array.from({ length: 3 }, open);
    for (const stream of streams) expect(await stream.next()).toEqual({ data: { kept: 280_000 } });
    expect(await open().next()).toMatchObject({ errors: [{ extensions: { code: 'TOO_MANY_SUBSCRIPTIONS' } }] });
    await streams[0]?.stop();
    await until(() => server.load.streams === 2, 'its place is free');
    expect(await open().next()).toEqual({ data: { kept: 280_000 } });
  });

  it('no more than its address may, over all its sockets and streams', async () => {
    await using other = await startTestServer({ limits: { keptPerAddress: 200_000 } });
    const query = (name: string) => `subscription ${name} { ${'tick '.repeat(150)} }`;
    const streams = [];
    for (const name of ['A', 'B']) {
      const stream = await sseClient(other.url, query(name));
      expect(await stream.next()).toEqual({ data: { tick: 0 } });
      streams.push(stream);
    }
    const charged = other.load.keptBytes;
    expect(charged).toBeGreaterThan(2 * 150 * 512);
    await using client = wsClient(other.url);
    expect(await client.subscribe(query('C')).next()).toMatchObject({
      errors: [{ extensions: { code: 'TOO_MANY_SUBSCRIPTIONS' } }],
    });
    await using refused = await sseClient(other.url, query('C'));
    expect(refused.status).toBe(429);
    // A document that others keep already is charged once, whoever keeps it.
    const shared = Array.from({ length: 20 }, () => client.subscribe(query('A')));
    for (const stream of shared) expect(await stream.next()).toEqual({ data: { tick: 0 } });
    expect(other.load.keptBytes).toBe(charged);
    await streams[0]?.stop();
    await until(() => other.load.streams === 21, 'the first one has left');
    expect(other.load.keptBytes).toBe(charged);
    for (const stream of [...streams, ...shared]) await stream.stop();
    await until(() => other.load.streams === 0 && other.load.keptBytes === 0, 'nothing is kept');
  });

  it('its document without text, comments and tokens, and a refused document is not kept at all', async () => {
    await using client = wsClient(server.url);
    await client.connected;
    const before = await heapInUse();
    for (let index = 0; index < 200; index += 1) {
      await client.query(`query Q${index} { ${'nothing '.repeat(1_500)} }`);
    }
    expect((await heapInUse()) - before).toBeLessThan(20_000_000);
  });
});

describe('a socket', () => {
  it.each([
    ['a connection_init of 1 MB', { type: 'connection_init', payload: { a: objects(900_000) } }],
    ['a ping of 1 MB', { type: 'ping', payload: { a: objects(900_000) } }],
    [
      'a payload that is nested 100,000 times',
      `{"type":"connection_init","payload":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_001)}`,
    ],
    ['an id of 129 characters', { type: 'subscribe', id: 'x'.repeat(129), payload: { query: tick } }],
    ['an id of 1 MB', { type: 'complete', id: 'x'.repeat(900_000) }],
  ])('that sends %s is closed with 4400', async (_name, message) => {
    const raw = await openRawSocket(server.url);
    raw.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
    expect((await raw.closed).code).toBe(4400);
  });

  it.each(['ping', 'pong', 'connection_init'])('outlives a %s that is nested as deeply as fits', async type => {
    const raw = await openRawSocket(server.url);
    raw.socket.send(`{"type":"${type}","payload":{"a":${'['.repeat(15_000)}${']'.repeat(15_000)}}}`);
    raw.send({ type: 'ping' });
    await until(() => raw.messages.some(message => message.type === 'pong'), 'it answers');
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
    raw.socket.terminate();
  });

  it('may introduce itself with a token as long as attributes may be', async () => {
    const attributes = { a: 'ö'.repeat(8_000) };
    await using client = wsClient(server.url, { token: await token({ attributes }) });
    expect(await client.query('{ hello }')).toEqual({ data: { hello: 'world' } });
  });

  it('does a few things at a time, and all in the end', async () => {
    await using other = await startTestServer({ limits: { concurrentPerSocket: 4 } });
    const raw = await openInitiatedSocket(other.url);
    const ids = Array.from({ length: 20 }, (_, index) => `slow-${index}`);
    // What waits for its turn can be taken back.
    raw.sendTogether([
      ...ids.map(id => ({ id, type: 'subscribe', payload: { query: '{ slow }' } })),
      { id: 'slow-19', type: 'complete' },
    ]);
    await until(() => other.waiting === 4, 'four are executed');
    expect(raw.messages.filter(({ type }) => type === 'next')).toEqual([]);
    expect(other.waiting).toBe(4);
    other.openGate();
    await until(() => raw.messages.filter(({ type }) => type === 'complete').length === 19, 'all others are answered');
    expect(other.waiting).toBe(19);
    raw.socket.terminate();
  });

  it('whose message has no end is one of few that may have so many bytes, as bodies are', async () => {
    await using other = await startTestServer({ limits: { bodiesPerAddress: 50_000 } });
    const [first, second, third] = [
      await openInitiatedSocket(other.url),
      await openInitiatedSocket(other.url),
      await openInitiatedSocket(other.url),
    ];
    const half = `{"type":"subscribe","id":"1","payload":{"query":"{ hello } #${'x'.repeat(30_000)}`;
    const begin = ({ socket }: RawSocket) => socket.send(half, { fin: false });
    begin(first);
    await until(() => other.load.unfinishedBytes >= 30_000, 'the first is counted');
    begin(second);
    expect(await second.closed).toEqual({
      code: 1013,
      reason: 'Too many bytes of unfinished messages and operations wait. Try again later.',
    });
    const body = ' '.repeat(30_000);
    const post = connect(other.port, '127.0.0.1');
    let answer = '';
    post.on('data', text => (answer += text)).on('error', () => {});
    post.write(
      `POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99999\r\n\r\n${body}`,
    );
    await until(() => answer.startsWith('HTTP/1.1 429 '), 'a body finds no room either');
    post.destroy();
    first.socket.send('"}}', { fin: true });
    await until(() => first.messages.some(({ type }) => type === 'complete'), 'the first is answered');
    expect(other.load.unfinishedBytes).toBe(0);
    begin(third);
    await until(() => other.load.unfinishedBytes >= 30_000, 'there is room again');
    third.socket.terminate();
    await until(() => other.load.unfinishedBytes === 0, 'what its end leaves is nothing');
    first.socket.terminate();
  });

  it('keeps nothing of an operation under way that it does not declare', async () => {
    await using other = await startTestServer();
    const raw = await openInitiatedSocket(other.url);
    const before = await heapInUse();
    for (const id of ['1', '2']) {
      raw.send({ id, type: 'subscribe', payload: { query: '{ slow }', variables: { none: objects(900_000) } } });
    }
    await until(() => other.waiting === 2, 'both are executed');
    expect((await heapInUse()) - before).toBeLessThan(10_000_000);
    raw.socket.terminate();
    other.openGate();
    await until(() => other.load.unfinishedBytes === 0, 'nothing is counted any more');
  });

  it('whose operations are under way is charged for what they take in memory', async () => {
    await using other = await startTestServer({ limits: { bodiesPerAddress: 2_000_000 } });
    const [first, second] = [await openInitiatedSocket(other.url), await openInitiatedSocket(other.url)];
    const nested = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
    const slow = (id: string, variables: string) =>
      `{"type":"subscribe","id":"${id}","payload":{"query":"{ slow }","variables":{"a":${variables}}}}`;
    first.socket.send(slow('1', nested));
    await until(() => other.waiting === 1, 'it is executed');
    // Some thirty times its length.
    expect(other.load.unfinishedBytes).toBeGreaterThan(1_000_000);
    second.socket.send(slow('1', nested));
    expect((await second.closed).code).toBe(1013);
    const post = () =>
      fetch(`${other.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: `{"query":"{ hello }","variables":{"a":${nested}}}`,
      });
    const refused = await post();
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toBe('5');
    // Short messages and bodies are not counted.
    const third = await openInitiatedSocket(other.url);
    third.socket.send(slow('1', '[1]'));
    await until(() => other.waiting === 2, 'it is executed too');
    expect((await httpClient(other.url).query('{ hello }')).status).toBe(200);
    other.openGate();
    await until(() => first.messages.some(({ type }) => type === 'complete'), 'the first is answered');
    expect(other.load.unfinishedBytes).toBe(0);
    expect((await post()).status).toBe(200);
    expect(other.load.unfinishedBytes).toBe(0);
    for (const { socket } of [first, third]) socket.terminate();
  });

  it('that goes on sending after it was refused is cut, and takes no more memory', async () => {
    await using other = await startTestServer({ limits: { bodiesPerAddress: 50_000 } });
    const raw = await openInitiatedSocket(other.url);
    raw.socket.send('{"type":"ping","a":"', { fin: false });
    const goOn = setInterval(() => raw.socket.send('x'.repeat(10_000), { fin: false }, () => {}), 5);
    expect((await raw.closed).code).toBe(1013);
    clearInterval(goOn);
    await until(() => other.load.sockets === 0, 'it is gone');
    expect(other.load.unfinishedBytes).toBe(0);
  });

  it('whose message comes in segments of a byte is charged for each of them', async () => {
    await using other = await startTestServer({ limits: { bodiesPerAddress: 20_000 } });
    const raw = await openInitiatedSocket(other.url);
    const segments = setInterval(() => raw.socket.send('x', { fin: false }, () => {}), 1);
    raw.socket.send('{"type":"ping","a":"', { fin: false });
    expect((await raw.closed).code).toBe(1013);
    clearInterval(segments);
  });

  it('that is quiet but for its pongs is charged for nothing', async () => {
    await using other = await startTestServer({ limits: { pingInterval: 5, bodiesPerAddress: 1_000 } });
    const raw = await openInitiatedSocket(other.url);
    let pings = 0;
    raw.socket.on('ping', () => {
      pings += 1;
    });
    await until(() => pings > 20, 'it has answered');
    expect(raw.socket.readyState).toBe(raw.socket.OPEN);
    expect(other.load.unfinishedBytes).toBe(0);
    raw.socket.terminate();
  });
});

describe('a request', () => {
  it.each(['a b', '[', 'a@b:99999', ''])('to the host %j is answered, and tells nothing of the server', async host => {
    const answer = await new Promise<string>(resolve => {
      const socket = connect(server.port, '127.0.0.1');
      let text = '';
      socket.on('data', chunk => (text += chunk)).on('close', () => resolve(text));
      socket.write(`GET /graphql?query={hello} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    });
    expect(answer).toMatch(/^HTTP\/1.1 200 /);
    expect(answer).toContain('{"data":{"hello":"world"}}');
  });

  it('in thousands of chunks of a byte is refused, and takes little memory', async () => {
    const before = process.memoryUsage().rss;
    const socket = connect(server.port, '127.0.0.1');
    let answer = '';
    socket.on('data', text => (answer += text)).on('error', () => {});
    const head =
      'POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n';
    socket.write(head + '1\r\n \r\n'.repeat(300_000));
    await until(() => answer.includes('chunks of a few bytes'), 'it is refused');
    expect(answer).toContain('HTTP/1.1 400 ');
    expect(process.memoryUsage().rss - before).toBeLessThan(150_000_000);
    socket.destroy();
  });

  it('whose end does not come is one of few that may have so many bytes', async () => {
    await using other = await startTestServer({ limits: { bodiesPerAddress: 100_000 } });
    const open = () => {
      const socket = connect(other.port, '127.0.0.1');
      const state = { socket, answer: '' };
      socket.on('data', text => (state.answer += text)).on('error', () => {});
      socket.write(
        'POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 90000\r\n\r\n',
      );
      socket.write(' '.repeat(60_000));
      return state;
    };
    const both = [open(), open()];
    await until(() => both.some(({ answer }) => answer !== ''), 'one is refused');
    const refused = both.find(({ answer }) => answer !== '');
    expect(refused?.answer).toContain('HTTP/1.1 429 ');
    for (const { socket } of both) socket.destroy();
    await until(async () => (await httpClient(other.url).query('{ hello }')).status === 200, 'others go on');
    const body = JSON.stringify({ query: '{ hello }'.padEnd(30_000) });
    expect(
      (await fetch(`${other.url}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json' }, body }))
        .status,
    ).toBe(200);
  });

  it('that expects something is answered like any other, and takes its turn', async () => {
    const one = 'GET /graphql?query={hello} HTTP/1.1\r\nHost: x\r\nExpect: more\r\n\r\n';
    const socket = connect(server.port, '127.0.0.1');
    let answer = '';
    socket.on('data', text => (answer += text)).on('error', () => {});
    socket.write(one);
    await until(() => answer.includes('EXPECTATION_FAILED'), 'it is refused');
    expect(answer).toContain('HTTP/1.1 417 ');
    expect(answer.toLowerCase()).toContain('x-request-id: ');
    socket.write(one.repeat(2_000));
    await until(() => socket.destroyed, 'the connection is cut');
    expect(answer.split('HTTP/1.1 417').length - 1).toBeLessThan(20);
  });

  it('whose body breaks off is answered 400', async () => {
    const socket = connect(server.port, '127.0.0.1');
    let answer = '';
    socket.on('data', text => (answer += text)).on('error', () => {});
    socket.write(
      'POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nno size\r\n',
    );
    await until(() => answer !== '', 'it is answered');
    expect(answer).toContain('HTTP/1.1 400 ');
    socket.destroy();
  });

  it('with an object of more than 1,000 members is refused before it is printed', async () => {
    const members = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 1]));
    const query = 'query ($place: Place) { place(place: $place) }';
    const { body } = await httpClient(server.url).query(query, { place: members(70_000) });
    expect(body.errors).toMatchObject([
      {
        message: 'An object in the variable "$place" has 70000 members; at most 1000 are allowed.',
        extensions: { code: 'BAD_USER_INPUT', path: ['place'] },
      },
    ]);
    const few = await httpClient(server.url).query(query, { place: members(1_000) });
    expect(few.body.errors?.length).toBeLessThanOrEqual(11);
  });

  it('behind others of its connection has its turn after everybody else’s', async () => {
    const socket = connect(server.port, '127.0.0.1');
    let answers = 0;
    socket.on('data', chunk => (answers += String(chunk).split('HTTP/1.1 200').length - 1));
    const one = 'GET /graphql?query={hello} HTTP/1.1\r\nHost: x\r\n\r\n';
    const other = connect(server.port, '127.0.0.1');
    await new Promise(resolve => other.once('connect', resolve));
    const otherAnswer = new Promise(resolve => other.once('data', chunk => resolve(String(chunk))));
    socket.write(one.repeat(17));
    other.write(one);
    expect(await otherAnswer).toContain('HTTP/1.1 200');
    expect(answers).toBeLessThan(17);
    other.destroy();
    await until(() => answers === 17, 'all are answered in the end');
    socket.destroy();
  });

  it.each([
    ['', ''],
    [
      ' behind a stream of events',
      'GET /graphql?query=subscription{tick} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n',
    ],
  ])('with thousands in its segment%s costs its connection, and nobody else waits', async (_where, first) => {
    const flood = `${first}${'GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(5_000)}`;
    const floods = Array.from({ length: 20 }, () => {
      const socket = connect(server.port, '127.0.0.1').on('error', () => {});
      socket.resume().write(flood);
      return new Promise(resolve => socket.once('close', resolve));
    });
    expect((await fetch(`${server.url}/graphql?query={hello}`)).status).toBe(200);
    await Promise.all(floods);
    await until(() => server.load.requests === 0 && server.load.streams === 0, 'nothing is left of them');
  });

  it.each([
    ['/graphql?query={hello}&variables={', 'variables'],
    ['/graphql?query={hello}&extensions=x', 'extensions'],
  ])('for %s is answered 400 and named', async (path, parameter) => {
    const response = await fetch(`${server.url}${path}`);
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({
      errors: [{ message: `The parameter "${parameter}" is not valid JSON.`, extensions: { code: 'BAD_REQUEST' } }],
    });
  });

  it('with 900 kB of malformed JSON is answered in a line, without any of it', async () => {
    const response = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: `{"query":"${'hunter2'.repeat(130_000)}`,
    });
    expect(response.status).toBe(400);
    const text = await response.text();
    expect(text.length).toBeLessThan(200);
    expect(text).not.toContain('hunter2');
    expect(JSON.parse(text)).toMatchObject({ errors: [{ extensions: { code: 'BAD_REQUEST' } }] });
  });

  it('with an unknown member of a long name is answered in a line', async () => {
    const response = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: '{ hello }', ['x'.repeat(900_000)]: 1 }),
    });
    expect(response.status).toBe(400);
    expect((await response.text()).length).toBeLessThan(400);
  });
});
