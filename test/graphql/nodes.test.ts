import type { GraphQLInterfaceType } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Caller } from '../../src/auth/caller.js';
import { storedUserId } from '../../src/core/user-id.js';
import { ann, bob, callers, openGraphQL, type TestGraphQL } from '../support/graphql.js';

let api: TestGraphQL;
const external = 'auth0|5f7c1 ünï';
const others = [callers.anonymous, callers.user, callers.service];
const globalId = (text: string) => Buffer.from(text).toString('base64');

beforeAll(async () => {
  api = await openGraphQL();
  const { management } = api.service;
  await management.createFlag(
    { key: 'a', name: 'A', enabled: true, conditions: { groups: ['named: only'] } },
    { actor: ann },
  );
  await management.createFlag({ key: 'b:1', name: 'B' });
  await management.addToGroup({ group: 'g', userIds: [ann] });
  await management.setOverride({ userId: external, flagKey: 'b:1', enabled: true, reason: 'wish' }, { actor: ann });
  await management.createApiKey({ name: 'build', role: 'READER' }, { actor: external });
});

afterAll(() => api.close());

const selection = `__typename id ... on Flag { key } ... on User { userId } ... on Group { name memberCount }
  ... on Override { reason user { userId } flag { key } } ... on Change { revision kind } ... on ApiKey { name keyRole: role createdBy }
  ... on Viewer { viewerId: userId role featureMap } ... on Feature { key enabled answer: reason }`;

const nodes = async (ids: readonly string[], caller?: Caller) =>
  (await api.data(`query ($ids: [ID!]!) { nodes(ids: $ids) { ${selection} } }`, { ids }, caller)).nodes;

const node = async (id: string, caller?: Caller) => {
  const { node } = await api.data(`query ($id: ID!) { node(id: $id) { ${selection} } }`, { id }, caller);
  expect(await nodes([id, 'x', id], caller)).toEqual([node, null, node]);
  return node;
};

const readByAdmins: [string, string, object][] = [
  ['Flag', '{ flag(key: "a") { id } }', { key: 'a' }],
  ['User', `{ user(id: "${external}") { id } }`, { userId: external }],
  ['Group', '{ group(name: "g") { id } }', { name: 'g', memberCount: 1 }],
  ['Group', '{ group(name: "named: only") { id } }', { name: 'named: only', memberCount: 0 }],
  [
    'Override',
    '{ flag(key: "b:1") { overrides { nodes { id } } } }',
    { reason: 'wish', user: { userId: external }, flag: { key: 'b:1' } },
  ],
  ['Override', `{ user(id: "${external}") { overrides { nodes { id } } } }`, { reason: 'wish' }],
  ['ApiKey', '{ apiKeys { nodes { id } } }', { name: 'build', keyRole: 'READER', createdBy: external }],
  ['Change', '{ changes(last: 1) { nodes { id } } }', { revision: 1, kind: 'FLAG_CREATED' }],
  ['Change', '{ flag(key: "b:1") { changes(first: 1) { nodes { id } } } }', { revision: 4, kind: 'OVERRIDE_SET' }],
];

it('each type with a global id is tried here', () => {
  const tried = new Set([...readByAdmins.map(([type]) => type), 'Viewer', 'Feature']);
  const { objects } = api.schema.getImplementations(api.schema.getType('Node') as GraphQLInterfaceType);
  expect(objects.map(({ name }) => name).sort()).toEqual([...tried].sort());
});

describe('what an admin reads is found again by its id, by admins and readers alone', () => {
  it.each(readByAdmins)('%s of %s', async (__typename, query, fields) => {
    const id = /"id":"([^"]+)"/.exec(JSON.stringify(await api.data(query)))?.[1] as string;
    expect(await node(id)).toEqual({ __typename, id, ...(await node(id)), ...fields });
    expect(await node(id, callers.reader)).toEqual(await node(id));
    for (const caller of others) expect(await node(id, caller)).toBeNull();
  });

  it('Override of a mutation', async () => {
    const mutation = `mutation { setOverride(input: { userId: "${external}", flagKey: "b:1", enabled: true, reason: "wish" }) {
      ... on SetOverridePayload { override { id } } } }`;
    const { id } = (await api.data(mutation)).setOverride.override;
    expect(id).toBe(globalId(`Override:b:1/${storedUserId(external)}`));
    expect(await node(id)).toMatchObject({ id, reason: 'wish' });
  });
});

describe('what a viewer reads is found again by its id', () => {
  const read = (caller: Caller) => api.data('{ viewer { id features { id } feature(key: "b:1") { id } } }', {}, caller);

  it.each([
    ['anonymous', callers.anonymous, 'anonymous', null],
    ['a user', callers.user, ann, ann],
    ['a user known by any text', { ...callers.user, userId: external }, external, external],
    ['a service without a user', callers.service, 'anonymous', null],
    ['an admin', { ...callers.admin, userId: bob }, bob, bob],
  ])('by %s', async (_who, caller, name, userId) => {
    const { viewer } = await read(caller);
    expect(viewer).toEqual({
      id: globalId(`Viewer:${name}`),
      features: [{ id: globalId('Feature:a') }, { id: globalId('Feature:b:1') }],
      feature: { id: globalId('Feature:b:1') },
    });
    expect(await node(viewer.id, caller)).toMatchObject({ __typename: 'Viewer', viewerId: userId, role: caller.role });
    const on = userId === external;
    expect(await nodes([viewer.features[1].id, viewer.features[0].id, viewer.id], caller)).toMatchObject([
      { __typename: 'Feature', key: 'b:1', enabled: on, answer: on ? 'OVERRIDE' : 'DISABLED' },
      { __typename: 'Feature', key: 'a', enabled: false, answer: 'CONDITIONS_NOT_MET' },
      { __typename: 'Viewer', featureMap: { a: false, 'b:1': on } },
    ]);
  });

  it('but never another viewer, even by an admin', async () => {
    for (const [caller, name] of [
      [callers.user, 'anonymous'],
      [callers.user, bob],
      [callers.user, ann.toUpperCase()],
      [callers.anonymous, ann],
      [callers.admin, ann],
    ] as const) {
      expect(await node(globalId(`Viewer:${name}`), caller)).toBeNull();
    }
  });

  it('but not where anonymous callers are not allowed', async () => {
    const closed = await openGraphQL({ allowAnonymous: false });
    await closed.service.management.createFlag({ key: 'a', name: 'A' });
    const query = 'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }';
    const ids = [globalId('Viewer:anonymous'), globalId('Feature:a')];
    expect((await closed.data(query, { ids }, callers.anonymous)).nodes).toEqual([null, null]);
    expect((await closed.data(query, { ids: ids.slice(1) }, callers.user)).nodes).toEqual([{ id: ids[1] }]);
    await closed.close();
  });
});

it.each([
  '',
  'nonsense',
  'VXNlcjo=',
  globalId('Flag'),
  globalId('Flag:'),
  globalId('Flag:1'),
  globalId(`Flag:${ann}`),
  globalId(`User:${bob}`),
  globalId('Nothing:1'),
  globalId('Evaluation:a'),
  globalId('Query:a'),
  globalId('__proto__:a'),
  globalId('constructor:a'),
  globalId(`Override:${ann}`),
  globalId(`Override:a/${ann}`),
  globalId(`Override:a/${ann}/`),
  globalId('Override:a/nobody'),
  globalId('Change:0'),
  globalId('Change:01'),
  globalId('Change:-1'),
  globalId('Change:1e3'),
  globalId(`Change:${'9'.repeat(40)}`),
  globalId('Change:999999'),
  globalId('Group:nobody'),
  globalId('Group:a\0b'),
  globalId(`Group:${'x'.repeat(101)}`),
  globalId('Feature:nope'),
  globalId('Feature: '),
  globalId('Feature:__proto__'),
  globalId(`Feature:${'x'.repeat(200)}`),
  globalId('Viewer:'),
  globalId('Viewer:nobody'),
  'x'.repeat(100_000),
])('node is null for the id %#', async id => {
  for (const caller of [callers.admin, callers.user]) expect(await node(id, caller)).toBeNull();
});

it('nodes takes at most 100 ids', async () => {
  const query = 'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }';
  const { errors } = await api.run(query, { ids: Array(101).fill(globalId('Feature:a')) }, callers.user);
  expect(errors?.[0]).toMatchObject({ extensions: { code: 'BAD_USER_INPUT', path: ['ids'] } });
});

it('the id of a feature is made once for all that ask', async () => {
  const encoded: string[] = [];
  const { from } = Buffer;
  const spy = (text: string, ...rest: []) => {
    if (typeof text === 'string' && text.startsWith('Feature:')) encoded.push(text);
    return from(text, ...rest);
  };
  await api.data('{ viewer { features { id } } }', {}, callers.user);
  Buffer.from = spy as typeof from;
  try {
    await api.data('{ viewer { features { id } again: features { id } } }', {}, callers.user);
  } finally {
    Buffer.from = from;
  }
  expect(encoded).toEqual([]);
});
