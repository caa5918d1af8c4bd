import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ann, bob, openGraphQL, type TestGraphQL } from '../support/graphql.js';

let api: TestGraphQL;

beforeAll(async () => {
  api = await openGraphQL();
});

afterAll(() => api.close());

beforeEach(async () => {
  await api.database.prisma.$executeRaw`TRUNCATE users, feature_flags CASCADE`;
  // Keys that no flag has had.
  await api.database.prisma.$executeRaw`DELETE FROM feature_flag_versions`;
  await api.service.evaluator({});
});

const createFlag = (input: object) =>
  api.data(
    `mutation($input: CreateFlagInput!) { createFlag(input: $input) { __typename
      ... on CreateFlagPayload { flag { id key name description enabled percentage conditions version createdBy { userId } } }
      ... on Error { code message path } } }`,
    { input },
  );

const updateFlag = (input: object) =>
  api.data(
    `mutation($input: UpdateFlagInput!) { updateFlag(input: $input) { __typename
      ... on UpdateFlagPayload { flag { key name description enabled percentage conditions version } }
      ... on ValidationError { issues { path message } }
      ... on VersionConflictError { flag { key version } }
      ... on Error { code message path } } }`,
    { input },
  );

describe('createFlag', () => {
  it('uses defaults for omitted fields', async () => {
    expect(await createFlag({ key: 'a', name: 'A' })).toEqual({
      createFlag: {
        __typename: 'CreateFlagPayload',
        flag: {
          id: expect.any(String),
          key: 'a',
          name: 'A',
          description: null,
          enabled: false,
          percentage: 100,
          conditions: {},
          version: 1,
          createdBy: null,
        },
      },
    });
  });

  it('says that the key is taken', async () => {
    await createFlag({ key: 'a', name: 'A' });
    expect((await createFlag({ key: 'a', name: 'B' })).createFlag).toMatchObject({
      __typename: 'FlagExistsError',
      code: 'FLAG_EXISTS',
      path: ['key'],
    });
  });

  it('takes conditions written in the document, variables inside them too', async () => {
    const { createFlag: result } = await api.data(
      `mutation($plan: String!) { createFlag(input: { key: "a", name: "A",
        conditions: { any: [{ attributes: { plan: $plan, age: { gte: 18 } } }, { groups: ["beta"] }] } })
        { ... on CreateFlagPayload { flag { conditions } } } }`,
      { plan: 'pro' },
    );
    expect(result.flag.conditions).toEqual({
      any: [{ attributes: { plan: 'pro', age: { gte: 18 } } }, { groups: ['beta'] }],
    });
  });

  it('records the actor', async () => {
    const caller = { role: 'ADMIN', userId: ann, attributes: {}, expiresAt: null } as const;
    await api.data('mutation { createFlag(input: { key: "a", name: "A" }) { __typename } }', {}, caller);
    expect(
      await api.data('{ flag(key: "a") { createdBy { userId } changes(first: 1) { nodes { actorId kind } } } }'),
    ).toEqual({
      flag: { createdBy: { userId: ann }, changes: { nodes: [{ actorId: ann, kind: 'FLAG_CREATED' }] } },
    });
  });
});

describe('updateFlag', () => {
  it('changes the given fields and nothing else', async () => {
    await createFlag({ key: 'a', name: 'A', description: 'what', percentage: 10 });
    expect((await updateFlag({ key: 'a', enabled: true, description: null })).updateFlag.flag).toEqual({
      key: 'a',
      name: 'A',
      description: null,
      enabled: true,
      percentage: 10,
      conditions: {},
      version: 2,
    });
  });

  it('lists every fault with its path', async () => {
    const { updateFlag: result } = await updateFlag({
      key: 'a',
      percentage: 200,
      conditions: { attributes: { a: { like: 1 }, b: { in: 2 } } },
    });
    expect(result).toMatchObject({ __typename: 'ValidationError', code: 'BAD_USER_INPUT', path: ['percentage'] });
    expect(result.issues.map((issue: { path: string[] }) => issue.path.join('.'))).toEqual([
      'percentage',
      'conditions.attributes.a.like',
      'conditions.attributes.b.in',
    ]);
  });

  it('sorts tags, and lists the faults of tags, owner and time', async () => {
    const labels = { tags: ['web', '🚩', '～', 'a b'], owner: 'payments', expectedUntil: '2026-06-01' };
    await createFlag({ key: 'a', name: 'A', ...labels });
    const read = () => api.data('{ flag(key: "a") { version tags owner expectedUntil } }');
    const expected = {
      tags: ['a b', 'web', '～', '🚩'],
      owner: 'payments',
      expectedUntil: new Date('2026-06-01T00:00:00Z'),
    };
    expect(await read()).toEqual({ flag: { version: 1, ...expected } });
    await updateFlag({ key: 'a', tags: [...labels.tags].reverse() });
    expect(await read()).toEqual({ flag: { version: 1, ...expected } });

    const faults = async (input: object) => {
      const { updateFlag: result } = await updateFlag({ key: 'a', ...input });
      return result.issues.map(({ path, message }: { path: string[]; message: string }) => [path.join('.'), message]);
    };
    expect(await faults({ tags: ['', ' a', 'a\t', 'x'.repeat(51), '\ud800'], owner: 'x'.repeat(201) })).toEqual([
      ['tags.0', 'Expected 1 to 50 characters.'],
      ['tags.1', 'Expected no blanks at the beginning and at the end.'],
      ['tags.2', 'Expected no blanks at the beginning and at the end.'],
      ['tags.3', 'Expected 1 to 50 characters.'],
      ['tags.4', expect.stringContaining('half of a surrogate pair')],
      ['owner', 'Expected 1 to 200 characters.'],
    ]);
    expect(await faults({ tags: ['a', 'b', 'a'], owner: '' })).toEqual([
      ['tags.2', 'Expected each tag once.'],
      ['owner', 'Expected 1 to 200 characters.'],
    ]);
    expect(await faults({ tags: Array.from({ length: 21 }, (_, i) => String(i)), owner: 'a ' })).toEqual([
      ['tags', 'Expected at most 20 tags.'],
      ['owner', 'Expected no blanks at the beginning and at the end.'],
    ]);
    const { management } = api.service;
    for (const time of [
      new Date('+010000-01-01T00:00:00Z'),
      new Date('-000001-01-01T00:00:00Z'),
      new Date(Number.NaN),
    ]) {
      await expect(management.updateFlag({ key: 'a', expectedUntil: time })).rejects.toMatchObject({
        issues: [{ path: ['expectedUntil'], message: expect.stringMatching(/^Expected a (valid D|d)ate/) }],
      });
    }
    expect(await read()).toEqual({ flag: { version: 1, ...expected } });
  });

  it('answers a lost race with the flag as it is', async () => {
    await createFlag({ key: 'a', name: 'A' });
    await updateFlag({ key: 'a', name: 'B', expectedVersion: 1 });
    expect((await updateFlag({ key: 'a', name: 'C', expectedVersion: 1 })).updateFlag).toMatchObject({
      __typename: 'VersionConflictError',
      code: 'VERSION_CONFLICT',
      flag: { key: 'a', version: 2 },
    });
  });

  it('says that there is no such flag', async () => {
    expect((await updateFlag({ key: 'nope', name: 'B' })).updateFlag).toMatchObject({
      __typename: 'FlagNotFoundError',
      code: 'FLAG_NOT_FOUND',
      path: ['key'],
    });
  });
});

describe('a second removal', () => {
  it('is gone, and the second time says that nothing was there', async () => {
    await createFlag({ key: 'a', name: 'A' });
    await api.data(`mutation { setOverride(input: { userId: "${ann}", flagKey: "a", enabled: true }) { __typename } }`);
    await api.data(`mutation { addToGroup(input: { group: "g", userIds: ["${ann}"] }) { __typename } }`);
    const remove = () =>
      api.data(`mutation {
        removeOverride(input: { userId: "${ann}", flagKey: "a" }) { ... on RemoveOverridePayload { removed } }
        removeFromGroup(input: { group: "g", userIds: ["${ann}"] }) { ... on RemoveFromGroupPayload { removed group { memberCount } } }
        deleteFlag(input: { key: "a" }) { ... on DeleteFlagPayload { key deleted } }
        deleteUser(input: { userId: "${ann}" }) { ... on DeleteUserPayload { userId deleted } }
      }`);
    expect(await remove()).toEqual({
      removeOverride: { removed: true },
      removeFromGroup: { removed: 1, group: { memberCount: 0 } },
      deleteFlag: { key: 'a', deleted: true },
      deleteUser: { userId: ann, deleted: true },
    });
    expect(await remove()).toEqual({
      removeOverride: { removed: false },
      removeFromGroup: { removed: 0, group: { memberCount: 0 } },
      deleteFlag: { key: 'a', deleted: false },
      deleteUser: { userId: ann, deleted: false },
    });
  });
});

describe('overrides, groups and users', () => {
  it('are read back as they were written', async () => {
    await createFlag({ key: 'a', name: 'A', conditions: { groups: ['beta', 'staff'] } });
    await api.data(`mutation {
      setUserAttributes(input: { userId: "${ann}", attributes: { plan: "pro" } }) { __typename }
      addToGroup(input: { group: "beta", userIds: ["${ann}", "${bob}", "${ann.toUpperCase()}"] }) {
        ... on AddToGroupPayload { added group { name memberCount } } }
      setOverride(input: { userId: "${ann}", flagKey: "a", enabled: true, reason: "trial", expiresAt: "2999-01-01T00:00:00+02:00" }) {
        ... on SetOverridePayload { override { user { userId } flag { key } enabled reason expiresAt } } }
    }`);
    expect(
      await api.data(`{
        user(id: "${ann.toUpperCase()}") { userId attributes groups features { key enabled reason }
          overrides { totalCount nodes { flag { key } reason expiresAt createdBy { userId } } } }
        group(name: "beta") { name memberCount members { edges { node { userId } addedBy { userId } } nodes { userId } } flags { key } }
        groups { nodes { name memberCount flags { key } } }
        missing: group(name: "nobody") { name }
        flag(key: "a") { overrides { totalCount edges { node { user { userId groups } enabled } } } }
      }`),
    ).toEqual({
      user: {
        userId: ann,
        attributes: { plan: 'pro' },
        groups: ['beta'],
        features: [{ key: 'a', enabled: true, reason: 'OVERRIDE' }],
        overrides: {
          totalCount: 1,
          nodes: [
            { flag: { key: 'a' }, reason: 'trial', expiresAt: new Date('2998-12-31T22:00:00.000Z'), createdBy: null },
          ],
        },
      },
      group: {
        name: 'beta',
        memberCount: 2,
        members: {
          edges: [
            { node: { userId: bob }, addedBy: null },
            { node: { userId: ann }, addedBy: null },
          ],
          nodes: [{ userId: bob }, { userId: ann }],
        },
        flags: [{ key: 'a' }],
      },
      groups: {
        nodes: [
          { name: 'beta', memberCount: 2, flags: [{ key: 'a' }] },
          { name: 'staff', memberCount: 0, flags: [{ key: 'a' }] },
        ],
      },
      missing: null,
      flag: {
        overrides: { totalCount: 1, edges: [{ node: { user: { userId: ann, groups: ['beta'] }, enabled: true } }] },
      },
    });
  });

  it('of a flag that does not exist are refused', async () => {
    expect(
      await api.data(
        `mutation { setOverride(input: { userId: "${ann}", flagKey: "nope", enabled: true }) {
          __typename ... on Error { code path } } }`,
      ),
    ).toEqual({ setOverride: { __typename: 'FlagNotFoundError', code: 'FLAG_NOT_FOUND', path: ['flagKey'] } });
  });
});

describe('a mutation', () => {
  const receipt = '... on Error { code message path }';

  it('tells its revision and its batch, under which the log has its note; both say that nothing was changed', async () => {
    await createFlag({ key: 'a', name: 'A' });
    const [first, again] = [
      await api.data(
        `mutation { setOverride(input: { userId: "${ann}", flagKey: "a", enabled: true, note: "case 7" }) {
          ... on SetOverridePayload { revision batch } ${receipt} } }`,
      ),
      await api.data(
        `mutation { setOverride(input: { userId: "${ann}", flagKey: "a", enabled: true, note: "again" }) {
          ... on SetOverridePayload { revision batch } ${receipt} } }`,
      ),
    ];
    const { revision, batch } = first.setOverride as { revision: number; batch: string };
    expect(again.setOverride).toEqual({ revision, batch: null });
    const { changes } = await api.data(
      'query($batch: UUID!) { changes(filter: { batch: $batch }) { nodes { revision kind note batch reverts } } }',
      { batch: batch.toUpperCase() },
    );
    expect(changes).toEqual({ nodes: [{ revision, kind: 'OVERRIDE_SET', note: 'case 7', batch, reverts: null }] });
  });

  it.each(['', ' \n', 'n'.repeat(501)])('refuses a note that is blank or too long', async note => {
    expect((await createFlag({ key: 'a', name: 'A', note })).createFlag).toMatchObject({
      __typename: 'ValidationError',
      path: ['note'],
    });
  });
});
