import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Backend, type Change, flagFromLog } from '../../src/backends/backend.js';
import type { DatabaseBackend } from '../../src/backends/database.js';
import { MemoryBackend } from '../../src/backends/memory.js';
import type { Attributes } from '../../src/core/attributes.js';
import type { Flag } from '../../src/core/flag.js';
import { storedUserId } from '../../src/core/user-id.js';
import { readLog } from '../support/change-log.js';
import { newFlag } from '../support/flags.js';
import { openPGlite } from '../support/pglite.js';

// Any sequence of calls gives the same answers and the same log on the maps as on the database.

type Call = { readonly name: string; readonly run: (backend: Backend) => Promise<unknown> };

const users = [0, 1].flatMap(n => [`00000000-0000-4000-8000-00000000000${n}`, `idp|${n} "ünï"`]);
const storedIds = users.map(storedUserId);
const user = fc.constantFrom(...users);
const someUsers = fc.array(user, { maxLength: 5 });
const actor = fc.option(user);
const key = fc.constantFrom('a', 'b', 'B');
const group = fc.constantFrom('g', 'h');
const json = fc.jsonValue({ maxDepth: 2, stringUnit: 'grapheme' });
const attributes = fc.oneof(
  fc.constant({}),
  fc.dictionary(fc.constantFrom('x', 'y', '__proto__'), json, { maxKeys: 2 }),
) as fc.Arbitrary<Attributes>;
const fields = {
  name: fc.constantFrom('n', 'm'),
  description: fc.option(fc.constantFrom('', 'd')),
  enabled: fc.boolean(),
  percentage: fc.constantFrom(0, 50, 100),
  conditions: attributes,
  variants: fc.constantFrom([], [{ key: 'a', value: 1e-7, weight: 1 }]),
  offVariant: fc.constantFrom('off', 'a'),
  rules: fc.constantFrom([], [{ id: 'r', when: { groups: ['g'] }, percentage: 12.25, on: true, serve: [] }]),
  bucketBy: fc.constantFrom(null, '$id'),
  tags: fc.constantFrom([], ['a'], ['a', 'b c']),
  owner: fc.option(fc.constantFrom('o', 'Ünï 🚩')),
  expectedUntil: fc.option(fc.constantFrom(-62_135_596_800_000, 1, 1_900_000_000_123).map(time => new Date(time))),
};
const decision = {
  enabled: fc.boolean(),
  variant: fc.constantFrom(null, 'a', 'b'),
  reason: fc.option(fc.constantFrom('', 'r')),
  expiresAt: fc.option(fc.constantFrom(0, 1, 1_900_000_000_123).map(time => new Date(time))),
};

const call = (name: string, run: (backend: Backend) => Promise<unknown>): Call => ({ name, run });
const calls: fc.Arbitrary<Call> = fc.oneof(
  fc
    .tuple(fc.record({ key, ...fields }), actor)
    .map(([flag, by]) =>
      call(`createFlag ${JSON.stringify(flag)} ${by}`, b => b.createFlag(newFlag(flag.key, flag), { actor: by })),
    ),
  fc
    .tuple(key, fc.record(fields, { requiredKeys: [] }), fc.option(fc.constantFrom(1, 2)), actor)
    .map(([k, patch, version, by]) =>
      call(`updateFlag ${k} ${JSON.stringify(patch)} ${version} ${by}`, b =>
        b.updateFlag(k, patch, version, { actor: by }),
      ),
    ),
  fc.tuple(key, actor).map(([k, by]) => call(`deleteFlag ${k} ${by}`, b => b.deleteFlag(k, { actor: by }))),
  fc
    .tuple(fc.record({ userId: user, flagKey: key, ...decision }), actor)
    .map(([override, by]) =>
      call(`setOverride ${JSON.stringify(override)} ${by}`, b => b.setOverride(override, { actor: by })),
    ),
  key.map(k =>
    call(`overriddenVariants ${k}`, async b => [...((await b.overriddenVariants([k])).get(k)?.keys() ?? [])].sort()),
  ),
  fc
    .tuple(user, key, actor)
    .map(([id, k, by]) => call(`removeOverride ${id} ${k} ${by}`, b => b.removeOverride(id, k, { actor: by }))),
  fc
    .tuple(group, someUsers, actor)
    .map(([g, ids, by]) => call(`addToGroup ${g} ${ids} ${by}`, b => b.addToGroup(g, ids, { actor: by }))),
  fc
    .tuple(group, someUsers, actor)
    .map(([g, ids, by]) => call(`removeFromGroup ${g} ${ids} ${by}`, b => b.removeFromGroup(g, ids, { actor: by }))),
  fc
    .tuple(user, attributes, actor)
    .map(([id, value, by]) =>
      call(`setUserAttributes ${id} ${JSON.stringify(value)} ${by}`, b =>
        b.setUserAttributes(id, value, { actor: by }),
      ),
    ),
  fc.tuple(user, actor).map(([id, by]) => call(`deleteUser ${id} ${by}`, b => b.deleteUser(id, { actor: by }))),
);

/** Without what a backend chooses by itself: ids and the times of now. */
function comparable(value: unknown): unknown {
  if (value instanceof Map) return [...value].map(comparable).sort();
  if (value instanceof Set) return [...value].sort();
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value !== 'object' || value === null) return value;
  const chosen = ['id', 'createdAt', 'updatedAt', 'at', 'epoch', 'nonce'];
  const own = Object.entries(value).filter(
    ([name, content]) => !(chosen.includes(name) && !users.includes(content) && !storedIds.includes(content)),
  );
  return new Map(own.sort().map(([name, content]) => [name, comparable(content)]));
}

async function outcome(backend: Backend, { run }: Call, start: number): Promise<unknown> {
  try {
    const { value, revision } = (await run(backend)) as { value: unknown; revision: number };
    return { value: comparable(value), revision: revision - start };
  } catch (error) {
    const { name, path, flag } = error as { name: string; path: unknown; flag?: Flag };
    return { name, path, flag: comparable(flag) };
  }
}

/** The log with its batches by the place of their first change. */
async function log(backend: Backend, start: number): Promise<readonly Change[]> {
  const changes = await readLog(backend, start);
  const batches = changes.map(({ batch }) => batch);
  return changes.map(change => ({
    ...change,
    revision: change.revision - start,
    batch: String(batches.indexOf(change.batch)),
  }));
}

/** The flags that result when the log alone is played. */
function played(changes: readonly Change[]): Flag[] {
  const flags = new Map<string, Flag>();
  for (const { kind, flagKey, after } of changes) {
    if (kind === 'FLAG_DELETED') flags.delete(flagKey ?? '');
    else if (kind.startsWith('FLAG_')) flags.set(flagKey ?? '', flagFromLog(after ?? {}));
  }
  return [...flags.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}

describe('any sequence of calls', () => {
  let database: DatabaseBackend;
  beforeAll(async () => {
    database = await openPGlite();
  });
  afterAll(() => database.close());

  it('answers and logs the same on MemoryBackend as on the database', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(calls, { minLength: 5, maxLength: 25, size: 'max' }), async sequence => {
        await database.prisma.$executeRaw`DELETE FROM feature_flags`;
        await database.prisma.$executeRaw`DELETE FROM feature_flag_versions`;
        await database.prisma.$executeRaw`DELETE FROM users`;
        const start = (await database.changes(0, 0)).head;
        const memory = new MemoryBackend();
        for (const each of sequence) {
          expect(await outcome(memory, each, 0), each.name).toEqual(await outcome(database, each, start));
        }
        const [kept, stored] = [await log(memory, 0), await log(database, start)];
        expect(kept.map(comparable)).toEqual(stored.map(comparable));
        expect(comparable((await memory.targeting(storedIds)).users)).toEqual(
          comparable((await database.targeting(storedIds)).users),
        );
        const { flags } = await database.definitions();
        expect(comparable((await memory.definitions()).flags)).toEqual(comparable(flags));
        // A creator who was deleted since is the one thing that the log does not follow.
        const timeless = (flag: Flag) => ({ ...flag, createdById: null });
        expect(played(stored).map(timeless)).toEqual(flags.map(timeless));
      }),
      { numRuns: 40, seed: 20261123 },
    );
  }, 60_000);
});
