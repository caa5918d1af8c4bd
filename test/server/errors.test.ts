import { GraphQLError, type OperationDefinitionNode, parse, type VariableDefinitionNode } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FlagNotFoundError, UnavailableError, ValidationError } from '../../src/core/errors.js';
import { formatErrors, maskError } from '../../src/server/operations/mask-error.js';
import { type GraphQLAnswer, httpClient, sseClient, wsClient } from '../support/clients.js';
import { startTestServer, type TestServer } from './harness.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

type Variables = Record<string, unknown>;

/** The last answer of one operation, by each way in. */
const ways: Record<string, (query: string, variables?: Variables) => Promise<GraphQLAnswer>> = {
  HTTP: async (query, variables) => (await httpClient(server.url).query(query, variables)).body,
  SSE: async (query, variables = {}) => {
    await using stream = await sseClient(server.url, query, { variables });
    return await lastOf(stream);
  },
  WebSocket: async (query, variables) => {
    await using client = wsClient(server.url);
    await using stream = client.subscribe(query, variables);
    return await lastOf(stream);
  },
};

async function lastOf(stream: { next(): Promise<GraphQLAnswer> }): Promise<GraphQLAnswer> {
  let last = await stream.next();
  for (;;) {
    try {
      last = await stream.next();
    } catch {
      return last;
    }
  }
}

const queries: [string, string, Variables | undefined, object][] = [
  ['a syntax error', '{ hello', undefined, { code: 'GRAPHQL_PARSE_FAILED' }],
  ['an unknown field', '{ nothing }', undefined, { code: 'GRAPHQL_VALIDATION_FAILED' }],
  ['an exception in a resolver', '{ throws }', undefined, { code: 'INTERNAL_SERVER_ERROR' }],
  ['a thrown text', '{ throwsText }', undefined, { code: 'INTERNAL_SERVER_ERROR' }],
  ['an error of graphql without a code', '{ throwsCodeless }', undefined, { code: 'INTERNAL_SERVER_ERROR' }],
  ['null where none may be', '{ required }', undefined, { code: 'INTERNAL_SERVER_ERROR' }],
  ['a value that cannot be serialised', '{ ratio(of: 1) hello }', undefined, {}],
  ['a known code', '{ forbidden }', undefined, { code: 'FORBIDDEN' }],
  ['the database away', '{ unavailable }', undefined, { code: 'UNAVAILABLE' }],
  [
    'a variable of the wrong type',
    'query ($of: Int!) { ratio(of: $of) }',
    { of: 'x' },
    { code: 'BAD_USER_INPUT', path: ['of'] },
  ],
  ['a missing variable', 'query ($of: Int!) { ratio(of: $of) }', {}, { code: 'BAD_USER_INPUT', path: ['of'] }],
  ['a null variable', 'query ($of: Int!) { ratio(of: $of) }', { of: null }, { code: 'BAD_USER_INPUT', path: ['of'] }],
  [
    'a fault deep inside a variable',
    'query ($places: [Place]) { place(places: $places) }',
    { places: [{ even: 2 }, { even: 2, colours: ['RED', 'BLUE'] }] },
    { code: 'BAD_USER_INPUT', path: ['places', '1', 'colours', '1'] },
  ],
  [
    'a scalar that refuses its value',
    'query ($place: Place) { place(place: $place) }',
    { place: { even: 3 } },
    { code: 'BAD_USER_INPUT', path: ['place', 'even'] },
  ],
  [
    'a field too many in a variable',
    'query ($place: Place) { place(place: $place) }',
    { place: { even: 2, odd: 1 } },
    { code: 'BAD_USER_INPUT', path: ['place'] },
  ],
  ['a wrong value in the document', '{ ratio(of: "x") }', undefined, { code: 'BAD_USER_INPUT' }],
  ['a refused value in the document', '{ place(place: { even: 3 }) }', undefined, { code: 'BAD_USER_INPUT' }],
  ['a missing field in the document', '{ place(place: {}) }', undefined, { code: 'BAD_USER_INPUT' }],
  [
    'a variable without a value at an argument that needs one',
    'query ($of: Int) { ratio(of: $of) }',
    {},
    { code: expect.stringMatching(/BAD_USER_INPUT|GRAPHQL_VALIDATION_FAILED/) },
  ],
];

const subscriptions: [string, string][] = [
  ['that cannot begin', 'subscription { throwsAtOnce }'],
  ['whose source fails later', 'subscription { throwsLater }'],
  ['whose resolver fails', 'subscription { throwsInResolver }'],
];

describe.each(Object.keys(ways))('over %s', way => {
  const ask = ways[way] as NonNullable<(typeof ways)[string]>;

  it.each(queries)('%s has its code and hides everything else', async (_name, query, variables, extensions) => {
    const answer = await ask(query, variables);
    if (Object.keys(extensions).length === 0) {
      expect(answer.errors).toBeUndefined();
      return;
    }
    expect(answer.errors?.[0]?.extensions).toEqual(extensions);
    expect(JSON.stringify(answer)).not.toMatch(/hunter2|postgresql|stack|originalError|unexpected"/);
  });

  if (way === 'HTTP') return;

  it.each(subscriptions)('a subscription %s is masked', async (_name, query) => {
    const answer = await ask(query);
    expect(answer.errors).toMatchObject([
      { message: 'Unexpected error.', extensions: { code: 'INTERNAL_SERVER_ERROR' } },
    ]);
    expect(JSON.stringify(answer)).not.toContain('hunter2');
  });
});

it('answers the same over every way in', async () => {
  for (const [, query, variables] of queries) {
    const [first, ...others] = await Promise.all(Object.values(ways).map(ask => ask(query, variables)));
    for (const other of others) expect(other).toEqual(first);
  }
});

it('answers an unexpected failure with 500 before execution and with 200 and data after it', async () => {
  await using broken = await startTestServer({
    createContext: () => {
      throw new Error('hunter2');
    },
  });
  const before = await httpClient(broken.url).query('{ hello }');
  expect(before).toMatchObject({ status: 500, body: { errors: [{ extensions: { code: 'INTERNAL_SERVER_ERROR' } }] } });
  expect(JSON.stringify(before.body)).not.toContain('hunter2');
  const after = await httpClient(server.url).query('{ throws hello }');
  expect(after).toMatchObject({ status: 200, body: { data: { throws: null, hello: 'world' } } });
});

it('answers 503 when the context finds the database away', async () => {
  await using away = await startTestServer({
    createContext: () => {
      throw new UnavailableError();
    },
  });
  expect(await httpClient(away.url).query('{ hello }')).toMatchObject({
    status: 503,
    body: { errors: [{ extensions: { code: 'UNAVAILABLE' } }] },
  });
});

it('logs the error that it hides, with the id of the request', async () => {
  await httpClient(server.url).query('{ throws }', undefined, { 'x-request-id': 'find-me' });
  const line = server.lines.find(({ requestId, level }) => requestId === 'find-me' && level === 50);
  expect(line).toMatchObject({ err: { message: expect.stringContaining('hunter2'), stack: expect.any(String) } });
});

describe('the door', () => {
  const reported: unknown[] = [];
  const through = (error: unknown) => formatErrors([maskError(error, cause => reported.push(cause))])[0];

  it('lets expected failures of the service pass with their code and path', () => {
    expect(through(new ValidationError([{ path: ['input', 'key'], message: 'Too long.' }]))).toMatchObject({
      message: 'input.key: Too long.',
      extensions: { code: 'BAD_USER_INPUT', path: ['input', 'key'] },
    });
    expect(through(new FlagNotFoundError('x'))).toMatchObject({ extensions: { code: 'FLAG_NOT_FOUND' } });
  });

  it('keeps the place of an error', () => {
    const located = new GraphQLError('x', { path: ['a', 0], originalError: new UnavailableError() });
    expect(through(located)).toMatchObject({ path: ['a', 0], extensions: { code: 'UNAVAILABLE' } });
  });

  it.each([new Error('hunter2'), 'hunter2', null, undefined, 7, { message: 'hunter2' }, new GraphQLError('hunter2')])(
    'hides %o and reports it',
    error => {
      reported.length = 0;
      expect(through(error)).toEqual({ message: 'Unexpected error.', extensions: { code: 'INTERNAL_SERVER_ERROR' } });
      expect(reported).toEqual([error]);
    },
  );

  it('is not fooled by quotes in a value', () => {
    const message = 'Variable "$a" got invalid value "x\\" at \\"b.c\\"; " at "a.d[0]"; Expected type "Int".';
    const [operation] = parse('query ($a: Place) { place(place: $a) }').definitions as [OperationDefinitionNode];
    const nodes = operation.variableDefinitions?.[0] as VariableDefinitionNode;
    const error = new GraphQLError(message, { nodes, originalError: new GraphQLError('Expected type "Int".') });
    expect(through(error)).toMatchObject({ extensions: { path: ['a', 'd', '0'] } });
  });
});
