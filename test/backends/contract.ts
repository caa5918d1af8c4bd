import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  type Backend,
  type Change,
  type ChangeKind,
  changeKinds,
  flagFromLog,
  type NewApiKey,
} from '../../src/backends/backend.js';
import { ApiKeyExistsError, apiKeyFromLog, apiKeyRoles } from '../../src/core/api-key.js';
import { FlagExistsError, FlagNotFoundError, VersionConflictError } from '../../src/core/errors.js';
import { storedUserId } from '../../src/core/user-id.js';
import { readLog } from '../support/change-log.js';
import { newFlag } from '../support/flags.js';
import { describeNotes } from './notes-contract.js';
import { describeUsage } from './usage-contract.js';

export interface ContractSubject {
  readonly backend: Backend;
  stop(): Promise<void>;
}

const awkward = {
  ['__proto__']: 'own',
  constructor: 'c',
  'quote"\\': "it's {\"a\", 'b'}",
  unicode: 'Ünïcødé 🚩',
  nested: { list: [1, 2.5, -0.001, 1e300, true, false, null, 'x', { deep: {} }], empty: [] },
  null: null,
} as const;

/** A flag with values of every form. */
const valued = {
  type: 'OBJECT',
  variants: [
    { key: 'big', value: awkward, weight: 1 },
    { key: 'none', value: [], weight: 0 },
    { key: 'deep:1', value: [[null, { ['__proto__']: 1e-7 }]], weight: 100_000 },
  ],
  offVariant: 'none',
  rules: [
    { id: 'staff', when: { groups: ['staff'] }, percentage: 12.25, on: true, serve: [{ variant: 'big', weight: 7 }] },
    { id: '0._-', when: {}, percentage: 0.07, on: false, serve: [] },
  ],
  bucketBy: '$id',
} as const;

/** What people find a flag by. */
const labelled = { tags: ['a', 'ünï 🚩', '～', '🚩'], owner: 'Team "Ünï"', expectedUntil: new Date(1_900_000_000_123) };

/** One suite for every backend: each sentence of the contract in src/backends/backend.ts. */
export function describeContract(name: string, open: () => Promise<ContractSubject>): void {
  describe(name, () => {
    let subject: ContractSubject;
    let backend: Backend;
    let serial = 0;

    beforeAll(async () => {
      subject = await open();
      backend = subject.backend;
    });
    afterAll(() => subject.stop());

    const key = () => `flag-${++serial}`;
    /** Users are known by UUIDs and by other texts in turn. */
    const user = () => (++serial % 2 === 0 ? randomUUID() : `idp|{"${serial}",'ünï'} \\ 🚩 ${randomUUID()}`);
    const idsOf = (users: readonly string[]) => users.map(storedUserId).sort();
    /** What is stored for these users, by the ids that they are known by. */
    async function targetingOf(ids: readonly string[]) {
      const { users } = await backend.targeting(ids.map(storedUserId));
      const known = new Map(ids.map(id => [storedUserId(id), id]));
      return { users: new Map([...users].map(([id, targeting]) => [known.get(id) as string, targeting])) };
    }
    const head = async () => (await backend.changes(0, 0)).head;
    /** What `act` logged, and what it returned. */
    async function logged<T>(act: () => Promise<T>): Promise<{ result: T; changes: readonly Change[] }> {
      const before = await head();
      const result = await act();
      return { result, changes: await readLog(backend, before) };
    }

    describe('definitions', () => {
      it('are all flags sorted by key in code unit order, with the head of the log', async () => {
        for (const each of ['Zz', 'a_1', 'a-1', 'a.1', 'a:1', 'A', 'a', 'B10', 'B9']) {
          await backend.createFlag(newFlag(`sort-${each}`), null);
        }
        const { flags, revision } = await backend.definitions();
        const keys = flags.map(flag => flag.key);
        expect(keys).toEqual([...keys].sort((a, b) => (a < b ? -1 : 1)));
        expect(keys).toContain('sort-B9');
        expect(revision).toBe(await head());
      });

      it('carry the same epoch as the log', async () => {
        const { epoch } = await backend.definitions();
        expect(epoch).toMatch(/^[0-9a-f-]{36}(\/[0-9A-F]{8})?$/);
        expect((await backend.changes(0, 1)).epoch).toBe(epoch);
      });

      it('are the same flags that the writes returned', async () => {
        const flag = newFlag(key(), { description: 'd', enabled: true, percentage: 7, conditions: { groups: ['g'] } });
        const { value } = await backend.createFlag(flag, null);
        expect((await backend.definitions()).flags).toContainEqual(value);
        expect(await backend.getFlag(flag.key)).toEqual(value);
      });
    });

    describe('flags', () => {
      it('are created with the given values, version 1, times to the millisecond and their creator', async () => {
        const actor = user();
        const flag = newFlag(key(), {
          name: 'Ünï',
          description: null,
          percentage: 0,
          conditions: { attributes: { a: 1 } },
        });
        const before = Date.now();
        const { value } = await backend.createFlag(flag, { actor });
        expect(value).toMatchObject({ ...flag, version: 1, createdById: actor });
        expect(value.id).toMatch(/^[0-9a-f-]{36}$/);
        expect(value.createdAt).toEqual(value.updatedAt);
        expect(value.createdAt.getTime()).toBeGreaterThanOrEqual(before - 1);
        expect(value.createdAt.getTime()).toBeLessThanOrEqual(Date.now() + 1);
      });

      it('keep conditions of every JSON form', async () => {
        const { value } = await backend.createFlag(newFlag(key(), { conditions: awkward }), null);
        expect(value.conditions).toEqual(awkward);
        expect(Object.hasOwn(value.conditions, '__proto__')).toBe(true);
        expect((await backend.getFlag(value.key))?.conditions).toEqual(awkward);
      });

      it('carry values, which are kept as they are', async () => {
        const flag = newFlag(key(), valued);
        const { value } = await backend.createFlag(flag, null);
        expect(value).toMatchObject(flag);
        expect(await backend.getFlag(flag.key)).toEqual(value);
        expect((await backend.definitions()).flags).toContainEqual(value);
        const plain = (await backend.createFlag(newFlag(key()), null)).value;
        expect(plain).toMatchObject({ type: 'BOOLEAN', variants: [], offVariant: 'off', rules: [], bucketBy: null });
        expect(plain).toMatchObject({ tags: [], owner: null, expectedUntil: null });
      });

      it('carry tags, an owner and a time, in the log too', async () => {
        const { result, changes } = await logged(() => backend.createFlag(newFlag(key(), labelled), null));
        expect(result.value).toMatchObject(labelled);
        expect(await backend.getFlag(result.value.key)).toEqual(result.value);
        expect(changes[0]?.after).toMatchObject({ ...labelled, expectedUntil: labelled.expectedUntil.toISOString() });
        expect(flagFromLog(changes[0]?.after ?? {})).toEqual(result.value);
        const earliest = { expectedUntil: new Date('0001-01-01T00:00:00Z') };
        expect((await backend.updateFlag(result.value.key, earliest, null, null)).value).toMatchObject(earliest);
      });

      it('do not change with the objects that were given', async () => {
        const conditions = { groups: ['before'] };
        const { value } = await backend.createFlag(newFlag(key(), { conditions }), null);
        conditions.groups[0] = 'after';
        expect((await backend.getFlag(value.key))?.conditions).toEqual({ groups: ['before'] });
      });

      it('are refused when the key is taken; nothing changes, not even the actor is made', async () => {
        const actor = user();
        const { value } = await backend.createFlag(newFlag(key()), null);
        const { changes } = await logged(() =>
          expect(backend.createFlag(newFlag(value.key, { enabled: true }), { actor })).rejects.toThrow(FlagExistsError),
        );
        expect(changes).toEqual([]);
        expect(await backend.getFlag(value.key)).toEqual(value);
        expect((await targetingOf([actor])).users).toEqual(new Map());
      });

      it('are null when there is none', async () => {
        expect(await backend.getFlag('nowhere')).toBeNull();
      });

      it('change in the fields that a patch names, and no others', async () => {
        const fields = { description: 'd', enabled: true, ...valued, ...labelled };
        const created = (await backend.createFlag(newFlag(key(), fields), null)).value;
        const patches = [
          { name: 'n' },
          { description: null },
          { description: 'e' },
          { enabled: false },
          { percentage: 3 },
          { conditions: { groups: ['x'] } },
          { name: 'm', enabled: true, percentage: 0 },
          { rules: [] },
          { variants: valued.variants.slice(0, 1), offVariant: 'big' },
          { bucketBy: null },
          { bucketBy: 'org.id' },
          { rules: valued.rules },
          { tags: [] },
          { tags: ['b'] },
          { owner: null },
          { owner: 'o' },
          { expectedUntil: null },
          { expectedUntil: new Date(0) },
        ];
        let expected = created;
        for (const patch of patches) {
          const { value } = await backend.updateFlag(created.key, patch, null, null);
          expected = { ...expected, ...patch, version: expected.version + 1, updatedAt: value.updatedAt };
          expect(value).toEqual(expected);
          expect(value.updatedAt.getTime()).toBeGreaterThanOrEqual(created.updatedAt.getTime());
        }
      });

      it.each([
        ['an empty patch', {}],
        ['the values that stand', { name: 'same', enabled: false, percentage: 100, description: null }],
        ['conditions with their keys in another order', { conditions: { b: { y: 1, x: 2 }, a: 1 } }],
        ['values that stand', { variants: valued.variants, offVariant: 'none', rules: valued.rules, bucketBy: '$id' }],
        ['labels that stand', { ...labelled, expectedUntil: new Date(labelled.expectedUntil) }],
      ])('stay as they are, version and time included, and log nothing, on %s', async (_, patch) => {
        const conditions = { a: 1, b: { x: 2, y: 1 } };
        const { value } = await backend.createFlag(
          newFlag(key(), { ...valued, ...labelled, name: 'same', conditions }),
          null,
        );
        const { result, changes } = await logged(() => backend.updateFlag(value.key, patch, 1, null));
        expect(result.value).toEqual(value);
        expect(changes).toEqual([]);
        expect(result.revision).toBe(await head());
      });

      it('are not found when there is none to update; the actor is not made', async () => {
        const actor = user();
        const error = await backend.updateFlag('nowhere', { enabled: true }, null, { actor }).catch(e => e);
        expect(error).toBeInstanceOf(FlagNotFoundError);
        expect(error).toMatchObject({ key: 'nowhere', path: ['key'] });
        expect((await targetingOf([actor])).users).toEqual(new Map());
      });

      it('refuse an update that expects another version, and tell the flag as it is', async () => {
        const actor = user();
        const { key: k } = (await backend.createFlag(newFlag(key()), null)).value;
        const { value } = await backend.updateFlag(k, { enabled: true }, 1, null);
        const { changes } = await logged(async () => {
          // Also where the patch would change nothing: the caller's picture is out of date.
          for (const patch of [{ enabled: false }, { enabled: true }, {}]) {
            const error = await backend.updateFlag(k, patch, 1, { actor }).catch(e => e);
            expect(error).toBeInstanceOf(VersionConflictError);
            expect(error.flag).toEqual(value);
          }
        });
        expect(changes).toEqual([]);
        expect((await targetingOf([actor])).users).toEqual(new Map());
      });

      it('let exactly one of many updates through that expect the same version', async () => {
        const { value } = await backend.createFlag(newFlag(key()), null);
        const updates = Array.from({ length: 8 }, (_, i) => backend.updateFlag(value.key, { percentage: i }, 1, null));
        const outcomes = await Promise.allSettled(updates);
        expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
        for (const outcome of outcomes) {
          if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(VersionConflictError);
        }
        expect((await backend.getFlag(value.key))?.version).toBe(2);
      });

      it('are deleted with their overrides; false when there was none', async () => {
        const [k, id] = [key(), user()];
        await backend.createFlag(newFlag(k), null);
        await backend.setOverride({ userId: id, flagKey: k, enabled: true, reason: null, expiresAt: null }, null);
        expect((await backend.deleteFlag(k, null)).value).toBe(true);
        expect(await backend.getFlag(k)).toBeNull();
        expect((await targetingOf([id])).users.get(id)?.overrides.size).toBe(0);
        const { result, changes } = await logged(() => backend.deleteFlag(k, null));
        expect(result.value).toBe(false);
        expect(changes).toEqual([]);
      });

      it('begin anew under a key that was deleted', async () => {
        const first = (await backend.createFlag(newFlag(key(), { enabled: true }), null)).value;
        await backend.deleteFlag(first.key, null);
        const second = (await backend.createFlag(newFlag(first.key), null)).value;
        expect(second).toMatchObject({ enabled: false, version: 2 });
        expect(second.id).not.toBe(first.id);
      });

      it('never repeat a version of an earlier flag with the same key: a change that expects one is refused', async () => {
        const k = key();
        const versions: number[] = [];
        for (let life = 0; life < 3; life += 1) {
          versions.push((await backend.createFlag(newFlag(k), null)).value.version);
          for (const enabled of [true, false]) {
            versions.push((await backend.updateFlag(k, { enabled }, null, null)).value.version);
          }
          if (life < 2) await backend.deleteFlag(k, null);
        }
        expect(versions).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
        for (const version of versions.slice(0, -1)) {
          await expect(backend.updateFlag(k, { enabled: true }, version, null)).rejects.toThrow(VersionConflictError);
        }
      });
    });

    describe('overrides', () => {
      it('are set with expiry exact to the millisecond, and read as targeting', async () => {
        const [k, id, actor] = [key(), user(), user()];
        await backend.createFlag(newFlag(k), null);
        const expiresAt = new Date('2031-07-01T23:59:59.987Z');
        const override = { userId: id, flagKey: k, enabled: true, reason: 'beta "tester" 🚩', expiresAt };
        const { value } = await backend.setOverride(override, { actor });
        expect(value).toEqual({ ...override, variant: null, createdAt: value.createdAt, createdById: actor });
        expect(Math.abs(value.createdAt.getTime() - Date.now())).toBeLessThan(60_000);
        const targeting = (await targetingOf([id])).users.get(id);
        expect(targeting?.overrides).toEqual(
          new Map([[k, { enabled: true, variant: null, expiresAt: expiresAt.getTime() }]]),
        );
      });

      it('replace an earlier one, creation included', async () => {
        const [k, id, first, second] = [key(), user(), user(), user()];
        await backend.createFlag(newFlag(k), null);
        const override = { userId: id, flagKey: k, enabled: true, reason: 'r', expiresAt: new Date(2e12) };
        const earlier = (await backend.setOverride(override, { actor: first })).value;
        for (const change of [
          { enabled: false },
          { variant: 'big' },
          { reason: null },
          { expiresAt: null },
          { expiresAt: new Date(3e12) },
        ]) {
          const later = (await backend.setOverride({ ...override, ...change }, { actor: second })).value;
          expect(later).toMatchObject({ ...override, ...change, createdById: second });
          expect(later.createdAt.getTime()).toBeGreaterThanOrEqual(earlier.createdAt.getTime());
        }
      });

      it('stay as they are, creation included, and log nothing, when nothing changes', async () => {
        const [k, id, first, second] = [key(), user(), user(), user()];
        await backend.createFlag(newFlag(k), null);
        for (const expiresAt of [null, new Date('2031-01-01T00:00:00.001Z')]) {
          const override = { userId: id, flagKey: k, enabled: true, reason: 'r', expiresAt };
          const earlier = (await backend.setOverride(override, { actor: first })).value;
          const { result, changes } = await logged(() => backend.setOverride(override, { actor: second }));
          expect(result.value).toEqual(earlier);
          expect(changes).toEqual([]);
        }
      });

      it('need a flag; without one nothing changes, and no user is made', async () => {
        const [id, actor] = [user(), user()];
        const override = { userId: id, flagKey: 'nowhere', enabled: true, reason: null, expiresAt: null };
        const error = await backend.setOverride(override, { actor }).catch(e => e);
        expect(error).toBeInstanceOf(FlagNotFoundError);
        expect(error).toMatchObject({ key: 'nowhere', path: ['flagKey'] });
        expect((await targetingOf([id, actor])).users).toEqual(new Map());
      });

      it('name a variant, which targeting has, and which the flag can list with a user of each', async () => {
        const [k, other, a, b, c, d] = [key(), key(), user(), user(), user(), user()];
        for (const each of [k, other]) await backend.createFlag(newFlag(each, valued), null);
        const override = { flagKey: k, enabled: true, reason: null, expiresAt: null };
        expect(await backend.overriddenVariants([k, other])).toEqual(new Map());
        const { value } = await backend.setOverride({ ...override, userId: a, variant: 'big' }, null);
        expect(value.variant).toBe('big');
        expect((await targetingOf([a])).users.get(a)?.overrides.get(k)?.variant).toBe('big');
        // One that has expired, one of a variant that the flag does not have, and one that names none.
        await backend.setOverride({ ...override, userId: b, variant: 'none', expiresAt: new Date(1) }, null);
        await backend.setOverride({ ...override, userId: c, variant: 'gone' }, null);
        await backend.setOverride({ ...override, userId: d, variant: null }, null);
        await backend.setOverride({ ...override, userId: d, flagKey: other, variant: 'deep:1' }, null);
        const ofFlag = new Map([
          ['big', a],
          ['gone', c],
        ]);
        expect(await backend.overriddenVariants([k])).toEqual(new Map([[k, ofFlag]]));
        expect(await backend.overriddenVariants([other, k, 'nowhere'])).toEqual(
          new Map([
            [k, ofFlag],
            [other, new Map([['deep:1', d]])],
          ]),
        );
        expect(await backend.overriddenVariants([])).toEqual(new Map());
        await backend.setOverride({ ...override, userId: a }, null);
        expect((await targetingOf([a])).users.get(a)?.overrides.get(k)?.variant).toBeNull();
        expect(await backend.overriddenVariants([k])).toEqual(new Map([[k, new Map([['gone', c]])]]));
      });

      it('are read by user and flag, in the order asked, with the ids that users are known by', async () => {
        const [k, other, a, b, actor] = [key(), key(), `idp|${user()}`, user(), `idp|${user()}`];
        for (const each of [k, other]) await backend.createFlag(newFlag(each), null);
        const override = { flagKey: k, enabled: true, reason: 'r', expiresAt: new Date('2031-01-01T00:00:00.001Z') };
        const first = (await backend.setOverride({ ...override, userId: a }, { actor })).value;
        const second = (await backend.setOverride({ ...override, userId: b, expiresAt: null }, null)).value;
        const asked = [
          { userId: b, flagKey: k },
          { userId: b, flagKey: other },
          { userId: a, flagKey: k },
          { userId: user(), flagKey: k },
          { userId: b, flagKey: k },
        ];
        expect(await backend.overrides(asked)).toEqual([second, null, first, null, second]);
        expect(first).toMatchObject({ userId: a, createdById: actor });
        expect(await backend.overrides([])).toEqual([]);
      });

      it('are removed; false when there was none', async () => {
        const [k, id] = [key(), user()];
        await backend.createFlag(newFlag(k), null);
        await backend.setOverride({ userId: id, flagKey: k, enabled: true, reason: null, expiresAt: null }, null);
        expect((await backend.removeOverride(id, k, null)).value).toBe(true);
        expect((await targetingOf([id])).users.get(id)?.overrides.size).toBe(0);
        const { result, changes } = await logged(() => backend.removeOverride(id, k, null));
        expect(result.value).toBe(false);
        expect((await backend.removeOverride(user(), 'nowhere', null)).value).toBe(false);
        expect(changes).toEqual([]);
      });
    });

    describe('API keys', () => {
      const newKey = (more: Partial<NewApiKey> = {}): NewApiKey => ({
        name: `build server ${++serial} "ünï" 🚩`,
        role: 'READER',
        prefix: 'hly_abcde',
        expiresAt: null,
        hash: randomBytes(32),
        ...more,
      });
      const held = async (id: string) => (await backend.apiKeys()).keys.find(key => key.id === id);

      it('are made with their role, their end and their creator, and read with their hash', async () => {
        const actor = user();
        for (const role of apiKeyRoles) {
          const expiresAt = role === 'ADMIN' ? new Date('2031-01-01T00:00:00.001Z') : null;
          const given = newKey({ role, expiresAt });
          const { hash, ...fields } = given;
          const { result, changes } = await logged(() => backend.createApiKey(given, { actor, note: 'n' }));
          const { value, revision } = result;
          expect(value).toEqual({
            ...fields,
            id: expect.stringMatching(/^[0-9a-f-]{36}$/),
            createdAt: expect.any(Date),
            createdById: actor,
            revokedAt: null,
          });
          const read = await backend.apiKeys();
          expect(read.revision).toBe(revision);
          const found = read.keys.find(({ id }) => id === value.id);
          expect({ ...found, hash: null }).toEqual({ ...value, hash: null });
          expect(Buffer.from(found?.hash ?? []).equals(hash)).toBe(true);
          expect(changes).toMatchObject([
            {
              kind: 'API_KEY_CREATED',
              actorId: storedUserId(actor),
              before: null,
              note: 'n',
              apiKeyId: null,
              ...{ flagKey: null, userId: null, groupName: null, userIds: [] },
            },
          ]);
          const [{ after }] = changes as [Change];
          expect(apiKeyFromLog(after ?? {})).toEqual({ ...value, createdById: storedUserId(actor) });
          expect(Object.keys(after ?? {}).sort()).toEqual(Object.keys(value).sort());
        }
      });

      it('have names that no other has that is not revoked; a refused key makes no user', async () => {
        const [given, actor] = [newKey(), user()];
        const { value } = await backend.createApiKey(given, null);
        const { changes } = await logged(async () => {
          const error = await backend.createApiKey(newKey({ name: given.name }), { actor }).catch(e => e);
          expect(error).toBeInstanceOf(ApiKeyExistsError);
          expect(error).toMatchObject({ code: 'API_KEY_EXISTS', path: ['name'] });
        });
        expect(changes).toEqual([]);
        expect((await targetingOf([actor])).users).toEqual(new Map());
        await backend.revokeApiKey(value.id, null);
        expect((await backend.createApiKey(newKey({ name: given.name }), null)).value.name).toBe(given.name);
      });

      it('are revoked once and for ever, and then not read any more', async () => {
        const [maker, revoker] = [user(), user()];
        const { value } = await backend.createApiKey(newKey(), { actor: maker });
        const { result, changes } = await logged(() => backend.revokeApiKey(value.id, { actor: revoker }));
        expect(result.value).toEqual({ ...value, revokedAt: expect.any(Date) });
        expect(await held(value.id)).toBeUndefined();
        expect(changes).toMatchObject([{ kind: 'API_KEY_REVOKED', actorId: storedUserId(revoker) }]);
        const [{ before, after }] = changes as [Change];
        expect(apiKeyFromLog(before ?? {}).revokedAt).toBeNull();
        expect(apiKeyFromLog(after ?? {}).revokedAt).toEqual(result.value?.revokedAt);
        const again = await logged(() => backend.revokeApiKey(value.id, { actor: user() }));
        expect(again.result).toEqual({ ...result, batch: null });
        expect(again.changes).toEqual([]);
        expect(await logged(() => backend.revokeApiKey(randomUUID(), null))).toMatchObject({
          result: { value: null },
          changes: [],
        });
      });

      it('are in the log as the authors of changes, beside the kinds of all changes in a search', async () => {
        const { value: author } = await backend.createApiKey(newKey(), null);
        const by = { actor: null, apiKeyId: author.id };
        const { changes } = await logged(async () => {
          await backend.createFlag(newFlag(key()), by);
          await backend.addToGroup(`group-${++serial}`, [user()], by);
          await backend.createApiKey(newKey(), by);
          await backend.createFlag(newFlag(key()), null);
        });
        expect(changes.map(({ kind, apiKeyId }) => [kind, apiKeyId])).toEqual([
          ['FLAG_CREATED', author.id],
          ['MEMBERS_ADDED', author.id],
          ['API_KEY_CREATED', author.id],
          ['FLAG_CREATED', null],
        ]);
        const kindsOf = async (...kinds: ChangeKind[]) => {
          const after = (changes[0] as Change).revision - 1;
          return (await backend.search({ after, any: [{ kinds }], limit: 10 })).changes.map(({ kind }) => kind);
        };
        expect(await kindsOf('MEMBERS_ADDED')).toEqual(['MEMBERS_ADDED']);
        expect(await kindsOf('API_KEY_CREATED')).toEqual(['API_KEY_CREATED']);
        expect(await kindsOf('MEMBERS_ADDED', 'API_KEY_CREATED', 'API_KEY_REVOKED')).toHaveLength(2);
      });

      it('keep the id of a user who made them and was deleted since', async () => {
        const actor = user();
        const { value } = await backend.createApiKey(newKey(), { actor });
        await backend.deleteUser(actor, null);
        expect((await held(value.id))?.createdById).toBe(storedUserId(actor));
      });

      it('take notes of their uses without a change, also of keys that are not there', async () => {
        const { value } = await backend.createApiKey(newKey(), null);
        const uses = new Map([
          [value.id, new Date(1_900_000_000_000)],
          [randomUUID(), new Date()],
        ]);
        expect((await logged(() => backend.noteApiKeyUses(uses))).changes).toEqual([]);
        await backend.noteApiKeyUses(new Map([[value.id, new Date(1_800_000_000_000)]]));
        await backend.noteApiKeyUses(new Map());
      });
    });

    describe('groups', () => {
      it('take members once, and tell how many are new', async () => {
        const [group, a, b, c] = [`group-${++serial}`, user(), user(), user()];
        expect((await backend.addToGroup(group, [a, b, a], null)).value).toBe(2);
        expect((await backend.addToGroup(group, [b, c, c], null)).value).toBe(1);
        const { result, changes } = await logged(() => backend.addToGroup(group, [a, b, c], null));
        expect(result.value).toBe(0);
        expect(changes).toEqual([]);
        for (const [, targeting] of (await targetingOf([a, b, c])).users) {
          expect(targeting.groups).toEqual(new Set([group]));
        }
      });

      it('let members go, and tell how many there were', async () => {
        const [group, a, b, stranger] = [`group-${++serial}`, user(), user(), user()];
        await backend.addToGroup(group, [a, b], null);
        expect((await backend.removeFromGroup(group, [a, stranger, a], null)).value).toBe(1);
        const { result, changes } = await logged(() => backend.removeFromGroup(group, [a, stranger], null));
        expect(result.value).toBe(0);
        expect(changes).toEqual([]);
        const targeting = (await targetingOf([a, b, stranger])).users;
        expect(targeting.get(a)?.groups).toEqual(new Set());
        expect(targeting.get(b)?.groups).toEqual(new Set([group]));
        expect(targeting.has(stranger)).toBe(false);
      });

      it('take an empty list as nothing to do', async () => {
        const { result, changes } = await logged(async () => [
          await backend.addToGroup('nobody', [], null),
          await backend.removeFromGroup('nobody', [], null),
        ]);
        expect(result.map(({ value }) => value)).toEqual([0, 0]);
        expect(changes).toEqual([]);
      });

      it('have any name', async () => {
        const id = user();
        const names = ['{"a",b}', "it's", 'Ünï 🚩', '__proto__', ' ', 'x'.repeat(100)];
        for (const name of names) await backend.addToGroup(name, [id], null);
        expect((await targetingOf([id])).users.get(id)?.groups).toEqual(new Set(names));
      });

      it('log at most 1,000 ids a change, each id once', async () => {
        const group = `group-${++serial}`;
        const ids = Array.from({ length: 2_345 }, user);
        for (const [kind, act] of [
          ['MEMBERS_ADDED', () => backend.addToGroup(group, ids, null)],
          ['MEMBERS_REMOVED', () => backend.removeFromGroup(group, ids, null)],
        ] as const) {
          const { result, changes } = await logged(act);
          expect(result.value).toBe(ids.length);
          expect(new Set(changes.map(change => change.kind))).toEqual(new Set([kind]));
          // How many at once is the backend's affair, but not one entry a user.
          expect(changes.length).toBeLessThan(10);
          expect(Math.max(...changes.map(change => change.userIds.length))).toBeLessThanOrEqual(1_000);
          expect(changes.flatMap(change => change.userIds)).toEqual(idsOf(ids));
        }
      });
    });

    describe('users', () => {
      it('have the attributes that were last set, whole', async () => {
        const id = user();
        expect((await backend.setUserAttributes(id, { a: 1, b: 2 }, null)).value).toEqual({
          id,
          attributes: { a: 1, b: 2 },
        });
        await backend.setUserAttributes(id, awkward, null);
        const attributes = (await targetingOf([id])).users.get(id)?.attributes;
        expect(attributes).toEqual(awkward);
        expect(Object.hasOwn(attributes ?? {}, '__proto__')).toBe(true);
      });

      it('log nothing when their attributes stay the same', async () => {
        const id = user();
        await backend.setUserAttributes(id, { a: 1, b: [1] }, null);
        const { changes } = await logged(() => backend.setUserAttributes(id, { b: [1], a: 1 }, null));
        expect(changes).toEqual([]);
      });

      it('are known once an override, a group, an attribute or a change names them, which alone is not logged', async () => {
        const [k, overridden, member, actor, blank] = [key(), user(), user(), user(), user()];
        await backend.createFlag(newFlag(k), null);
        const { changes } = await logged(async () => {
          await backend.addToGroup(`group-${++serial}`, [member], null);
          await backend.setOverride(
            { userId: overridden, flagKey: k, enabled: true, reason: null, expiresAt: null },
            { actor },
          );
          await backend.setUserAttributes(blank, {}, null);
        });
        expect(changes.map(change => change.kind)).toEqual(['MEMBERS_ADDED', 'OVERRIDE_SET']);
        const targeting = (await targetingOf([overridden, member, actor, blank])).users;
        expect(targeting.size).toBe(4);
        expect(targeting.get(actor)).toEqual({ attributes: {}, groups: new Set(), overrides: new Map() });
      });

      it.each<[string, (actor: string) => Promise<unknown>]>([
        ['createFlag', actor => backend.createFlag(newFlag(key()), { actor })],
        ['deleteFlag of none', actor => backend.deleteFlag('nowhere', { actor })],
        ['removeOverride of none', actor => backend.removeOverride(user(), 'nowhere', { actor })],
        ['addToGroup of none', actor => backend.addToGroup('nobody', [], { actor })],
        ['removeFromGroup of none', actor => backend.removeFromGroup('nobody', [user()], { actor })],
        ['setUserAttributes', actor => backend.setUserAttributes(user(), {}, { actor })],
        ['deleteUser of none', actor => backend.deleteUser(user(), { actor })],
      ])('are made when they act: %s', async (_, act) => {
        const actor = user();
        await act(actor);
        expect((await targetingOf([actor])).users).toHaveProperty('size', 1);
      });

      it('are made when they update a flag, even without a change', async () => {
        const [k, actor] = [key(), user()];
        await backend.createFlag(newFlag(k), null);
        await backend.updateFlag(k, {}, null, { actor });
        expect((await targetingOf([actor])).users.size).toBe(1);
      });

      it('are deleted with memberships and overrides, while what they created stays without a creator', async () => {
        const [k, id, other, group] = [key(), user(), user(), `group-${++serial}`];
        const flag = (await backend.createFlag(newFlag(k), { actor: id })).value;
        const override = { flagKey: k, enabled: true, reason: null, expiresAt: null };
        await backend.setOverride({ ...override, userId: id }, null);
        await backend.setOverride({ ...override, userId: other }, { actor: id });
        await backend.addToGroup(group, [id], null);
        await backend.addToGroup(group, [other], { actor: id });
        expect((await backend.deleteUser(id, null)).value).toBe(true);
        expect((await targetingOf([id])).users.size).toBe(0);
        expect((await targetingOf([other])).users.get(other)).toMatchObject({ groups: new Set([group]) });
        // Losing its creator is not a change of the flag: version and time stay.
        expect(await backend.getFlag(k)).toEqual({ ...flag, createdById: null });
        expect((await backend.setOverride({ ...override, userId: other }, null)).value.createdById).toBeNull();
        const { result, changes } = await logged(() => backend.deleteUser(id, null));
        expect(result.value).toBe(false);
        expect(changes).toEqual([]);
      });

      it('are erased when they are deleted: the log keeps what was done, and nothing about the person', async () => {
        const [k, id, other, actor] = [key(), `secret-${serial}`, user(), user()];
        await backend.createFlag(newFlag(k), null);
        const override = { flagKey: k, enabled: true, reason: 'secret reason', expiresAt: null };
        const { changes: before } = await logged(async () => {
          await backend.setUserAttributes(id, { mail: 'secret mail' }, { actor });
          await backend.setUserAttributes(id, { mail: 'secret mail', again: true }, { actor: id });
          await backend.setOverride({ ...override, userId: id }, { actor: id });
          await backend.removeOverride(id, k, { actor });
          await backend.setOverride({ ...override, userId: id, enabled: false }, { actor });
          await backend.setUserAttributes(other, { mail: 'kept' }, { actor });
          await backend.setOverride({ ...override, userId: other }, { actor });
        });
        const { changes } = await logged(() => backend.deleteUser(id, { actor }));
        const log = await readLog(backend);
        const about = log.filter(({ userId }) => userId === storedUserId(id));
        expect(JSON.stringify(about)).not.toContain('secret');
        expect(about.map(({ kind }) => kind)).toEqual([
          'USER_UPDATED',
          'USER_UPDATED',
          'OVERRIDE_SET',
          'OVERRIDE_REMOVED',
          'OVERRIDE_SET',
          'USER_DELETED',
          'OVERRIDE_REMOVED',
        ]);
        expect(about[0]).toMatchObject({ before: null, after: { attributes: {} } });
        expect(about[1]).toMatchObject({
          before: { attributes: {} },
          after: { attributes: {} },
          actorId: storedUserId(id),
        });
        expect(about[2]).toMatchObject({
          before: null,
          after: { enabled: true, reason: null, createdById: storedUserId(id) },
        });
        expect(about[5]).toMatchObject({ before: { attributes: {} }, after: null });
        expect(about[6]).toMatchObject({ before: { enabled: false, reason: null }, after: null });
        const ofOther = log.filter(({ userId }) => userId === storedUserId(other));
        expect(ofOther).toEqual(before.filter(({ userId }) => userId === storedUserId(other)));
        expect(changes).toHaveLength(2);
      });

      it('that were first named by the stored id are known by their text once it is named', async () => {
        const [text, k] = [`idp|${randomUUID()}`, key()];
        const uuid = storedUserId(text);
        await backend.setUserAttributes(uuid, { a: 1 }, null);
        expect((await backend.createFlag(newFlag(k), { actor: uuid })).value.createdById).toBe(uuid);
        const { changes } = await logged(() => backend.addToGroup('texts', [text, uuid], null));
        expect(changes).toMatchObject([
          { kind: 'USER_UPDATED', userId: uuid },
          { kind: 'MEMBERS_ADDED', userIds: [uuid] },
        ]);
        expect((await backend.getFlag(k))?.createdById).toBe(text);
        expect((await targetingOf([text])).users.get(text)).toMatchObject({
          attributes: { a: 1 },
          groups: new Set(['texts']),
        });
      });

      it('may delete themselves, and stay deleted', async () => {
        const id = user();
        await backend.setUserAttributes(id, { a: 1 }, { actor: id });
        const { result, changes } = await logged(() => backend.deleteUser(id, { actor: id }));
        expect(result.value).toBe(true);
        const storedId = storedUserId(id);
        expect(changes).toMatchObject([{ kind: 'USER_DELETED', userId: storedId, actorId: storedId }]);
        expect((await targetingOf([id])).users.size).toBe(0);
        expect((await backend.deleteUser(id, { actor: id })).value).toBe(false);
        expect((await targetingOf([id])).users.size).toBe(0);
      });
    });

    describe('targeting', () => {
      it('has nothing about unknown users, and nothing when nobody is asked for', async () => {
        expect((await targetingOf([user(), user()])).users).toEqual(new Map());
        expect((await targetingOf([])).users).toEqual(new Map());
      });

      it('gives each known user once, however often asked for', async () => {
        const id = user();
        await backend.setUserAttributes(id, { a: 1 }, null);
        const targeting = (await targetingOf([id, user(), id])).users;
        expect([...targeting]).toEqual([[id, { attributes: { a: 1 }, groups: new Set(), overrides: new Map() }]]);
      });

      it('holds overrides that have expired: the evaluation asks the clock', async () => {
        const [k, id] = [key(), user()];
        await backend.createFlag(newFlag(k), null);
        await backend.setOverride(
          { userId: id, flagKey: k, enabled: true, reason: null, expiresAt: new Date(1) },
          null,
        );
        expect((await targetingOf([id])).users.get(id)?.overrides.get(k)).toEqual({
          enabled: true,
          variant: null,
          expiresAt: 1,
        });
      });
    });

    describe('pages of users', () => {
      const none = { flagKeys: [], groups: [] };

      it('hold each stored user once, in the order of stored ids, by the id that the user is known by', async () => {
        const ids = Array.from({ length: 7 }, user);
        await backend.addToGroup(`g-${key()}`, ids, null);
        const found = new Map<string, string>();
        for (let after: string | null = null; ; ) {
          const page = await backend.usersAfter(after, 3, none);
          for (const { storedId, id } of page) {
            expect(after === null || storedId > after).toBe(true);
            expect(storedId).toBe(storedUserId(id));
            found.set(storedId, id);
            after = storedId;
          }
          if (page.length < 3) break;
        }
        expect(ids.map(id => found.get(storedUserId(id)))).toEqual(ids);
        expect(found.size).toBe(await backend.countUsers());
      });

      it('hold the attributes, and of groups and overrides those that are needed', async () => {
        const [a, b, id] = [key(), key(), user()];
        for (const k of [a, b]) {
          await backend.createFlag(newFlag(k, valued), null);
          const override = {
            userId: id,
            flagKey: k,
            enabled: true,
            variant: 'big',
            reason: null,
            expiresAt: new Date(1),
          };
          await backend.setOverride(override, null);
          await backend.addToGroup(k, [id], null);
        }
        await backend.setUserAttributes(id, awkward, null);
        const before = (BigInt(`0x${storedUserId(id).replaceAll('-', '')}`) - 1n).toString(16).padStart(32, '0');
        const after = before.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
        const [found] = await backend.usersAfter(after, 1, { flagKeys: [b], groups: [a, 'other'] });
        expect(found).toEqual({
          storedId: storedUserId(id),
          id,
          targeting: {
            attributes: awkward,
            groups: new Set([a]),
            overrides: new Map([[b, { enabled: true, variant: 'big', expiresAt: 1 }]]),
          },
        });
        const [bare] = await backend.usersAfter(after, 1, none);
        expect(bare?.targeting).toEqual({ attributes: awkward, groups: new Set(), overrides: new Map() });
      });

      it('are counted', async () => {
        const before = await backend.countUsers();
        await backend.addToGroup(key(), [user(), user()], null);
        expect(await backend.countUsers()).toBe(before + 2);
      });

      it('end after the last user', async () => {
        expect(await backend.usersAfter('ffffffff-ffff-ffff-ffff-ffffffffffff', 10, none)).toEqual([]);
      });
    });

    describe('the change log', () => {
      it('has the state of a flag before and after', async () => {
        const actor = user();
        const k = key();
        const { changes } = await logged(async () => {
          await backend.createFlag(newFlag(k, { description: 'd', conditions: awkward, ...valued }), { actor });
          await backend.updateFlag(k, { percentage: 50, rules: [], bucketBy: null }, null, null);
          await backend.deleteFlag(k, { actor });
        });
        const states = changes.map(({ kind, flagKey, actorId, before, after }) => ({
          kind,
          flagKey,
          actorId,
          before: before && flagFromLog(before),
          after: after && flagFromLog(after),
        }));
        const createdById = storedUserId(actor);
        const first = { ...newFlag(k, { description: 'd', conditions: awkward, ...valued }), version: 1, createdById };
        const second = { ...first, percentage: 50, rules: [], bucketBy: null, version: 2 };
        expect(states).toMatchObject([
          { kind: 'FLAG_CREATED', flagKey: k, actorId: createdById, before: null, after: first },
          { kind: 'FLAG_UPDATED', flagKey: k, actorId: null, before: first, after: second },
          { kind: 'FLAG_DELETED', flagKey: k, actorId: createdById, before: second, after: null },
        ]);
      });

      it('holds exactly the flag that the write returned', async () => {
        const k = key();
        const { result, changes } = await logged(async () => [
          (await backend.createFlag(newFlag(k), { actor: user() })).value,
          (await backend.updateFlag(k, { enabled: true }, null, null)).value,
        ]);
        const stored = result.map(flag => ({ ...flag, createdById: storedUserId(flag.createdById ?? '') }));
        expect(changes.map(({ after }) => flagFromLog(after ?? {}))).toEqual(stored);
        const text = changes[1]?.after as { createdAt: string; updatedAt: string };
        expect([text.createdAt, text.updatedAt]).toEqual([
          result[1]?.createdAt.toISOString(),
          result[1]?.updatedAt.toISOString(),
        ]);
      });

      it('has the state of an override before and after, with exact times', async () => {
        const [k, id, actor] = [key(), user(), user()];
        await backend.createFlag(newFlag(k), null);
        const override = { userId: id, flagKey: k, enabled: true, variant: 'big', reason: 'r', expiresAt: null };
        const { result, changes } = await logged(async () => {
          const first = (await backend.setOverride(override, { actor })).value;
          const expiresAt = new Date('2031-03-09T07:30:00.123Z');
          const second = (await backend.setOverride({ ...override, enabled: false, variant: null, expiresAt }, null))
            .value;
          await backend.removeOverride(id, k, { actor });
          return [first, second].map(({ enabled, variant, reason, expiresAt, createdAt, createdById }) => ({
            enabled,
            variant,
            reason,
            expiresAt: expiresAt?.toISOString() ?? null,
            createdAt: createdAt.toISOString(),
            createdById: createdById === null ? null : storedUserId(createdById),
          }));
        });
        const about = { flagKey: k, userId: storedUserId(id) };
        const actorId = storedUserId(actor);
        expect(changes).toMatchObject([
          { kind: 'OVERRIDE_SET', ...about, actorId, before: null, after: result[0] },
          { kind: 'OVERRIDE_SET', ...about, actorId: null, before: result[0], after: result[1] },
          { kind: 'OVERRIDE_REMOVED', ...about, actorId, before: result[1], after: null },
        ]);
      });

      it('has the ids of members, and the attributes of users', async () => {
        const [group, a, b, actor] = [`group-${++serial}`, user(), user(), user()];
        const { changes } = await logged(async () => {
          await backend.addToGroup(group, [a, b], { actor });
          await backend.removeFromGroup(group, [a], { actor });
          await backend.setUserAttributes(a, { x: 1 }, { actor });
          await backend.setUserAttributes(a, { x: 2 }, { actor });
        });
        const [one, two] = [{ attributes: { x: 1 } }, { attributes: { x: 2 } }];
        const userId = storedUserId(a);
        expect(changes).toMatchObject([
          { kind: 'MEMBERS_ADDED', groupName: group, userIds: idsOf([a, b]), userId: null, before: null, after: null },
          { kind: 'MEMBERS_REMOVED', groupName: group, userIds: [userId] },
          { kind: 'USER_UPDATED', userId, userIds: [], before: { attributes: {} }, after: one },
          { kind: 'USER_UPDATED', userId, before: one, after: two },
        ]);
        for (const change of changes) expect(change).toMatchObject({ actorId: storedUserId(actor), flagKey: null });
      });

      it('tells of attributes of a user first seen that there were none before, also when they set their own', async () => {
        const [a, b] = [user(), user()];
        const { changes } = await logged(async () => {
          await backend.setUserAttributes(a, { x: 1 }, null);
          await backend.setUserAttributes(b, { x: 1 }, { actor: b });
        });
        expect(changes).toMatchObject([
          { userId: storedUserId(a), before: null, after: { attributes: { x: 1 } } },
          { userId: storedUserId(b), before: null, after: { attributes: { x: 1 } } },
        ]);
      });

      it('lists the rows that a deletion took along right after the deletion itself', async () => {
        const [k, id, group] = [key(), user(), `group-${++serial}`];
        const userId = storedUserId(id);
        await backend.createFlag(newFlag(k), null);
        const override = { userId: id, flagKey: k, enabled: true, reason: null, expiresAt: null };
        await backend.setOverride(override, null);
        await backend.addToGroup(group, [id], null);
        const ofUser = await logged(() => backend.deleteUser(id, null));
        expect(ofUser.changes).toMatchObject([
          { kind: 'USER_DELETED', userId },
          { kind: 'MEMBERS_REMOVED', groupName: group, userIds: [userId] },
          { kind: 'OVERRIDE_REMOVED', flagKey: k, userId },
        ]);
        await backend.setOverride(override, null);
        const ofFlag = await logged(() => backend.deleteFlag(k, null));
        expect(ofFlag.changes).toMatchObject([
          { kind: 'FLAG_DELETED', flagKey: k },
          { kind: 'OVERRIDE_REMOVED', flagKey: k, userId },
        ]);
      });

      it('is contiguous from 1, ascending, in pages, with times that never go back', async () => {
        await backend.createFlag(newFlag(key()), null);
        const changes = await readLog(backend);
        const last = await head();
        expect(changes.map(({ revision }) => revision)).toEqual(Array.from({ length: last }, (_, i) => i + 1));
        const times = changes.map(({ at }) => at.getTime());
        expect(times).toEqual([...times].sort((a, b) => a - b));
        const page = await backend.changes(last - 3, 2);
        expect(page.changes.map(({ revision }) => revision)).toEqual([last - 2, last - 1]);
        expect(page.head).toBe(last);
        expect(page.changes).toEqual(changes.slice(-3, -1));
        expect(await backend.changes(last, 10)).toMatchObject({ head: last, changes: [] });
        expect(await backend.changes(last + 1_000, 10)).toMatchObject({ head: last, changes: [] });
      });

      it('knows each entry by something that no other history has', async () => {
        for (let i = 0; i < 3; i += 1) await backend.createFlag(newFlag(key()), null);
        const changes = await readLog(backend);
        const nonces = changes.map(({ nonce }) => nonce);
        expect(new Set(nonces).size).toBe(changes.length);
        for (const nonce of nonces) expect(nonce).toMatch(/^[0-9a-f-]{36}$/);
        for (const { revision, nonce } of changes.slice(-3)) {
          expect(await backend.changes(revision, 1)).toMatchObject({ nonce });
        }
        expect((await backend.definitions()).nonce).toBe(nonces.at(-1));
        expect((await backend.changes(0, 1)).nonce).toBeNull();
        expect((await backend.changes(changes.length + 5, 1)).nonce).toBeNull();
      });

      it('knows only the kinds that the contract lists', async () => {
        const kinds = new Set((await readLog(backend)).map(({ kind }) => kind));
        expect(changeKinds).toEqual(expect.arrayContaining([...kinds]));
      });

      it('has applied a write at the revision that the write returned', async () => {
        const { value, revision } = await backend.createFlag(newFlag(key()), null);
        const { changes } = await backend.changes(revision - 1, 1);
        expect(changes).toMatchObject([{ revision, kind: 'FLAG_CREATED', flagKey: value.key }]);
        expect((await backend.definitions()).revision).toBeGreaterThanOrEqual(revision);
      });

      it('stays contiguous under many writers at once', async () => {
        const before = await head();
        const ids = Array.from({ length: 10 }, user);
        const keys = Array.from({ length: 10 }, key);
        await Promise.all(keys.map(k => backend.createFlag(newFlag(k), null)));
        await Promise.all(
          keys.flatMap((k, i) => [
            backend.updateFlag(k, { enabled: true }, null, { actor: ids[i] ?? null }),
            backend.addToGroup('crowd', ids, null),
            backend.setOverride(
              { userId: ids[i] as string, flagKey: k, enabled: true, reason: null, expiresAt: null },
              null,
            ),
          ]),
        );
        const { changes, head: last } = await backend.changes(before, 1_000);
        expect(changes.map(({ revision }) => revision)).toEqual(changes.map((_, i) => before + i + 1));
        expect(changes).toHaveLength(last - before);
        expect(changes).toHaveLength(10 + 10 + 10 + 1);
      });
    });

    describe('a listener for hints', () => {
      it('is called soon after the log has grown, until it is removed', async () => {
        const listener = vi.fn();
        const end = backend.onHint(listener);
        await backend.createFlag(newFlag(key()), null);
        await vi.waitFor(() => expect(listener).toHaveBeenCalled(), 5_000);
        end();
        end();
        listener.mockClear();
        // The sign that a hint would have come by now is that another listener got it.
        const other = vi.fn();
        const endOther = backend.onHint(other);
        await backend.createFlag(newFlag(key()), null);
        await vi.waitFor(() => expect(other).toHaveBeenCalled(), 5_000);
        expect(listener).not.toHaveBeenCalled();
        endOther();
      });

      it('may be added twice, and is removed once a time', async () => {
        const listener = vi.fn();
        const ends = [backend.onHint(listener), backend.onHint(listener)];
        ends[0]?.();
        await backend.createFlag(newFlag(key()), null);
        await vi.waitFor(() => expect(listener).toHaveBeenCalled(), 5_000);
        ends[1]?.();
      });
    });

    describe('batches and notes', () => {
      const batchesOf = (changes: readonly Change[]) => new Set(changes.map(({ batch }) => batch));

      it('say why and what was changed together: a deletion shares its batch with the overrides that it removes', async () => {
        const flagKey = key();
        const created = await backend.createFlag(newFlag(flagKey), { actor: null, note: 'begin “it” 🚩' });
        for (const userId of [user(), user()]) {
          await backend.setOverride({ userId, flagKey, enabled: true, reason: null, expiresAt: null }, null);
        }
        const by = { actor: user(), note: 'n'.repeat(500), batch: randomUUID(), reverts: 7 };
        const { result, changes } = await logged(() => backend.deleteFlag(flagKey, by));
        expect(changes.map(({ kind }) => kind)).toEqual(['FLAG_DELETED', 'OVERRIDE_REMOVED', 'OVERRIDE_REMOVED']);
        expect(result.batch).toBe(by.batch);
        for (const change of changes) expect(change).toMatchObject({ note: by.note, batch: by.batch, reverts: 7 });
        const [first] = (await backend.changes(created.revision - 1, 1)).changes;
        expect(first).toMatchObject({ note: 'begin “it” 🚩', batch: created.batch, reverts: null });
      });

      it('are made for each write, and none for a write that changes nothing', async () => {
        const { result, changes } = await logged(async () => {
          const { value, ...made } = await backend.createFlag(newFlag(key()), null);
          const changed = await backend.updateFlag(value.key, { enabled: true }, null, null);
          const same = await backend.updateFlag(value.key, { enabled: true }, null, { actor: null, note: 'again' });
          const none = await backend.removeOverride(user(), value.key, null);
          return { made, changed, same, none };
        });
        const { made, changed, same, none } = result;
        expect(changes).toHaveLength(2);
        expect([...batchesOf(changes)]).toEqual([made.batch, changed.batch]);
        expect([same.batch, none.batch]).toEqual([null, null]);
        expect(same.revision).toBe(changed.revision);
      });
    });

    describe('several steps', () => {
      const stateOf = async (flags: readonly string[], users: readonly string[]) => ({
        flags: await Promise.all(flags.map(each => backend.getFlag(each))),
        ...(await targetingOf(users)),
      });

      it('of every kind are applied in their order, as one batch', async () => {
        const [kept, doomed, made] = [key(), key(), key()];
        const [ann, bob, cy] = [user(), user(), user()];
        await backend.createFlag(newFlag(kept), null);
        await backend.createFlag(newFlag(doomed), null);
        await backend.setOverride({ userId: bob, flagKey: kept, enabled: true, reason: null, expiresAt: null }, null);
        await backend.addToGroup('leavers', [bob], null);
        const by = { actor: user(), note: 'all at once' };
        const expiresAt = new Date('2040-02-03T04:05:06.789Z');
        const override = { userId: ann, flagKey: made, enabled: false, reason: 'r', expiresAt };
        const { result, changes } = await logged(() =>
          backend.apply(
            [
              { kind: 'createFlag', flag: newFlag(made, valued) },
              { kind: 'updateFlag', key: kept, patch: { name: 'first' } },
              { kind: 'updateFlag', key: kept, patch: { description: 'second', percentage: 3 }, expectedVersion: 2 },
              { kind: 'deleteFlag', key: doomed },
              { kind: 'deleteFlag', key: 'never.there' },
              { kind: 'setOverride', override },
              { kind: 'setOverride', override: { ...override, userId: cy, variant: 'big', enabled: true } },
              { kind: 'removeOverride', userId: bob, flagKey: kept },
              { kind: 'addToGroup', group: 'joiners', userIds: [ann, bob, ann] },
              { kind: 'addToGroup', group: 'joiners', userIds: [cy] },
              { kind: 'removeFromGroup', group: 'leavers', userIds: [bob] },
              { kind: 'setUserAttributes', userId: ann, attributes: awkward },
              { kind: 'setUserAttributes', userId: bob, attributes: { plan: 'pro' } },
            ],
            by,
          ),
        );
        expect(result).toEqual({ value: null, revision: await head(), batch: expect.any(String) });
        for (const change of changes) {
          expect(change).toMatchObject({ batch: result.batch, note: by.note, actorId: storedUserId(by.actor) });
        }
        const counts = (kind: string) => changes.filter(change => change.kind === kind).length;
        expect(
          ['FLAG_CREATED', 'FLAG_UPDATED', 'FLAG_DELETED', 'OVERRIDE_SET', 'OVERRIDE_REMOVED', 'MEMBERS_REMOVED'].map(
            counts,
          ),
        ).toEqual([1, 2, 1, 2, 1, 1]);
        const { flags, users } = await stateOf([kept, doomed, made], [ann, bob, cy]);
        expect(flags).toMatchObject([
          { name: 'first', description: 'second', percentage: 3, version: 3 },
          null as never,
          { ...newFlag(made, valued), version: 1, createdById: by.actor },
        ]);
        const anns = { enabled: false, variant: null, expiresAt: expiresAt.getTime() };
        expect(users.get(ann)?.attributes).toEqual(awkward);
        expect(users.get(ann)?.groups).toEqual(new Set(['joiners']));
        expect(users.get(ann)?.overrides).toEqual(new Map([[made, anns]]));
        expect(users.get(bob)).toEqual({
          attributes: { plan: 'pro' },
          groups: new Set(['joiners']),
          overrides: new Map(),
        });
        expect(users.get(cy)?.overrides).toEqual(new Map([[made, { ...anns, enabled: true, variant: 'big' }]]));
      });

      it.each([
        [
          'a key that is taken',
          FlagExistsError,
          (taken: string) => ({ kind: 'createFlag', flag: newFlag(taken) }) as const,
        ],
        ['an unknown flag', FlagNotFoundError, () => ({ kind: 'updateFlag', key: 'no.flag', patch: {} }) as const],
        [
          'another version',
          VersionConflictError,
          (taken: string) => ({ kind: 'updateFlag', key: taken, patch: { name: 'n' }, expectedVersion: 9 }) as const,
        ],
        [
          'an override of no flag',
          FlagNotFoundError,
          () => {
            const override = { userId: user(), flagKey: 'no.flag', enabled: true, reason: null, expiresAt: null };
            return { kind: 'setOverride', override } as const;
          },
        ],
      ] as const)('change nothing if the last one has %s', async (_name, error, last) => {
        const [taken, fresh] = [key(), key()];
        const [ann, bob, actor] = [user(), user(), user()];
        await backend.createFlag(newFlag(taken), null);
        await backend.addToGroup('stayers', [bob], null);
        const before = await stateOf([taken, fresh], [ann, bob, actor]);
        const revision = await head();
        const override = { userId: ann, flagKey: taken, enabled: true, reason: null, expiresAt: null };
        const refused = backend.apply(
          [
            { kind: 'createFlag', flag: newFlag(fresh) },
            { kind: 'updateFlag', key: taken, patch: { name: 'lost' } },
            { kind: 'setOverride', override },
            { kind: 'addToGroup', group: 'g', userIds: [ann] },
            { kind: 'removeFromGroup', group: 'stayers', userIds: [bob] },
            { kind: 'setUserAttributes', userId: ann, attributes: { a: 1 } },
            { kind: 'deleteFlag', key: fresh },
            last(taken),
          ],
          { actor },
        );
        await expect(refused).rejects.toThrow(error);
        expect(await head()).toBe(revision);
        expect(await stateOf([taken, fresh], [ann, bob, actor])).toEqual(before);
        // A version that was never used is used next.
        expect((await backend.createFlag(newFlag(fresh), null)).value.version).toBe(1);
      });

      it('may state the version of a flag with a patch that changes nothing', async () => {
        const name = key();
        const { revision } = await backend.createFlag(newFlag(name), null);
        const stating = (expectedVersion: number) =>
          backend.apply([{ kind: 'updateFlag', key: name, patch: {}, expectedVersion }], null);
        await expect(stating(2)).rejects.toThrow(VersionConflictError);
        expect(await stating(1)).toMatchObject({ batch: null });
        expect(await backend.getFlag(name)).toMatchObject({ version: 1 });
        expect(await head()).toBe(revision);
        await backend.apply(
          [
            { kind: 'updateFlag', key: name, patch: {}, expectedVersion: 1 },
            { kind: 'deleteFlag', key: name },
          ],
          null,
        );
        expect(await backend.getFlag(name)).toBe(null);
      });

      it('are thousands, in a moment', async () => {
        const keys = Array.from({ length: 2_000 }, key);
        const made = await backend.apply(
          keys.map(each => ({ kind: 'createFlag', flag: newFlag(each) })),
          null,
        );
        const done = await backend.apply(
          keys.map(each => ({ kind: 'deleteFlag', key: each })),
          null,
        );
        expect(done.revision - made.revision).toBe(2_000);
      });

      it('are refused if what the guard names was changed since', async () => {
        const [quiet, changed, overridden] = [key(), key(), key()];
        const [ann, bob, cy, dee] = [user(), user(), user(), user()];
        for (const each of [quiet, changed, overridden]) await backend.createFlag(newFlag(each), null);
        await backend.setUserAttributes(dee, { a: 1 }, null);
        const since = await head();
        await backend.updateFlag(changed, { enabled: true }, null, null);
        await backend.setOverride(
          { userId: ann, flagKey: overridden, enabled: true, reason: null, expiresAt: null },
          null,
        );
        await backend.addToGroup('guarded', [bob], null);
        await backend.setUserAttributes(cy, { a: 1 }, null);
        const steps = [{ kind: 'updateFlag', key: quiet, patch: { name: 'guarded' } }] as const;
        const guard = { since, flagKeys: [quiet, changed, overridden], userIds: [ann, bob, cy, dee] };
        const revision = await head();
        await expect(backend.apply(steps, null, guard)).rejects.toMatchObject({
          code: 'CROSSED',
          since,
          flagKeys: [changed, overridden].sort(),
          userIds: [ann, bob, cy].sort(),
        });
        expect(await head()).toBe(revision);
        await backend.apply(steps, null, { since, flagKeys: [quiet], userIds: [dee] });
        expect((await backend.getFlag(quiet))?.name).toBe('guarded');
        // A revision of another history proves nothing.
        const ahead = { since: revision + 1_000, flagKeys: [quiet], userIds: [] };
        await expect(backend.apply(steps, null, ahead)).rejects.toMatchObject({ flagKeys: [quiet] });
      });
    });

    describeUsage(() => ({ backend, key }));
    describeNotes(() => ({ backend }));
  });
}
