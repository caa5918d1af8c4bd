import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { storedUserId } from '../../src/core/user-id.js';
import { ann, callers, openGraphQL, type TestGraphQL } from '../support/graphql.js';

let api: TestGraphQL;
const external = 'auth0|5f7c1';
const stranger = 'nobody has heard of me';

beforeAll(async () => {
  api = await openGraphQL();
  const { management } = api.service;
  await management.createFlag({
    key: 'beta',
    name: 'Beta',
    enabled: true,
    percentage: 0,
    conditions: { attributes: { plan: ['pro', 'team'] } },
    rules: [{ id: 'staff', when: { groups: ['staff'] } }],
  });
  await management.setUserAttributes({ userId: external, attributes: { plan: 'free' } });
  const expiresAt = new Date('2999-01-01T00:00:00.000Z');
  await management.setOverride(
    { userId: external, flagKey: 'beta', enabled: true, reason: 'wish', expiresAt },
    { actor: ann },
  );
});

afterAll(() => api.close());

const explain = async (context: object, selection: string, key = 'beta') => {
  const query = `query ($key: String!, $context: EvaluationContextInput!) {
    flag(key: $key) { explain(context: $context) { ${selection} } } }`;
  return (await api.data(query, { key, context })).flag.explain;
};

describe('Flag.explain', () => {
  it('has the answer, its text and all steps, with the stored override', async () => {
    const explanation = await explain(
      { userId: external },
      `enabled value variant rule reason revision text
       steps { name outcome text bucket bound rule override { enabled reason user { userId } createdBy { userId } }
         conditions { path matched expected actual } }`,
    );
    expect(explanation).toMatchObject({
      enabled: true,
      value: true,
      variant: 'on',
      rule: null,
      reason: 'OVERRIDE',
      revision: api.service.status.revision,
      text: expect.stringMatching(
        /^The flag "beta" is on for the user "auth0\|5f7c1"\. An override of this user turns the flag on\. It expires at 2999-01-01T00:00:00\.000Z\. It was set by "3f2b8c1e.*\. The reason that was given: "wish"\.$/,
      ),
      steps: [
        {
          name: 'OVERRIDE',
          outcome: 'DECIDED',
          override: { enabled: true, reason: 'wish', user: { userId: external }, createdBy: { userId: ann } },
        },
        { name: 'ENABLED', outcome: 'NOT_ASKED', override: null },
        {
          name: 'RULES',
          outcome: 'NOT_ASKED',
          rule: null,
          conditions: [{ path: ['staff', 'groups'], matched: false, expected: 'a member of "staff"', actual: null }],
        },
        { name: 'PERCENTAGE', outcome: 'NOT_ASKED', bound: 0, bucket: expect.any(Number) },
        {
          name: 'CONDITIONS',
          outcome: 'NOT_ASKED',
          conditions: [{ path: ['attributes', 'plan'], matched: false, expected: '"pro" or "team"', actual: '"free"' }],
        },
        { name: 'VARIANT', outcome: 'PASSED', bucket: null, bound: null, conditions: [] },
      ],
    });
  });

  it('takes any context, with attributes over the stored ones', async () => {
    const { reason, text } = await explain({ attributes: { plan: 'pro' }, device: 'device-0001' }, 'reason text');
    expect(reason).toBe('OUTSIDE_ROLLOUT');
    expect(text).toContain('an anonymous caller with the device "device-0001"');
    expect(text).not.toContain('only obstacle');
  });

  it('answers as evaluate does', async () => {
    for (const context of [{}, { userId: external }, { userId: stranger }]) {
      const fields = 'enabled value variant rule reason';
      const query = `query ($context: EvaluationContextInput!) { evaluate(context: $context, keys: ["beta"]) { ${fields} } }`;
      const [evaluation] = (await api.data(query, { context })).evaluate;
      expect(await explain(context, fields)).toEqual(evaluation);
    }
  });

  it('refuses the contexts that evaluate refuses, and cuts what it repeats', async () => {
    const query = '{ flag(key: "beta") { explain(context: { targetingKey: "" }) { text } } }';
    expect((await api.run(query)).errors?.[0]?.extensions).toMatchObject({
      code: 'BAD_USER_INPUT',
      path: ['context', 'targetingKey'],
    });
    const hostile = JSON.parse(`{"plan":"${'x'.repeat(16_000)}","__proto__":{"plan":"pro"}}`);
    const { text } = await explain({ userId: stranger, attributes: hostile }, 'text');
    expect(text).toMatch(/plan is "x+…x+", expected "pro" or "team"/);
    expect(text.length).toBeLessThan(1_000);
  });

  it('reads the overrides of many flags with one query', async () => {
    const { management } = api.service;
    const keys = Array.from({ length: 6 }, (_, index) => `many-${index}`);
    for (const key of keys) {
      await management.createFlag({ key, name: key, enabled: true });
      await management.setOverride({ userId: 'collector', flagKey: key, enabled: false });
    }
    const query = (first: number) => `{ flags(first: ${first}, filter: { search: "many" }) { nodes {
      explain(context: { userId: "collector" }) { reason steps { override { flag { key } } } } } } }`;
    await api.data(query(1));
    const few = await api.countQueries(() => api.data(query(2)));
    const many = await api.countQueries(async () => {
      const { flags } = await api.data(query(6));
      expect(new Set(flags.nodes.map((node: { explain: { reason: string } }) => node.explain.reason))).toEqual(
        new Set(['OVERRIDE']),
      );
    });
    expect(many).toBe(few);
  });

  it('counts what it may cost: a page of flags with all steps, and not a hundred pages', async () => {
    const all = 'text steps { name text conditions { path matched expected actual } }';
    const explains = `explain(context: {}) { ${all} }`;
    expect((await api.run(`{ flags(first: 50) { nodes { ${explains} } } }`)).errors).toBeUndefined();
    const tooMany = Array.from({ length: 5 }, (_, index) => `e${index}: ${explains}`).join('\n');
    const { errors } = await api.run(`{ flags(first: 100) { nodes { ${tooMany} } } }`);
    expect(errors?.[0]?.message).toMatch(/^The complexity of this operation is \d+/);
  });

  it('is for admins alone, also on the flag of a mutation', async () => {
    for (const caller of [callers.anonymous, callers.user, callers.service]) {
      const { data, errors } = await api.run('{ flag(key: "beta") { explain(context: {}) { text } } }', {}, caller);
      expect(data?.flag ?? null).toBeNull();
      expect(errors?.[0]?.extensions['code']).toMatch(/^(UNAUTHENTICATED|FORBIDDEN)$/);
    }
    const { updateFlag } = await api.data(`mutation { updateFlag(input: { key: "beta", name: "Beta 2" }) {
      ... on UpdateFlagPayload { flag { explain(context: {}) { reason } } } } }`);
    expect(updateFlag.flag.explain).toEqual({ reason: 'USER_REQUIRED' });
  });
});

describe('user(id) of somebody for whom nothing is stored', () => {
  it('answers with no data, and with the features', async () => {
    const before = await api.database.prisma.user.count();
    const { user } = await api.data(
      `query ($id: UserID!) { user(id: $id) { id userId attributes groups features(keys: ["beta"]) { enabled reason }
        overrides { totalCount nodes { enabled } } } }`,
      { id: stranger },
    );
    const id = Buffer.from(`User:${storedUserId(stranger)}`).toString('base64');
    expect(user).toEqual({
      id,
      userId: stranger,
      attributes: {},
      groups: [],
      features: [{ enabled: false, reason: 'OUTSIDE_ROLLOUT' }],
      overrides: { totalCount: 0, nodes: [] },
    });
    expect(await api.database.prisma.user.count()).toBe(before);
    expect(await api.data('query ($id: ID!) { node(id: $id) { id } }', { id })).toEqual({ node: null });
  });

  it('also under two names in one operation, and by a UUID in capitals', async () => {
    const uuid = '11111111-2222-4333-8444-ABCDEFABCDEF';
    const answer = await api.data(`{ a: user(id: "${uuid}") { userId groups attributes } b: user(id: "${uuid}") { groups
      x: overrides(first: 1) { totalCount } y: overrides(first: 2) { totalCount } } }`);
    expect(answer).toEqual({
      a: { userId: uuid.toLowerCase(), groups: [], attributes: {} },
      b: { groups: [], x: { totalCount: 0 }, y: { totalCount: 0 } },
    });
  });
});
