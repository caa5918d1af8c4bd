import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { storedUserId } from '../../src/core/user-id.js';
import { ann, callers, openGraphQL, type TestGraphQL } from '../support/graphql.js';

let api: TestGraphQL;
const flagCount = 50;
const globalId = (text: string) => Buffer.from(text).toString('base64');
/** Every third user is known by another text. */
const user = (i: number) => (i % 3 === 0 ? `idp|${i}` : `00000000-0000-4000-8000-${String(i).padStart(12, '0')}`);

beforeAll(async () => {
  api = await openGraphQL();
  const { management } = api.service;
  for (let i = 0; i < flagCount; i += 1) {
    const key = `flag-${String(i).padStart(2, '0')}`;
    const conditions = { groups: [`group-${i % 5}`] };
    await management.createFlag(
      { key, name: `Name ${99 - i}`, enabled: i % 2 === 0, conditions },
      { actor: `idp|${i % 7}` },
    );
    for (let j = 0; j < 3; j += 1) {
      await management.setOverride({ userId: user(i * 3 + j), flagKey: key, enabled: true }, { actor: `idp|${i}` });
    }
  }
  for (let i = 0; i < 5; i += 1) {
    const userIds = Array.from({ length: 30 }, (_, j) => user(j));
    await management.addToGroup({ group: `group-${i}`, userIds }, { actor: ann });
  }
});

afterAll(() => api.close());

describe('the number of queries does not grow with the number of rows', () => {
  it.each([
    [
      'flags with the users of their overrides',
      (n: number) => `{ flags(first: ${n}) { totalCount nodes { key createdBy { userId }
      overrides { totalCount nodes { enabled user { userId groups } createdBy { userId } flag { name } } } } } }`,
    ],
    [
      'flags with their changes',
      (n: number) => `{ flags(first: ${n}) { nodes { changes(first: 2) { nodes { revision } } } } }`,
    ],
    [
      'changes with the ids that their users are known by',
      (n: number) => `{ changes(first: ${n}) { nodes { actorId userIds before after } } }`,
    ],
    [
      'groups with their members and flags',
      (n: number) => `{ groups(first: ${Math.min(n, 4) + 1}) { nodes { memberCount
      flags { key createdBy { userId } } members(first: ${n}) { edges { addedBy { userId } node { userId groups } } } } } }`,
    ],
    [
      "a member's overrides",
      (n: number) =>
        `{ group(name: "group-0") { members(first: ${Math.min(n, 30)}) { nodes { overrides { nodes { flag { key } } } } } } }`,
    ],
    [
      'users through nodes',
      (
        n: number,
      ) => `{ nodes(ids: [${Array.from({ length: n }, (_, i) => `"${globalId(`User:${storedUserId(user(i))}`)}"`).join()}]) {
      ... on User { userId groups overrides { nodes { flag { key } } } } } }`,
    ],
    [
      'groups through nodes',
      (
        n: number,
      ) => `{ nodes(ids: [${Array.from({ length: n }, (_, i) => `"${globalId(`Group:group-${i % 5}`)}"`).join()}]) {
      ... on Group { name memberCount } } }`,
    ],
    [
      'overrides through nodes',
      (n: number) =>
        `{ nodes(ids: [${Array.from({ length: n }, (_, i) => `"${globalId(`Override:flag-${String(i).padStart(2, '0')}/${storedUserId(user(i * 3))}`)}"`).join()}]) {
      ... on Override { enabled user { userId } flag { key } } } }`,
    ],
    [
      'changes through nodes',
      (n: number) =>
        `{ nodes(ids: [${Array.from({ length: n }, (_, i) => `"${globalId(`Change:${i + 1}`)}"`).join()}]) { ... on Change { kind actorId } } }`,
    ],
    [
      'features of many users',
      (n: number) =>
        `{ evaluateMany(contexts: [${Array.from({ length: n }, (_, i) => `{ userId: "${user(1_000 + n * 100 + i)}" }`).join()}]) { featureMap } }`,
    ],
  ])('%s', async (_what, query) => {
    const few = await api.countQueries(() => api.data(query(5)));
    const many = await api.countQueries(() => api.data(query(flagCount)));
    expect(many).toBe(few);
    expect(few).toBeGreaterThan(0);
  });

  it('and what viewers ask for touches no database at all once the user is known', async () => {
    await api.data('{ viewer { featureMap } }', {}, callers.user);
    const count = await api.countQueries(() =>
      api.data(
        '{ isEnabled(key: "flag-01") viewer { id role groups features { id key enabled reason } } }',
        {},
        callers.user,
      ),
    );
    expect(count).toBe(0);
  });
});

describe('connections', () => {
  const page = (args: string) =>
    api.data(`{ flags(${args}) { totalCount nodes { key } edges { cursor }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`);
  // biome-ignore lint/suspicious/noExplicitAny: the shape is that of the query above.
  const keys = (data: any) => data.flags.nodes.map((node: { key: string }) => node.key);

  it('are read forwards page by page to the end', async () => {
    const seen: string[] = [];
    let after = '';
    for (;;) {
      const data = await page(`first: 15${after}`);
      seen.push(...keys(data));
      expect(data.flags.totalCount).toBe(flagCount);
      if (!data.flags.pageInfo.hasNextPage) break;
      after = `, after: "${data.flags.pageInfo.endCursor}"`;
    }
    expect(seen).toHaveLength(flagCount);
    expect(seen).toEqual([...seen].sort());
  });

  it('are read backwards', async () => {
    const last = await page('last: 2');
    expect(keys(last)).toEqual(['flag-48', 'flag-49']);
    expect(keys(await page(`last: 2, before: "${last.flags.pageInfo.startCursor}"`))).toEqual(['flag-46', 'flag-47']);
  });

  it('have 20 items by default', async () => {
    expect(keys(await page('filter: {}'))).toHaveLength(20);
  });

  it.each([
    ['filter: { enabled: true }, first: 2', ['flag-00', 'flag-02']],
    ['filter: { group: "group-3" }, first: 2', ['flag-03', 'flag-08']],
    ['filter: { search: "NAME 9" }, first: 2', ['flag-00', 'flag-01']],
    ['filter: { search: "flag_0" }', []],
    ['filter: { search: "%" }', []],
    ['orderBy: { field: NAME, direction: ASC }, first: 2', ['flag-49', 'flag-48']],
    ['orderBy: { field: CREATED_AT, direction: DESC }, first: 2', ['flag-49', 'flag-48']],
    ['orderBy: { field: KEY, direction: DESC }, first: 2', ['flag-49', 'flag-48']],
  ])('can be told what to list: %s', async (args, expected) => {
    expect(keys(await page(args))).toEqual(expected);
  });

  it('of members and changes are read page by page too', async () => {
    const query = (after: string) => `{ group(name: "group-1") { members(first: 20${after}) {
      nodes { userId } pageInfo { hasNextPage hasPreviousPage endCursor } } } }`;
    const first = (await api.data(query(''))).group.members;
    const second = (await api.data(query(`, after: "${first.pageInfo.endCursor}"`))).group.members;
    expect([first.nodes.length, second.nodes.length]).toEqual([20, 10]);
    expect([first.pageInfo.hasNextPage, second.pageInfo.hasNextPage]).toEqual([true, false]);

    const changes = (after: string) => `{ flag(key: "flag-00") { changes(first: 3${after}) {
      nodes { revision kind } pageInfo { endCursor } } } }`;
    const newest = (await api.data(changes(''))).flag.changes;
    // Its conditions name a group, so the members of the group are a part of its history.
    expect(newest.nodes.map((node: { kind: string }) => node.kind)).toEqual([
      'MEMBERS_ADDED',
      'OVERRIDE_SET',
      'OVERRIDE_SET',
    ]);
    const rest = (await api.data(changes(`, after: "${newest.pageInfo.endCursor}"`))).flag.changes;
    expect(rest.nodes).toMatchObject([{ kind: 'OVERRIDE_SET' }, { revision: 1, kind: 'FLAG_CREATED' }]);
  });

  it.each([
    '{ flags(first: 101) { nodes { key } } }',
    '{ flags(first: -1) { nodes { key } } }',
    '{ flags(last: 99999999) { nodes { key } } }',
    '{ groups(first: 101) { nodes { name } } }',
    '{ changes(first: 101) { nodes { revision } } }',
    '{ flags(first: 1) { nodes { overrides(first: 101) { nodes { enabled } } } } }',
    '{ groups(first: 1) { nodes { members(first: 101) { nodes { userId } } } } }',
    '{ groups(after: "AAAA////") { nodes { name } } group(name: "group-1") { members(after: "bm8=") { nodes { userId } } } }',
  ])('refuse what no page can be: %s', async query => {
    const { errors } = await api.run(query);
    expect(errors?.[0]?.extensions['code']).toBe('BAD_USER_INPUT');
  });
});

describe('changes', () => {
  const kinds = async (filter: string) =>
    (
      await api.data(
        `{ changes(first: 3, filter: ${filter}) { nodes { revision kind flagKey group actorId userIds userCount before after } } }`,
      )
    ).changes.nodes;

  it('come newest first, with actor and kind', async () => {
    expect((await kinds('{ flagKey: "flag-07" }'))[0]).toMatchObject({
      kind: 'OVERRIDE_SET',
      flagKey: 'flag-07',
      actorId: 'idp|7',
      userIds: [user(23)],
      userCount: 1,
      before: null,
      after: { enabled: true },
    });
    expect((await kinds('{ group: "group-2" }'))[0]).toMatchObject({
      kind: 'MEMBERS_ADDED',
      group: 'group-2',
      userCount: 30,
    });
  });

  it.each([
    ['{ kinds: [FLAG_CREATED] }', 3],
    [`{ userId: "${user(0)}" }`, 3],
    ['{ actorId: "idp|7" }', 3],
    [`{ actorId: "${user(999)}" }`, 0],
    ['{ since: "2999-01-01T00:00:00Z" }', 0],
    ['{ until: "2000-01-01T00:00:00Z" }', 0],
    ['{ flagKey: "flag-07", kinds: [FLAG_CREATED] }', 1],
  ])('can be filtered: %s', async (filter, count) => {
    expect(await kinds(filter)).toHaveLength(count);
  });
});
