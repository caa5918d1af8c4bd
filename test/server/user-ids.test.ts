import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canonicalUserId, storedUserId } from '../../src/core/user-id.js';
import { httpClient, wsClient } from '../support/clients.js';
import { startTestServer, type TestServer } from '../support/server.js';
import { badIds, goodIds } from '../support/user-ids.js';

const secret = 'the secret of the tests of 32 bytes or more';
const uuid = '3F2B8C1E-7A54-4D3C-9B1A-0E5F6D7C8B9A';
let server: TestServer;

beforeAll(async () => {
  server = await startTestServer({ AUTH_JWT_SECRET: secret, AUTH_USER_CLAIM: 'https://example.com/uid' });
  await server.service.management.createFlag({ key: 'k', name: 'K' });
  await server.service.management.createFlag({
    key: 'beta',
    name: 'B',
    enabled: true,
    conditions: { groups: ['testers'] },
  });
});
afterAll(() => server.close());

/** A token with this value, of any type, as the claim of its user. */
const tokenOf = (id: unknown, role?: string) =>
  new SignJWT({ 'https://example.com/uid': id, sub: 'not used', role })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(secret));

/** The data of an operation that must succeed. */
async function data(id: string, role: string | undefined, query: string, variables: object = {}) {
  const { body } = await httpClient(server.url, await tokenOf(id, role)).query(query, { ...variables });
  expect(body.errors).toBeUndefined();
  return body.data;
}

const setOverride = `mutation ($id: UserID!, $on: Boolean!) {
  setOverride(input: { userId: $id, flagKey: "k", enabled: $on, reason: "wish" }) {
    ... on SetOverridePayload { override { user { id userId } createdBy { userId } flag { key } } } ... on Error { message } } }`;

describe.each([...goodIds, uuid])('a user known as %j', id => {
  const known = canonicalUserId(id);

  it('has attributes, groups, overrides, live answers and a history under this id, and then is erased', async () => {
    expect(await data(id, undefined, '{ viewer { userId groups } }')).toEqual({
      viewer: { userId: known, groups: [] },
    });
    await using client = wsClient(server.url, { token: await tokenOf(id) });
    await using stream = client.subscribe('subscription { viewerFeatures { featureMap } }');
    const next = async () => (await stream.next()).data.viewerFeatures.featureMap;
    expect(await next()).toEqual({ k: false, beta: false });

    const { override } = (await data(id, 'admin', setOverride, { id, on: true })).setOverride;
    expect(override).toMatchObject({ user: { userId: known }, createdBy: { userId: known }, flag: { key: 'k' } });
    expect(await next()).toEqual({ k: true });
    const added = await data(
      id,
      'admin',
      `mutation ($ids: [UserID!]!) { addToGroup(input: { group: "testers", userIds: $ids }) {
        ... on AddToGroupPayload { added group { members { edges { node { userId } addedBy { userId } } } } } } }`,
      { ids: [id] },
    );
    expect(added.addToGroup).toEqual({
      added: 1,
      group: { members: { edges: [{ node: { userId: known }, addedBy: { userId: known } }] } },
    });
    expect(await next()).toEqual({ beta: true });
    const set = await data(
      id,
      'admin',
      `mutation ($id: UserID!) { setUserAttributes(input: { userId: $id, attributes: { plan: "pro" } }) {
        ... on SetUserAttributesPayload { user { userId } } } }`,
      { id },
    );
    expect(set.setUserAttributes).toEqual({ user: { userId: known } });

    const read = await data(
      id,
      'admin',
      `query ($id: UserID!, $node: ID!) {
        user(id: $id) { id userId attributes groups features { key enabled } overrides { nodes { user { userId } } } }
        node(id: $node) { ... on User { userId } }
        evaluate(context: { userId: $id }) { key enabled }
        evaluateMany(contexts: [{ userId: $id }]) { featureMap } }`,
      { id, node: override.user.id },
    );
    const features = [
      { key: 'beta', enabled: true },
      { key: 'k', enabled: true },
    ];
    expect(read).toEqual({
      user: {
        id: override.user.id,
        userId: known,
        attributes: { plan: 'pro' },
        groups: ['testers'],
        features,
        overrides: { nodes: [{ user: { userId: known } }] },
      },
      node: { userId: known },
      evaluate: features,
      evaluateMany: [{ featureMap: { beta: true, k: true } }],
    });

    const history = `query ($id: UserID!, $actor: UserID) {
      about: changes(filter: { userId: $id }) { nodes { kind actorId userIds before after } }
      by: changes(filter: { actorId: $actor }) { nodes { kind } } }`;
    const changes = await data(id, 'admin', history, { id, actor: id });
    expect(changes.about.nodes).toMatchObject([
      { kind: 'USER_UPDATED', actorId: known, userIds: [known], after: { attributes: { plan: 'pro' } } },
      { kind: 'MEMBERS_ADDED', actorId: known, userIds: [known] },
      { kind: 'OVERRIDE_SET', actorId: known, userIds: [known], after: { reason: 'wish', createdById: known } },
    ]);
    expect(changes.by.nodes).toHaveLength(3);

    const deletion = `mutation ($id: UserID!) {
      deleteUser(input: { userId: $id }) { ... on DeleteUserPayload { userId deleted } } }`;
    expect((await data('the admin', 'admin', deletion, { id })).deleteUser).toEqual({ userId: known, deleted: true });
    const stored = storedUserId(id);
    const after = await data('the admin', 'admin', history, { id, actor: id });
    expect(after.about.nodes).toMatchObject([
      { kind: 'OVERRIDE_REMOVED', actorId: 'the admin', userIds: [stored], before: { reason: null } },
      { kind: 'MEMBERS_REMOVED', actorId: 'the admin', userIds: [stored] },
      { kind: 'USER_DELETED', actorId: 'the admin', userIds: [stored], before: { attributes: {} } },
      { kind: 'USER_UPDATED', actorId: stored, userIds: [stored], after: { attributes: {} } },
      { kind: 'MEMBERS_ADDED', actorId: stored, userIds: [stored] },
      { kind: 'OVERRIDE_SET', actorId: stored, userIds: [stored], after: { reason: null, createdById: stored } },
    ]);
    const rest = 'query ($id: UserID!) { user(id: $id) { userId attributes groups overrides { totalCount } } }';
    expect(await data(id, 'admin', rest, { id })).toEqual({
      user: { userId: canonicalUserId(id), attributes: {}, groups: [], overrides: { totalCount: 0 } },
    });
    expect(await next()).toEqual({ k: false, beta: false });
  });
});

describe('a text that is no user id', () => {
  const inputs: [string, (id: unknown) => object, string][] = [
    ['query ($id: UserID!) { user(id: $id) { userId } }', id => ({ id }), 'id'],
    ['query ($id: UserID!) { changes(filter: { userId: $id }) { nodes { revision } } }', id => ({ id }), 'id'],
    [
      'query ($filter: ChangeFilter!) { changes(filter: $filter) { nodes { revision } } }',
      actorId => ({ filter: { actorId } }),
      'filter.actorId',
    ],
    [
      'query ($context: EvaluationContextInput!) { evaluate(context: $context) { key } }',
      userId => ({ context: { userId } }),
      'context.userId',
    ],
    [
      'query ($contexts: [EvaluationContextInput!]!) { evaluateMany(contexts: $contexts) { featureMap } }',
      userId => ({ contexts: [{ userId: 'ann' }, { userId }] }),
      'contexts.1.userId',
    ],
    [
      'mutation ($input: SetOverrideInput!) { setOverride(input: $input) { __typename } }',
      userId => ({ input: { userId, flagKey: 'k', enabled: true } }),
      'input.userId',
    ],
    [
      'mutation ($input: RemoveOverrideInput!) { removeOverride(input: $input) { __typename } }',
      userId => ({ input: { userId, flagKey: 'k' } }),
      'input.userId',
    ],
    [
      'mutation ($input: AddToGroupInput!) { addToGroup(input: $input) { __typename } }',
      userId => ({ input: { group: 'g', userIds: ['ann', userId] } }),
      'input.userIds.1',
    ],
    [
      'mutation ($input: RemoveFromGroupInput!) { removeFromGroup(input: $input) { __typename } }',
      userId => ({ input: { group: 'g', userIds: [userId, 'ann'] } }),
      'input.userIds.0',
    ],
    [
      'mutation ($input: SetUserAttributesInput!) { setUserAttributes(input: $input) { __typename } }',
      userId => ({ input: { userId, attributes: {} } }),
      'input.userId',
    ],
    [
      'mutation ($input: DeleteUserInput!) { deleteUser(input: $input) { __typename } }',
      userId => ({ input: { userId } }),
      'input.userId',
    ],
  ];
  // A body of a megabyte is refused before its ids are looked at; a list of one value stands for the value itself.
  const texts = badIds.filter(([, id]) => typeof id !== 'string' || id.length < 10_000);
  const state = async () => [
    server.service.status.revision,
    await data('the admin', 'admin', '{ groups { nodes { name } } flags { nodes { overrides { totalCount } } } }'),
  ];

  it.each(texts)('%s is refused in every variable, with its path, and changes nothing', async (_name, id, message) => {
    const before = await state();
    const client = httpClient(server.url, await tokenOf('the admin', 'admin'));
    for (const [query, variables, path] of inputs) {
      const { body } = await client.query(query, { ...variables(id) });
      const [error] = body.errors ?? [];
      expect(error?.extensions, query).toMatchObject({ code: 'BAD_USER_INPUT', path: path.split('.') });
      expect(error?.message, query).toContain(message);
    }
    expect(await state()).toEqual(before);
  });

  it.each(texts)('%s is refused in a subscription', async (_name, userId, message) => {
    await using client = wsClient(server.url, { token: await tokenOf('the service', 'service') });
    const query = 'subscription ($context: EvaluationContextInput!) { evaluations(context: $context) { revision } }';
    await using stream = client.subscribe(query, { context: { userId } });
    const [error] = (await stream.next()).errors ?? [];
    expect(error?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', path: ['context', 'userId'] });
    expect(error?.message).toContain(message);
  });

  it.each(badIds.filter(([, id]) => typeof id !== 'string' || (id.length < 10_000 && id.isWellFormed())))(
    '%s is refused in a token, with the claim and the setting',
    async (_name, id, message) => {
      const { status, body } = await httpClient(server.url, await tokenOf(id)).query('{ viewer { id } }');
      expect(status).toBe(401);
      expect(body.errors?.[0]).toMatchObject({ extensions: { code: 'UNAUTHENTICATED' } });
      expect(body.errors?.[0]?.message).toContain(
        'The claim "https://example.com/uid" of the token (AUTH_USER_CLAIM) is no user id. Expected ',
      );
      expect(body.errors?.[0]?.message).toContain(message);
    },
  );

  it('is refused as a literal', async () => {
    const client = httpClient(server.url, await tokenOf('the admin', 'admin'));
    for (const literal of ['1042', 'true', '" ann"', '["ann"]', '{ id: "ann" }', '""']) {
      const { body } = await client.query(`{ user(id: ${literal}) { userId } }`);
      expect(body.errors?.[0]?.message, literal).toContain('Expected ');
      expect(body.errors?.[0]?.extensions?.code, literal).toMatch(/GRAPHQL_VALIDATION_FAILED|BAD_USER_INPUT/);
    }
  });
});
