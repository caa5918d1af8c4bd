import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DatabaseBackend } from '../../src/backends/database.js';
import { type HttpClient, httpClient } from '../support/clients.js';
import { openPGlite } from '../support/pglite.js';
import { ann, startTestServer, type TestServer } from '../support/server.js';

let database: DatabaseBackend;
let server: TestServer;
let admin: HttpClient;

beforeAll(async () => {
  database = await openPGlite();
  // Statements are counted below: nothing is sent but for requests.
  server = await startTestServer({}, { database, pollInterval: 3_600_000, usageInterval: 3_600_000 });
  admin = httpClient(server.url, await server.token('admin', { userId: ann }));
}, 180_000);

afterAll(() => server.close());

/** The data of an operation that must succeed. */
async function data(query: string, variables: object = {}) {
  const { body } = await admin.query(query, { ...variables });
  expect(body.errors).toBeUndefined();
  return body.data;
}

const updateFlags = async (input: object) =>
  (
    await data(
      `mutation($input: UpdateFlagsInput!) { updateFlags(input: $input) { __typename
        ... on UpdateFlagsPayload { flags { key version } revision batch }
        ... on ValidationError { issues { path message } }
        ... on ConflictsError { conflicts { flagKey group userId revision message } flags { key version } }
        ... on Error { code message path } } }`,
      { input },
    )
  ).updateFlags;

const applyDefinitions = async (input: object) =>
  (
    await data(
      `mutation($input: ApplyDefinitionsInput!) { applyDefinitions(input: $input) { __typename
        ... on ApplyDefinitionsPayload { plan { key action differences { path before after } } unchanged revision batch }
        ... on ValidationError { issues { path message } }
        ... on ConflictsError { conflicts { flagKey revision message } flags { key version } }
        ... on Error { code message path } } }`,
      { input },
    )
  ).applyDefinitions;

const changesAfter = async (revision: number) => {
  const { changes } = await data('{ changes(first: 50) { nodes { revision kind flagKey actorId note batch } } }');
  return changes.nodes.filter((change: { revision: number }) => change.revision > revision).reverse();
};

describe('updateFlags', () => {
  it('changes flags as one batch in the name of the caller', async () => {
    for (const key of ['u0', 'u1'])
      await data(`mutation { createFlag(input: { key: "${key}", name: "U" }) { __typename } }`);
    const { revision } = server.service;
    const flags = [
      { key: 'u1', enabled: true },
      { key: 'u0', percentage: 5, expectedVersion: 1 },
    ];
    const result = await updateFlags({ flags, note: 'Launch' });
    expect(result).toEqual({
      __typename: 'UpdateFlagsPayload',
      flags: [
        { key: 'u1', version: 2 },
        { key: 'u0', version: 2 },
      ],
      revision: revision + 2,
      batch: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    const common = { kind: 'FLAG_UPDATED', actorId: ann, note: 'Launch', batch: result.batch };
    const changes = await changesAfter(revision);
    expect(changes).toMatchObject([common, common]);
    expect(changes.map(({ flagKey }: { flagKey: string }) => flagKey).sort()).toEqual(['u0', 'u1']);
    expect(await updateFlags({ flags: flags.slice(0, 1) })).toMatchObject({ revision: revision + 2, batch: null });
  });

  it('answers with the error of one flag, and changes none', async () => {
    await data('mutation { createFlag(input: { key: "v", name: "V" }) { __typename } }');
    const { revision } = server.service;
    const change = { key: 'v', enabled: true };
    expect(await updateFlags({ flags: [change, { key: 'nope' }] })).toMatchObject({
      __typename: 'FlagNotFoundError',
      code: 'FLAG_NOT_FOUND',
      path: ['flags', '1', 'key'],
    });
    expect(await updateFlags({ flags: [change, { key: 'u0', note: 'Why' }], note: ' ' })).toMatchObject({
      __typename: 'ValidationError',
      path: ['note'],
    });
    expect(await updateFlags({ flags: [change, { key: 'u0', note: 'Why', percentage: 101 }] })).toMatchObject({
      __typename: 'ValidationError',
      issues: [
        { path: ['flags', '1', 'note'], message: 'State it once for all flags, beside "flags".' },
        { path: ['flags', '1', 'percentage'], message: 'Expected 0 to 100.' },
      ],
    });
    expect(
      await updateFlags({
        flags: [
          { ...change, expectedVersion: 4 },
          { key: 'u0', expectedVersion: 1 },
        ],
      }),
    ).toEqual({
      __typename: 'ConflictsError',
      code: 'CONFLICTS',
      message: 'The flag "v" is at version 1, not 4. Read it again. Conflicts in all: 2.',
      path: null,
      conflicts: [
        { flagKey: 'v', message: 'The flag "v" is at version 1, not 4. Read it again.' },
        { flagKey: 'u0', message: 'The flag "u0" is at version 2, not 1. Read it again.' },
      ].map(conflict => ({ ...conflict, group: null, userId: null, revision: null })),
      flags: [
        { key: 'v', version: 1 },
        { key: 'u0', version: 2 },
      ],
    });
    expect(server.service.revision).toBe(revision);
  });
});

describe('applyDefinitions', () => {
  const variants = [
    { key: 'a', value: 'A', weight: 1 },
    { key: 'b', value: 'B', weight: 0 },
  ];
  const theme = { key: 'd_theme', name: 'Theme', type: 'STRING', variants, offVariant: 'a' };

  it('plans, applies the plan, and then has nothing to do', async () => {
    const definitions = [theme, { key: 'd_plain', name: 'Plain', enabled: true }];
    const dry = await applyDefinitions({ definitions, dryRun: true });
    expect(dry).toEqual({
      __typename: 'ApplyDefinitionsPayload',
      plan: [
        { key: 'd_plain', action: 'CREATE', differences: [] },
        { key: 'd_theme', action: 'CREATE', differences: [] },
      ],
      unchanged: 0,
      revision: server.service.revision,
      batch: null,
    });
    const applied = await applyDefinitions({
      definitions,
      expectedRevision: dry.revision,
      note: 'From the repository',
    });
    expect(applied).toEqual({ ...dry, revision: dry.revision + 2, batch: expect.any(String) });
    const about = { kind: 'FLAG_CREATED', actorId: ann, note: 'From the repository', batch: applied.batch };
    expect(await changesAfter(dry.revision)).toMatchObject([about, about]);

    const changed = [{ ...theme, variants: [variants[0], { ...variants[1], weight: 3 }] }, definitions[1]];
    expect(await applyDefinitions({ definitions: changed, dryRun: true })).toMatchObject({
      plan: [
        {
          key: 'd_theme',
          action: 'UPDATE',
          differences: [{ path: ['variants', 'b', 'weight'], before: 0, after: 3 }],
        },
      ],
      unchanged: 1,
    });
    expect(await applyDefinitions({ definitions })).toMatchObject({ plan: [], unchanged: 2, batch: null });
  });

  it('answers with what is in the way, and changes nothing', async () => {
    const { revision } = server.service;
    const expected = { definitions: [{ ...theme, percentage: 5 }], expectedRevision: 1 };
    expect(await applyDefinitions(expected)).toMatchObject({
      __typename: 'ConflictsError',
      code: 'CONFLICTS',
      conflicts: [
        { flagKey: 'd_theme', message: 'The flag "d_theme" was created after revision 1. Make the plan again.' },
      ],
      flags: [{ key: 'd_theme', version: 1 }],
    });
    await data(
      `mutation { setOverride(input: { userId: "${ann}", flagKey: "d_theme", enabled: true, variant: "b" }) { __typename } }`,
    );
    const rules = [{ when: {} }];
    expect(await applyDefinitions({ definitions: [theme, { key: 'd_plain', name: 'P', rules }] })).toMatchObject({
      __typename: 'ValidationError',
      path: ['definitions', '1', 'rules', '0', 'id'],
    });
    expect(await applyDefinitions({ definitions: [{ ...theme, variants: variants.slice(0, 1) }] })).toMatchObject({
      __typename: 'ValidationError',
      path: ['definitions', '0', 'variants'],
    });
    expect(server.service.revision).toBe(revision + 1);
  });

  it('takes 2,000 definitions in one request, and prunes', async () => {
    const definitions = Array.from({ length: 2_000 }, (_, index) => ({
      key: `many.${index}`,
      name: `The flag with the number ${index}`,
      description: 'A description that is about as long as descriptions are, so that the request has a usual size.',
      enabled: index % 2 === 0,
      conditions: { any: [{ groups: ['staff'] }, { attributes: { plan: ['pro', 'team'], seats: { gte: index } } }] },
    }));
    const dry = await applyDefinitions({ definitions, prune: true, dryRun: true });
    expect(dry.plan).toHaveLength(2_005);
    const applied = await applyDefinitions({ definitions, prune: true, expectedRevision: dry.revision });
    expect(applied.plan).toEqual(dry.plan);
    expect(await data('{ flags { totalCount } flag(key: "many.1999") { conditions } }')).toEqual({
      flags: { totalCount: 2_000 },
      flag: { conditions: definitions[1_999]?.conditions },
    });
    const renamed = definitions.map(definition => ({ ...definition, name: 'N' }));
    const { plan } = await applyDefinitions({ definitions: renamed, dryRun: true });
    expect(plan).toHaveLength(2_000);
    const flags = definitions.slice(0, 500).map(({ key }) => ({ key, name: 'N', expectedVersion: 1 }));
    expect((await updateFlags({ flags })).flags).toHaveLength(500);
  }, 180_000);
});

it('as many statements are sent for forty flags as for four', async () => {
  const countedFor = async (count: number) => {
    const keys = Array.from({ length: count }, (_, index) => `count${count}.${index}`);
    const variants = ['a', 'b'].map(key => ({ key, value: key, weight: 1 }));
    const definitions = keys.map(key => ({ key, name: 'C', type: 'STRING', variants, offVariant: 'a' }));
    const statements: string[] = [];
    const stop = database.onQuery(sql => statements.push(sql));
    await applyDefinitions({ definitions });
    await applyDefinitions({ definitions: definitions.map(definition => ({ ...definition, enabled: true })) });
    const flags = keys.map(key => ({ key, variants: variants.slice(0, 1) }));
    const updated = await data(
      `mutation($flags: [UpdateFlagInput!]!) { updateFlags(input: { flags: $flags }) {
        ... on UpdateFlagsPayload { flags { key createdBy { userId } } } } }`,
      { flags },
    );
    stop();
    expect(updated.updateFlags.flags).toEqual(keys.map(key => ({ key, createdBy: { userId: ann } })));
    return statements.filter(sql => !sql.includes('feature_log_head h')).length;
  };
  expect(await countedFor(40)).toBe(await countedFor(4));
}, 60_000);
