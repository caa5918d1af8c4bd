import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createVerifier } from '../../src/auth/verifier.js';
import { secret, token, userId } from './harness.js';
import { exchange, overWebSocket, startWaysServer, type Way, type WaysServer } from './ways.js';

interface Params {
  readonly query: string;
  readonly [name: string]: unknown;
}

/** A request. Each is sent several times, and once more so that it must be Yoga's: all answers are the same. */
interface Row {
  /** What is asked for, as JSON. A comment is added, so that no other row has asked for it before. */
  readonly params?: Params;
  /** Instead: the body as it is. */
  readonly body?: string | Buffer;
  /** Asked for before with these changes, where what is asked for itself does not lead to a good answer. */
  readonly after?: Partial<Params>;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Which way it goes when its document has been answered before. Undefined: nothing is executed. */
  readonly way?: Way | undefined;
  readonly status: number;
  /** Part of the body. */
  readonly says?: string;
}

const code = (name: string) => `"code":"${name}"`;
const badRequest = code('BAD_REQUEST');
const twoOperations = 'query A { hello } query B { whoami } mutation C { count } subscription D { once }';
const onEcho = 'query ($on: Boolean!) { echo(on: $on) }';
const failing = (field = 'fails') => `query ($code: String!) { hello ok: ${field}(code: $code) @include(if: true) }`;
const strict = 'application/graphql-response+json';

const good: Record<string, Row> = {
  'a query': { params: { query: '{ hello }' }, way: 'thin', status: 200, says: '{"data":{"hello":' },
  'a query with variables': {
    params: {
      query: 'query Q($place: Place!) { echo(text: "a", place: $place) }',
      variables: { place: { x: 1, tags: ['é', null] } },
    },
    ...{ way: 'thin', status: 200, says: '\\"x\\":1' },
  },
  'variables with the names of prototypes': {
    body: '{"query":"query ($on: Boolean) { echo(on: $on) }","variables":{"__proto__":{"on":true},"constructor":1}}',
    ...{ way: 'thin', status: 200, says: '"echo":"{}"' },
  },
  'nulls for what is optional': {
    params: { query: '{ hello }', variables: null, operationName: null, extensions: null },
    ...{ way: 'thin', status: 200 },
  },
  extensions: {
    params: { query: '{ hello }', extensions: { persistedQuery: { version: 1 } } },
    way: 'thin',
    status: 200,
  },
  'one of several operations': {
    params: { query: twoOperations, operationName: 'B' },
    ...{ way: 'thin', status: 200, says: 'ANONYMOUS' },
  },
  introspection: { params: { query: '{ __schema { types { name } } }' }, way: 'thin', status: 200, says: 'Mutation' },
  'an answer of 200 kB': { params: { query: '{ large }' }, way: 'thin', status: 200 },
  'a null member that nobody knows': {
    params: { query: '{ hello }', id: null },
    after: { id: undefined },
    ...{ way: 'yoga', status: 200 },
  },
  'a body of 16,384 bytes': { body: padded(16_384), way: 'thin', status: 200 },
  'a body of 16,385 bytes': { body: padded(16_385), way: 'yoga', status: 200 },
  'a query in the URL beside one in the body': {
    params: { query: '{ hello }' },
    path: '/graphql?query={whoami}',
    ...{ way: 'thin', status: 200, says: 'hello' },
  },
};

const failures: Record<string, Row> = {};
for (const [name, says, status] of [
  ['FORBIDDEN', code('FORBIDDEN'), 200],
  ['UNAUTHENTICATED', code('UNAUTHENTICATED'), 200],
  ['BAD_USER_INPUT', '"path":["input","key"]', 200],
  ['UNAVAILABLE', code('UNAVAILABLE'), 200],
  ['INTERNAL', '"message":"Unexpected error."', 200],
  ['WITH_STATUS', code('LATER'), 429],
] as const) {
  for (const field of ['fails', 'failsRequired']) {
    for (const accept of ['*/*', 'application/json', strict]) {
      failures[`${name} of ${field} for ${accept}`] = {
        params: { query: failing(field), variables: { code: name } },
        after: { variables: { code: 'none' } },
        headers: { accept },
        ...{ way: 'thin', status, says },
      };
    }
  }
}
const coercions: Record<string, Row> = Object.fromEntries(
  ['*/*', 'application/json', strict].flatMap(accept =>
    [{ on: 'x' }, {}, { on: null }, undefined].map((variables, index) => [
      `variables of a wrong type (${index}) for ${accept}`,
      {
        params: { query: onEcho, ...(variables === undefined ? {} : { variables }) },
        after: { variables: { on: true } },
        headers: { accept },
        way: 'thin',
        status: accept === strict ? 400 : 200,
        says: code('BAD_USER_INPUT'),
      } satisfies Row,
    ]),
  ),
);

const refused: Record<string, Row> = {
  'a member that nobody knows': {
    params: { query: '{ hello }', id: 'x' },
    after: { id: undefined },
    ...{ status: 400, says: badRequest },
  },
  'a member called __proto__': { body: '{"query":"{ hello }","__proto__":{}}', status: 400, says: badRequest },
  'a batch': { body: '[{"query":"{ hello }"},{"query":"{ hello }"}]', status: 400, says: badRequest },
  'an empty batch': { body: '[]', status: 400, says: badRequest },
  'no body': { body: '', status: 400, says: badRequest },
  'a body that is null': { body: 'null', status: 400, says: badRequest },
  'a body that is a number': { body: '1', status: 400, says: badRequest },
  'a body that is text': { body: '"{ hello }"', status: 400, says: badRequest },
  'half a body': { body: '{"query":"{ hello', status: 400, says: badRequest },
  'a body with something behind it': { body: '{"query":"{ hello }"}}', status: 400, says: badRequest },
  'UTF-16': { body: Buffer.from('{"query":"{ hello }"}', 'utf16le'), status: 400, says: badRequest },
  'a gzipped body': {
    body: gzipSync('{"query":"{ hello }"}'),
    headers: { 'content-encoding': 'gzip' },
    ...{ status: 415, says: code('UNSUPPORTED_MEDIA_TYPE') },
  },
  'bytes that are no UTF-8': {
    body: Buffer.from(
      '{"query":"query ($text: String) { echo(text: $text) }","variables":{"text":"\xff\xc3("}}',
      'latin1',
    ),
    ...{ status: 400, says: badRequest },
  },
  'no query': { body: '{"variables":{}}', status: 200, says: badRequest },
  'a query that is null': { body: '{"query":null}', status: 200, says: badRequest },
  'a query that is no text': { body: '{"query":1}', status: 400, says: badRequest },
  'variables that are a list': {
    params: { query: onEcho, variables: [true] },
    after: { variables: { on: true } },
    ...{ status: 400, says: badRequest },
  },
  'variables that are text': {
    params: { query: onEcho, variables: '{"on":true}' },
    after: { variables: { on: true } },
    ...{ status: 400, says: badRequest },
  },
  'extensions that are a list': {
    params: { query: '{ hello }', extensions: [] },
    after: { extensions: {} },
    ...{ status: 400, says: badRequest },
  },
  'no name for several operations': {
    params: { query: twoOperations },
    after: { operationName: 'A' },
    ...{ status: 400, says: code('OPERATION_RESOLUTION_FAILURE') },
  },
  'a name of no operation': {
    params: { query: twoOperations, operationName: 'E' },
    after: { operationName: 'A' },
    ...{ status: 400, says: code('OPERATION_RESOLUTION_FAILURE') },
  },
  'an empty name': {
    params: { query: 'query A { hello }', operationName: '' },
    after: { operationName: 'A' },
    ...{ status: 400, says: code('OPERATION_RESOLUTION_FAILURE') },
  },
  'a document that cannot be read': { params: { query: '{' }, status: 200, says: code('GRAPHQL_PARSE_FAILED') },
  'an empty document': { params: { query: '' }, status: 200, says: code('GRAPHQL_PARSE_FAILED') },
  'a document that is not valid': {
    params: { query: '{ nothing }' },
    ...{ status: 200, says: code('GRAPHQL_VALIDATION_FAILED') },
  },
  'a document that is not valid, strictly': {
    params: { query: '{ nothing }' },
    headers: { accept: strict },
    ...{ status: 400, says: code('GRAPHQL_VALIDATION_FAILED') },
  },
  'a document with too many fields of one kind': {
    params: { query: `{ ${Array.from({ length: 400 }, (_, index) => `a${index}: hello`).join(' ')} }` },
    status: 200,
  },
  'a body of 1,000,001 bytes': { body: padded(1_000_001), status: 413, says: code('REQUEST_ENTITY_TOO_LARGE') },
  PUT: { params: { query: '{ hello }' }, method: 'PUT', status: 405, says: badRequest },
  'HEAD with a body': { params: { query: '{ hello }' }, method: 'HEAD', status: 405 },
  'another path': { params: { query: '{ hello }' }, path: '/graphql/', status: 404, says: code('NOT_FOUND') },
};

/** Of the answer, where there is one. */
type MediaType = string | null;
const json = 'application/json';

const accepts: readonly (readonly [accept: string | undefined, Way | undefined, status: number, MediaType])[] = [
  [undefined, 'thin', 200, json],
  ['', 'thin', 200, json],
  ['*/*', 'thin', 200, json],
  ['application/*', 'thin', 200, json],
  [json, 'thin', 200, json],
  ['Application/JSON;q=0.5', 'thin', 200, json],
  ['application/json; charset=utf-8', 'thin', 200, json],
  [strict, 'thin', 200, strict],
  // Apollo Client, without and with @defer; urql; graphql-http's client; a browser.
  ['application/graphql-response+json,application/json;q=0.9', 'thin', 200, strict],
  ['multipart/mixed;deferSpec=20220824,application/graphql-response+json,application/json;q=0.9', 'thin', 200, strict],
  [`${strict}, application/graphql+json, ${json}, text/event-stream, multipart/mixed`, 'thin', 200, strict],
  [`${strict}; charset=utf-8, ${json}; charset=utf-8`, 'thin', 200, strict],
  ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'thin', 200, json],
  ['text/event-stream', 'yoga', 200, 'text/event-stream'],
  ['multipart/mixed', 'yoga', 200, 'multipart/mixed'],
  ['text/html', undefined, 406, json],
  ['image/png', undefined, 406, json],
  ['application/json; charset=utf-16', undefined, 406, json],
];

const contentTypes: readonly (readonly [string, number])[] = [
  ['application/json', 200],
  ['application/json; charset=utf-8', 200],
  ['application/json;charset=UTF-8', 200],
  ['application/json ; charset=iso-8859-1', 415],
  ['APPLICATION/JSON', 200],
  ['application/json; x=y; charset=utf-16', 415],
  ['text/plain;charset=utf-8', 415],
  ['application/graphql', 415],
  ['application/x-www-form-urlencoded', 415],
  ['application/json, text/plain', 415],
];

function padded(length: number): string {
  const params = (padding: string) => JSON.stringify({ query: '{ hello }', extensions: { padding } });
  return params('x'.repeat(length - params('').length));
}

let comments = 0;

/** Sends a row as often as it takes, and says what was answered whatever way it went. */
async function same(server: WaysServer, row: Row) {
  comments += 1;
  const { params, after, method, path, headers = {}, way, status } = row;
  const bodyOf = (changes: Partial<Params> = {}) =>
    row.body ?? JSON.stringify({ ...params, ...changes, query: `${params?.query} # ${comments}` });
  const send = (more: Record<string, string> = {}, changes?: Partial<Params>) =>
    exchange(server, {
      ...(method === undefined ? {} : { method }),
      ...(path === undefined ? {} : { path }),
      ...{ headers: { ...headers, ...more }, body: bodyOf(changes) },
    });

  if (after !== undefined) expect((await send({}, after)).answer.status).toBe(200);
  const first = await send();
  const others = [await send(), await send()];
  const byYoga = await send({ 'content-encoding': headers['content-encoding'] ?? 'identity' });

  expect(first.answer.status).toBe(status);
  for (const { answer } of [...others, byYoga]) expect(answer).toEqual(first.answer);
  // A body that is longer than it says would have been cut, one that is shorter would have failed.
  const stated = first.answer.headers['content-length'];
  if (stated !== undefined && method !== 'HEAD') expect(Number(stated)).toBe(first.answer.body.length);
  if (row.says !== undefined) expect(first.answer.body).toContain(row.says);
  return { ...first.answer, ways: others.map(other => other.way), expected: [way, way], byYoga: byYoga.way, bodyOf };
}

let server: WaysServer;
beforeAll(async () => {
  server = await startWaysServer();
});
afterAll(() => server.close());

describe('the same answer, whatever way it went', () => {
  const rows = { ...good, ...failures, ...coercions };

  it.each(Object.keys(rows))('to %s', async name => {
    const row = rows[name] as Row;
    const answer = await same(server, row);
    expect(answer.ways).toEqual(answer.expected);
    expect(answer.byYoga).toBe('yoga');
    const wire = Buffer.from(answer.body, 'latin1').toString();
    const overSocket = await overWebSocket(server, JSON.parse(String(answer.bodyOf())));
    expect(overSocket).toEqual(JSON.parse(wire));
  });

  it.each(Object.keys(refused))('to %s, which is never thin', async name => {
    const answer = await same(server, refused[name] as Row);
    expect(answer.ways).not.toContain('thin');
  });

  it.each(accepts)('to clients that accept %s', async (accept, way, status, type) => {
    const headers = accept === undefined ? {} : { accept };
    const answer = await same(server, { params: { query: '{ hello }' }, headers, way, status });
    expect(answer.ways).toEqual([way, way]);
    if (type !== null) expect(answer.headers['content-type']).toContain(type);
  });

  it.each(contentTypes)('to a body of the type %s', async (type, status) => {
    const headers = { 'content-type': type };
    const answer = await same(server, { params: { query: '{ hello }' }, headers, status });
    expect(answer.ways).toEqual(status === 200 ? ['thin', 'thin'] : [undefined, undefined]);
  });
});

describe('the same answer to a subscription', () => {
  it.each([
    ['application/json', 406],
    ['text/event-stream', 200],
    ['*/*', 200],
  ])('for %s, though a query of its document is thin', async (accept, status) => {
    const params = { query: twoOperations, operationName: 'D' };
    const answer = await same(server, { params, after: { operationName: 'A' }, headers: { accept }, status });
    expect(answer.ways).toEqual(['thin', 'thin']);
    if (status === 200) expect(answer.body).toContain('{"data":{"once":1}}');
  });
});

describe('the same answer to a token', () => {
  const whoami = { query: '{ whoami }' };
  const tokens: readonly (readonly [name: string, () => Promise<string | null>, status: number, says: string])[] = [
    ['that is good', async () => `Bearer ${await token()}`, 200, `USER ${userId}`],
    ['of a service', async () => `bearer ${await token({ role: 'SERVICE', userId: null })}`, 200, 'SERVICE null'],
    ['that is absent', async () => null, 200, 'ANONYMOUS null'],
    ['that has expired', async () => `Bearer ${await token({ expiresInSeconds: -60 })}`, 401, 'has expired'],
    ['that is none', async () => 'Bearer hello', 401, code('UNAUTHENTICATED')],
    ['with another signature', async () => `Bearer ${await token()}x`, 401, code('UNAUTHENTICATED')],
    ['of another scheme', async () => 'Basic dTpw', 401, code('UNAUTHENTICATED')],
    ['that is empty', async () => '', 401, code('UNAUTHENTICATED')],
  ];

  it.each(tokens)('%s', async (_name, authorizationOf, status, says) => {
    // Others have asked for it before: their answer is not this caller's.
    await same(server, { params: whoami, status: 200 });
    const authorization = await authorizationOf();
    const headers = authorization === null ? {} : { authorization };
    const answer = await same(server, { params: whoami, headers, status, says });
    expect(answer.ways).toEqual(status === 200 ? ['thin', 'thin'] : [undefined, undefined]);
    expect(answer.headers['www-authenticate']).toBe(status === 401 ? 'Bearer error="invalid_token"' : undefined);
  });

  it('that ends between two requests', async () => {
    let now = Date.now();
    const verifier = createVerifier({ keys: { kind: 'secret', secrets: [secret] }, now: () => now });
    await using other = await startWaysServer({ verifier });
    const bearer = await token({ expiresInSeconds: 60 });
    const ask = () => exchange(other, { body: JSON.stringify(whoami), headers: { authorization: `Bearer ${bearer}` } });
    await ask();
    expect(await ask()).toMatchObject({ way: 'thin', answer: { status: 200 } });
    now += 120_000;
    expect(await ask()).toMatchObject({ way: undefined, answer: { status: 401 } });
  });
});

describe('the same answer to a page', () => {
  const origins: readonly (readonly [origin: string | undefined, list: boolean, allowed: string | undefined])[] = [
    [undefined, false, '*'],
    ['https://a.example', false, '*'],
    [undefined, true, undefined],
    ['https://a.example', true, 'https://a.example'],
    ['https://c.example', true, undefined],
    ['null', true, undefined],
  ];

  it.each(origins)('of %s, origins being listed: %s', async (origin, isListed, allowed) => {
    await using other = await startWaysServer(
      isListed ? { corsOrigins: ['https://a.example', 'https://b.example'] } : {},
    );
    const headers = origin === undefined ? {} : { origin };
    const expected = { 'access-control-allow-origin': allowed, vary: isListed ? 'Origin' : undefined };
    const answers = [
      await same(other, { params: { query: '{ hello }' }, headers, way: 'thin', status: 200 }),
      await same(other, {
        params: { query: failing(), variables: { code: 'WITH_STATUS' } },
        after: { variables: { code: 'none' } },
        ...{ headers, way: 'thin', status: 429 },
      }),
    ];
    for (const answer of answers) {
      expect(answer.ways).toEqual(['thin', 'thin']);
      for (const [name, value] of Object.entries(expected)) expect(answer.headers[name]).toBe(value);
      expect(answer.headers).not.toHaveProperty('access-control-allow-credentials');
    }
    expect(answers[1]?.headers['retry-after']).toBe('5');
  });

  it('that asks first', async () => {
    const headers = { origin: 'https://a.example', 'access-control-request-headers': 'authorization,content-type' };
    const answer = await same(server, { body: '', method: 'OPTIONS', headers, status: 204 });
    expect(answer.headers).toMatchObject({ allow: 'GET, POST, OPTIONS', 'access-control-max-age': '7200' });
  });
});
