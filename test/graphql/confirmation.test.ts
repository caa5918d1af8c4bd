import fc from 'fast-check';
import { graphql } from 'graphql';
import { describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/backends/database.js';
import { MemoryBackend } from '../../src/backends/memory.js';
import type { Flag } from '../../src/core/flag.js';
import { FeatureService } from '../../src/features/service.js';
import type { PrismaClient } from '../../src/generated/prisma/client.js';
import { createContextFactory } from '../../src/graphql/context.js';
import { createSchema } from '../../src/graphql/index.js';
import { httpClient } from '../support/clients.js';
import { ann, bob, callers } from '../support/graphql.js';
import { createDatabase } from '../support/postgres.js';
import { startTestServer } from '../support/server.js';

const schema = createSchema();

const error = '__typename ... on Error { code message }';
const answer = `${error} ... on ConfirmationRequiredError { preview { confirm onAfter } }`;
const gated: readonly string[] = ['updateFlag', 'deleteFlag', 'updateFlags', 'applyDefinitions'];
/** Mutations that change nothing that a flag, a group or a user has. */
const others = ['reportUsage'];
/** The mutations that the model makes. */
const mutations = [
  'createFlag',
  'updateFlag',
  'deleteFlag',
  'setOverride',
  'removeOverride',
  'addToGroup',
  'removeFromGroup',
  'setUserAttributes',
  'deleteUser',
  'revertFlag',
  'undoBatch',
  'updateFlags',
  'applyDefinitions',
  'createApiKey',
  'revokeApiKey',
];

interface Answer {
  readonly __typename: string;
  readonly code?: string;
  readonly message?: string;
  readonly confirm?: string;
  readonly preview?: { readonly confirm: string; readonly onAfter: number };
}

const admins = [
  { ...callers.admin, userId: ann },
  { ...callers.admin, userId: bob },
  { ...callers.admin, userId: null },
  { ...callers.admin, userId: null, apiKey: { id: '00000000-0000-4000-8000-00000000000a', name: 'one' } },
  { ...callers.admin, userId: null, apiKey: { id: '00000000-0000-4000-8000-00000000000b', name: 'two' } },
] as const;
const keys = ['a', 'b'] as const;
const minute = 60_000;

/** One step of a history. `change` is the input of the mutation without `confirm`. */
interface Step {
  readonly kind:
    | 'update'
    | 'delete'
    | 'preview'
    | 'create'
    | 'override'
    | 'unset'
    | 'join'
    | 'leave'
    | 'describe'
    | 'erase'
    | 'revert'
    | 'undo'
    | 'several'
    | 'apply'
    | 'make key'
    | 'wait';
  readonly admin: number;
  readonly key: (typeof keys)[number];
  readonly patch: object;
  /** Which token goes with it: none, the last one that fits by its words, or one of all that were ever given. */
  readonly token: 'none' | 'own' | number;
  readonly minutes: number;
}

const patch = fc.constantFrom<object>(
  { enabled: true },
  { enabled: false },
  { percentage: 50 },
  { name: 'New name' },
  { description: null },
  { enabled: true, name: 'On' },
  { conditions: { groups: ['g'] } },
  { conditions: {} },
  { rules: [{ when: { groups: ['g'] } }] },
  { rules: [] },
  { bucketBy: '$id' },
  { enabled: true, expectedVersion: 1 },
);

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom('update' as const, 'delete' as const) },
    { weight: 3, arbitrary: fc.constantFrom('preview' as const, 'create' as const) },
    {
      weight: 2,
      arbitrary: fc.constantFrom(
        ...([
          'override',
          'unset',
          'join',
          'leave',
          'describe',
          'erase',
          'wait',
          'revert',
          'undo',
          'several',
          'apply',
          'make key',
        ] as const),
      ),
    },
  ),
  admin: fc.nat(admins.length - 1),
  key: fc.constantFrom(...keys),
  patch,
  token: fc.oneof(
    { weight: 3, arbitrary: fc.constant('own' as const) },
    { weight: 1, arbitrary: fc.constant('none' as const) },
    { weight: 1, arbitrary: fc.nat() },
  ),
  minutes: fc.constantFrom(1, 5, 11),
});

/** A token that was given out, and what it is for. */
interface Issued {
  readonly token: string;
  readonly admin: number;
  readonly change: string;
  readonly version: number;
  readonly expiresAt: number;
}

const decisive = (flag: Flag | null) => {
  if (flag === null) return null;
  const { enabled, percentage, conditions, type, variants, offVariant, rules, bucketBy } = flag;
  return JSON.stringify({ enabled, percentage, conditions, type, variants, offVariant, rules, bucketBy });
};

it('the model has every mutation of the schema', () => {
  expect([...mutations, ...others].sort()).toEqual(Object.keys(schema.getMutationType()?.getFields() ?? {}).sort());
});

describe('on a protected server, whatever admins do', () => {
  it('nothing alters the answers of a flag or deletes it without a confirmation for this change, caller and version', async () => {
    let confirmed = 0;
    let asked = 0;
    const run = async (history: readonly Step[]) => {
      let now = Date.parse('2026-06-01T00:00:00Z');
      const backend = new MemoryBackend({ now: () => new Date(now) });
      const service = await FeatureService.open({ backend, isProtected: true, now: () => now });
      // The model selects nothing that is read by it.
      const contextFor = createContextFactory({
        service,
        prisma: {} as PrismaClient,
        allowAnonymous: false,
        server: { version: '0.0.0', environment: null, isProtected: true },
      });
      const issued: Issued[] = [];
      const ask = async (source: string, variables: object, admin: number): Promise<Answer> => {
        const contextValue = contextFor(admins[admin] as (typeof admins)[number], { device: null });
        const { data, errors } = await graphql({ schema, source, variableValues: { ...variables }, contextValue });
        if (errors !== undefined) throw errors[0];
        return Object.values(data ?? {})[0] as Answer;
      };
      const mutate = (name: string, input: object, admin: number) =>
        ask(
          `mutation($input: ${inputType(name)}!) { ${name}(input: $input) { ${gated.includes(name) ? answer : error} } }`,
          { input },
          admin,
        );
      const issue = (token: string | undefined, admin: number, change: string, version: number) => {
        if (token !== undefined) issued.push({ token, admin, change, version, expiresAt: now + 10 * minute });
      };

      for (const { kind, admin, key, patch, token, minutes } of history) {
        const before = await backend.getFlag(key);
        const others = (await backend.definitions()).flags.filter(flag => flag.key !== key);
        if (kind === 'wait') now += minutes * minute;
        else if (kind === 'create') await mutate('createFlag', { key, name: key }, admin);
        else if (kind === 'override') await mutate('setOverride', { userId: ann, flagKey: key, enabled: true }, admin);
        else if (kind === 'unset') await mutate('removeOverride', { userId: ann, flagKey: key }, admin);
        else if (kind === 'join') await mutate('addToGroup', { group: 'g', userIds: [ann] }, admin);
        else if (kind === 'leave') await mutate('removeFromGroup', { group: 'g', userIds: [ann] }, admin);
        else if (kind === 'describe') await mutate('setUserAttributes', { userId: ann, attributes: { a: 1 } }, admin);
        else if (kind === 'erase') await mutate('deleteUser', { userId: ann }, admin);
        else if (kind === 'revert') await mutate('revertFlag', { key, revision: 1 + (minutes % 5) }, admin);
        else if (kind === 'several') await mutate('updateFlags', { flags: [{ key, ...patch }] }, admin);
        else if (kind === 'make key') {
          await mutate('createApiKey', { name: key, role: 'SERVICE' }, admin);
          await mutate('revokeApiKey', { id: 'x' }, admin);
        } else if (kind === 'apply') {
          await mutate('applyDefinitions', { definitions: [{ key, name: 'A', enabled: minutes > 1 }] }, admin);
        } else if (kind === 'undo') {
          // An undo within ten minutes needs no confirmation, so only older changes are undone here.
          const change = (await backend.changes(0, 10_000)).changes.at(-minutes);
          const isOld = change !== undefined && now - change.at.getTime() > 10 * minute;
          if (isOld) await mutate('undoBatch', { batch: change.batch }, admin);
        }
        if (kind !== 'update' && kind !== 'delete' && kind !== 'preview') {
          if (before !== null) expect(decisive(await backend.getFlag(key))).toBe(decisive(before));
          continue;
        }

        const { expectedVersion: _, ...words } = { expectedVersion: null, ...patch };
        const change = JSON.stringify(kind === 'delete' ? ['delete', key] : ['update', key, words]);
        if (kind === 'preview') {
          const source = `query($input: UpdateFlagInput!) { previewFlag(input: $input) {
            __typename ... on FlagPreview { confirm } ... on Error { code } } }`;
          issue((await ask(source, { input: { key, ...patch } }, admin)).confirm, admin, change, before?.version ?? 0);
          continue;
        }

        const own = issued.filter(given => given.admin === admin && given.change === change).at(-1);
        const given = token === 'none' ? undefined : token === 'own' ? own : issued[token % Math.max(issued.length, 1)];
        const fits =
          given !== undefined &&
          given.admin === admin &&
          given.change === change &&
          given.version === before?.version &&
          given.expiresAt > now;
        const input = { key, ...(kind === 'update' ? patch : {}), note: 'n', confirm: given?.token };
        const result = await mutate(kind === 'update' ? 'updateFlag' : 'deleteFlag', input, admin);
        const after = await backend.getFlag(key);
        expect((await backend.definitions()).flags.filter(flag => flag.key !== key)).toEqual(others);

        const isAltered = before !== null && decisive(after) !== decisive(before);
        if (isAltered) {
          expect(fits).toBe(true);
          confirmed += 1;
        }
        if (result.code === 'CONFIRMATION_REQUIRED') {
          expect(fits).toBe(false);
          expect(after).toEqual(before);
          if (kind === 'delete') expect(result.preview?.onAfter).toBe(0);
          issue(result.preview?.confirm, admin, change, before?.version ?? 0);
          asked += 1;
        }
        if (fits)
          expect(['UpdateFlagPayload', 'DeleteFlagPayload', 'VersionConflictError']).toContain(result.__typename);
      }
      await service.close();
    };
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 30, maxLength: 60 }), run), {
      numRuns: 60,
      seed: 20261127,
    });
    // The histories reach both.
    expect(confirmed).toBeGreaterThan(50);
    expect(asked).toBeGreaterThan(200);
  }, 120_000);
});

function inputType(mutation: string): string {
  const type = schema.getMutationType()?.getFields()[mutation]?.args[0]?.type;
  return String(type).replace('!', '');
}

it('the confirmation in the preview of a reader confirms nothing, not even for an admin who is the same user', async () => {
  const server = await startTestServer({ HALYARD_PROTECTED: 'true' });
  await server.service.management.createFlag({ key: 'a', name: 'A' });
  const client = async (role: 'reader' | 'admin') => httpClient(server.url, await server.token(role, { userId: ann }));
  const preview = await (await client('reader')).query(
    '{ previewFlag(input: { key: "a", enabled: true }) { ... on FlagPreview { confirm } } }',
  );
  const { confirm } = (preview.body as { data: { previewFlag: { confirm: string } } }).data.previewFlag;
  expect(confirm).toEqual(expect.any(String));
  const change = `mutation { updateFlag(input: { key: "a", enabled: true, confirm: "${confirm}" }) { __typename } }`;
  const { body } = await (await client('admin')).query(change);
  expect(body.data).toEqual({ updateFlag: { __typename: 'ConfirmationRequiredError' } });
  expect((await (await client('reader')).query(change)).body.errors?.[0]?.extensions?.code).toBe('FORBIDDEN');
  await server.close();
});

it('a node takes the confirmation that another node of the database gave', async () => {
  const database = await createDatabase();
  const env = { AUTH_JWT_SECRET: 'the secret of the tests of 32 bytes or more', HALYARD_PROTECTED: 'true' };
  const open = () => openDatabase({ url: database.url });
  const one = await startTestServer(env, { database: await open() });
  const two = await startTestServer(env, { database: await open() });
  try {
    await one.service.management.createFlag({ key: 'a', name: 'A' });
    await two.service.reach(1);
    const source = `mutation($input: UpdateFlagInput!) { updateFlag(input: $input) { ${answer} } }`;
    const ask = async (server: typeof one, confirm: string | null): Promise<Answer> => {
      const client = httpClient(server.url, await server.token('admin'));
      const { body } = await client.query(source, { input: { key: 'a', enabled: true, confirm } });
      return (body as { data: { updateFlag: Answer } }).data.updateFlag;
    };
    const first = await ask(one, null);
    expect(first).toMatchObject({ code: 'CONFIRMATION_REQUIRED', preview: { confirm: expect.any(String) } });
    expect(await ask(two, first.preview?.confirm ?? null)).toMatchObject({ __typename: 'UpdateFlagPayload' });
  } finally {
    await one.close();
    await two.close();
    await database.drop();
  }
});
