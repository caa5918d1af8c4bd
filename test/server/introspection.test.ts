import { getIntrospectionQuery, parse } from 'graphql';
import { describe, expect, it } from 'vitest';
import { createSchema } from '../../src/graphql/index.js';
import { defaultDocumentLimits } from '../../src/server/operations/document-limits.js';
import { createIntrospectionCost } from '../../src/server/operations/introspection-cost.js';
import { type GraphQLAnswer, httpClient, sseClient, wsClient } from '../support/clients.js';
import { startTestServer as startProduct } from '../support/server.js';
import { startTestServer, token } from './harness.js';

const everything = getIntrospectionQuery({
  descriptions: true,
  specifiedByUrl: true,
  directiveIsRepeatable: true,
  schemaDescription: true,
  inputValueDeprecation: true,
  oneOf: true,
});
const repeat = (count: number, make: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => make(index)).join(' ');

/** What asks for much of the schema in a short document. */
const floods: [string, string][] = [
  ['100 aliases of __schema', `{ ${repeat(100, i => `a${i}: __schema { types { name } }`)} }`],
  ['100 aliases of __type', `{ ${repeat(100, i => `a${i}: __type(name: "Query") { name }`)} }`],
  [
    '100 aliases of __schema, by a fragment',
    `{ ${repeat(100, i => `a${i}: __schema { ...F }`)} } fragment F on __Schema { types { description fields { description } } }`,
  ],
  [
    '99 aliases below one __schema',
    `{ __schema { ${repeat(99, i => `a${i}: types { name fields { name description args { name } } }`)} } }`,
  ],
  [
    'many spreads of one fragment',
    `{ __schema { ${repeat(60, i => `a${i}: types { ...T }`)} } } fragment T on __Type { fields { name type { name } } inputFields { name } enumValues { name } }`,
  ],
];

describe('introspection', () => {
  it.each(floods)('by %s is refused over every entry point', async (_name, query) => {
    await using server = await startTestServer({ logLevel: 'warn' });
    await using client = wsClient(server.url);
    await using stream = await sseClient(server.url, query);
    const answers: GraphQLAnswer[] = [
      (await httpClient(server.url).query(query)).body,
      (await (await fetch(`${server.url}/graphql?query=${encodeURIComponent(query)}`)).json()) as GraphQLAnswer,
      await client.query(query),
      await stream.next(),
    ];
    for (const { errors } of answers) {
      expect(errors).toMatchObject([
        {
          message: expect.stringMatching(/^The introspection in this operation costs \d+; at most 100000 is allowed\./),
          extensions: { code: 'GRAPHQL_VALIDATION_FAILED' },
        },
      ]);
    }
  });

  it('by the whole schema once costs half of the limit of an operation, however large the schema', async () => {
    const cost = createIntrospectionCost(createSchema(), defaultDocumentLimits.introspectionCost);
    expect(cost(parse(everything)) / defaultDocumentLimits.introspectionCost).toBeCloseTo(0.52, 5);
    expect(cost(parse('{ viewer { featureMap } __typename }'))).toBe(0);
    // The largest operation counts, whichever is asked for.
    expect(cost(parse(`query A { __typename } ${everything}`))).toBe(cost(parse(everything)));
    await using server = await startProduct();
    for (const query of [everything, '{ __type(name: "Flag") { fields { name type { name } } } __typename }']) {
      const { body } = await httpClient(server.url).query(query);
      expect(body.errors).toBeUndefined();
    }
  });

  it('is closed to callers without a token where the server is set so', async () => {
    await using server = await startTestServer({ anonymousIntrospection: false });
    const queries = [
      '{ __schema { description } }',
      '{ hello __type(name: "Query") { name } }',
      '{ ...F } fragment F on Query { __schema { description } }',
    ];
    for (const query of queries) {
      const refused = { errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] };
      const answers = [
        (await httpClient(server.url).query(query)).body,
        (await httpClient(server.url).query(query)).body,
        await (await fetch(`${server.url}/graphql?query=${encodeURIComponent(query)}`)).json(),
      ];
      await using client = wsClient(server.url);
      answers.push(await client.query(query));
      for (const answer of answers) {
        expect(answer).toMatchObject(refused);
        expect(answer).not.toHaveProperty('data');
      }
      await using user = wsClient(server.url, { token: await token() });
      expect((await user.query(query)).errors).toBeUndefined();
      expect((await httpClient(server.url, await token()).query(query)).body.errors).toBeUndefined();
    }
    expect((await httpClient(server.url).query('{ hello __typename }')).body.errors).toBeUndefined();
  });
});
