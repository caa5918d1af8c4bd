import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ann, openGraphQL, type TestGraphQL } from '../support/graphql.js';

let api: TestGraphQL;

beforeAll(async () => {
  api = await openGraphQL();
});

afterAll(() => api.close());

const create = `mutation($input: CreateFlagInput!) { createFlag(input: $input) { __typename
  ... on ValidationError { issues { path message } } } }`;
const conditions = (value: string) => `{"attributes": {"account": ${value}}}`;

/** As a body of JSON brings it. */
const variables = (json: string) => JSON.parse(json) as object;

describe('a number that JavaScript rounds is refused with its path', () => {
  it.each([
    ['9007199254740993', 'account'],
    ['-9007199254740993', 'account'],
    ['12345678901234567890', 'account'],
    ['1e300', 'account'],
    ['[1, 9007199254740993]', 'account.in.1', 'account.1'],
    ['{"neq": 9007199254740993}', 'account.neq'],
    ['{"gte": 1, "lt": 9007199254740993}', 'account.lt'],
    ['{"not_in": [9007199254740993]}', 'account.not_in.0'],
  ])('in conditions, as a variable and in the document: %s', async (value, _operator, place = _operator) => {
    const path = ['conditions', 'attributes', ...place.split('.')];
    const json = `{"input": {"key": "k", "name": "K", "conditions": ${conditions(value)}}}`;
    const literal = conditions(value).replaceAll(/"(\w+)":/g, '$1:');
    for (const { createFlag } of [
      await api.data(create, variables(json)),
      await api.data(
        `mutation { createFlag(input: { key: "k", name: "K", conditions: ${literal} }) { __typename
          ... on ValidationError { issues { path message } } } }`,
      ),
    ]) {
      expect(createFlag.issues).toEqual([{ path, message: expect.stringMatching(/Write it as text, such as "/) }]);
    }
  });

  it.each([
    ['0.12345678901234567890123', 'account'],
    ['9007199254740992.5', 'account'],
    ['{gte: 1.00000000000000000001}', 'account.gte'],
    ['[1, 1e-400]', 'account.1'],
  ])('and a decimal, which only the document still shows: %s', async (value, place) => {
    const { errors } = await api.run(
      `mutation { createFlag(input: { key: "k", name: "K", conditions: {attributes: {account: ${value}}} }) { __typename } }`,
    );
    expect(errors?.[0]?.message).toMatch(
      new RegExp(`^attributes\\.${place.replaceAll('.', '\\.')}: .* is rounded to .*Write it as text`),
    );
    const inContext = await api.run(
      `{ evaluate(context: { attributes: {account: 0.12345678901234567890123} }) { key } }`,
    );
    expect(inContext.errors?.[0]?.message).toMatch(/^account: /);
  });

  it('in attributes that are stored, or that a context states', async () => {
    const stored = await api.data(
      `mutation($a: JSONObject!) { setUserAttributes(input: { userId: "${ann}", attributes: $a }) { __typename
        ... on ValidationError { issues { path message } } } }`,
      variables('{"a": {"account": 1234567890123456789, "list": [{"deep": 9007199254740993}]}}'),
    );
    expect(stored.setUserAttributes.issues.map(({ path }: { path: string[] }) => path)).toEqual([
      ['attributes', 'account'],
      ['attributes', 'list', '0', 'deep'],
    ]);
    const { errors } = await api.run(
      'query($c: EvaluationContextInput!) { evaluate(context: $c) { key } }',
      variables('{"c": {"attributes": {"account": 9007199254740993}}}'),
    );
    expect(errors?.[0]?.extensions).toMatchObject({
      code: 'BAD_USER_INPUT',
      path: ['context', 'attributes', 'account'],
    });
  });

  it('and numbers that JavaScript keeps are accepted', async () => {
    for (const value of [
      '9007199254740991',
      '-9007199254740991',
      '0.1',
      '0.10',
      '1e2',
      '1.5e-7',
      '0.30000000000000004',
      '-0',
      '0e5',
      '100.0E-1',
    ]) {
      const { createFlag, deleteFlag } = await api.data(
        `mutation { createFlag(input: { key: "k", name: "K", conditions: {attributes: {account: ${value}}} }) { __typename }
          deleteFlag(input: { key: "k" }) { __typename } }`,
      );
      expect([value, createFlag.__typename, deleteFlag.__typename]).toEqual([
        value,
        'CreateFlagPayload',
        'DeleteFlagPayload',
      ]);
    }
  });
});

describe('a number that another program stored', () => {
  it('and that JavaScript rounds makes a flag invalid: it matches nobody, and is counted', async () => {
    const { invalidFlags, revision } = api.service.status;
    await api.database.prisma.$executeRawUnsafe(
      `INSERT INTO feature_flags (key, name, enabled, conditions)
        VALUES ('psql', 'By psql', true, '{"attributes": {"account": 9007199254740993}}')`,
    );
    await expect.poll(() => api.service.status.revision).toBeGreaterThan(revision);
    expect(api.service.status.invalidFlags).toBe(invalidFlags + 1);
    const { evaluate } = await api.data(
      '{ evaluate(context: { attributes: { account: 9007199254740991 } }, keys: ["psql"]) { reason } }',
    );
    expect(evaluate).toEqual([{ reason: 'CONDITIONS_NOT_MET' }]);
    expect(
      (await api.service.evaluator({ attributes: { account: 9_007_199_254_740_992 } })).evaluate('psql').enabled,
    ).toBe(false);
  });
});
