import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { changeTest } from '../../src/features/change-filter.js';
import { readLog } from '../support/change-log.js';
import { ann, bob, openGraphQL, type TestGraphQL } from '../support/graphql.js';

let api: TestGraphQL;
let batch: string;

beforeAll(async () => {
  api = await openGraphQL();
  const { management } = api.service;
  const by = { actor: 'idp|admin' };
  await management.createFlag({ key: 'a', name: 'A', conditions: { groups: ['beta'] } }, by);
  await management.createFlag({ key: 'b', name: 'B' });
  await management.addToGroup({ group: 'beta', userIds: [ann, bob] }, by);
  await management.addToGroup({ group: 'other', userIds: [ann] });
  await management.setOverride({ userId: 'idp|user', flagKey: 'a', enabled: true }, by);
  await management.setUserAttributes({ userId: ann, attributes: { plan: 'pro' } }, by);
  await management.updateFlag({ key: 'a', enabled: true }, by);
  await management.deleteFlag({ key: 'a' });
  await management.createFlag({ key: 'c', name: 'C', rules: [{ when: { groups: ['beta'] } }] });
  batch = (await api.data('{ changes(first: 1) { nodes { batch } } }')).changes.nodes[0].batch;
});
afterAll(() => api.close());

const time = (date: Date) => date.toISOString();

describe('a filter selects the same changes in the query and in the subscription:', () => {
  it.each<[string, (middle: Date) => Record<string, unknown>]>([
    ['none', () => ({})],
    ['null', () => ({ flagKey: null, kinds: null, since: null })],
    ['a flag', () => ({ flagKey: 'a' })],
    ['a flag in other letters', () => ({ flagKey: 'A' })],
    ['a group', () => ({ group: 'beta' })],
    ['a member', () => ({ userId: ann })],
    ['a user in capitals', () => ({ userId: ann.toUpperCase() })],
    ['a user known by a text', () => ({ userId: 'idp|user' })],
    ['an author', () => ({ actorId: 'idp|admin' })],
    ['nobody', () => ({ actorId: 'idp|nobody' })],
    ['kinds', () => ({ kinds: ['FLAG_CREATED', 'MEMBERS_ADDED'] })],
    ['no kind', () => ({ kinds: [] })],
    ['a batch', () => ({ batch })],
    ['a beginning', middle => ({ since: time(middle) })],
    ['an end', middle => ({ until: time(middle) })],
    ['both, at one time', middle => ({ since: time(middle), until: time(middle) })],
    ['several', () => ({ flagKey: 'a', actorId: 'idp|admin', kinds: ['FLAG_UPDATED', 'OVERRIDE_SET'] })],
  ])('%s', async (_what, make) => {
    const log = await readLog(api.database);
    const filter = make((log[4] as (typeof log)[number]).at);
    const { changes } = await api.data(
      'query($filter: ChangeFilter) { changes(filter: $filter, first: 100) { nodes { revision } } }',
      { filter },
    );
    const inMemory = changeTest({
      ...filter,
      ...(typeof filter['since'] === 'string' ? { since: new Date(filter['since']) } : {}),
      ...(typeof filter['until'] === 'string' ? { until: new Date(filter['until']) } : {}),
    });
    const queried = changes.nodes.map(({ revision }: { revision: number }) => revision).reverse();
    expect(log.filter(inMemory).map(({ revision }) => revision)).toEqual(queried);
  });
});

it('the subscription gives what was missed, then what follows, as the query does', async () => {
  const fields =
    'revision kind at actorId userIds group flagKey note batch reverts before after differences { path before after } flag { key }';
  const { changes } = await api.data(`{ changes(first: 100) { nodes { ${fields} } } }`);
  const stream = await api.watch(`subscription { changes(sinceRevision: 2) { ${fields} } }`);
  if (!(Symbol.asyncIterator in stream)) throw new Error(JSON.stringify(stream.errors));
  for (const change of changes.nodes.reverse().slice(2)) {
    const { value } = await stream.next();
    expect(value.errors).toBeUndefined();
    expect(JSON.parse(JSON.stringify(value.data.changes))).toEqual(JSON.parse(JSON.stringify(change)));
  }
  const next = stream.next();
  await api.service.management.updateFlag({ key: 'b', percentage: 7 });
  expect((await next).value.data.changes).toMatchObject({
    kind: 'FLAG_UPDATED',
    flag: { key: 'b' },
    differences: [{ path: ['percentage'], before: 100, after: 7 }],
  });
  await stream.return(undefined);
});

it.each([
  ['sinceRevision: -1', 'BAD_USER_INPUT'],
  ['sinceRevision: 1000000', 'REVISION_NOT_FOUND'],
  [`filter: { flagKey: "${'x'.repeat(101)}" }`, 'BAD_USER_INPUT'],
])('the subscription with %s is refused', async (args, code) => {
  const answer = await api.watch(`subscription { changes(${args}) { revision } }`);
  const { errors } = answer as { errors?: { extensions: object; originalError?: object }[] };
  const [error] = errors ?? [];
  expect(error?.originalError ?? error?.extensions).toMatchObject(
    error?.originalError !== undefined && 'code' in error.originalError ? { code } : expect.anything(),
  );
  expect(JSON.stringify([error?.extensions, error?.originalError])).toContain(code);
});

describe("a flag's history", () => {
  it('has the changes of the groups that its conditions and rules name, page by page', async () => {
    const history = async (key: string, args: string) =>
      (
        await api.data(
          `{ flag(key: "${key}") { changes(${args}) { edges { cursor node { kind group } } pageInfo { hasNextPage } } } }`,
        )
      ).flag.changes;
    const [first, second] = [await history('c', 'first: 1'), await history('c', 'first: 5')];
    expect(second.edges.map((edge: { node: object }) => edge.node)).toEqual([
      { kind: 'FLAG_CREATED', group: null },
      { kind: 'MEMBERS_ADDED', group: 'beta' },
    ]);
    expect(first.pageInfo.hasNextPage).toBe(true);
    const rest = await history('c', `first: 5, after: "${first.edges[0].cursor}"`);
    expect(rest.edges).toEqual(second.edges.slice(1));
    expect(
      (await history('b', 'first: 9')).edges.map((edge: { node: { kind: string } }) => edge.node.kind),
    ).not.toContain('MEMBERS_ADDED');
  });

  it('costs as many queries for many flags as for one', async () => {
    const count = (n: number) =>
      api.countQueries(() => api.data(`{ flags(first: ${n}) { nodes { changes(first: 2) { nodes { revision } } } } }`));
    expect(await count(2)).toBe(await count(1));
  });
});

describe('a column that SQL changes alone has its difference:', () => {
  it.each<[column: string, value: string, path: string[], before: unknown, after: unknown]>([
    ['name', `'Other'`, ['name'], 'X', 'Other'],
    ['description', `'Text'`, ['description'], null, 'Text'],
    ['enabled', 'true', ['enabled'], false, true],
    ['percentage', '7', ['percentage'], 100, 7],
    ['conditions', `'{"groups": ["g"]}'`, ['conditions', 'groups'], null, ['g']],
    ['type', `'STRING'`, ['type'], 'BOOLEAN', 'STRING'],
    [
      'variants',
      `'[{"key": "v", "value": "", "weight": 1}]'`,
      ['variants', 'v'],
      null,
      { key: 'v', value: '', weight: 1 },
    ],
    ['off_variant', `'v'`, ['offVariant'], 'off', 'v'],
    ['rules', `'[{"id": "staff"}]'`, ['rules', 'staff'], null, { id: 'staff' }],
    ['bucket_by', `'$id'`, ['bucketBy'], null, '$id'],
    ['created_at', `'2020-01-01Z'`, ['createdAt'], expect.any(String), '2020-01-01T00:00:00.000Z'],
    ['id', `'${bob}'`, ['id'], expect.any(String), bob],
  ])('%s', async (column, value, path, before, after) => {
    const { prisma } = api.database;
    await prisma.$executeRawUnsafe(`DELETE FROM feature_flags WHERE key = 'x'`);
    await prisma.$executeRawUnsafe(`INSERT INTO feature_flags (key, name) VALUES ('x', 'X')`);
    await prisma.$executeRawUnsafe(`UPDATE feature_flags SET ${column} = ${value} WHERE key = 'x'`);
    const { changes } = await api.data(
      '{ changes(first: 1, filter: { flagKey: "x" }) { nodes { kind differences { path before after } } } }',
    );
    expect(changes.nodes).toEqual([{ kind: 'FLAG_UPDATED', differences: [{ path, before, after }] }]);
  });

  it.each<[column: string, value: string, path: string[], before: unknown, after: unknown]>([
    ['enabled', 'false', ['enabled'], true, false],
    ['variant', `'v'`, ['variant'], null, 'v'],
    ['reason', `'Case'`, ['reason'], null, 'Case'],
    ['expires_at', `'2040-01-01Z'`, ['expiresAt'], null, '2040-01-01T00:00:00.000Z'],
    ['created_at', `'2020-01-01Z'`, ['createdAt'], expect.any(String), '2020-01-01T00:00:00.000Z'],
  ])('%s of an override', async (column, value, path, before, after) => {
    const { prisma } = api.database;
    await prisma.$executeRawUnsafe('DELETE FROM feature_flag_overrides');
    await prisma.$executeRawUnsafe(
      `INSERT INTO feature_flag_overrides (user_id, flag_key, enabled) VALUES ('${ann}', 'b', true)`,
    );
    await prisma.$executeRawUnsafe(`UPDATE feature_flag_overrides SET ${column} = ${value}`);
    const { changes } = await api.data(
      '{ changes(first: 1, filter: { kinds: [OVERRIDE_SET] }) { nodes { differences { path before after } } } }',
    );
    expect(changes.nodes).toEqual([{ differences: [{ path, before, after }] }]);
  });

  it('the attributes of a user', async () => {
    await api.database.prisma.$executeRawUnsafe(`UPDATE users SET attributes = '{"plan": "team"}' WHERE id = '${ann}'`);
    const { changes } = await api.data('{ changes(first: 1) { nodes { kind differences { path before after } } } }');
    expect(changes.nodes).toEqual([
      { kind: 'USER_UPDATED', differences: [{ path: ['attributes', 'plan'], before: 'pro', after: 'team' }] },
    ]);
  });

  it('a membership has its user, and no difference', async () => {
    await api.database.prisma.$executeRawUnsafe(
      `UPDATE user_feature_groups SET group_name = 'third' WHERE group_name = 'other'`,
    );
    const { changes } = await api.data('{ changes(first: 2) { nodes { kind group userIds differences { path } } } }');
    expect(changes.nodes).toEqual([
      { kind: 'MEMBERS_ADDED', group: 'third', userIds: [ann], differences: [] },
      { kind: 'MEMBERS_REMOVED', group: 'other', userIds: [ann], differences: [] },
    ]);
  });
});
