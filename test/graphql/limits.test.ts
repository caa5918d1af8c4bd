import { type GraphQLScalarType, Kind } from 'graphql';
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
    [
      'nested pages beside one of a negative size',
      `{ flags(first: 100) { nodes { overrides(first: 100) { nodes { user { overrides(first: 100) { nodes { enabled } } } } } } }
        none: flags(first: -1000000) { nodes { key } } }`,
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

  it('but the queries of an admin page are not', async () => {
    const { errors } =
      await api.run(`{ flags(first: 50) { totalCount nodes { key name enabled percentage conditions version
      createdBy { userId } overrides(first: 20) { totalCount nodes { enabled reason expiresAt user { userId groups } } }
      changes(first: 5) { nodes { revision kind at actorId } } } } }`);
    expect(errors).toBeUndefined();
  });
});

describe('input of a caller is bounded', () => {
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
    ['an empty targeting key', `{ evaluate(context: { targetingKey: "" }) { key } }`, 'context.targetingKey'],
    [
      'an empty targeting key among many contexts',
      `{ evaluateMany(contexts: [{}, { targetingKey: "" }]) { userId } }`,
      'contexts.1.targetingKey',
    ],
    ['a device of 7 characters', `{ evaluate(context: { device: "a234567" }) { key } }`, 'context.device'],
    ['an empty device', `{ evaluateMany(contexts: [{}, { device: "" }]) { userId } }`, 'contexts.1.device'],
    [
      'a page of a negative size, which makes nothing else cheaper',
      `{ flags(first: -1000000) { nodes { key } } flag(key: "a") { key } }`,
      'first',
    ],
    [
      'a fault in the second context',
      `{ evaluateMany(contexts: [{}, { targetingKey: "\\u0000" }]) { userId } }`,
      'contexts.1.targetingKey',
    ],
    [
      'attributes with a fault below a long name, which is cut',
      `{ evaluate(context: { attributes: { a: { ${'n'.repeat(5_000)}: "\\u0000" } } }) { key } }`,
      `context.attributes.a.${'n'.repeat(100)}…${'n'.repeat(99)}`,
    ],
    [
      'a search of 201 characters',
      `{ flags(filter: { search: "${'x'.repeat(201)}" }) { nodes { key } } }`,
      'filter.search',
    ],
    ['a flag with a key of 101 characters', `{ flag(key: "${'x'.repeat(101)}") { key } }`, 'key'],
    [
      'flags of a group of 101 characters',
      `{ flags(filter: { group: "${'x'.repeat(101)}" }) { nodes { key } } }`,
      'filter.group',
    ],
    ['a group of 101 characters', `{ group(name: "${'😀'.repeat(101)}") { name } }`, 'name'],
    [
      'changes of a flag with a key of 101 characters',
      `{ changes(filter: { flagKey: "${'x'.repeat(101)}" }) { nodes { revision } } }`,
      'filter.flagKey',
    ],
    [
      'changes of a group of 101 characters',
      `{ changes(filter: { group: "${'x'.repeat(101)}" }) { nodes { revision } } }`,
      'filter.group',
    ],
  ])('%s', async (_what, query, path) => {
    const { errors } = await api.run(query);
    expect(errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', path: path.split('.') });
    expect(JSON.stringify(errors?.[0]?.message).length).toBeLessThan(1_000);
  });

  it('but a text as long as a stored one is looked for', async () => {
    const { errors } = await api.run(
      `query($search: String!, $name: String!, $key: String!) {
        flags(filter: { search: $search, group: $name }) { nodes { key } }
        flag(key: $key) { key }
        group(name: $name) { name }
        changes(filter: { flagKey: $key, group: $name }) { nodes { revision } }
      }`,
      { search: '😀'.repeat(200), name: '😀'.repeat(100), key: 'x'.repeat(100) },
    );
    expect(errors).toBeUndefined();
  });
});

describe('a value that no scalar takes is not repeated by it', () => {
  const long = 'x'.repeat(100_000);

  it.each([
    ['UserID', 'query($value: UserID!) { user(id: $value) { userId } }', 'Expected '],
    [
      'DateTime',
      'query($value: DateTime!) { changes(filter: { since: $value }) { nodes { revision } } }',
      'Expected a time such as',
    ],
  ])('%s', async (name, query, message) => {
    const scalar = api.schema.getType(name) as GraphQLScalarType;
    for (const value of [long, [long], { long }, null, 5, true]) {
      expect(() => scalar.parseValue(value)).toThrow(message);
      expect(messageOf(() => scalar.parseValue(value)).length).toBeLessThan(200);
    }
    expect(messageOf(() => scalar.parseLiteral({ kind: Kind.STRING, value: long })).length).toBeLessThan(200);
    expect(() => scalar.parseLiteral({ kind: Kind.INT, value: '5' })).toThrow(message);
    expect((await api.run(query, { value: 'x'.repeat(300) })).errors?.[0]?.message).toContain(message);
  });

  function messageOf(act: () => unknown): string {
    try {
      act();
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  }
});

describe('an id that is too long', () => {
  it('is the id of nothing', async () => {
    const { flag } = await api.data('{ flag(key: "a") { id } }');
    const node = async (id: string) => (await api.data('query($id: ID!) { node(id: $id) { id } }', { id })).node;
    expect(await node(flag.id)).toEqual({ id: flag.id });
    const long = `${flag.id}${'\n'.repeat(1_000)}`;
    expect(await node(long)).toBeNull();
    expect(await node('x'.repeat(100_000))).toBeNull();
    expect((await api.data('query($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: [flag.id, long] })).nodes).toEqual(
      [{ id: flag.id }, null],
    );
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

describe('text that no database can hold is a fault of the caller', () => {
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
