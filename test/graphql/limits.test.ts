import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ann, callers, openGraphQL, type TestGraphQL } from '../support/graphql.js';

let api: TestGraphQL;

beforeAll(async () => {
  api = await openGraphQL();
  for (const key of ['a', 'b', 'c', 'd', 'e']) await api.service.management.createFlag({ key, name: key });
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
        /^The (complexity|depth|breadth) of this operation is \d+; at most \d+ is allowed\. (Ask for|Nest|Select) fewer fields.*\.$/,
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

describe('a list of answers costs as much as it has keys', () => {
  const keys = Array.from({ length: 1_000 }, (_, i) => `flag-${i}`);

  it.each([
    [
      'aliased often',
      `query($k: [String!]) { viewer { ${Array.from({ length: 99 }, (_, i) => `a${i}: features(keys: $k) { key enabled reason }`).join(' ')} } }`,
    ],
    [
      'for many contexts',
      `query($k: [String!]) { evaluateMany(contexts: [${'{},'.repeat(200)}], keys: $k) { features { key enabled reason } } }`,
    ],
  ])('%s', async (_what, query) => {
    const { errors } = await api.run(query, { k: keys });
    expect(errors?.[0]?.message).toMatch(/^The complexity of this operation/);
  });

  it('and a thousand contexts of a few flags are no trouble', async () => {
    const { errors } = await api.run(
      `{ evaluateMany(contexts: [${'{},'.repeat(1_000)}], keys: ["a", "b"]) { features { key enabled } featureMap } }`,
    );
    expect(errors).toBeUndefined();
  });
});

describe('what no database can hold is the fault of who asks for it', () => {
  it.each([
    'query($t: String!) { flag(key: $t) { key } }',
    'query($t: String!) { group(name: $t) { name } }',
    'query($t: String!) { flags(filter: { search: $t }) { nodes { key } } }',
    'query($t: String!) { changes(filter: { flagKey: $t }) { nodes { revision } } }',
    'query($t: String!) { changes(filter: { group: $t }) { nodes { revision } } }',
  ])('%s', async query => {
    for (const t of ['a\0b', '\ud800']) {
      const { errors } = await api.run(query, { t });
      expect(errors?.[0]?.extensions['code']).toBe('BAD_USER_INPUT');
    }
  });

  it('a time outside the calendar', async () => {
    const { errors } = await api.run('{ changes(filter: { since: "0000-01-01T00:00:00Z" }) { nodes { revision } } }');
    expect(errors?.[0]?.message).toContain('years 1 to 9999');
  });
});
