import type { PGlite } from '@electric-sql/pglite';
import { PGlite as Database } from '@electric-sql/pglite';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { DatabaseBackend } from '../../src/backends/database.js';
import { openDatabase } from '../../src/backends/database.js';
import { storedUserId, userIdFault } from '../../src/core/user-id.js';
import { newFlag } from '../support/flags.js';
import { openPGlite, pgliteTemplate } from '../support/pglite.js';
import { createDatabase } from '../support/postgres.js';
import { badIds, goodIds } from '../support/user-ids.js';

const ann = '3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a';
const text = 'auth0|5f7c1';

describe('halyard_user_id', () => {
  let database: PGlite;
  beforeAll(async () => {
    database = await Database.create({ loadDataDir: await pgliteTemplate() });
  });
  afterAll(() => database.close());

  /** The stored id that the database computes. Null: it refuses the text. */
  async function inDatabase(id: string): Promise<string | null> {
    const result = await database.query<{ id: string }>('SELECT halyard_user_id($1) AS id', [id]).catch(error => {
      expect(error.message).toContain('This is no user id: expected 1 to 255 characters');
      return null;
    });
    return result?.rows[0]?.id ?? null;
  }

  it.each([...goodIds, ann, ann.toUpperCase()])('makes of %j what the program makes of it', async id => {
    expect(await inDatabase(id)).toBe(storedUserId(id));
  });

  const sendable = badIds.filter(([, id]) => typeof id === 'string' && id.isWellFormed() && !id.includes('\0'));
  it.each(sendable)('refuses %s', async (_name, id) => {
    expect(await inDatabase(id as string)).toBeNull();
  });

  it('agrees with the program on every text', async () => {
    const hex = fc.constantFrom(...'0123456789abcdefABCDEF-g');
    const almostUuid = fc
      .tuple(fc.constantFrom(ann, ann.toUpperCase()), fc.nat(36), hex)
      .map(([uuid, at, letter]) => uuid.slice(0, at) + letter + uuid.slice(at + 1));
    const blanks = fc.string({
      unit: fc.constantFrom(
        ' ',
        '\u00a0',
        '\u1680',
        '\u180e',
        '\u2009',
        '\u200b',
        '\u2028',
        '\u202f',
        '\u205f',
        '\u3000',
        '\ufeff',
        '\t',
        '\u0085',
        '\u009f',
        'a',
        '🚩',
      ),
      maxLength: 4,
    });
    const texts = fc.oneof(
      fc.uuid(),
      almostUuid,
      blanks,
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc.string({ unit: 'grapheme', maxLength: 260 }),
    );
    await fc.assert(
      fc.asyncProperty(texts, async id => {
        fc.pre(!id.includes('\0'));
        expect(await inDatabase(id)).toBe(userIdFault(id) === null ? storedUserId(id) : null);
      }),
      { numRuns: 500 },
    );
  });
});

describe.each([
  [
    'PGlite',
    async () => {
      const database = await Database.create({ loadDataDir: await pgliteTemplate() });
      return {
        query: async (sql: string) => (await database.exec(sql)).at(-1)?.rows ?? [],
        stop: () => database.close(),
      };
    },
  ],
  [
    'PostgreSQL',
    async () => {
      const database = await createDatabase();
      return {
        query: async (sql: string) => {
          const results: unknown = await database.query(sql);
          return ((Array.isArray(results) ? results.at(-1) : results) as { rows: object[] }).rows;
        },
        stop: () => database.drop(),
      };
    },
  ],
] as const)('a user in SQL on %s', (_name, open) => {
  let query: (sql: string) => Promise<object[]>;
  let stop: () => Promise<void>;
  beforeAll(async () => {
    ({ query, stop } = (await open()) as { query: typeof query; stop: typeof stop });
  });
  afterAll(() => stop());
  beforeEach(async () => void (await query('DELETE FROM users; DELETE FROM feature_flags')));

  const users = () => query('SELECT id, external_id FROM users ORDER BY created_at');

  it('is stored by the text alone', async () => {
    await query(`INSERT INTO users (external_id) VALUES ('${text}')`);
    expect(await users()).toEqual([{ id: storedUserId(text), external_id: text }]);
  });

  it('is one user, however often and however stated', async () => {
    await query(`INSERT INTO users (external_id) VALUES ('${text}')`);
    await query(`INSERT INTO users (external_id) VALUES ('${text}') ON CONFLICT DO NOTHING`);
    await query(`INSERT INTO users (id, external_id) VALUES ('${ann}', '${text}') ON CONFLICT (id) DO NOTHING`);
    await expect(query(`INSERT INTO users (external_id) VALUES ('${text}')`)).rejects.toThrow('unique');
    expect(await users()).toEqual([{ id: storedUserId(text), external_id: text }]);
  });

  it('has no text if the text is a UUID, in either case', async () => {
    await query(`INSERT INTO users (external_id) VALUES ('${ann.toUpperCase()}')`);
    expect(await users()).toEqual([{ id: ann, external_id: null }]);
  });

  it('keeps the UUID that belongs to the text', async () => {
    await query(`INSERT INTO users (external_id) VALUES ('${text}')`);
    await expect(query(`UPDATE users SET id = '${ann}'`)).rejects.toThrow('users_external_id_check');
    await expect(query(`INSERT INTO users (external_id) VALUES (' ${text}')`)).rejects.toThrow('This is no user id');
  });

  it('that gets another text keeps its stored data, and is erased under the old one', async () => {
    await query(`INSERT INTO users (external_id, attributes) VALUES ('${text}', '{"plan": "pro"}');
      INSERT INTO feature_flags (key, name) VALUES ('k', 'n');
      INSERT INTO feature_flag_overrides (user_id, flag_key, enabled, reason) SELECT id, 'k', true, 'beta' FROM users`);
    await query(`UPDATE users SET external_id = 'other'`);
    expect(await users()).toEqual([{ id: storedUserId('other'), external_id: 'other' }]);
    expect(await query('SELECT user_id FROM feature_flag_overrides')).toEqual([{ user_id: storedUserId('other') }]);
    const states = (id: string) =>
      query(`SELECT kind, before, after FROM feature_changes WHERE user_id = '${storedUserId(id)}' ORDER BY revision`);
    expect(JSON.stringify(await states(text))).not.toMatch(/pro|beta/);
    expect(await states('other')).toMatchObject([
      { kind: 'USER_UPDATED', before: null, after: { attributes: { plan: 'pro' } } },
      { kind: 'OVERRIDE_SET', before: null, after: { reason: 'beta' } },
    ]);
  });

  it('may be the actor by the text', async () => {
    const head = await query('SELECT revision FROM feature_log_head');
    await query(`BEGIN; SELECT set_config('halyard.actor', '${text}', true);
      INSERT INTO feature_flags (key, name) VALUES ('k', 'n'); COMMIT`);
    const { revision } = head[0] as { revision: string };
    const actors = await query(`SELECT actor_id FROM feature_changes WHERE revision > ${revision}`);
    expect(actors).toEqual([{ actor_id: storedUserId(text) }]);
    const nobody = `BEGIN; SELECT set_config('halyard.actor', E'a\\nb', true); UPDATE feature_flags SET enabled = true; COMMIT`;
    await expect(query(nobody)).rejects.toThrow('This is no user id');
    await query('ROLLBACK').catch(() => {});
    expect(await query('SELECT enabled FROM feature_flags')).toEqual([{ enabled: false }]);
  });
});

describe.each([
  ['PGlite', async () => ({ backend: await openPGlite(), drop: async () => {} })],
  [
    'PostgreSQL',
    async () => {
      const database = await createDatabase();
      return { backend: await openDatabase({ url: database.url }), drop: () => database.drop() };
    },
  ],
])('the deletion of a user on %s', (_name, open) => {
  let backend: DatabaseBackend;
  let drop: () => Promise<void>;
  beforeEach(async () => {
    ({ backend, drop } = await open());
  });
  afterEach(async () => {
    await backend.close();
    await drop();
  });

  /** Every value of every table as one text. */
  async function dump(): Promise<string> {
    const tables = await backend.prisma.$queryRawUnsafe<{ name: string }[]>(
      `SELECT table_name::text AS name FROM information_schema.tables WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'`,
    );
    expect(tables.length).toBeGreaterThan(7);
    const contents: string[] = [];
    for (const { name } of tables) {
      const rows = await backend.prisma.$queryRawUnsafe<{ row: string }[]>(`SELECT t::text AS row FROM ${name} t`);
      contents.push(name, ...rows.map(({ row }) => row));
    }
    return contents.join('\n');
  }

  it.each([
    ['by itself', (id: string) => backend.deleteUser(id, { actor: id })],
    ['by an admin', (id: string) => backend.deleteUser(id, { actor: 'idp|admin' })],
    ['in SQL', () => backend.prisma.$executeRawUnsafe(`DELETE FROM users WHERE external_id LIKE 'secret%'`)],
    ['in SQL with all others', () => backend.prisma.$executeRawUnsafe('TRUNCATE users CASCADE')],
  ])('leaves the text and the attributes nowhere: %s', async (_how, remove) => {
    const id = 'secret|ann@example.com';
    await backend.createFlag(newFlag('k'), { actor: id });
    await backend.updateFlag('k', { enabled: true }, null, { actor: id });
    await backend.setUserAttributes(id, { mail: 'secret@example.com' }, { actor: id });
    await backend.setUserAttributes(id, { mail: 'secret@example.com', again: 1 }, { actor: 'idp|admin' });
    await backend.addToGroup('beta', [id, 'idp|bob'], { actor: id });
    await backend.setOverride(
      { userId: id, flagKey: 'k', enabled: true, reason: 'secret wish', expiresAt: null },
      { actor: id },
    );
    await backend.setOverride(
      { userId: id, flagKey: 'k', enabled: false, reason: 'between us', expiresAt: null },
      null,
    );
    await backend.setUserAttributes('idp|bob', { mail: 'bob@example.com' }, { actor: id });
    expect(await dump()).toContain('between us');
    await remove(id);
    const left = await dump();
    expect(left).not.toContain('between us');
    expect(left).toContain(storedUserId(id));
  });
});
