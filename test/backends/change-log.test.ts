import { PGlite } from '@electric-sql/pglite';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { openDatabase } from '../../src/backends/database.js';
import { pgliteTemplate } from '../support/pglite.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';

// The change log from the side of SQL: what triggers make of statements by any hand.

type Row = Record<string, unknown>;

interface Hand {
  /** Runs statements; rows of the last one. */
  sql(text: string): Promise<Row[]>;
  /** Payloads of the notifications so far. */
  readonly notified: string[];
  stop(): Promise<void>;
}

async function pgliteHand(): Promise<Hand> {
  const database = await PGlite.create({ loadDataDir: await pgliteTemplate() });
  const notified: string[] = [];
  await database.listen('halyard_changes', payload => void notified.push(payload));
  return {
    notified,
    sql: async text => ((await database.exec(text)).at(-1)?.rows ?? []) as Row[],
    stop: () => database.close(),
  };
}

async function postgresHand(timezone: string): Promise<Hand> {
  const database = await createDatabase({ timezone });
  const client = await connect(database);
  const notified: string[] = [];
  client.on('notification', ({ payload }) => void notified.push(payload ?? ''));
  await client.query('LISTEN halyard_changes');
  return {
    notified,
    sql: text => rows(client, text),
    stop: async () => {
      await client.end();
      await database.drop();
    },
  };
}

async function connect(database: TestDatabase): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  return client;
}

async function rows(client: pg.Client, text: string): Promise<Row[]> {
  const results = [await client.query(text)].flat();
  return results.at(-1)?.rows ?? [];
}

/** UUIDs that sort by their number. */
const id = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

describe.each([
  ['PGlite', pgliteHand],
  ['PostgreSQL, default time zone UTC', () => postgresHand('UTC')],
  ['PostgreSQL, default time zone America/New_York', () => postgresHand('America/New_York')],
])('the change log on %s', (_, open) => {
  let hand: Hand;

  beforeAll(async () => {
    hand = await open();
  });
  afterAll(() => hand.stop());
  beforeEach(async () => {
    // Not TRUNCATE of the log: revisions go on.
    await hand.sql('DELETE FROM feature_flags; DELETE FROM feature_flag_versions; DELETE FROM users;');
  });

  const sql = (text: string) => hand.sql(text);
  const head = async () => Number((await sql('SELECT revision FROM feature_log_head'))[0]?.['revision']);
  /** What statements logged: the fields that are not null, without the revision and the time. */
  async function logged(text: string): Promise<Row[]> {
    const before = await head();
    await sql(text);
    const after = await head();
    const changes = await sql(`SELECT * FROM feature_changes WHERE revision > ${before} ORDER BY revision`);
    expect(changes.map(({ revision }) => Number(revision))).toEqual(changes.map((__, i) => before + 1 + i));
    expect(after).toBe(before + changes.length);
    for (const { nonce, batch } of changes) expect([nonce, batch].join()).toMatch(/^[0-9a-f-]{36},[0-9a-f-]{36}$/);
    return changes.map(({ revision, at, nonce, batch, ...fields }) =>
      Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null)),
    );
  }

  describe('rule 1: one revision for each flag, override and user, slices of members', () => {
    it('sees one UPDATE of all flags as one change a flag, and only those that changed', async () => {
      await sql(
        `INSERT INTO feature_flags (key, name, enabled) VALUES ('c', 'c', true), ('b', 'b', false), ('a', 'a', true)`,
      );
      const changes = await logged('UPDATE feature_flags SET enabled = false');
      expect(changes).toMatchObject([
        {
          kind: 'FLAG_UPDATED',
          flag_key: 'a',
          before: { enabled: true, version: 1 },
          after: { enabled: false, version: 2 },
        },
        { kind: 'FLAG_UPDATED', flag_key: 'c', before: { enabled: true }, after: { enabled: false } },
      ]);
    });

    it('gives revisions in the order of keys by code unit, whatever the order of rows', async () => {
      const keys = ['b', 'a', 'Z', 'a.1', 'a-1', 'a_1', 'A'];
      const sorted = [...keys].sort();
      const values = keys.map(key => `('${key}', 'n')`).join();
      const inserted = await logged(`INSERT INTO feature_flags (key, name) VALUES ${values}`);
      const updated = await logged(`UPDATE feature_flags SET name = 'm'`);
      const deleted = await logged('DELETE FROM feature_flags');
      for (const changes of [inserted, updated, deleted]) expect(changes.map(c => c['flag_key'])).toEqual(sorted);
    });

    it('keeps tags as a set: sorted, each once, and in another order they are no change', async () => {
      const [created] = await logged(`INSERT INTO feature_flags (key, name, tags) VALUES ('k', 'N', '{b,a,🚩,～,b}')`);
      expect(created?.['after']).toMatchObject({ tags: ['a', 'b', '～', '🚩'], version: 1 });
      expect(await logged(`UPDATE feature_flags SET tags = '{🚩,～,b,a,a}'`)).toEqual([]);
      expect(await logged(`UPDATE feature_flags SET tags = array_remove(tags, 'a') || 'c'::varchar`)).toMatchObject([
        { kind: 'FLAG_UPDATED', after: { tags: ['b', 'c', '～', '🚩'], version: 2 } },
      ]);
    });

    it('keeps tags, owner and time where a node of an earlier version writes, which does not know them', async () => {
      await logged(`INSERT INTO feature_flags (key, name, enabled, percentage, conditions, type, variants, off_variant, rules, bucket_by)
        VALUES ('k', 'N', true, 100, '{}', 'BOOLEAN', '[]', 'off', '[]', NULL)`);
      await logged(
        `UPDATE feature_flags SET tags = '{a}', owner = 'o', expected_until = '2030-01-01Z' WHERE key = 'k'`,
      );
      const [change] = await logged(`UPDATE feature_flags SET enabled = false, bucket_by = '$id' WHERE key = 'k'`);
      const labels = { tags: ['a'], owner: 'o', expectedUntil: '2030-01-01T00:00:00.000Z' };
      expect(change).toMatchObject({ before: labels, after: { ...labels, enabled: false } });
    });

    it.each([
      [`tags = '{""}'`],
      [`tags = '{NULL}'`],
      [`tags = '{{a}}'`],
      [`tags = '{${'x'.repeat(51)}}'`],
      [`tags = '{${Array.from({ length: 21 }, (_, i) => i)}}'`],
      [`tags = NULL`],
      [`owner = ''`],
      [`expected_until = 'infinity'`],
      [`expected_until = '10000-01-01Z'`],
      [`expected_until = '0001-01-01Z BC'`],
    ])('refuses %s', async fault => {
      await logged(`INSERT INTO feature_flags (key, name) VALUES ('k', 'N')`);
      await expect(logged(`UPDATE feature_flags SET ${fault}`)).rejects.toThrow();
    });

    it('logs whole states with the names of the product, both ways', async () => {
      const [created] = await logged(
        `INSERT INTO feature_flags (key, name, description, conditions) VALUES ('k', 'N', 'D', '{"groups": ["g"]}')`,
      );
      const state = created?.['after'] as Row;
      expect(Object.keys(state).sort()).toEqual(
        'bucketBy conditions createdAt createdById description enabled expectedUntil id key name offVariant owner percentage rules tags type updatedAt variants version'.split(
          ' ',
        ),
      );
      expect(state).toMatchObject({
        key: 'k',
        name: 'N',
        description: 'D',
        enabled: false,
        percentage: 100,
        version: 1,
      });
      expect(state).toMatchObject({ conditions: { groups: ['g'] }, createdById: null });
      expect(state).toMatchObject({ type: 'BOOLEAN', variants: [], offVariant: 'off', rules: [], bucketBy: null });
      expect(state).toMatchObject({ tags: [], owner: null, expectedUntil: null });
      const [deleted] = await logged('DELETE FROM feature_flags');
      expect(deleted).toEqual({ kind: 'FLAG_DELETED', flag_key: 'k', before: state });
    });

    it('understands a change of natural keys', async () => {
      await sql(`INSERT INTO feature_flags (key, name) VALUES ('old', 'n');
                 INSERT INTO users (id, attributes) VALUES ('${id(1)}', '{"a": 1}');
                 INSERT INTO feature_flag_overrides (user_id, flag_key, enabled) VALUES ('${id(1)}', 'old', true);
                 INSERT INTO user_feature_groups (user_id, group_name) VALUES ('${id(1)}', 'g')`);
      const kinds = (changes: Row[]) =>
        changes.map(c => [c['kind'], c['flag_key'] ?? c['group_name'] ?? c['user_id'], c['user_id'] ?? c['user_ids']]);
      expect(kinds(await logged(`UPDATE feature_flags SET key = 'new'`))).toEqual([
        ['FLAG_CREATED', 'new', undefined],
        ['FLAG_DELETED', 'old', undefined],
        ['OVERRIDE_SET', 'new', id(1)],
        ['OVERRIDE_REMOVED', 'old', id(1)],
      ]);
      expect(kinds(await logged(`UPDATE user_feature_groups SET group_name = 'f'`))).toEqual([
        ['MEMBERS_ADDED', 'f', [id(1)]],
        ['MEMBERS_REMOVED', 'g', [id(1)]],
      ]);
      expect(kinds(await logged(`UPDATE users SET id = '${id(2)}'`))).toEqual([
        ['USER_DELETED', id(1), id(1)],
        ['USER_UPDATED', id(2), id(2)],
        ['MEMBERS_ADDED', 'f', [id(2)]],
        ['MEMBERS_REMOVED', 'f', [id(1)]],
        ['OVERRIDE_REMOVED', 'new', id(1)],
        ['OVERRIDE_SET', 'new', id(2)],
      ]);
    });

    it('logs members by group in slices of 1,000 sorted ids, for INSERT, UPDATE and DELETE', async () => {
      await sql(`INSERT INTO users (id) SELECT ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid
                 FROM generate_series(1, 2500) n`);
      const lengths = (changes: Row[]) =>
        changes.map(c => [c['kind'], c['group_name'], (c['user_ids'] as string[]).length]);
      const inserted = await logged(`INSERT INTO user_feature_groups (user_id, group_name)
        SELECT id, 'b' FROM users UNION ALL (SELECT id, 'a' FROM users LIMIT 10)`);
      expect(lengths(inserted)).toEqual([
        ['MEMBERS_ADDED', 'a', 10],
        ['MEMBERS_ADDED', 'b', 1000],
        ['MEMBERS_ADDED', 'b', 1000],
        ['MEMBERS_ADDED', 'b', 500],
      ]);
      expect(inserted.slice(1).flatMap(c => c['user_ids'])).toEqual(Array.from({ length: 2500 }, (__, n) => id(n + 1)));
      const moved = await logged(`UPDATE user_feature_groups SET group_name = 'c' WHERE group_name = 'b'`);
      expect(lengths(moved)).toEqual([
        ...[1000, 1000, 500].map(n => ['MEMBERS_REMOVED', 'b', n]),
        ...[1000, 1000, 500].map(n => ['MEMBERS_ADDED', 'c', n]),
      ]);
      // A cascade is one statement too: 2,500 deleted users leave each group at once.
      const deleted = await logged('DELETE FROM users');
      expect(deleted.filter(c => c['kind'] === 'USER_DELETED')).toHaveLength(2500);
      expect(lengths(deleted.filter(c => c['kind'] !== 'USER_DELETED'))).toEqual([
        ['MEMBERS_REMOVED', 'a', 10],
        ['MEMBERS_REMOVED', 'c', 1000],
        ['MEMBERS_REMOVED', 'c', 1000],
        ['MEMBERS_REMOVED', 'c', 500],
      ]);
    });

    it('logs both halves of an upsert', async () => {
      await sql(`INSERT INTO feature_flags (key, name) VALUES ('a', 'n'), ('b', 'n')`);
      const changes = await logged(`INSERT INTO feature_flags (key, name) VALUES ('a', 'm'), ('b', 'n'), ('c', 'm')
        ON CONFLICT (key) DO UPDATE SET name = EXCLUDED.name`);
      expect(changes.map(c => [c['kind'], c['flag_key']]).sort()).toEqual([
        ['FLAG_CREATED', 'c'],
        ['FLAG_UPDATED', 'a'],
      ]);
    });
  });

  describe('rule 3: nothing where nothing changed', () => {
    it.each([
      ['an update of no rows', `UPDATE feature_flags SET enabled = true WHERE key = 'nowhere'`],
      [
        'an update to the same values',
        'UPDATE feature_flags SET enabled = enabled, name = name, conditions = conditions',
      ],
      ['a version that another hand states', 'UPDATE feature_flags SET version = 99, updated_at = now()'],
      ['the creator of a flag', `UPDATE feature_flags SET created_by_id = '${id(1)}'`],
      ['the creator of an override', `UPDATE feature_flag_overrides SET created_by_id = '${id(1)}'`],
      [
        'who added a member, and when',
        `UPDATE user_feature_groups SET added_by_id = '${id(1)}', added_at = '2020-01-01Z'`,
      ],
      ['the same attributes', 'UPDATE users SET attributes = attributes'],
      ['the same attributes written differently', `UPDATE users SET attributes = '{"b":2,"a":1.0}'`],
      ['users without attributes', 'INSERT INTO users (id) SELECT gen_random_uuid() FROM generate_series(1, 20000)'],
      ['a deletion of no rows', `DELETE FROM feature_flags WHERE key = 'nowhere'`],
      ['an insert of no rows', `INSERT INTO feature_flags (key, name) SELECT 'x', 'x' WHERE false`],
      ['an insert that conflicts', `INSERT INTO feature_flags (key, name) VALUES ('k', 'x') ON CONFLICT DO NOTHING`],
    ])('%s', async (__, text) => {
      await sql(`INSERT INTO users (id, attributes) VALUES ('${id(1)}', '{"a": 1, "b": 2}');
                 INSERT INTO feature_flags (key, name) VALUES ('k', 'n');
                 INSERT INTO feature_flag_overrides (user_id, flag_key, enabled) VALUES ('${id(1)}', 'k', true);
                 INSERT INTO user_feature_groups (user_id, group_name) VALUES ('${id(1)}', 'g')`);
      const [before] = await sql('SELECT version, updated_at FROM feature_flags');
      expect(await logged(text)).toEqual([]);
      expect(await sql('SELECT version, updated_at FROM feature_flags')).toEqual([before]);
    });

    it('logs of a deleted admin who created fifty flags that the admin is gone, no more', async () => {
      await sql(`INSERT INTO users (id) VALUES ('${id(1)}'), ('${id(2)}');
                 INSERT INTO feature_flags (key, name, created_by_id) SELECT 'f' || n, 'n', '${id(1)}' FROM generate_series(1, 50) n;
                 INSERT INTO feature_flag_overrides (user_id, flag_key, enabled, created_by_id) SELECT '${id(2)}', key, true, '${id(1)}' FROM feature_flags;
                 INSERT INTO user_feature_groups (user_id, group_name, added_by_id) VALUES ('${id(2)}', 'g', '${id(1)}')`);
      expect(await logged(`DELETE FROM users WHERE id = '${id(1)}'`)).toEqual([
        { kind: 'USER_DELETED', user_id: id(1), before: { attributes: {} } },
      ]);
      const kept = await sql(
        'SELECT count(*)::int AS n FROM feature_flags WHERE created_by_id IS NULL AND version = 1',
      );
      expect(kept).toEqual([{ n: 50 }]);
    });

    it('logs a new user with attributes as one that had none', async () => {
      expect(
        await logged(`INSERT INTO users (id, attributes) VALUES ('${id(1)}', '{"a": 1}'), ('${id(2)}', '{}')`),
      ).toEqual([{ kind: 'USER_UPDATED', user_id: id(1), after: { attributes: { a: 1 } } }]);
    });

    it('logs overrides and members that a deletion takes along', async () => {
      await sql(`INSERT INTO users (id) VALUES ('${id(1)}'), ('${id(2)}');
                 INSERT INTO feature_flags (key, name) VALUES ('k', 'n');
                 INSERT INTO feature_flag_overrides (user_id, flag_key, enabled) SELECT id, 'k', true FROM users`);
      expect(await logged('DELETE FROM feature_flags')).toMatchObject([
        { kind: 'FLAG_DELETED', flag_key: 'k' },
        { kind: 'OVERRIDE_REMOVED', flag_key: 'k', user_id: id(1), before: { enabled: true } },
        { kind: 'OVERRIDE_REMOVED', flag_key: 'k', user_id: id(2) },
      ]);
    });

    it.each(['users CASCADE', 'feature_flags CASCADE', 'user_feature_groups', 'feature_flag_overrides'])(
      'logs TRUNCATE %s as RESET',
      async tables => {
        const changes = await logged(`TRUNCATE ${tables}`);
        expect(changes.length).toBeGreaterThan(0);
        for (const change of changes) expect(change).toEqual({ kind: 'RESET' });
      },
    );
  });

  describe('rule 4: a hint with the revision alone', () => {
    it('is sent for changes and for nothing else', async () => {
      hand.notified.length = 0;
      await sql(`INSERT INTO feature_flags (key, name) VALUES ('a', 'n'), ('b', 'n')`);
      const first = await head();
      await sql('UPDATE feature_flags SET name = name');
      await sql(`INSERT INTO users (id) VALUES ('${id(1)}')`);
      await sql(`UPDATE feature_flags SET description = repeat('x', 10000)`);
      await vi.waitFor(() => expect(hand.notified).toContain(String(first + 2)));
      expect(hand.notified).toEqual([String(first), String(first + 2)]);
    });
  });

  describe('rule 6: the actor', () => {
    it('is that of the transaction, and of no later one', async () => {
      const [change] = await logged(`BEGIN; SELECT set_config('halyard.actor', '${id(7)}', true);
        INSERT INTO feature_flags (key, name) VALUES ('a', 'n'); COMMIT`);
      expect(change).toMatchObject({ actor_id: id(7) });
      expect((await logged(`INSERT INTO feature_flags (key, name) VALUES ('b', 'n')`))[0]).not.toHaveProperty(
        'actor_id',
      );
      const [empty] = await logged(
        `BEGIN; SELECT set_config('halyard.actor', '', true); DELETE FROM feature_flags WHERE key = 'a'; COMMIT`,
      );
      expect(empty).not.toHaveProperty('actor_id');
    });

    it('may be a user who is in no table: the log outlives the user', async () => {
      await sql(`INSERT INTO users (id) VALUES ('${id(7)}')`);
      const changes = await logged(`BEGIN; SELECT set_config('halyard.actor', '${id(7)}', true);
        DELETE FROM users WHERE id = '${id(7)}'; COMMIT`);
      expect(changes).toEqual([{ kind: 'USER_DELETED', actor_id: id(7), user_id: id(7), before: { attributes: {} } }]);
    });
  });

  describe('under any session', () => {
    it('writes times in UTC to the millisecond, whatever the zone', async () => {
      await sql(`INSERT INTO users (id) VALUES ('${id(1)}')`);
      const [flag, override] = await logged(`SET timezone = 'Asia/Kolkata'; SET datestyle = 'German';
        INSERT INTO feature_flags (key, name, created_at, updated_at) VALUES ('k', 'n', '2026-03-08T06:59:59.001Z', '2026-07-01T12:00:00Z');
        INSERT INTO feature_flag_overrides (user_id, flag_key, enabled, expires_at, created_at)
        VALUES ('${id(1)}', 'k', true, '2031-11-02T01:30:00.5-04', '2026-01-01T00:00:00+14');
        RESET timezone; RESET datestyle;`);
      expect(flag?.['after']).toMatchObject({
        createdAt: '2026-03-08T06:59:59.001Z',
        updatedAt: '2026-07-01T12:00:00.000Z',
      });
      expect(override?.['after']).toMatchObject({
        expiresAt: '2031-11-02T05:30:00.500Z',
        createdAt: '2025-12-31T10:00:00.000Z',
      });
    });

    it('finds its tables without a search path', async () => {
      const changes = await logged(`SET search_path = '';
        INSERT INTO public.feature_flags (key, name) VALUES ('k', 'n');
        UPDATE public.feature_flags SET enabled = true;
        RESET search_path`);
      expect(changes.map(c => c['kind'])).toEqual(['FLAG_CREATED', 'FLAG_UPDATED']);
    });

    // What restores or replicates rows; a superuser may, and so may a default of the database.
    it('logs the changes of a session that plays a replica', async () => {
      const changes = await logged(`SET session_replication_role = replica;
        INSERT INTO users (id, attributes) VALUES ('${id(1)}', '{"a": 1}');
        INSERT INTO feature_flags (key, name) VALUES ('k', 'n');
        UPDATE feature_flags SET enabled = true;
        INSERT INTO user_feature_groups (user_id, group_name) VALUES ('${id(1)}', 'g');
        INSERT INTO feature_flag_overrides (user_id, flag_key, enabled) VALUES ('${id(1)}', 'k', true);
        TRUNCATE user_feature_groups;
        RESET session_replication_role`);
      expect(changes.map(c => c['kind'])).toEqual([
        'USER_UPDATED',
        'FLAG_CREATED',
        'FLAG_UPDATED',
        'MEMBERS_ADDED',
        'OVERRIDE_SET',
        'RESET',
      ]);
      expect(await sql('SELECT version FROM feature_flags')).toEqual([{ version: 2 }]);
    });

    it('keeps version and time of change itself', async () => {
      await sql(`INSERT INTO feature_flags (key, name, updated_at) VALUES ('k', 'n', '2020-01-01Z')`);
      await sql(`UPDATE feature_flags SET enabled = true, version = 1, updated_at = '2020-01-01Z'`);
      await sql(`UPDATE feature_flags SET percentage = 1, version = -5`);
      expect(await sql(`SELECT version, updated_at > '2021-01-01Z' AS later FROM feature_flags`)).toEqual([
        { version: 3, later: true },
      ]);
      await sql(`INSERT INTO users (id, updated_at) VALUES ('${id(1)}', '2020-01-01Z')`);
      await sql(`UPDATE users SET attributes = '{"a": 1}', updated_at = '2020-01-01Z'`);
      expect(await sql(`SELECT updated_at > '2021-01-01Z' AS later FROM users`)).toEqual([{ later: true }]);
    });

    it('never gives a version again that a flag of the same key has had', async () => {
      const version = async (key: string) =>
        (await sql(`SELECT version FROM feature_flags WHERE key = '${key}'`))[0]?.['version'];
      await sql(`INSERT INTO feature_flags (key, name) VALUES ('k', 'n'), ('other', 'n')`);
      await sql('UPDATE feature_flags SET enabled = true');
      await sql(`DELETE FROM feature_flags WHERE key = 'k'; INSERT INTO feature_flags (key, name) VALUES ('k', 'n')`);
      expect(await version('k')).toBe(3);
      await sql(`UPDATE feature_flags SET key = 'renamed' WHERE key = 'k'`);
      expect(await version('renamed')).toBe(4);
      // The name is free, and so is the name of one whose versions were higher.
      await sql(`INSERT INTO feature_flags (key, name) VALUES ('k', 'n')`);
      expect(await version('k')).toBe(4);
      await sql(
        `DELETE FROM feature_flags WHERE key = 'renamed'; UPDATE feature_flags SET key = 'renamed' WHERE key = 'other'`,
      );
      expect(await version('renamed')).toBe(5);
      await sql('TRUNCATE feature_flags CASCADE');
      await sql(
        `INSERT INTO feature_flags (key, name, version) VALUES ('k', 'n', 1), ('renamed', 'n', 70), ('never', 'n', 1)`,
      );
      expect([await version('k'), await version('renamed'), await version('never')]).toEqual([5, 70, 1]);
    });

    it.each([
      `INSERT INTO feature_flags (key, name, percentage) VALUES ('k', 'n', 101)`,
      `INSERT INTO feature_flags (key, name, percentage) VALUES ('k', 'n', -1)`,
      `INSERT INTO feature_flags (key, name) VALUES ('', 'n')`,
      `INSERT INTO feature_flags (key, name) VALUES ('has space', 'n')`,
      `INSERT INTO feature_flags (key, name) VALUES (E'k\\n', 'n')`,
      `INSERT INTO feature_flags (key, name) VALUES ('.k', 'n')`,
      `INSERT INTO feature_flags (key, name) VALUES (repeat('k', 101), 'n')`,
      `INSERT INTO feature_flags (key, name) VALUES ('k', '')`,
      `INSERT INTO feature_flags (key, name, conditions) VALUES ('k', 'n', '[]')`,
      `INSERT INTO feature_flags (key, name, created_at) VALUES ('k', 'n', 'infinity')`,
      `INSERT INTO users (attributes) VALUES ('[]')`,
      `INSERT INTO users (attributes) VALUES ('null')`,
      `INSERT INTO user_feature_groups (user_id, group_name) VALUES ('${id(1)}', '')`,
      `INSERT INTO user_feature_groups (user_id, group_name) VALUES ('${id(9)}', 'stranger')`,
      `INSERT INTO feature_flag_overrides (user_id, flag_key, enabled) VALUES ('${id(1)}', 'nowhere', true)`,
      `INSERT INTO feature_flag_overrides (user_id, flag_key, enabled, expires_at) VALUES ('${id(1)}', 'present', true, 'infinity')`,
      `INSERT INTO feature_flag_overrides (user_id, flag_key, enabled, expires_at) VALUES ('${id(1)}', 'present', true, '-infinity')`,
      `INSERT INTO feature_flag_overrides (user_id, flag_key, enabled, reason) VALUES ('${id(1)}', 'present', true, repeat('x', 501))`,
      'INSERT INTO feature_log_head (id) VALUES (2)',
    ])('refuses %s', async text => {
      await sql(
        `INSERT INTO users (id) VALUES ('${id(1)}'); INSERT INTO feature_flags (key, name) VALUES ('present', 'n')`,
      );
      const before = await head();
      await expect(sql(text)).rejects.toThrow();
      expect(await head()).toBe(before);
    });

    it('refuses to write at all rather than go on without its head', async () => {
      await sql('BEGIN; DELETE FROM feature_log_head');
      await expect(sql(`INSERT INTO feature_flags (key, name) VALUES ('k', 'n')`)).rejects.toThrow('lost its row');
      await sql('ROLLBACK');
    });

    it('refuses to write where its head is behind its entries, until what it says has mended it', async () => {
      await sql(`INSERT INTO feature_flags (key, name) VALUES ('k', 'n')`);
      const before = await head();
      await sql('UPDATE feature_log_head SET revision = revision - 1');
      const error = await sql('UPDATE feature_flags SET enabled = true').catch(e => e);
      expect(error.message).toContain(`has entries after its head, revision ${before - 1}`);
      await sql(/To mend it: (.*)\.$/.exec(error.message)?.[1] as string);
      expect(await logged('UPDATE feature_flags SET enabled = true')).toMatchObject([{ kind: 'FLAG_UPDATED' }]);
      expect(await head()).toBe(before + 1);
    });
  });
});

describe('rule 2: revisions under concurrency', () => {
  let database: TestDatabase;
  let one: pg.Client;
  let two: pg.Client;
  let reader: pg.Client;

  beforeAll(async () => {
    database = await createDatabase();
    [one, two, reader] = [await connect(database), await connect(database), await connect(database)];
  });
  beforeEach(() =>
    database.query(`DELETE FROM feature_flags; INSERT INTO feature_flags (key, name) VALUES ('a', 'n'), ('b', 'n')`),
  );
  afterAll(async () => {
    await Promise.all([one, two, reader].map(client => client.end()));
    await database.drop();
  });

  const read = async () => {
    const head = Number((await rows(reader, 'SELECT revision FROM feature_log_head'))[0]?.['revision']);
    const log = await rows(reader, 'SELECT revision, flag_key, after FROM feature_changes ORDER BY revision');
    expect(log.map(({ revision }) => Number(revision))).toEqual(Array.from({ length: head }, (_, i) => i + 1));
    return log;
  };
  const waiting = (client: pg.Client) =>
    vi.waitFor(async () => {
      const pid = (client as unknown as { processID: number }).processID;
      const [row] = await rows(reader, `SELECT wait_event_type AS type FROM pg_stat_activity WHERE pid = ${pid}`);
      expect(row).toEqual({ type: 'Lock' });
    });

  it('never deadlock two writers that touch the same rows in opposite orders', async () => {
    await one.query(`BEGIN; UPDATE feature_flags SET percentage = 1 WHERE key = 'a'`);
    // Without the lock before the rows, the second would hold b by now, and the first would wait for it in turn.
    const second = two.query(
      `BEGIN; UPDATE feature_flags SET percentage = 2 WHERE key = 'b'; UPDATE feature_flags SET percentage = 2 WHERE key = 'a'; COMMIT`,
    );
    await waiting(two);
    await one.query(`UPDATE feature_flags SET percentage = 1 WHERE key = 'b'; COMMIT`);
    await second;
    expect((await read()).slice(-4).map(row => [row['flag_key'], (row['after'] as Row)['percentage']])).toEqual([
      ['a', 1],
      ['b', 1],
      ['b', 2],
      ['a', 2],
    ]);
  });

  it('never let a reader pass by a transaction that commits late', async () => {
    const before = (await read()).length;
    await one.query(`BEGIN; UPDATE feature_flags SET percentage = 3 WHERE key = 'a'`);
    const second = two.query(`UPDATE feature_flags SET percentage = 4 WHERE key = 'b'`);
    await waiting(two);
    // The first has its revision and has not committed. With a sequence the second would be visible past it.
    expect(await read()).toHaveLength(before);
    await one.query('COMMIT');
    await second;
    expect((await read()).slice(before).map(row => row['flag_key'])).toEqual(['a', 'b']);
  });

  it('leave no gap for a transaction that is rolled back', async () => {
    const before = (await read()).length;
    await one.query(`BEGIN; UPDATE feature_flags SET percentage = 5; ROLLBACK`);
    await two.query(`UPDATE feature_flags SET percentage = 6 WHERE key = 'a'`);
    expect(await read()).toHaveLength(before + 1);
  });

  it('stay contiguous while two nodes and another hand write at once, and no write is lost', async () => {
    const nodes = await Promise.all([1, 2].map(() => openDatabase({ url: database.url, poolSize: 4 })));
    const before = (await read()).length;
    const writes = 25;
    const work = [
      ...nodes.flatMap(node =>
        Array.from({ length: writes }, async (_, i) => {
          await node.updateFlag(i % 2 === 0 ? 'a' : 'b', { description: `${Math.random()}` }, null, null);
        }),
      ),
      (async () => {
        for (let i = 0; i < writes; i++) {
          const order = i % 2 === 0 ? ['a', 'b'] : ['b', 'a'];
          await one.query(
            `BEGIN; ${order.map(key => `UPDATE feature_flags SET name = '${i}-${Math.random()}' WHERE key = '${key}'`).join('; ')}; COMMIT`,
          );
        }
      })(),
    ];
    await Promise.all(work);
    expect(await read()).toHaveLength(before + 2 * writes + 2 * writes);
    await Promise.all(nodes.map(node => node.close()));
  });

  it('never deadlock with TRUNCATE by another hand, which takes its tables before the head', async () => {
    const nodes = [await openDatabase({ url: database.url }), await openDatabase({ url: database.url })];
    let isOver = false;
    const writes = nodes.map(async (node, n) => {
      for (let i = 0; !isOver; i++) {
        const override = { userId: id(i % 50), enabled: i % 100 < 50, reason: null, expiresAt: null };
        await node.setOverride({ ...override, flagKey: n === 0 ? 'a' : 'b' }, null);
        await node.addToGroup(`group ${i % 3}`, [id(i % 50), id((i + 1) % 50)], null);
      }
    });
    try {
      for (let i = 0; i < 8; i++) {
        await one.query('TRUNCATE feature_flag_overrides');
        await one.query('TRUNCATE user_feature_groups');
        await one.query(`TRUNCATE users CASCADE; INSERT INTO feature_flags (key, name) VALUES ('a', 'n'), ('b', 'n')`);
      }
    } finally {
      isOver = true;
      await Promise.allSettled(writes);
      await Promise.all(nodes.map(node => node.close()));
    }
    await Promise.all(writes);
    await read();
  });
});
