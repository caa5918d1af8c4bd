import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ann, callers, openGraphQL, type TestGraphQL } from '../support/graphql.js';

let api: TestGraphQL;

beforeAll(async () => {
  api = await openGraphQL();
});

afterAll(() => api.close());

describe('an operation that would cost too much is refused before it starts', () => {
  it.each([
    [
      'nested pages',
      `{ flags(first: 100) { nodes { overrides(first: 100) { nodes { user { overrides(first: 100) { nodes { enabled } } } } } } } }`,
    ],
    [
      'pages through edges',
      `{ flags(first: 100) { edges { node { overrides(first: 100) { edges { node { user { groups overrides(first: 100) { edges { cursor } } } } } } } } } }`,
    ],
    [
      'features of many users',
      `{ groups(first: 100) { nodes { members(first: 100) { nodes { features { key enabled reason } } } } } }`,
    ],
    ['depth', `{ flag(key: "a") ${'{ overrides { nodes { flag '.repeat(6)}{ key }${' } } }'.repeat(6)} }`],
  ])('%s', async (_what, query) => {
    const queries = await api.countQueries(async () => {
      const { errors } = await api.run(query);
      expect(errors?.[0]?.message).toMatch(
        /^The (complexity|depth|breadth) of this operation is \d+; at most \d+ is allowed\.$/,
      );
      expect(errors?.[0]?.extensions['code']).toBe('BAD_USER_INPUT');
    });
    expect(queries).toBe(0);
  });

  it('but what an admin page asks for is not', async () => {
    const { errors } =
      await api.run(`{ flags(first: 50) { totalCount nodes { key name enabled percentage conditions version
      createdBy { userId } overrides(first: 20) { totalCount nodes { enabled reason expiresAt user { userId groups } } }
      changes(first: 5) { nodes { revision kind at actorId } } } } }`);
    expect(errors).toBeUndefined();
  });
});

describe('what a caller states is bounded', () => {
  it.each<[string, string, string]>([
    ['1,001 keys', `{ viewer { featureMap(keys: [${'"a",'.repeat(1_001)}]) } }`, 'keys'],
    ['1,001 contexts', `{ evaluateMany(contexts: [${'{},'.repeat(1_001)}]) { userId } }`, 'contexts'],
    [
      '101 attributes',
      `{ evaluate(context: { attributes: {${Array.from({ length: 101 }, (_, i) => `a${i}: 1`).join()}} }) { key } }`,
      'context.attributes',
    ],
    [
      '17 kB of attributes',
      `{ evaluate(context: { attributes: { a: "${'x'.repeat(17_000)}" } }) { key } }`,
      'context.attributes',
    ],
    [
      'a long targeting key',
      `{ evaluate(context: { targetingKey: "${'x'.repeat(201)}" }) { key } }`,
      'context.targetingKey',
    ],
    [
      'a fault in the second context',
      `{ evaluateMany(contexts: [{}, { targetingKey: "\\u0000" }]) { userId } }`,
      'contexts.1.targetingKey',
    ],
  ])('%s', async (_what, query, path) => {
    const { errors } = await api.run(query);
    expect(errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', path: path.split('.') });
  });
});

describe('names that JavaScript knows are names like any other', () => {
  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])('%s', async name => {
    expect(
      await api.data('query($keys: [String!]) { viewer { featureMap(keys: $keys) isEnabled(key: "x") } }', {
        keys: [name],
      }),
    ).toEqual({ viewer: { featureMap: JSON.parse(`{"${name}":false}`), isEnabled: false } });
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();

    const attributes = JSON.parse(`{"${name}":{"polluted":true}}`);
    await api.data('query($c: EvaluationContextInput!) { evaluate(context: $c) { key } }', { c: { attributes } });
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();

    expect(
      await api.data(
        `mutation($g: String!) { addToGroup(input: { group: $g, userIds: ["${ann}"] }) { ... on AddToGroupPayload { group { name memberCount flags { key } } } } }`,
        { g: name },
      ),
    ).toEqual({ addToGroup: { group: { name, memberCount: 1, flags: [] } } });
    expect((await api.data('{ viewer { groups } }', {}, callers.user)).viewer.groups).toContain(name);
  });
});
