import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ann, bob, openGraphQL, type TestGraphQL } from '../support/graphql.js';

let api: TestGraphQL;
const carl = 'idp|carl';

beforeAll(async () => {
  api = await openGraphQL();
});
afterAll(() => api.close());

beforeEach(async () => {
  await api.database.prisma.$executeRaw`DELETE FROM users`;
  await api.database.prisma.$executeRaw`DELETE FROM feature_flags`;
  // Keys that no flag has had.
  await api.database.prisma.$executeRaw`DELETE FROM feature_flag_versions`;
  await api.service.evaluator({});
});

const manage = () => api.service.management;
const head = async () => (await api.database.changes(0, 0)).head;
const flag = (key: string) => api.database.getFlag(key);

const revertFlag = async (input: object) =>
  (
    await api.data(
      `mutation($input: RevertFlagInput!) { revertFlag(input: $input) { __typename
        ... on RevertFlagPayload { flag { key enabled percentage version tags } batch revision }
        ... on RevisionNotFoundError { oldest }
        ... on VersionConflictError { flag { version } }
        ... on Error { code message path } } }`,
      { input },
    )
  ).revertFlag;

const undoBatch = async (batch: string | null, note?: string) =>
  (
    await api.data(
      `mutation($input: UndoBatchInput!) { undoBatch(input: $input) { __typename
        ... on UndoBatchPayload { flags { key percentage } batch revision }
        ... on ConflictsError { conflicts { flagKey group userId revision message } flags { key version } }
        ... on Error { code message path } } }`,
      { input: { batch, ...(note === undefined ? {} : { note }) } },
    )
  ).undoBatch;

describe('revertFlag', () => {
  it('brings a flag back to what it was, as a change that says so', async () => {
    await manage().createFlag({ key: 'a', name: 'A', percentage: 10, tags: ['web'] });
    const then = await head();
    await manage().updateFlag({ key: 'a', percentage: 100, enabled: true, tags: [] });
    await manage().setOverride({ userId: ann, flagKey: 'a', enabled: true });
    const reverted = await revertFlag({ key: 'a', revision: then, note: 'too many errors' });
    expect(reverted).toEqual({
      __typename: 'RevertFlagPayload',
      flag: { key: 'a', enabled: false, percentage: 10, version: 3, tags: ['web'] },
      batch: expect.any(String),
      revision: await head(),
    });
    const { changes } = await api.database.changes((await head()) - 1, 1);
    expect(changes).toMatchObject([{ kind: 'FLAG_UPDATED', reverts: then, note: 'too many errors' }]);
    expect(await api.database.overrides([{ userId: ann, flagKey: 'a' }])).toMatchObject([{ enabled: true }]);
  });

  it('brings a deleted flag back with its overrides, but not those of users who were deleted since', async () => {
    await manage().createFlag({ key: 'a', name: 'A', percentage: 10 });
    for (const userId of [ann, bob, carl]) {
      await manage().setOverride({ userId, flagKey: 'a', enabled: true, reason: `for ${userId}` });
    }
    const then = await head();
    await manage().updateFlag({ key: 'a', percentage: 20 });
    await manage().deleteFlag({ key: 'a' });
    await manage().deleteUser({ userId: bob });
    expect(await revertFlag({ key: 'a', revision: then })).toMatchObject({ flag: { percentage: 10, version: 3 } });
    const pairs = [ann, bob, carl].map(userId => ({ userId, flagKey: 'a' }));
    expect(await api.database.overrides(pairs)).toMatchObject([
      { userId: ann, reason: `for ${ann}` },
      null,
      { userId: carl, reason: 'for idp|carl' },
    ]);
  });

  it('changes nothing if the flag is as it was', async () => {
    await manage().createFlag({ key: 'a', name: 'A' });
    expect(await revertFlag({ key: 'a', revision: await head() })).toMatchObject({ batch: null, flag: { version: 1 } });
  });

  it('refuses what it cannot do, and says why', async () => {
    const start = await head();
    await manage().createFlag({
      key: 'a',
      name: 'A',
      type: 'NUMBER',
      offVariant: 'n',
      variants: [{ key: 'n', value: 1, weight: 1 }],
    });
    const first = await head();
    await manage().updateFlag({
      key: 'a',
      variants: [
        { key: 'n', value: 1, weight: 1 },
        { key: 'm', value: 2, weight: 1 },
      ],
    });
    await manage().setOverride({ userId: ann, flagKey: 'a', enabled: true, variant: 'm' });
    expect(await revertFlag({ key: 'a', revision: first })).toMatchObject({
      __typename: 'ValidationError',
      path: ['revision'],
      message: expect.stringContaining(`override of the user "${ann}"`),
    });
    expect(await revertFlag({ key: 'a', revision: Math.max(start, 1) })).toMatchObject({
      __typename: 'ValidationError',
      message: expect.stringContaining('There was no flag'),
    });
    expect(await revertFlag({ key: 'a', revision: first, expectedVersion: 1 })).toMatchObject({
      __typename: 'VersionConflictError',
      flag: { version: 2 },
    });
    expect(await revertFlag({ key: 'none', revision: first })).toMatchObject({ __typename: 'FlagNotFoundError' });
    expect(await revertFlag({ key: 'a', revision: 1_000_000 })).toMatchObject({
      __typename: 'RevisionNotFoundError',
      path: ['revision'],
    });
    expect(await revertFlag({ key: 'a', revision: 0 })).toMatchObject({ __typename: 'ValidationError' });
    await manage().deleteFlag({ key: 'a' });
    await manage().createFlag({ key: 'a', name: 'A' });
    expect(await revertFlag({ key: 'a', revision: first })).toMatchObject({
      message: expect.stringContaining('of the type NUMBER at this revision and is of the type BOOLEAN now'),
    });
    await manage().deleteFlag({ key: 'a' });
    expect(await revertFlag({ key: 'a', revision: first, expectedVersion: 3 })).toMatchObject({
      path: ['expectedVersion'],
    });
    expect(await revertFlag({ key: 'a', revision: first })).toMatchObject({ __typename: 'RevertFlagPayload' });
  });

  it('does not guess what was before all data was replaced', async () => {
    await manage().createFlag({ key: 'a', name: 'A' });
    const then = await head();
    await api.database.prisma.$executeRaw`TRUNCATE feature_flag_overrides`;
    await manage().updateFlag({ key: 'a', percentage: 1 });
    expect(await revertFlag({ key: 'a', revision: then })).toMatchObject({
      __typename: 'RevisionNotFoundError',
      oldest: then + 1,
    });
    expect(await revertFlag({ key: 'a', revision: then + 1 })).toMatchObject({ flag: { percentage: 100 } });
  });
});

describe('undoBatch', () => {
  it('takes back all that one transaction of another program changed, and brings it again', async () => {
    await manage().createFlag({ key: 'a', name: 'A', percentage: 10 });
    await manage().createFlag({ key: 'b', name: 'B', percentage: 20 });
    await manage().addToGroup({ group: 'beta', userIds: [ann, carl] });
    await manage().setUserAttributes({ userId: ann, attributes: { plan: 'pro' } });
    const { prisma } = api.database;
    await prisma.$transaction([
      prisma.$executeRaw`UPDATE feature_flags SET percentage = percentage + 1`,
      prisma.$executeRaw`UPDATE feature_flags SET percentage = percentage * 2 WHERE key = 'b'`,
      prisma.$executeRaw`DELETE FROM user_feature_groups`,
      prisma.$executeRaw`UPDATE users SET attributes = '{}'`,
    ]);
    const { changes } = await api.database.changes((await head()) - 1, 1);
    const batch = changes[0]?.batch as string;
    const undone = await undoBatch(batch, 'wrong window');
    expect(undone).toMatchObject({
      __typename: 'UndoBatchPayload',
      flags: [
        { key: 'a', percentage: 10 },
        { key: 'b', percentage: 20 },
      ],
    });
    const users = async () => [...(await api.database.targeting([ann])).users.values()];
    expect(await users()).toMatchObject([{ attributes: { plan: 'pro' }, groups: new Set(['beta']) }]);
    expect(await undoBatch((undone as { batch: string }).batch)).toMatchObject({
      flags: [{ percentage: 11 }, { percentage: 42 }],
    });
    expect(await users()).toMatchObject([{ attributes: {}, groups: new Set() }]);
  });

  it('refuses as a whole where something was changed since, and names it', async () => {
    await manage().createFlag({ key: 'a', name: 'A' });
    const { batch } = await manage().deleteFlag({ key: 'a' });
    await manage().createFlag({ key: 'a', name: 'A again' });
    expect(await undoBatch(batch)).toMatchObject({
      __typename: 'ConflictsError',
      conflicts: [{ flagKey: 'a', group: null, userId: null, revision: await head() }],
      flags: [{ key: 'a', version: 2 }],
    });
    const joined = await manage().addToGroup({ group: 'beta', userIds: [ann, carl] });
    await manage().removeFromGroup({ group: 'beta', userIds: [carl] });
    expect(await undoBatch(joined.batch)).toMatchObject({
      conflicts: [{ flagKey: null, group: 'beta', userId: carl }],
    });
    expect(await flag('a')).toMatchObject({ name: 'A again' });
  });

  it('does not bring back what belonged to a deleted user', async () => {
    await manage().createFlag({ key: 'a', name: 'A' });
    await manage().setOverride({ userId: carl, flagKey: 'a', enabled: true });
    const removed = await manage().removeOverride({ userId: carl, flagKey: 'a' });
    const gone = await manage().deleteUser({ userId: carl });
    for (const { batch } of [removed, gone]) {
      expect(await undoBatch(batch)).toMatchObject({
        __typename: 'ValidationError',
        message: expect.stringContaining('What is erased does not come back'),
      });
    }
    expect(await api.database.prisma.user.count()).toBe(0);
  });

  it('knows no batch that is not in the log', async () => {
    expect(await undoBatch(randomUUID())).toMatchObject({ __typename: 'RevisionNotFoundError', path: ['batch'] });
  });
});
