import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DatabaseBackend, openDatabase } from '../../src/backends/database.js';
import { MemoryBackend } from '../../src/backends/memory.js';
import { maxApiKeys, TooManyApiKeysError } from '../../src/core/api-key.js';
import { storedUserId } from '../../src/core/user-id.js';
import { FeatureService } from '../../src/features/service.js';
import { readLog } from '../support/change-log.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';
import { until } from '../support/wait.js';

let database: TestDatabase;
let backend: DatabaseBackend;
beforeAll(async () => {
  database = await createDatabase();
  backend = await openDatabase({ url: database.url });
});
afterAll(async () => {
  await backend.close();
  await database.drop();
});

let serial = 0;
const make = async () => {
  serial += 1;
  const given = {
    name: `key ${serial}`,
    role: 'READER',
    prefix: 'hly_abcde',
    expiresAt: null,
    hash: randomBytes(32),
  } as const;
  return { ...(await backend.createApiKey(given, null)).value, hash: given.hash };
};
const since = async (act: () => Promise<unknown>) => {
  const { head } = await backend.changes(0, 0);
  await act();
  return readLog(backend, head);
};
const held = async () => new Set((await backend.apiKeys()).keys.map(({ id }) => id));

describe('API keys that another program writes', () => {
  it('are revoked by their time, and by their deletion', async () => {
    const [one, other] = [await make(), await make()];
    const update = await since(() => database.query(`UPDATE api_keys SET revoked_at = now() WHERE id = '${one.id}'`));
    expect(update).toMatchObject([{ kind: 'API_KEY_REVOKED', before: { id: one.id }, after: { id: one.id } }]);
    const removal = await since(() => database.query(`DELETE FROM api_keys WHERE id IN ('${one.id}', '${other.id}')`));
    // The first one was revoked already.
    expect(removal).toMatchObject([{ kind: 'API_KEY_REVOKED', before: { id: other.id }, after: null }]);
    expect(await held()).toEqual(new Set());
  });

  it.each(['name', 'role', 'prefix', 'hash', 'created_at', 'created_by_id', 'expires_at', 'id'])(
    'never get another %s',
    async column => {
      const { id } = await make();
      const values: Record<string, string> = {
        role: `'ADMIN'`,
        hash: `decode(repeat('ab', 32), 'hex')`,
        created_at: `'2020-01-01Z'`,
        expires_at: `'2040-01-01Z'`,
      };
      const value = values[column] ?? (column.includes('id') ? 'gen_random_uuid()' : `'other'`);
      const write = database.query(`UPDATE api_keys SET ${column} = ${value} WHERE id = '${id}'`);
      await expect(write).rejects.toThrow('An API key is never changed');
    },
  );

  it('are not brought back, and not revoked at another time', async () => {
    const { id } = await make();
    await backend.revokeApiKey(id, null);
    for (const value of ['NULL', 'now()']) {
      const write = database.query(`UPDATE api_keys SET revoked_at = ${value} WHERE id = '${id}'`);
      await expect(write).rejects.toThrow('An API key is never changed');
    }
  });

  it('are loaded again after TRUNCATE, and after changes that no trigger has seen', async () => {
    const service = await FeatureService.open({
      backend: await openDatabase({ url: database.url }),
      holdsApiKeys: true,
    });
    const { value, revision } = await service.management.createApiKey({ name: 'a', role: 'ADMIN' });
    await service.apiKeys?.reach(revision);
    const ended = new Promise<void>(resolve => service.apiKeys?.whenRevoked(value.apiKey.id, resolve));
    await database.query('TRUNCATE api_keys CASCADE');
    await ended;
    expect(service.apiKeys?.find(value.secret)).toBeNull();

    const second = (await service.management.createApiKey({ name: 'b', role: 'ADMIN' })).value;
    await until(() => service.apiKeys?.find(second.secret) != null, 'the key is known');
    await database.query(`
      ALTER TABLE api_keys DISABLE TRIGGER ALL;
      DELETE FROM api_keys;
      SELECT halyard_accept('api_keys')`);
    await until(() => service.apiKeys?.find(second.secret) == null, 'the key is gone');
    await database.query('ALTER TABLE api_keys ENABLE ALWAYS TRIGGER halyard_keep');
    await service.close();
  });
});

describe('the log', () => {
  it('has no hash, and nothing that a node of the release before would not know', async () => {
    const { hash, id } = await make();
    await backend.revokeApiKey(id, null);
    const { rows } = await database.query(
      'SELECT to_jsonb(c)::text AS entry, kind, group_name, user_ids FROM feature_changes c',
    );
    for (const { entry } of rows) expect(entry).not.toContain(hash.toString('hex'));
    const kinds = await database.query('SELECT enum_range(NULL::feature_change_kind)::text AS kinds');
    expect(kinds.rows[0].kinds).not.toContain('API_KEY');
    const ofKeys = await database.query(
      `SELECT DISTINCT kind::text, group_name, user_ids FROM feature_changes WHERE kind_name LIKE 'API_KEY%'`,
    );
    expect(ofKeys.rows).toEqual([{ kind: 'MEMBERS_ADDED', group_name: null, user_ids: null }]);
  });
});

it(`more than ${maxApiKeys} API keys are refused, revoked ones not counted`, async () => {
  await database.query(`
    UPDATE api_keys SET revoked_at = now() WHERE revoked_at IS NULL;
    INSERT INTO api_keys (name, role, prefix, hash)
    SELECT n::text, 'ADMIN', 'hly_', sha256(n::text::bytea) FROM generate_series(1, ${maxApiKeys}) AS n`);
  for (const store of [backend, await fullMemory()]) {
    const more = { name: 'more', role: 'READER', prefix: 'hly_', expiresAt: null, hash: randomBytes(32) } as const;
    const { head } = await store.changes(0, 0);
    const error = await store.createApiKey(more, { actor: 'nobody yet' }).catch(e => e);
    expect(error).toBeInstanceOf(TooManyApiKeysError);
    expect(error).toMatchObject({ code: 'TOO_MANY_API_KEYS' });
    expect((await store.changes(0, 0)).head).toBe(head);
    expect((await store.targeting([storedUserId('nobody yet')])).users.size).toBe(0);
    await store.revokeApiKey((await store.apiKeys()).keys[0]?.id as string, null);
    await store.createApiKey(more, null);
  }
});

async function fullMemory(): Promise<MemoryBackend> {
  const memory = new MemoryBackend();
  for (let n = 0; n < maxApiKeys; n += 1) {
    await memory.createApiKey(
      { name: `${n}`, role: 'ADMIN', prefix: 'hly_', expiresAt: null, hash: randomBytes(32) },
      null,
    );
  }
  return memory;
}
