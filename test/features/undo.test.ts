import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Author, Backend, Change } from '../../src/backends/backend.js';
import { DatabaseBackend } from '../../src/backends/database.js';
import { MemoryBackend } from '../../src/backends/memory.js';
import { ConflictsError, FeatureError, ValidationError } from '../../src/core/errors.js';
import { flagInput } from '../../src/core/inputs.js';
import { storedUserId } from '../../src/core/user-id.js';
import { revertFlag, undoBatch } from '../../src/features/restore.js';
import { readLog } from '../support/change-log.js';
import { newFlag } from '../support/flags.js';
import { openPGlite } from '../support/pglite.js';

// Histories at random: flags that are deleted and created again, overrides, groups, users that are deleted, and writes of another
// program. Then any flag is reverted to any revision, and any batch is undone.

const admin = { actor: null };
const undo = (backend: Backend, batch: string) =>
  undoBatch(backend, batch, { by: admin, now: Date.now(), exempt: by => by });

/** Everything that the log tells of, each thing by its name. */
type State = ReadonlyMap<string, unknown>;

const users = [0, 1].flatMap(n => [`00000000-0000-4000-8000-00000000000${n}`, `idp|${n} "ünï"`]);
const storedIds = users.map(storedUserId);
const flagKeys = ['a', 'b'];

type Write = (backend: Backend, by: Author) => Promise<unknown>;

const user = fc.constantFrom(...users);
const someUsers = fc.uniqueArray(user, { minLength: 1 });
const key = fc.constantFrom(...flagKeys);
const group = fc.constantFrom('g', 'h');
const attributes = fc.constantFrom({}, { plan: 'pro' }, { plan: 'free', ['__proto__']: [1e-7] });
const fields = {
  name: fc.constantFrom('n', 'm'),
  description: fc.constantFrom(null, 'd'),
  enabled: fc.boolean(),
  percentage: fc.constantFrom(0, 50),
  conditions: fc.constantFrom({}, { groups: ['g'] }),
  variants: fc.constantFrom([], [{ key: 'v', value: 1e-7, weight: 1 }]),
  bucketBy: fc.constantFrom(null, '$id'),
};
const override = fc.record({
  userId: user,
  flagKey: key,
  enabled: fc.boolean(),
  variant: fc.constantFrom(null, null, 'v'),
  reason: fc.constantFrom(null, 'r'),
  expiresAt: fc.constantFrom(null, new Date(1_900_000_000_123)),
});

/** Statements of another program; a backend without a database gets none. */
const statements = fc.constantFrom(
  `UPDATE feature_flags SET percentage = 7`,
  `DELETE FROM feature_flags WHERE key = 'a'`,
  `DELETE FROM feature_flag_overrides`,
  `UPDATE users SET attributes = '{"plan": "sql"}'`,
);

const writes: fc.Arbitrary<Write> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ key, ...fields, type: fc.constantFrom('BOOLEAN', 'NUMBER') }).map(
      (flag): Write =>
        (backend, by) =>
          backend.createFlag(newFlag(flag.key, flag), by),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(key, fc.record(fields, { requiredKeys: [] })).map(
      ([flag, patch]): Write =>
        (backend, by) =>
          backend.updateFlag(flag, patch, null, by),
    ),
  },
  key.map(
    (flag): Write =>
      (backend, by) =>
        backend.deleteFlag(flag, by),
  ),
  {
    weight: 3,
    arbitrary: override.map(
      (given): Write =>
        (backend, by) =>
          backend.setOverride(given, by),
    ),
  },
  fc.tuple(user, key).map(
    ([id, flag]): Write =>
      (backend, by) =>
        backend.removeOverride(id, flag, by),
  ),
  fc.tuple(group, someUsers).map(
    ([name, ids]): Write =>
      (backend, by) =>
        backend.addToGroup(name, ids, by),
  ),
  fc.tuple(group, someUsers).map(
    ([name, ids]): Write =>
      (backend, by) =>
        backend.removeFromGroup(name, ids, by),
  ),
  fc.tuple(user, attributes).map(
    ([id, given]): Write =>
      (backend, by) =>
        backend.setUserAttributes(id, given, by),
  ),
  user.map(
    (id): Write =>
      (backend, by) =>
        backend.deleteUser(id, by),
  ),
  statements.map(
    (sql): Write =>
      async (backend, { batch = '' }) => {
        if (!(backend instanceof DatabaseBackend)) return;
        const { prisma } = backend;
        await prisma.$transaction([
          prisma.$queryRaw`SELECT set_config('halyard.batch', ${batch}, true)`,
          prisma.$executeRawUnsafe(sql),
        ]);
      },
  ),
);

async function stateOf(backend: Backend): Promise<State> {
  const state = new Map<string, unknown>();
  const [{ flags }, { users: stored }] = [await backend.definitions(), await backend.targeting(storedIds)];
  for (const flag of flags) state.set(`flag ${flag.key}`, flagInput(flag));
  for (const [id, { attributes, groups: joined }] of stored) {
    // Whether a user without attributes is stored is no change, and not in the log.
    if (Object.keys(attributes).length > 0) state.set(`attributes ${id}`, attributes);
    for (const group of joined) state.set(`member ${group} ${id}`, true);
  }
  const pairs = users.flatMap(userId => flagKeys.map(flagKey => ({ userId, flagKey })));
  for (const override of (await backend.overrides(pairs)).filter(each => each !== null)) {
    const { userId, flagKey, enabled, variant, reason, expiresAt } = override;
    state.set(`override ${flagKey} ${storedUserId(userId)}`, { enabled, variant, reason, expiresAt });
  }
  return state;
}

/** The names of the things that a change is about, as in {@link stateOf}. */
function thingsIn({ kind, flagKey, userId, groupName, userIds }: Change): string[] {
  if (kind.startsWith('FLAG_')) return [`flag ${flagKey}`];
  if (kind.startsWith('OVERRIDE_')) return [`override ${flagKey} ${userId}`];
  if (kind.startsWith('MEMBERS_')) return userIds.map(id => `member ${groupName} ${id}`);
  return kind === 'USER_UPDATED' ? [`attributes ${userId}`] : [];
}

const belongsTo = (thing: string, erased: ReadonlySet<string>) => [...erased].some(id => thing.endsWith(id));

/** A history, with the state after each of its writes. */
interface History {
  readonly start: number;
  readonly states: { readonly revision: number; readonly state: State }[];
  /** With the states before its first and after its last write. */
  readonly batches: { readonly batch: string; readonly before: State; readonly after: State }[];
}

async function play(backend: Backend, sequence: readonly (readonly Write[])[]): Promise<History> {
  const start = (await backend.changes(0, 0)).head;
  const history: History = { start, states: [], batches: [] };
  history.states.push({ revision: start, state: await stateOf(backend) });
  for (const batched of sequence) {
    const batch = randomUUID();
    const before = await stateOf(backend);
    for (const write of batched) {
      await write(backend, { actor: null, batch }).catch(error => {
        if (!(error instanceof FeatureError)) throw error;
      });
      const { head } = await backend.changes(0, 0);
      history.states.push({ revision: head, state: await stateOf(backend) });
    }
    history.batches.push({ batch, before, after: await stateOf(backend) });
  }
  return history;
}

/** Undoes a batch of a history, and checks what became of everything. Returns the error, if it was refused. */
async function checkUndo(backend: Backend, { start, batches }: History, index: number): Promise<unknown> {
  const { batch, before, after } = batches[index] as History['batches'][number];
  const log = await readLog(backend, start);
  const own = log.filter(change => change.batch === batch);
  const present = await stateOf(backend);
  const outcome = await undo(backend, batch).then(
    written => written,
    error => error as unknown,
  );
  const state = await stateOf(backend);
  const deleted = (changes: readonly Change[]) =>
    new Set(changes.filter(({ kind }) => kind === 'USER_DELETED').map(({ userId }) => userId as string));
  const erased = deleted(own);
  const gone = deleted(
    log.filter(({ revision, batch: other }) => revision > (own[0]?.revision ?? 0) && other !== batch),
  );
  if (outcome instanceof Error) {
    expect(outcome, outcome.stack).toBeInstanceOf(FeatureError);
    expect(state).toEqual(present);
    return outcome;
  }
  // What the batch changed and changed back is as it was, but for what was erased meanwhile.
  const touched = own
    .flatMap(thingsIn)
    .filter(thing => belongsTo(thing, erased) || !isDeepStrictEqual(before.get(thing), after.get(thing)));
  const expected = new Map(present);
  for (const thing of touched) {
    if (belongsTo(thing, gone)) continue;
    expected.delete(thing);
    if (before.has(thing) && !belongsTo(thing, erased)) expected.set(thing, before.get(thing));
  }
  expect(state).toEqual(expected);
  return null;
}

/** Writes, some of which share a batch. */
const sequences = fc.array(
  fc.oneof(
    writes.map(write => [write]),
    fc.array(writes, { minLength: 2, maxLength: 4 }),
  ),
  {
    minLength: 3,
    maxLength: 12,
    size: 'max',
  },
);

it('an undo that would delete a newer override of a user who was deleted and came again is refused', async () => {
  const backend = new MemoryBackend();
  const override = { flagKey: 'a', userId: 'ann', enabled: true, reason: null, expiresAt: null };
  await backend.createFlag(newFlag('a'), null);
  const { revision } = await backend.setOverride(override, null);
  await backend.deleteFlag('a', null);
  const { batch } = await revertFlag(backend, { key: 'a', revision, expectedVersion: null }, admin);
  await backend.deleteUser('ann', null);
  await backend.setOverride({ ...override, reason: 'new' }, null);
  await expect(undo(backend, batch as string)).rejects.toMatchObject({
    code: 'CONFLICTS',
    conflicts: [{ flagKey: 'a', userId: 'ann' }],
  });
});

it('an undo of a new type of a flag has its overrides again, also those that are the same', async () => {
  const backend = new MemoryBackend();
  const override = { flagKey: 'a', userId: 'ann', enabled: true, reason: null, expiresAt: null };
  await backend.createFlag(newFlag('a'), null);
  await backend.setOverride(override, null);
  const number = { type: 'NUMBER', offVariant: 'n', variants: [{ key: 'n', value: 1, weight: 1 }] } as const;
  const { batch } = await backend.apply(
    [
      { kind: 'deleteFlag', key: 'a' },
      { kind: 'createFlag', flag: newFlag('a', number) },
      { kind: 'setOverride', override },
    ],
    null,
    null,
  );
  await undo(backend, batch as string);
  expect((await backend.getFlag('a'))?.type).toBe('BOOLEAN');
  expect(await backend.overrides([override])).toMatchObject([{ enabled: true }]);
});

/** Each backend with the number of random histories. */
const backends = [
  { name: 'memory', runs: 400 },
  { name: 'a database', runs: 15 },
] as const;

describe.each(backends)('a random history in $name', ({ name, runs }) => {
  let database: DatabaseBackend | null = null;
  beforeAll(async () => {
    if (name !== 'memory') database = await openPGlite();
  });
  afterAll(() => database?.close());

  async function empty(): Promise<Backend> {
    if (database === null) return new MemoryBackend();
    await database.prisma.$executeRaw`DELETE FROM feature_flags`;
    await database.prisma.$executeRaw`DELETE FROM users`;
    return database;
  }

  it('has each flag again as it was at any revision', async () => {
    await fc.assert(
      fc.asyncProperty(sequences, fc.nat(), fc.constantFrom(...flagKeys), async (sequence, place, key) => {
        const backend = await empty();
        const { states } = await play(backend, sequence);
        const { revision, state } = states[place % states.length] as History['states'][number];
        const present = await stateOf(backend);
        const past = state.get(`flag ${key}`);
        const outcome = await revertFlag(backend, { key, revision, expectedVersion: null }, admin).then(
          written => written.value,
          error => error as unknown,
        );
        const now = await stateOf(backend);
        if (outcome instanceof Error) {
          expect(outcome, outcome.stack).toBeInstanceOf(FeatureError);
          expect(now).toEqual(present);
          const isOtherType = (present.get(`flag ${key}`) as { type?: string } | undefined)?.type;
          const isNamed = outcome instanceof ValidationError && outcome.message.includes('override');
          expect(past === undefined || isOtherType !== undefined || isNamed, String(outcome)).toBe(true);
          return;
        }
        expect(now.get(`flag ${key}`)).toEqual(past);
        const others = (all: State) => new Map([...all].filter(([thing]) => !thing.includes(` ${key}`)));
        expect(others(now)).toEqual(others(present));
      }),
      { numRuns: runs, seed: 20261126 },
    );
  }, 120_000);

  it('has all of a batch undone, or nothing', async () => {
    const outcomes = { undone: 0, conflicts: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(sequences, fc.nat(), async (sequence, place) => {
        const backend = await empty();
        const history = await play(backend, sequence);
        const error = await checkUndo(backend, history, place % history.batches.length);
        outcomes[error === null ? 'undone' : error instanceof ConflictsError ? 'conflicts' : 'refused'] += 1;
      }),
      { numRuns: runs, seed: 20261127 },
    );
    // Otherwise the property says little.
    expect(outcomes.undone).toBeGreaterThan(runs / 10);
    expect(outcomes.conflicts).toBeGreaterThan(runs / 20);
  }, 120_000);

  it('always has its last batch undone, and the undo undone again', async () => {
    await fc.assert(
      fc.asyncProperty(sequences, async sequence => {
        const backend = await empty();
        const history = await play(backend, sequence);
        const last = (await readLog(backend, history.start)).at(-1)?.batch;
        const index = history.batches.findIndex(({ batch }) => batch === last);
        if (index === -1) return;
        const present = await stateOf(backend);
        const error = await checkUndo(backend, history, index);
        if (error !== null) {
          // All that it changed belonged to users who are deleted.
          expect(error).toBeInstanceOf(ValidationError);
          return;
        }
        const { changes } = await backend.changes(history.start, 10_000);
        const undone = changes.at(-1) as Change;
        if (undone.batch === last) return;
        expect(undone.reverts).toBe(changes.find(({ batch }) => batch === last)?.revision);
        await undo(backend, undone.batch);
        expect(await stateOf(backend)).toEqual(present);
      }),
      { numRuns: runs, seed: 20261128 },
    );
  }, 120_000);
});
