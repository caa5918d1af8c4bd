import { getIntrospectionQuery, parse } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defaultDocumentLimits, documentLimitErrors } from '../../src/server/operations/document-limits.js';
import { httpClient, sseClient, wsClient } from '../support/clients.js';
import { cpuTime } from '../support/cpu.js';
import { startTestServer, type TestServer } from './harness.js';

const repeat = (count: number, make: (index: number) => string) =>
  Array.from({ length: count }, (_, i) => make(i)).join(' ');
const nested = (depth: number) => `{ ${'node { '.repeat(depth - 1)}node { name }${' }'.repeat(depth - 1)} }`;
const fails = (text: string, limits = defaultDocumentLimits) =>
  documentLimitErrors(parse(text), limits).map(({ message }) => message);

describe('the size of a document', () => {
  const limits = { ...defaultDocumentLimits, tokens: 100, fields: 5, aliases: 2, directives: 2, depth: 3 };
  it.each([
    ['fields', '{ a b c d e }', '{ a b c d e f }', 'The operation has 6 fields; at most 5 are allowed.'],
    ['fields below fields', '{ a { b { c } } d e }', '{ a { b { c } } d e f }', /6 fields/],
    ['fields of inline fragments', '{ ... { a b c } d e }', '{ ... { a b c } d e f }', /6 fields/],
    [
      'fields of fragments, each time they are spread',
      '{ ...F a { ...F } } fragment F on Q { a b }',
      '{ ...F a { ...F } b } fragment F on Q { a b }',
      /6 fields/,
    ],
    ['aliases', '{ x: a y: a a }', '{ x: a y: a z: a }', /3 aliases/],
    [
      'aliases of what is spread',
      '{ ...F a } fragment F on Q { x: a y: a }',
      '{ ...F z: a } fragment F on Q { x: a y: a }',
      /3 aliases/,
    ],
    ['directives', '{ a @x b @x }', '{ a @x b @x @x }', /3 directives/],
    [
      'directives on spreads',
      '{ ...F @x @x } fragment F on Q { a }',
      '{ ...F @x @x } fragment F on Q { a @x }',
      /3 directives/,
    ],
    [
      'directives on operations and variables',
      'query ($a: A @x) @x { a }',
      'query ($a: A @x) @x { a @x }',
      /3 directives/,
    ],
    ['depth', '{ a { b { c } } }', '{ a { b { c { d } } } }', /4 levels/],
    [
      'depth through fragments',
      '{ a { ...F } } fragment F on Q { b { c } }',
      '{ a { b { ...F } } } fragment F on Q { b { c } }',
      /4 levels/,
    ],
    [
      'what no operation uses',
      '{ a } fragment F on Q { a { b { c } } }',
      '{ a } fragment F on Q { a { b { c { d } } } }',
      /4 levels/,
    ],
  ])('counts %s', (_name, fits, tooLarge, message) => {
    expect(fails(fits, limits)).toEqual([]);
    expect(fails(tooLarge, limits)[0]).toMatch(message);
  });

  it('is measured though fragments go round in circles', () => {
    expect(fails('{ ...A } fragment A on Q { a ...B } fragment B on Q { b ...A }')).toEqual([]);
    expect(fails('{ ...A } fragment A on Q { a { ...A } }')).toEqual([]);
  });

  it('is measured in no more time than reading it though fragments multiply', async () => {
    const bomb = `{ ...F0 } ${repeat(60, i => `fragment F${i} on Q { a { ...F${i + 1} } b { ...F${i + 1} } }`)} fragment F60 on Q { c }`;
    const document = parse(bomb);
    expect(documentLimitErrors(document, defaultDocumentLimits).length).toBeGreaterThan(0);
    const measuring = await cpuTime(async () => documentLimitErrors(document, defaultDocumentLimits));
    expect(measuring).toBeLessThan(20 * (await cpuTime(async () => parse(bomb))));
  });

  it('of the introspection query of GraphiQL is no trouble', () => {
    const query = getIntrospectionQuery({
      descriptions: true,
      specifiedByUrl: true,
      directiveIsRepeatable: true,
      schemaDescription: true,
      inputValueDeprecation: true,
      oneOf: true,
    });
    expect(fails(query)).toEqual([]);
  });
});

describe('a flood', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ logLevel: 'warn' });
    await httpClient(server.url).query('{ hello }');
  });
  afterAll(() => server.close());

  const floods: [string, string, string][] = [
    ['10,000 aliases', `{ ${repeat(10_000, i => `a${i}: hello`)} }`, 'GRAPHQL_PARSE_FAILED'],
    ['101 aliases', `{ ${repeat(101, i => `a${i}: hello`)} }`, 'GRAPHQL_VALIDATION_FAILED'],
    ['101 aliases of __typename', `{ ${repeat(101, i => `a${i}: __typename`)} }`, 'GRAPHQL_VALIDATION_FAILED'],
    ['1,500 times the same field', `{ ${repeat(1_500, () => 'hello')} }`, 'GRAPHQL_VALIDATION_FAILED'],
    ['51 directives', `{ hello ${'@skip(if: false) '.repeat(51)} }`, 'GRAPHQL_VALIDATION_FAILED'],
    ['17 levels', nested(16), 'GRAPHQL_VALIDATION_FAILED'],
    ['200,000 levels', '{a'.repeat(200_000), 'GRAPHQL_PARSE_FAILED'],
    ['a deep list', `{ place(places: ${'['.repeat(100_000)}`, 'GRAPHQL_PARSE_FAILED'],
    [
      'circular fragments',
      '{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }',
      'GRAPHQL_VALIDATION_FAILED',
    ],
    [
      'multiplying fragments',
      `{ node { ...F0 } } ${repeat(60, i => `fragment F${i} on Node { a: self { ...F${i + 1} } b: self { ...F${i + 1} } }`)} fragment F60 on Node { name }`,
      'GRAPHQL_VALIDATION_FAILED',
    ],
    [
      'multiplying introspection',
      `{ __schema { types { ...F0 } } } ${repeat(60, i => `fragment F${i} on __Type { a: ofType { ...F${i + 1} } b: ofType { ...F${i + 1} } }`)} fragment F60 on __Type { name }`,
      'GRAPHQL_VALIDATION_FAILED',
    ],
    [
      'circular introspection',
      '{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }',
      'GRAPHQL_VALIDATION_FAILED',
    ],
    ['almost 1 MB of fields', `{ ${'hello '.repeat(160_000)} }`, 'GRAPHQL_PARSE_FAILED'],
  ];

  it.each(floods)('of %s is refused over every way in, at little cost', async (_name, query, code) => {
    const client = wsClient(server.url);
    await client.connected;
    const expected = { errors: [{ extensions: { code } }] };
    const ways: Record<string, (query: string) => Promise<unknown>> = {
      HTTP: async query => (await httpClient(server.url).query(query)).body,
      WebSocket: query => client.query(query),
      SSE: async query => {
        await using stream = await sseClient(server.url, query);
        return await stream.next();
      },
    };
    for (const [way, ask] of Object.entries(ways)) {
      expect(await ask(query)).toMatchObject(expected);
      const plain = await cpuTime(() => ask('{ nothing }'));
      expect(await cpuTime(() => ask(query)), way).toBeLessThan(20 * plain + 100_000);
    }
    await client.close();
  });

  it('in variables is refused like any value', async () => {
    const deep = `{"query":"query($places:[Place]){place(places:$places)}","variables":{"places":${'['.repeat(200_000)}${']'.repeat(200_000)}}}`;
    const response = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: deep,
    });
    expect(response.status).toBeLessThanOrEqual(500);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: expect.any(String) } }] });
    const many = await httpClient(server.url).query('query ($places: [Place]) { place(places: $places) }', {
      places: Array.from({ length: 100_000 }, () => 1),
    });
    expect(many.body.errors?.length).toBeLessThanOrEqual(60);
    expect(await httpClient(server.url).query('{ hello }')).toMatchObject({ body: { data: { hello: 'world' } } });
  });

  it('of different documents leaves no more behind than the bound', async () => {
    const client = wsClient(server.url);
    const askAll = async (from: number, to: number) => {
      for (let i = from; i < to; i++) {
        const comment = `# ${i} ${'x'.repeat(500_000)}`;
        for (const document of ['{ hello }', '{ nothing }', '{']) await client.query(`${document} ${comment}`);
      }
      globalThis.gc?.();
    };
    await askAll(0, 20);
    const before = process.memoryUsage().heapUsed;
    await askAll(20, 80);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(20_000_000);
    await client.close();
  });
});

describe('proposals of names', () => {
  it.each([
    [true, 'Did you mean "hello"?'],
    [false, ''],
  ])('are made or not, as the server is told (%s)', async (suggestions, proposal) => {
    await using server = await startTestServer({ suggestions });
    const client = httpClient(server.url);
    const field = await client.query('{ helo }');
    expect(field.body.errors?.[0]?.message).toBe(`Cannot query field "helo" on type "Query". ${proposal}`.trim());
    const literal = await client.query('{ place(place: { even: 2, colours: [REED] }) }');
    const variable = await client.query('query ($place: Place) { place(place: $place) }', {
      place: { even: 2, colours: ['REED'] },
    });
    for (const { body } of [literal, variable]) {
      expect(body.errors?.[0]?.message.includes('Did you mean')).toBe(suggestions);
    }
  });
});
