import { createHash } from 'node:crypto';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/backends/database.js';
import { httpClient, sseClient, wsClient } from '../support/clients.js';
import { evaluateAll, openStream, streamOf } from '../support/ofrep/client.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';
import { ann, startTestServer, type TestServer } from '../support/server.js';
import { until } from '../support/wait.js';

const env = { AUTH_JWT_SECRET: 'the secret of the tests of 32 bytes or more', LOG_LEVEL: 'trace' };

let database: TestDatabase;
let a: TestServer;
let b: TestServer;
let lines = '';

const write = (line: string) => {
  lines += line;
};

async function start(): Promise<TestServer> {
  const log = pino({ level: 'trace' }, { write });
  // Nothing prompts a read of the log but the notification of a change.
  return startTestServer(env, { database: await openDatabase({ url: database.url }), log, pollInterval: 600_000 });
}

beforeAll(async () => {
  database = await createDatabase();
  a = await start();
  b = await start();
  await a.service.management.createFlag({ key: 'a', name: 'A', enabled: true });
});
afterAll(async () => {
  await Promise.all([a.close(), b.close()]);
  await database.drop();
});

const keyFields = 'id name role prefix createdAt createdBy expiresAt lastUsedAt revokedAt';
const create = `mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) { __typename
  ... on CreateApiKeyPayload { secret revision batch apiKey { ${keyFields} } } ... on Error { code path message } } }`;
const revoke = `mutation($input: RevokeApiKeyInput!) { revokeApiKey(input: $input) { __typename
  ... on RevokeApiKeyPayload { revision batch apiKey { ${keyFields} } } ... on Error { code path message } } }`;

const admin = async (server: TestServer) =>
  httpClient(server.url, await server.token('admin', { userId: 'idp|admin' }));

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
type Answer = Record<string, any>;

async function data(server: TestServer, query: string, variables: object, token?: string) {
  const client = token === undefined ? await admin(server) : httpClient(server.url, token);
  const { body } = await client.query(query, { ...variables });
  expect(body.errors).toBeUndefined();
  return Object.values(body.data)[0] as Answer;
}

let serial = 0;
/** A key that both nodes know. */
async function make(role: 'SERVICE' | 'READER' | 'ADMIN', more: object = {}) {
  serial += 1;
  const made = await data(a, create, { input: { name: `key ${serial}`, role, ...more } });
  await until(() => b.service.apiKeys?.find(made['secret']) != null, 'the other node knows the key');
  return { secret: made['secret'] as string, id: made['apiKey'].id as string, name: `key ${serial}`, made };
}

const ask = (server: TestServer, secret: string) => httpClient(server.url, secret).query('{ viewer { role userId } }');
const watch = 'subscription { viewerFeatures { revision } }';

describe('an API key', () => {
  it('works at once where it was made, and soon on the other node, in both headers', async () => {
    const made = await data(a, create, { input: { name: 'at once', role: 'READER', note: 'for CI' } });
    expect(made).toMatchObject({ __typename: 'CreateApiKeyPayload', batch: expect.any(String) });
    const { secret, apiKey } = made as { secret: string; apiKey: object };
    expect(apiKey).toMatchObject({
      name: 'at once',
      role: 'READER',
      prefix: secret.slice(0, 9),
      createdBy: 'idp|admin',
      ...{ expiresAt: null, lastUsedAt: null, revokedAt: null },
    });
    const answer = { data: { viewer: { role: 'READER', userId: null } } };
    expect((await ask(a, secret)).body).toEqual(answer);
    await until(async () => (await ask(b, secret)).status === 200, 'the other node knows it');
    const { body } = await httpClient(b.url).query('{ viewer { role userId } }', {}, { 'x-api-key': secret });
    expect(body).toEqual(answer);
  });

  it('that is revoked is refused by the other node, whose sockets and streams of the key close at once', async () => {
    const { secret, id } = await make('SERVICE');
    const other = await make('SERVICE');
    const socket = wsClient(b.url, { token: secret });
    const socketStream = socket.subscribe(watch);
    await socketStream.next();
    const sse = await sseClient(b.url, watch, { headers: { 'x-api-key': secret } });
    await sse.next();
    const sent = { headers: { 'x-api-key': secret } };
    const known = streamOf(await evaluateAll(b.url, { targetingKey: 'ann' }, sent));
    const foreign = streamOf(await evaluateAll(a.url, { targetingKey: 'bob' }, sent)).replace(a.url, b.url);
    const streams = [await openStream(known), await openStream(foreign)];
    for (const stream of streams) await stream.next();
    await using staying = wsClient(b.url, { token: other.secret });
    const stays = staying.subscribe(watch);
    await stays.next();
    const stayingSse = await sseClient(b.url, watch, { token: (await b.token('service')) as string });
    await stayingSse.next();
    const stayingStream = await openStream(
      streamOf(await evaluateAll(b.url, { targetingKey: 'ann' }, { token: other.secret })),
    );
    await stayingStream.next();

    const revoked = await data(a, revoke, { input: { id, note: 'leaked' } });
    expect(revoked).toMatchObject({ __typename: 'RevokeApiKeyPayload', apiKey: { id, revokedAt: expect.any(String) } });

    expect(await socket.closed).toEqual({ code: 4403, reason: 'The API key was revoked.' });
    await Promise.all([sse.ended, ...streams.map(stream => stream.ended)]);
    for (const server of [a, b]) {
      const { status, body } = await ask(server, secret);
      expect([status, body.errors?.[0]]).toEqual([
        401,
        expect.objectContaining({ message: 'The API key is unknown, or was revoked.' }),
      ]);
      expect((await evaluateAll(server.url, {}, sent)).status).toBe(401);
      await using late = wsClient(server.url, { token: secret });
      expect((await late.closed).code).toBe(4403);
    }
    for (const address of [known, foreign]) expect((await openStream(address)).status).toBe(401);

    await data(a, 'mutation { updateFlag(input: { key: "a", enabled: false }) { __typename } }', {});
    await Promise.all([stays.next(), stayingSse.next(), stayingStream.next()]);
    await stayingSse.stop();
    await stayingStream[Symbol.asyncDispose]();
    // Again is no error, and no change.
    expect(await data(b, revoke, { input: { id } })).toMatchObject({ batch: null, apiKey: revoked['apiKey'] });
  });

  it('that expires closes its sockets and streams, and is refused and listed', async () => {
    const { secret, id } = await make('SERVICE', { expiresAt: new Date(Date.now() + 1_500).toISOString() });
    const socket = wsClient(b.url, { token: secret });
    await socket.subscribe(watch).next();
    const sse = await sseClient(b.url, watch, { token: secret });
    await sse.next();
    const stream = await openStream(streamOf(await evaluateAll(b.url, {}, { token: secret })));
    await stream.next();
    expect(await socket.closed).toEqual({ code: 4403, reason: 'The API key has expired.' });
    await Promise.all([sse.ended, stream.ended]);
    const { status, body } = await ask(b, secret);
    expect([status, body.errors?.[0]?.message]).toEqual([401, 'The API key has expired.']);
    const { nodes } = await data(b, `{ apiKeys(first: 1) { nodes { ${keyFields} } } }`, {});
    expect(nodes).toMatchObject([{ id, revokedAt: null }]);
  });

  it('may revoke itself, and is refused from then on', async () => {
    const { secret, id } = await make('ADMIN');
    const answer = await data(a, revoke, { input: { id } }, secret);
    expect(answer).toMatchObject({ __typename: 'RevokeApiKeyPayload' });
    expect((await ask(a, secret)).status).toBe(401);
  });

  it('is the author of its changes in the log, and in its stream', async () => {
    const { secret, id, name } = await make('ADMIN');
    await using socket = await b.ws('reader');
    const changes = socket.subscribe(
      'subscription { changes { kind actorId apiKeyId after note group userIds differences { path } } }',
    );
    await until(() => changes.size === 0 && b.load.streams > 0, 'the changes are followed');
    await data(a, 'mutation { updateFlag(input: { key: "a", name: "By a key" }) { __typename } }', {}, secret);
    expect((await changes.next()).data.changes).toMatchObject({ kind: 'FLAG_UPDATED', actorId: null, apiKeyId: id });
    await data(a, create, { input: { name: 'made by a key', role: 'SERVICE', note: 'why' } }, secret);
    const entry = { kind: 'API_KEY_CREATED', actorId: null, apiKeyId: id, group: null, userIds: [] };
    expect((await changes.next()).data.changes).toMatchObject({
      ...entry,
      note: 'why',
      after: { name: 'made by a key', role: 'SERVICE', createdById: null },
    });
    const query = `query($kinds: [ChangeKind!]) { changes(first: 3, filter: { kinds: $kinds, actorId: null }) {
      nodes { id kind apiKeyId batch } } }`;
    const kindsOf = async (kinds: string[] | null) =>
      (await data(b, query, { kinds }))['nodes'].map(({ kind }: { kind: string }) => kind);
    expect(await kindsOf(null)).toEqual(['API_KEY_CREATED', 'FLAG_UPDATED', 'API_KEY_CREATED']);
    expect(new Set(await kindsOf(['API_KEY_CREATED', 'API_KEY_REVOKED']))).toEqual(
      new Set(['API_KEY_CREATED', 'API_KEY_REVOKED']),
    );
    expect(await kindsOf(['MEMBERS_ADDED'])).toEqual([]);
    const [made] = (await data(b, query, { kinds: ['API_KEY_CREATED'] }))['nodes'];
    expect(made).toMatchObject({ apiKeyId: id });
    const undo = 'mutation($batch: UUID!) { undoBatch(input: { batch: $batch }) { __typename ... on Error { path } } }';
    expect(await data(a, undo, { batch: made.batch })).toEqual({ __typename: 'ValidationError', path: ['batch'] });
    expect(lines).toContain(`"apiKey":"${name}"`);
  });

  it.each<[object, string, string[] | null]>([
    [{ name: '', role: 'ADMIN' }, 'ValidationError', ['name']],
    [{ name: 'past', role: 'ADMIN', expiresAt: '2020-01-01T00:00:00Z' }, 'ValidationError', ['expiresAt']],
    [{ name: 'taken', role: 'ADMIN' }, 'ApiKeyExistsError', ['name']],
  ])('is not made of %j', async (input, typename, path) => {
    await data(a, create, { input: { name: 'taken', role: 'ADMIN' } });
    expect(await data(a, create, { input })).toMatchObject({ __typename: typename, path });
  });

  it.each([
    'nope',
    'QXBpS2V5OjE=',
    Buffer.from(`Flag:${ann}`).toString('base64'),
    Buffer.from(`ApiKey:${ann}`).toString('base64'),
  ])('is not found by %s', async id => {
    expect(await data(a, revoke, { input: { id } })).toMatchObject({ __typename: 'ApiKeyNotFoundError', path: ['id'] });
  });

  it('is listed newest first, in pages', async () => {
    for (let i = 0; i < 5; i += 1) await make('SERVICE');
    const page = `query($first: Int, $after: String) { apiKeys(first: $first, after: $after) {
      nodes { id createdAt } pageInfo { hasNextPage endCursor } } }`;
    const all = (await data(b, page, { first: 100 }))['nodes'] as { id: string; createdAt: string }[];
    expect(all.map(({ createdAt }) => createdAt)).toEqual(
      all
        .map(({ createdAt }) => createdAt)
        .sort()
        .reverse(),
    );
    const read: string[] = [];
    for (let after: string | null = null; ; ) {
      const { nodes, pageInfo } = await data(b, page, { first: 2, after });
      read.push(...nodes.map(({ id }: { id: string }) => id));
      if (!pageInfo.hasNextPage) break;
      after = pageInfo.endCursor;
    }
    expect(read).toEqual(all.map(({ id }) => id));
    const { body } = await (await admin(b)).query(page, { after: 'x' });
    expect(body.errors?.[0]?.extensions?.code).toBe('BAD_USER_INPUT');
  });

  it('shows when it was last used, after the node that it was used on has written it', async () => {
    const { secret, id } = await make('SERVICE');
    const unused = await make('SERVICE');
    const before = Date.now();
    const c = await start();
    expect((await ask(c, secret)).status).toBe(200);
    await c.close();
    const { nodes } = await data(a, '{ apiKeys(first: 2) { nodes { id lastUsedAt } } }', {});
    const byId = new Map(nodes.map((node: { id: string; lastUsedAt: string }) => [node.id, node.lastUsedAt]));
    expect(Date.parse(byId.get(id) as string)).toBeGreaterThanOrEqual(before);
    expect(byId.get(unused.id)).toBeNull();
  });
});

it('secrets of API keys stand in no log, error, metric or table, however they are used', async () => {
  const { secret, id } = await make('ADMIN');
  const wrong = `${secret.slice(0, -4)}AAAA`;
  let told = '';
  const hear = async (response: Response) => {
    const text = await response.text();
    told += text + JSON.stringify([...response.headers]);
  };
  const post = async (path: string, headers: Record<string, string>, body: unknown) =>
    hear(
      await fetch(`${b.url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      }),
    );
  const use = async () => {
    for (const text of [secret, wrong, `${secret}x`, secret.slice(0, -1)]) {
      for (const headers of [
        { authorization: `Bearer ${text}` },
        { authorization: `Basic ${text}` },
        { authorization: text },
        { 'x-api-key': text },
        { 'api-key': text },
        { authorization: `Bearer ${text}`, 'x-api-key': wrong },
      ] as Record<string, string>[]) {
        for (const query of ['{ viewer { role } }', '{ flags { totalCount } }', '{ nope }', '{']) {
          await post('/graphql', headers, { query });
        }
        await post('/graphql', headers, {
          query: 'mutation { createFlag(input: { key: "", name: "" }) { __typename } }',
        });
        await post('/ofrep/v1/evaluate/flags', headers, { context: {} });
        await post('/ofrep/v1/evaluate/flags/a', headers, { context: { $id: 1 } });
        await post('/nowhere', headers, {});
      }
      await hear(await fetch(`${b.url}/graphql?token=${text}&query={isEnabled(key:"a")}`));
      await using socket = wsClient(b.url, { token: text });
      await socket.connected.catch(error => {
        told += String(error);
      });
    }
  };
  await use();
  await data(a, revoke, { input: { id } });
  await until(() => b.service.apiKeys?.find(secret) == null, 'the key is revoked');
  await use();

  const { rows: tables } = await database.query(`SELECT tablename FROM pg_tables WHERE schemaname = 'public'`);
  const dump: string[] = [];
  for (const { tablename } of tables) {
    const { rows } = await database.query(`SELECT to_jsonb(t)::text AS row FROM "${tablename}" t`);
    dump.push(...rows.map(({ row }) => row as string));
  }
  const { rows: statements } = await database.query('SELECT query FROM pg_stat_activity');
  const metrics = await (await fetch(`${b.url}/metrics`)).text();
  const places = {
    log: lines,
    answers: told,
    metrics,
    tables: dump.join('\n'),
    statements: JSON.stringify(statements),
  };
  const hash = createHash('sha256').update(secret).digest();
  // The dump has the row of the key.
  expect(places.tables).toContain(hash.toString('hex'));
  for (const [place, text] of Object.entries(places)) {
    for (const part of [secret, wrong, secret.slice(4, 40), secret.slice(9, 30)])
      expect(text, place).not.toContain(part);
    if (place !== 'tables') {
      for (const form of ['hex', 'base64', 'base64url'] as const)
        expect(text, place).not.toContain(hash.toString(form));
    }
  }
  const { rows: log } = await database.query('SELECT to_jsonb(c)::text AS row FROM feature_changes c');
  for (const { row } of log) expect(row).not.toContain(hash.toString('hex'));
});
