import { createHash } from 'node:crypto';
import { ApolloClient, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openInitiatedSocket } from '../support/raw-socket.js';
import { until } from '../support/wait.js';
import { startTestServer, type TestServer } from './harness.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

const extensions = { persistedQuery: { version: 1, sha256Hash: '0123456789abcdef'.repeat(4) } };
const refusal = { message: 'PersistedQueryNotSupported', extensions: { code: 'PERSISTED_QUERY_NOT_SUPPORTED' } };

async function ask(body: object | null, accept: string, search = '') {
  const response = await fetch(`${server.url}/graphql${search}`, {
    headers: { 'content-type': 'application/json', accept },
    ...(body === null ? {} : { method: 'POST', body: JSON.stringify(body) }),
  });
  return { status: response.status, text: await response.text() };
}

describe('a hash without its query is answered as clients of persisted queries expect', () => {
  // 400 for the newer type, as GraphQL over HTTP has it for all that has not been executed.
  const types = [
    ['application/json', 200],
    ['*/*', 200],
    ['application/graphql-response+json, application/json;q=0.9', 400],
  ] as const;

  it.each(types)('in a POST whose client accepts %s, with %i', async (accept, status) => {
    for (const more of [{}, { query: null }, { query: '' }, { variables: { a: 1 }, operationName: 'A' }]) {
      const answer = await ask({ ...more, extensions }, accept);
      expect([answer.status, JSON.parse(answer.text)]).toEqual([status, { errors: [refusal] }]);
    }
  });

  it.each(types)('in a GET whose client accepts %s, with %i', async (accept, status) => {
    const search = `?operationName=A&variables=%7B%7D&extensions=${encodeURIComponent(JSON.stringify(extensions))}`;
    const answer = await ask(null, accept, search);
    expect([answer.status, JSON.parse(answer.text)]).toEqual([status, { errors: [refusal] }]);
  });

  it('in a stream of events', async () => {
    const { text } = await ask({ extensions }, 'text/event-stream');
    expect(text).toContain(`event: next\ndata: ${JSON.stringify({ errors: [refusal] })}\n`);
    expect(text).toContain('event: complete');
  });

  it('over a WebSocket, which stays open', async () => {
    const { socket, messages, send } = await openInitiatedSocket(server.url);
    send({ id: '1', type: 'subscribe', payload: { extensions } });
    send({ id: '2', type: 'subscribe', payload: { query: '', extensions } });
    send({ id: '3', type: 'subscribe', payload: { query: '{ hello }', extensions } });
    await until(() => messages.some(({ id, type }) => id === '3' && type === 'complete'), 'all are answered');
    const answers = messages.filter(({ type }) => type === 'error' || type === 'next');
    expect(answers).toEqual([
      { id: '1', type: 'error', payload: [refusal] },
      { id: '2', type: 'error', payload: [refusal] },
      { id: '3', type: 'next', payload: { data: { hello: 'world' } } },
    ]);
    send({ id: '1', type: 'subscribe', payload: { query: '{ hello }' } });
    await until(() => messages.some(({ id, type }) => id === '1' && type === 'next'), 'the id can be used again');
    socket.close();
  });

  it('and a query that comes with its hash is answered', async () => {
    const { status, text } = await ask({ query: '{ hello }', extensions }, 'application/json');
    expect([status, text]).toEqual([200, '{"data":{"hello":"world"}}']);
  });

  it.each([{}, { extensions: {} }, { extensions: { persistedQuery: null } }, { extensions: { persistedQuery: 'x' } }])(
    'but without a hash a query is asked for: %j',
    async body => {
      const { text } = await ask(body, 'application/json');
      expect(JSON.parse(text)).toMatchObject({ errors: [{ extensions: { code: 'BAD_REQUEST' } }] });
    },
  );
});

it('Apollo Client sends the text after its first hash, and no more hashes', async () => {
  const bodies: { query?: string; extensions?: object }[] = [];
  const spied: typeof fetch = (url, init) => {
    bodies.push(JSON.parse(String(init?.body)));
    return fetch(url, init);
  };
  const sha256 = async (text: string) => createHash('sha256').update(text).digest('hex');
  const http = new HttpLink({ uri: `${server.url}/graphql`, fetch: spied });
  const client = new ApolloClient({
    link: new PersistedQueryLink({ sha256 }).concat(http),
    cache: new InMemoryCache(),
  });
  for (const name of ['First', 'Second']) {
    const { data } = await client.query({ query: gql(`query ${name} { hello }`), fetchPolicy: 'network-only' });
    expect(data).toEqual({ hello: 'world' });
  }
  const hasHash = (extensions: object | undefined) => 'persistedQuery' in (extensions ?? {});
  expect(bodies.map(({ query, extensions }) => [query !== undefined, hasHash(extensions)])).toEqual([
    [false, true],
    [true, false],
    [true, false],
  ]);
});
