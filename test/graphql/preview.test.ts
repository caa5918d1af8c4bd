import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ann, bob, openGraphQL, type TestGraphQL } from '../support/graphql.js';

let api: TestGraphQL;

beforeAll(async () => {
  api = await openGraphQL();
});

afterAll(() => api.close());

beforeEach(async () => {
  await api.database.prisma.$executeRaw`TRUNCATE users, feature_flags CASCADE`;
  await api.service.evaluator({});
});

const previewFlag = async (input: object, population?: string) => {
  const { previewFlag: result } = (await api.data(
    `query($input: UpdateFlagInput!${population === undefined ? '' : ', $population: Population!'}) {
      previewFlag(input: $input${population === undefined ? '' : ', population: $population'}) { __typename
        ... on FlagPreview { counted total isComplete on onAfter gain lose changeVariant
          gaining { userId attributes groups } losing { userId } }
        ... on VersionConflictError { flag { version } }
        ... on Error { code path } } }`,
    { input, ...(population === undefined ? {} : { population }) },
  )) as { previewFlag: object };
  return result;
};

describe('previewFlag', () => {
  it('tells who of the stored users would gain and lose, with examples, and changes nothing', async () => {
    const { management } = api.service;
    await management.createFlag({ key: 'a', name: 'A', enabled: true, conditions: { attributes: { plan: 'pro' } } });
    await management.setUserAttributes({ userId: ann, attributes: { plan: 'pro' } });
    await management.setUserAttributes({ userId: bob, attributes: { plan: 'free' } });
    await management.addToGroup({ group: 'staff', userIds: ['carl'] });
    await management.setOverride({ userId: 'dora', flagKey: 'a', enabled: true });
    const input = { key: 'a', conditions: { any: [{ attributes: { plan: 'free' } }, { groups: ['staff'] }] } };

    expect(await previewFlag(input, 'STORED')).toEqual({
      __typename: 'FlagPreview',
      counted: 4,
      total: 4,
      isComplete: true,
      on: 2,
      onAfter: 3,
      gain: 2,
      lose: 1,
      changeVariant: 0,
      gaining: expect.arrayContaining([
        { userId: bob, attributes: { plan: 'free' }, groups: [] },
        { userId: 'carl', attributes: {}, groups: ['staff'] },
      ]),
      losing: [{ userId: ann }],
    });
    expect((await api.database.getFlag('a'))?.version).toBe(1);
  });

  it('counts the viewers that are connected if no population is named, also those of whom nothing is stored', async () => {
    await api.service.management.createFlag({ key: 'b', name: 'A' });
    const viewer = api.service.subscribe({ userId: 'new|1', attributes: { plan: 'pro' } });
    await viewer.next();
    expect(await previewFlag({ key: 'b', enabled: true })).toMatchObject({
      counted: 1,
      gain: 1,
      gaining: [{ userId: 'new|1', attributes: {}, groups: [] }],
    });
    await viewer.return?.();
    expect(await previewFlag({ key: 'b', enabled: true })).toMatchObject({ counted: 0, total: 0, isComplete: true });
  });

  it('answers the errors that the update would have', async () => {
    await api.service.management.createFlag({
      key: 'c',
      name: 'A',
      type: 'STRING',
      offVariant: 'x',
      variants: [{ key: 'x', value: 'x', weight: 1 }],
    });
    expect(await previewFlag({ key: 'nope', enabled: true })).toMatchObject({ code: 'FLAG_NOT_FOUND', path: ['key'] });
    expect(await previewFlag({ key: 'c', percentage: 101 })).toMatchObject({
      code: 'BAD_USER_INPUT',
      path: ['percentage'],
    });
    expect(await previewFlag({ key: 'c', variants: [{ key: 'y', value: 'y', weight: 1 }] })).toMatchObject({
      code: 'BAD_USER_INPUT',
      path: ['variants'],
    });
    expect(await previewFlag({ key: 'c', enabled: true, expectedVersion: 7 })).toMatchObject({
      code: 'VERSION_CONFLICT',
      flag: { version: 1 },
    });
  });
});

it('one operation may ask for a few previews, and not for a hundred', async () => {
  await api.service.management.createFlag({ key: 'a', name: 'A' });
  const ask = (count: number) => {
    const fields = Array.from({ length: count }, (_, n) => `p${n}: previewFlag(input: { key: "a" }) { __typename }`);
    return api.run(`{ ${fields.join(' ')} }`);
  };
  expect((await ask(4)).errors).toBeUndefined();
  expect((await ask(5)).errors?.[0]?.message).toMatch(/complexity/);
});
