import { SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { apiKeyRoles } from '../../src/core/api-key.js';
import { createSchema } from '../../src/graphql/index.js';
import { httpClient, wsClient } from '../support/clients.js';
import { ann, startTestServer, type TestRole, type TestServer } from '../support/server.js';
import { until } from '../support/wait.js';

const roles: readonly TestRole[] = ['anonymous', 'user', 'service', 'reader', 'admin'];

/** The lowest role that may use a field. `open`: every caller, even where anonymous callers are not allowed. */
type Access = 'open' | 'viewer' | 'reporter' | 'evaluator' | 'reader' | 'admin';

const allowed: Record<Access, readonly TestRole[]> = {
  open: roles,
  viewer: roles,
  reporter: ['user', 'service', 'admin'],
  evaluator: ['service', 'reader', 'admin'],
  reader: ['reader', 'admin'],
  admin: ['admin'],
};

/** The lowest role for each root field, with an operation that uses it. */
const table: Record<string, { access: Access; operation: string }> = {
  'Query.isEnabled': { access: 'viewer', operation: '{ isEnabled(key: "a") }' },
  'Query.viewer': {
    access: 'viewer',
    operation: '{ viewer { id userId role attributes groups features { id } revision } }',
  },
  'Query.evaluate': { access: 'evaluator', operation: '{ evaluate(context: {}) { key } }' },
  'Query.evaluateMany': { access: 'evaluator', operation: '{ evaluateMany(contexts: [{}]) { featureMap } }' },
  'Query.flag': { access: 'reader', operation: '{ flag(key: "a") { conditions } }' },
  'Query.flag.explain': {
    access: 'reader',
    operation: '{ flag(key: "a") { explain(context: {}) { text } } }',
  },
  'Query.flag.usage': {
    access: 'reader',
    operation:
      '{ flag(key: "a") { lastAskedAt usage(since: "2026-01-01", until: "2026-01-02") { count } staleness { text } } }',
  },
  'Query.flag.audience': { access: 'reader', operation: '{ flag(key: "a") { audience { viewers } } }' },
  'Query.flags': { access: 'reader', operation: '{ flags { totalCount nodes { conditions } } }' },
  'Query.previewFlag': {
    access: 'reader',
    operation: '{ previewFlag(input: { key: "a", enabled: false }) { __typename ... on FlagPreview { on } } }',
  },
  'Query.group': { access: 'reader', operation: '{ group(name: "a") { memberCount } }' },
  'Query.groups': { access: 'reader', operation: '{ groups { nodes { name } } }' },
  'Query.user': { access: 'reader', operation: `{ user(id: "${ann}") { attributes } }` },
  'Query.users': { access: 'reader', operation: '{ users(search: "a") { nodes { userId attributes } } }' },
  'Query.attributeValues': { access: 'reader', operation: '{ attributeValues(name: "a") { values { value } } }' },
  'Query.changes': { access: 'reader', operation: '{ changes { nodes { revision } } }' },
  'Query.apiKeys': { access: 'reader', operation: '{ apiKeys { nodes { name } } }' },
  'Query.server': { access: 'reader', operation: '{ server { version environment colour isProtected } }' },
  'Query.node': { access: 'open', operation: '{ node(id: "x") { id } }' },
  'Query.nodes': { access: 'open', operation: '{ nodes(ids: ["x"]) { id } }' },
  'Mutation.createFlag': {
    access: 'admin',
    operation: 'mutation { createFlag(input: { key: "", name: "" }) { __typename } }',
  },
  'Mutation.updateFlag': {
    access: 'admin',
    operation: 'mutation { updateFlag(input: { key: "nope" }) { __typename } }',
  },
  'Mutation.updateFlags': {
    access: 'admin',
    operation: 'mutation { updateFlags(input: { flags: [{ key: "nope" }] }) { __typename } }',
  },
  'Mutation.applyDefinitions': {
    access: 'admin',
    operation: 'mutation { applyDefinitions(input: { definitions: [], prune: true }) { __typename } }',
  },
  'Mutation.deleteFlag': {
    access: 'admin',
    operation: 'mutation { deleteFlag(input: { key: "nope" }) { __typename } }',
  },
  'Mutation.revertFlag': {
    access: 'admin',
    operation: 'mutation { revertFlag(input: { key: "nope", revision: 1 }) { __typename } }',
  },
  'Mutation.undoBatch': {
    access: 'admin',
    operation: `mutation { undoBatch(input: { batch: "${ann}" }) { __typename } }`,
  },
  'Mutation.setOverride': {
    access: 'admin',
    operation: `mutation { setOverride(input: { userId: "${ann}", flagKey: "nope", enabled: true }) { __typename } }`,
  },
  'Mutation.removeOverride': {
    access: 'admin',
    operation: `mutation { removeOverride(input: { userId: "${ann}", flagKey: "nope" }) { __typename } }`,
  },
  'Mutation.addToGroup': {
    access: 'admin',
    operation: 'mutation { addToGroup(input: { group: "", userIds: [] }) { __typename } }',
  },
  'Mutation.removeFromGroup': {
    access: 'admin',
    operation: 'mutation { removeFromGroup(input: { group: "g", userIds: [] }) { __typename } }',
  },
  'Mutation.setUserAttributes': {
    access: 'admin',
    operation: `mutation { setUserAttributes(input: { userId: "${ann}", attributes: {} }) { __typename } }`,
  },
  'Mutation.deleteUser': {
    access: 'admin',
    operation: `mutation { deleteUser(input: { userId: "${ann}" }) { __typename } }`,
  },
  'Mutation.createApiKey': {
    access: 'admin',
    operation: 'mutation { createApiKey(input: { name: "", role: SERVICE }) { __typename } }',
  },
  'Mutation.revokeApiKey': {
    access: 'admin',
    operation: 'mutation { revokeApiKey(input: { id: "nope" }) { __typename } }',
  },
  'Mutation.reportUsage': {
    access: 'reporter',
    operation: 'mutation { reportUsage(input: { keys: ["a"] }) { __typename } }',
  },
  'Subscription.viewerFeatures': { access: 'viewer', operation: 'subscription { viewerFeatures { revision } }' },
  'Subscription.isEnabled': { access: 'viewer', operation: 'subscription { isEnabled(key: "a") }' },
  'Subscription.evaluations': {
    access: 'evaluator',
    operation: 'subscription { evaluations(context: {}) { revision } }',
  },
  'Subscription.propagation': {
    access: 'reader',
    operation: 'subscription { propagation(revision: LATEST) { isDone } }',
  },
  'Subscription.flagAudience': { access: 'reader', operation: 'subscription { flagAudience { key } }' },
  'Subscription.changes': { access: 'reader', operation: 'subscription { changes { revision } }' },
};

const rows = Object.entries(table).map(([field, row]) => ({ field, ...row }));

it('has a row for each root field of the schema, and no other', () => {
  const schema = createSchema();
  const fields = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].flatMap(type =>
    Object.keys(type?.getFields() ?? {}).map(field => `${type?.name}.${field}`),
  );
  expect(
    Object.keys(table)
      .filter(field => field.split('.').length === 2)
      .sort(),
  ).toEqual(fields.sort());
});

const secret = 'the secret of the tests of 32 bytes or more';
let server: TestServer;
let closedServer: TestServer;

beforeAll(async () => {
  server = await startTestServer({ AUTH_JWT_SECRET: secret });
  closedServer = await startTestServer({ AUTH_JWT_SECRET: secret, FEATURE_ANONYMOUS: 'false' });
  await server.service.management.createFlag({ key: 'a', name: 'A', enabled: true });
});

afterAll(async () => {
  await server.close();
  await closedServer.close();
});

let touches = 0;
function touchFlag() {
  touches += 1;
  return server.service.management.updateFlag({ key: 'a', name: `A ${touches}` });
}

/** Receipts are kept for a minute. */
async function atPresent(operation: string): Promise<string> {
  return operation.includes('LATEST') ? operation.replace('LATEST', String((await touchFlag()).revision)) : operation;
}

/** The code of the first error, or null. A subscription that may run long without an event counts as none. */
async function overHttp(url: string, asked: string, token: string | undefined) {
  const operation = await atPresent(asked);
  const headers = operation.startsWith('subscription') ? { accept: 'text/event-stream' } : {};
  if (!operation.startsWith('subscription')) {
    const { status, body } = await httpClient(url, token).query(operation);
    return { status, code: body.errors?.[0]?.extensions?.code ?? null, data: body.data };
  }
  const abort = new AbortController();
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...headers,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ query: operation }),
    signal: abort.signal,
  });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  while (!/"data"|"errors"|^:\s*$/m.test(text)) {
    const { value, done } = (await reader?.read()) ?? { done: true };
    if (done) break;
    text += value;
  }
  abort.abort();
  return { status: response.status, code: /"code":"(\w+)"/.exec(text)?.[1] ?? null, data: undefined };
}

async function overWebSocket(url: string, operation: string, token: string | undefined) {
  await using client = wsClient(url, token === undefined ? {} : { token });
  await using stream = client.subscribe(await atPresent(operation));
  // A subscriber to changes gets an event when something changes; a caller that may not subscribe gets an error at once.
  await until(async () => {
    if (operation === table['Subscription.changes']?.operation) await touchFlag();
    return stream.size > 0;
  }, 'there is an answer');
  const answer = await stream.next();
  return { code: answer.errors?.[0]?.extensions?.code ?? null };
}

const refusal = (role: TestRole) => (role === 'anonymous' ? 'UNAUTHENTICATED' : 'FORBIDDEN');

describe.each(rows)('$field', ({ access, operation }) => {
  it.each(roles)('%s', async role => {
    const token = await server.token(role);
    const expected = allowed[access].includes(role) ? null : refusal(role);
    expect((await overHttp(server.url, operation, token)).code).toBe(expected);
    expect((await overWebSocket(server.url, operation, token)).code).toBe(expected);
  });

  it.each(['user', 'service', 'reader', 'admin'] as const)('%s with an id that is no UUID', async role => {
    const token = await server.token(role, { userId: 'auth0|5f7c1 ünï' });
    const expected = allowed[access].includes(role) ? null : refusal(role);
    expect((await overHttp(server.url, operation, token)).code).toBe(expected);
  });

  it('anonymous, where the server does not allow it', async () => {
    const expected = access === 'open' ? null : 'UNAUTHENTICATED';
    expect((await overHttp(closedServer.url, operation, undefined)).code).toBe(expected);
    expect((await overWebSocket(closedServer.url, operation, undefined)).code).toBe(expected);
  });
});

describe.each(apiKeyRoles)('an API key with the role %s', role => {
  const held = role.toLowerCase() as TestRole;
  let key: string;
  beforeAll(async () => {
    key = (await server.service.management.createApiKey({ name: `of ${role}`, role })).value.secret;
    await until(() => server.service.apiKeys?.find(key) != null, 'the node knows the key');
  });

  it.each(rows)('may use what the role may: $field', async ({ access, operation }) => {
    const expected = allowed[access].includes(held) ? null : 'FORBIDDEN';
    expect((await overHttp(server.url, operation, key)).code).toBe(expected);
    expect((await overWebSocket(server.url, operation, key)).code).toBe(expected);
  });
});

const key = new TextEncoder().encode(secret);
const inAnHour = () => Math.floor(Date.now() / 1_000) + 3_600;
const claims = { sub: ann, role: 'admin' };
const signed = (payload: object, using = key) =>
  new SignJWT({ ...payload }).setProtectedHeader({ alg: 'HS256' }).sign(using);

let lostKeys = 0;
/** A key that counted once. */
async function lostKey(lifetime: number | null): Promise<string> {
  const { management, apiKeys } = server.service;
  lostKeys += 1;
  const expiresAt = lifetime === null ? null : new Date(Date.now() + lifetime);
  const { apiKey, secret } = (await management.createApiKey({ name: `lost ${lostKeys}`, role: 'ADMIN', expiresAt }))
    .value;
  if (expiresAt === null) await management.revokeApiKey({ id: apiKey.id });
  else await until(() => apiKeys?.find(secret) != null && expiresAt.getTime() < Date.now(), 'the key has expired');
  return secret;
}

const badTokens: Record<string, () => Promise<string> | string> = {
  'a revoked API key': () => lostKey(null),
  'an expired API key': () => lostKey(200),
  'an unknown API key': () => `hly_${'x'.repeat(43)}`,
  'an expired token': () => signed({ ...claims, exp: inAnHour() - 7_200 }),
  'a token without exp': () => signed(claims),
  'a wrong signature': () => signed({ ...claims, exp: inAnHour() }, new TextEncoder().encode('x'.repeat(40))),
  'alg: none': () => new UnsecuredJWT({ ...claims }).setExpirationTime('1h').encode(),
  'a user whose id begins with a blank': () => signed({ sub: ' ann', exp: inAnHour() }),
  'no token at all behind Bearer': () => '',
  nonsense: () => 'a.b.c',
};

describe.each([['support'], [['staff', 'Admin']], [7]])('the role %j of another program', role => {
  it.each(rows)('is that of a plain user at $field', async ({ access, operation }) => {
    const token = await signed({ sub: ann, role, exp: inAnHour() });
    const expected = allowed[access].includes('user') ? null : 'FORBIDDEN';
    expect((await overHttp(server.url, operation, token)).code).toBe(expected);
  });
});

describe.each(Object.entries(badTokens))('%s', (_what, make) => {
  it.each(rows)('is refused over HTTP at $field, also where anonymous callers are welcome', async ({ operation }) => {
    const { status, code, data } = await overHttp(server.url, operation, await make());
    expect({ status, code, data }).toEqual({ status: 401, code: 'UNAUTHENTICATED', data: undefined });
  });

  it('closes a WebSocket with 4403 before any operation', async () => {
    await using client = wsClient(server.url, { token: await make() });
    expect((await client.closed).code).toBe(4403);
  });
});

it('answers to viewers have no field about rules or about other users', async () => {
  const schema = createSchema();
  const viewer = ['Viewer', 'Feature', 'ViewerFeaturesUpdate'].flatMap(name => {
    const type = schema.getType(name);
    return type !== undefined && 'getFields' in type ? Object.keys(type.getFields()) : [];
  });
  expect(viewer.filter(field => /condition|description|percentage|override|member|rule|users?$/i.test(field))).toEqual(
    [],
  );
});
