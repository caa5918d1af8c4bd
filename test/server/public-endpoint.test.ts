import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GraphQLAnswer, httpClient, sseClient, wsClient } from '../support/clients.js';
import { cpuTime } from '../support/cpu.js';
import { startTestServer, type TestServer } from '../support/server.js';

// What protects the schema, asked of the whole product, by every way in.

let server: TestServer;
let flagId: string;
beforeAll(async () => {
  server = await startTestServer();
  await server.service.management.createFlag({ key: 'a', name: 'A', enabled: true });
  const { body } = await httpClient(server.url, await server.token('admin')).query('{ flag(key: "a") { id } }');
  flagId = body.data.flag.id;
});
afterAll(() => server.close());

type Ask = (token: string | undefined, query: string, variables?: Record<string, unknown>) => Promise<GraphQLAnswer>;

const ways: Record<string, Ask> = {
  HTTP: async (token, query, variables) => (await httpClient(server.url, token).query(query, variables)).body,
  SSE: async (token, query, variables = {}) => {
    await using stream = await sseClient(server.url, query, { ...(token && { token }), variables });
    return await stream.next();
  },
  WebSocket: async (token, query, variables) => {
    await using client = wsClient(server.url, token === undefined ? {} : { token });
    return await client.query(query, variables);
  },
};

describe.each(Object.entries(ways))('over %s', (_way, ask) => {
  it.each([
    [
      'costly',
      '{ flags(first: 100) { nodes { overrides(first: 100) { nodes { user { overrides(first: 100) { nodes { enabled } } } } } } } }',
    ],
    ['deep', `{ flag(key: "a") ${'{ overrides { nodes { flag '.repeat(4)}{ key }${' } } }'.repeat(4)} }`],
    ['greedy', '{ flags(first: 99999999) { nodes { key } } }'],
    ['greedy from behind', '{ flags(last: 99999999) { nodes { key } } }'],
  ])('what is too %s is refused at little cost', async (_what, query) => {
    const token = await server.token('admin');
    const plain = await cpuTime(() => ask(token, '{ viewer { role } }'));
    expect(await ask(token, query)).toMatchObject({ errors: [{ extensions: { code: 'BAD_USER_INPUT' } }] });
    expect(await cpuTime(() => ask(token, query))).toBeLessThan(20 * plain + 100_000);
  });

  it.each(['anonymous', 'user', 'service'] as const)('%s sees nobody through node and nodes', async role => {
    const query = 'query ($id: ID!) { node(id: $id) { id } nodes(ids: [$id]) { id } }';
    expect(await ask(await server.token(role), query, { id: flagId })).toEqual({ data: { node: null, nodes: [null] } });
  });

  it('an admin does', async () => {
    const query = 'query ($id: ID!) { node(id: $id) { id } }';
    expect(await ask(await server.token('admin'), query, { id: flagId })).toEqual({ data: { node: { id: flagId } } });
  });

  it('a pattern that is slow elsewhere is not', async () => {
    const token = await server.token('admin');
    const create = `mutation ($conditions: Conditions!) { createFlag(input: { key: "slow", name: "S", enabled: true, conditions: $conditions }) { __typename } }`;
    await ask(token, create, { conditions: { attributes: { text: { matches: '^(a+)+$' } } } });
    const service = await server.token('service');
    const evaluate = (text: string) =>
      ask(
        service,
        'query ($text: JSONObject!) { evaluate(context: { attributes: $text }, keys: ["slow"]) { reason } }',
        { text: { text } },
      );
    const long = `${'a'.repeat(15_000)}!`;
    expect(await evaluate(long)).toEqual({ data: { evaluate: [{ reason: 'CONDITIONS_NOT_MET' }] } });
    const plain = await cpuTime(() => evaluate('a!'));
    expect(await cpuTime(() => evaluate(long))).toBeLessThan(20 * plain + 100_000);
  });
});

it.each([
  ['101 attributes', Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`a${i}`, i]))],
  ['17 kB of attributes', { a: 'x'.repeat(13_000), b: 'y'.repeat(4_000) }],
])('a token that carries %s is refused', async (_what, attributes) => {
  const token = await server.token('user', { attributes });
  const answer = await httpClient(server.url, token).query('{ viewer { role } }');
  expect(answer.status).toBe(401);
  await using client = wsClient(server.url, token === undefined ? {} : { token });
  expect((await client.closed).code).toBe(4403);
});
