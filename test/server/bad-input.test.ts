import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import vectors from '../core/vectors.json' with { type: 'json' };
import { type HttpClient, httpClient } from '../support/clients.js';
import { ann, startTestServer, type TestServer } from '../support/server.js';

type Mutation =
  | 'createFlag'
  | 'updateFlag'
  | 'setOverride'
  | 'removeOverride'
  | 'addToGroup'
  | 'removeFromGroup'
  | 'setUserAttributes'
  | 'deleteFlag'
  | 'deleteUser';

let server: TestServer;
let admin: HttpClient;
let before: unknown;

beforeAll(async () => {
  server = await startTestServer();
  admin = httpClient(server.url, await server.token('admin'));
  await server.service.management.createFlag({ key: 'a', name: 'A', enabled: true });
  await server.service.management.setUserAttributes({ userId: ann, attributes: { plan: 'pro' } });
  before = await everything();
});

afterAll(() => server.close());

/** All that is stored, as an admin reads it. */
async function everything() {
  const { body } =
    await admin.query(`{ flags { nodes { key name description enabled percentage conditions version updatedAt
    overrides { totalCount } } } groups { nodes { name } } changes { nodes { revision } }
    user(id: "${ann}") { attributes groups overrides { totalCount } } }`);
  expect(body.errors).toBeUndefined();
  return body.data;
}

async function send(mutation: Mutation, input: unknown) {
  const type = `${mutation[0]?.toUpperCase()}${mutation.slice(1)}Input`;
  const { body } = await admin.query(
    `mutation($input: ${type}!) { ${mutation}(input: $input) { __typename ... on Error { code message path }
      ... on ValidationError { issues { path message } } } }`,
    { input },
  );
  return { error: body.data?.[mutation], top: body.errors?.[0] };
}

const flag = { key: 'b', name: 'B' };
const override = { userId: ann, flagKey: 'a', enabled: true };
const nested = (depth: number): unknown => (depth === 0 ? { groups: ['g'] } : { not: nested(depth - 1) });
const long = (length: number) => 'x'.repeat(length);

/** What management refuses: a `ValidationError` with this path. */
const invalid: [Mutation, object, string][] = [
  ...['', ' ', 'a b', '.a', '-a', '_a', 'ä', 'a/b', 'a\n', 'a\u0000', '../a', long(101), '__proto__'].map(
    (key): [Mutation, object, string] => ['createFlag', { ...flag, key }, 'key'],
  ),
  ['createFlag', { ...flag, name: '' }, 'name'],
  ['createFlag', { ...flag, name: long(201) }, 'name'],
  ['createFlag', { ...flag, name: 'a\u0000' }, 'name'],
  ['createFlag', { ...flag, name: '\ud800' }, 'name'],
  ['createFlag', { ...flag, description: long(10_001) }, 'description'],
  ['createFlag', { ...flag, description: '\udfff' }, 'description'],
  ['createFlag', { ...flag, percentage: -1 }, 'percentage'],
  ['createFlag', { ...flag, percentage: 101 }, 'percentage'],
  ['createFlag', { ...flag, percentage: 2_147_483_647 }, 'percentage'],
  ['createFlag', { ...flag, conditions: nested(9) }, 'conditions.not.not.not.not.not.not.not.not'],
  [
    'createFlag',
    { ...flag, conditions: { attributes: { a: { in: Array.from({ length: 3 }, () => null) } } } },
    'conditions.attributes.a.in.0',
  ],
  [
    'createFlag',
    { ...flag, conditions: { attributes: { a: { matches: long(1_001) } } } },
    'conditions.attributes.a.matches',
  ],
  ['createFlag', { ...flag, conditions: { attributes: { '': 1 } } }, 'conditions.attributes.'],
  ['createFlag', { ...flag, conditions: { groups: [long(101)] } }, 'conditions.groups.0'],
  ['createFlag', { ...flag, conditions: { groups: [1] } }, 'conditions.groups.0'],
  ['createFlag', { ...flag, conditions: { attributes: { a: { eq: 'x\u0000' } } } }, 'conditions.attributes.a.eq'],
  ['createFlag', { ...flag, conditions: { attributes: { d: { lt: '2024-02-30' } } } }, 'conditions.attributes.d.lt'],
  ...vectors.refused.map(({ conditions, paths }): [Mutation, object, string] => [
    'createFlag',
    { ...flag, conditions },
    paths[0] as string,
  ]),
  ...vectors.refused.map(({ conditions, paths }): [Mutation, object, string] => [
    'updateFlag',
    { key: 'a', conditions },
    paths[0] as string,
  ]),
  ['updateFlag', { key: 'a b', enabled: false }, 'key'],
  ['updateFlag', { key: 'a', name: '' }, 'name'],
  ['updateFlag', { key: 'a', percentage: 1_000 }, 'percentage'],
  ['updateFlag', { key: 'a', enabled: false, expectedVersion: 0 }, 'expectedVersion'],
  ['updateFlag', { key: 'a', enabled: false, expectedVersion: -5 }, 'expectedVersion'],
  ['deleteFlag', { key: '' }, 'key'],
  ['deleteFlag', { key: 'a b' }, 'key'],
  ['setOverride', { ...override, flagKey: '' }, 'flagKey'],
  ['setOverride', { ...override, reason: long(501) }, 'reason'],
  ['setOverride', { ...override, reason: '\u0000' }, 'reason'],
  ['setOverride', { ...override, expiresAt: '2020-01-01T00:00:00Z' }, 'expiresAt'],
  ['removeOverride', { userId: ann, flagKey: 'a b' }, 'flagKey'],
  ['addToGroup', { group: '', userIds: [ann] }, 'group'],
  ['addToGroup', { group: long(101), userIds: [ann] }, 'group'],
  ['addToGroup', { group: 'g\u0000', userIds: [ann] }, 'group'],
  ['addToGroup', { group: 'g', userIds: Array.from({ length: 20_001 }, () => ann) }, 'userIds'],
  ['removeFromGroup', { group: '', userIds: [ann] }, 'group'],
  ['setUserAttributes', { userId: ann, attributes: { a: long(16_384) } }, 'attributes'],
  ['setUserAttributes', { userId: ann, attributes: { a: 'x\u0000' } }, 'attributes.a'],
  ['setUserAttributes', { userId: ann, attributes: { '': 1 } }, 'attributes'],
  ['setUserAttributes', { userId: ann, attributes: { a: { b: ['\ud800'] } } }, 'attributes.a.b.0'],
];

/** What GraphQL cannot coerce: a top-level `BAD_USER_INPUT` that names the variable's path. */
const uncoercible: [Mutation, unknown, string][] = [
  ['createFlag', null, 'input'],
  ['createFlag', 'a', 'input'],
  ['createFlag', {}, 'input'],
  ['createFlag', { key: 'b' }, 'input'],
  ['createFlag', { ...flag, key: 1 }, 'input.key'],
  ['createFlag', { ...flag, key: null }, 'input.key'],
  ['createFlag', { ...flag, name: ['B'] }, 'input.name'],
  ['createFlag', { ...flag, enabled: 'yes' }, 'input.enabled'],
  ['createFlag', { ...flag, percentage: 'half' }, 'input.percentage'],
  ['createFlag', { ...flag, percentage: 12.5 }, 'input.percentage'],
  ['createFlag', { ...flag, percentage: 3_000_000_000 }, 'input.percentage'],
  ['createFlag', { ...flag, colour: 'red' }, 'input'],
  ['updateFlag', { key: 'a', expectedVersion: '1' }, 'input.expectedVersion'],
  ['setOverride', { ...override, userId: ' ann' }, 'input.userId'],
  ['setOverride', { ...override, userId: 'ann\u0000' }, 'input.userId'],
  ['setOverride', { ...override, userId: 7 }, 'input.userId'],
  ['setOverride', { ...override, enabled: null }, 'input.enabled'],
  ['setOverride', { ...override, expiresAt: 'tomorrow' }, 'input.expiresAt'],
  ['setOverride', { ...override, expiresAt: '2024-02-30T00:00:00Z' }, 'input.expiresAt'],
  ['removeOverride', { userId: ann }, 'input'],
  ['addToGroup', { group: 'g', userIds: [' x'] }, 'input.userIds.0'],
  ['addToGroup', { group: 'g', userIds: [ann, null] }, 'input.userIds.1'],
  ['addToGroup', { group: 'g' }, 'input'],
  ['setUserAttributes', { userId: ann, attributes: [] }, 'input.attributes'],
  ['setUserAttributes', { userId: ann, attributes: 'x' }, 'input.attributes'],
  ['deleteUser', { userId: '' }, 'input.userId'],
];

describe('a malformed mutation', () => {
  it('comes in more than a hundred kinds', () => {
    expect(invalid.length + uncoercible.length).toBeGreaterThan(100);
  });

  it.each(invalid)('%s %j is answered with a ValidationError at %s', async (mutation, input, path) => {
    const { error, top } = await send(mutation, input);
    expect(top).toBeUndefined();
    expect(error).toMatchObject({ __typename: 'ValidationError', code: 'BAD_USER_INPUT', path: path.split('.') });
    expect(error.message).toContain(error.issues[0].message);
  });

  it.each(uncoercible)('%s %j is refused at %s', async (mutation, input, path) => {
    const { error, top } = await send(mutation, input);
    expect(error).toBeUndefined();
    expect(top?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', path: path.split('.') });
  });

  it('changes nothing and leaves no entry in the change log', async () => {
    expect(await everything()).toEqual(before);
  });
});

describe('any input at all', () => {
  const json = fc.jsonValue({ maxDepth: 4 });
  const field = fc.oneof(json, fc.string({ unit: 'binary' }), fc.double(), fc.constant(ann), fc.constant('a'));
  const inputs: [Mutation, fc.Arbitrary<object>][] = [
    ['createFlag', fc.record({ key: field, name: field, percentage: field, conditions: json }, { requiredKeys: [] })],
    [
      'updateFlag',
      fc.record(
        { key: fc.constant('missing'), name: field, conditions: json, expectedVersion: field },
        { requiredKeys: ['key'] },
      ),
    ],
    [
      'setOverride',
      fc.record(
        { userId: field, flagKey: fc.constant('missing'), enabled: field, reason: field, expiresAt: field },
        { requiredKeys: ['flagKey'] },
      ),
    ],
    ['addToGroup', fc.record({ group: field, userIds: fc.oneof(fc.constant([]), json) })],
    ['setUserAttributes', fc.record({ userId: json, attributes: json })],
  ];

  it.each(inputs)(
    '%s answers with data or an error that names a path, never with an internal one',
    async (mutation, arbitrary) => {
      await fc.assert(
        fc.asyncProperty(arbitrary, async input => {
          const { error: answer, top } = await send(mutation, input);
          if (top !== undefined) {
            expect(top.extensions?.code).toBe('BAD_USER_INPUT');
            expect(top.extensions?.['path']).toContain('input');
          } else if (answer.code === 'BAD_USER_INPUT') {
            expect(answer.path.length).toBeGreaterThan(0);
          } else {
            expect(answer.__typename).toMatch(/Payload$|^Flag(Exists|NotFound)Error$/);
          }
        }),
        { numRuns: 60, seed: 7 },
      );
    },
  );
});
