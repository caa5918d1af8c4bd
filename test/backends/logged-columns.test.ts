import { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { pgliteTemplate } from '../support/pglite.js';

// A column that is added and forgotten would be changed without a trace: nothing logged, nothing pushed.

const ann = '00000000-0000-4000-8000-000000000001';
const bob = '00000000-0000-4000-8000-000000000002';

/** By table, each column with another value; whether changing it is logged; and its name in the states of the log. */
const columns: Record<string, Record<string, readonly [value: string, isLogged: boolean, inState: string | null]>> = {
  users: {
    id: [`'${bob}'`, true, null],
    // In no state of the log: the log names users by their ids alone, so that a deletion erases the text.
    external_id: [`'idp|ann'`, true, null],
    attributes: [`'{"a": 1}'`, true, 'attributes'],
    created_at: [`'2020-01-01Z'`, true, null],
    updated_at: [`'2020-01-01Z'`, false, null],
  },
  feature_flags: {
    id: ['gen_random_uuid()', true, 'id'],
    key: [`'other'`, true, 'key'],
    name: [`'other'`, true, 'name'],
    description: [`'other'`, true, 'description'],
    enabled: ['NOT enabled', true, 'enabled'],
    percentage: ['7', true, 'percentage'],
    conditions: [`'{"groups": ["g"]}'`, true, 'conditions'],
    type: [`'STRING'`, true, 'type'],
    variants: [`'[{"key": "a", "value": "", "weight": 1}]'`, true, 'variants'],
    off_variant: [`'a'`, true, 'offVariant'],
    rules: [`'[{"id": "staff"}]'`, true, 'rules'],
    bucket_by: [`'$id'`, true, 'bucketBy'],
    tags: [`'{a}'`, true, 'tags'],
    owner: [`'other'`, true, 'owner'],
    expected_until: [`'2040-01-01Z'`, true, 'expectedUntil'],
    version: ['99', false, 'version'],
    created_at: [`'2020-01-01Z'`, true, 'createdAt'],
    updated_at: [`'2020-01-01Z'`, false, 'updatedAt'],
    created_by_id: [`'${ann}'`, false, 'createdById'],
  },
  user_feature_groups: {
    user_id: [`'${bob}'`, true, null],
    group_name: [`'other'`, true, null],
    added_at: [`'2020-01-01Z'`, false, null],
    added_by_id: [`'${bob}'`, false, null],
  },
  feature_flag_overrides: {
    user_id: [`'${bob}'`, true, null],
    flag_key: [`'second'`, true, null],
    enabled: ['NOT enabled', true, 'enabled'],
    variant: [`'a'`, true, 'variant'],
    reason: [`'other'`, true, 'reason'],
    expires_at: [`'2040-01-01Z'`, true, 'expiresAt'],
    created_at: [`'2020-01-01Z'`, true, 'createdAt'],
    created_by_id: [`'${bob}'`, false, 'createdById'],
  },
};
const tables = Object.keys(columns);

describe('a change of any column', () => {
  let database: PGlite;
  beforeAll(async () => {
    database = await PGlite.create({ loadDataDir: await pgliteTemplate() });
  });
  afterAll(() => database.close());
  beforeEach(() =>
    database.exec(`DELETE FROM feature_flags; DELETE FROM feature_flag_versions; DELETE FROM users;
      INSERT INTO users (id) VALUES ('${ann}');
      INSERT INTO feature_flags (key, name) VALUES ('first', 'n');
      INSERT INTO user_feature_groups (user_id, group_name) VALUES ('${ann}', 'g');
      INSERT INTO feature_flag_overrides (user_id, flag_key, enabled) VALUES ('${ann}', 'first', true)`),
  );

  async function changes(sql: string): Promise<{ kind: string; after: object | null }[]> {
    const { rows } = await database.query<{ head: string }>('SELECT revision::text AS head FROM feature_log_head');
    await database.exec(sql);
    return (
      await database.query<{ kind: string; after: object | null }>(
        'SELECT kind, after FROM feature_changes WHERE revision > $1 ORDER BY revision',
        [rows[0]?.head],
      )
    ).rows;
  }

  it.each(tables)('of %s is known to be logged or not', async table => {
    const { rows } = await database.query<{ name: string }>(
      'SELECT column_name AS name FROM information_schema.columns WHERE table_name = $1 AND table_schema = current_schema()',
      [table],
    );
    const stored = rows.map(({ name }) => name).sort();
    const message = `Say in this test of each column of ${table} whether changing it is logged, and write it into the states of the log.`;
    expect(stored, message).toEqual(Object.keys(columns[table] as object).sort());
  });

  const cases = tables.flatMap(table =>
    Object.entries(columns[table] as object).map(([column, [value, isLogged]]) => ({ table, column, value, isLogged })),
  );
  it.each(cases)('of $table: $column is logged: $isLogged', async ({ table, column, value, isLogged }) => {
    // What the columns that refer to a user or a flag are set to.
    if (table !== 'users') await database.exec(`INSERT INTO users (id) VALUES ('${bob}')`);
    if (table !== 'feature_flags') await database.exec(`INSERT INTO feature_flags (key, name) VALUES ('second', 'n')`);
    const rows = { users: `id = '${ann}'`, feature_flags: `key = 'first'` }[table] ?? `user_id = '${ann}'`;
    const logged = await changes(`UPDATE ${table} SET ${column} = ${value} WHERE ${rows}`);
    expect(logged.length > 0).toBe(isLogged);
  });

  const inStates = tables.flatMap(table =>
    Object.entries(columns[table] as object)
      // The log names another key as a deletion and a creation.
      .filter(([column, [, isLogged, inState]]) => isLogged && inState !== null && column !== 'key')
      .map(([column, [value, , inState]]) => ({ table, column, value, inState })),
  );
  it.each(inStates)(
    'of $table: $column alone differs in the states of its change',
    async ({ table, column, value, inState }) => {
      const row = { users: `id = '${ann}'`, feature_flags: `key = 'first'` }[table] ?? `user_id = '${ann}'`;
      await database.exec(`UPDATE ${table} SET ${column} = ${value} WHERE ${row}`);
      const { rows } = await database.query<{ before: Record<string, unknown>; after: Record<string, unknown> }>(
        'SELECT before, after FROM feature_changes ORDER BY revision DESC LIMIT 1',
      );
      const { before = {}, after = {} } = rows[0] ?? {};
      const differing = Object.keys(after).filter(name => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
      // What the triggers keep themselves.
      expect(differing.filter(name => name !== 'version' && name !== 'updatedAt')).toEqual([inState]);
    },
  );

  it.each(tables)('of %s that was added later is logged', async table => {
    await database.exec(`BEGIN; ALTER TABLE ${table} ADD added_later text`);
    try {
      const logged = await changes(`UPDATE ${table} SET added_later = 'x'`);
      expect(logged).toHaveLength(1);
      if (table !== 'feature_flags') return;
      const { rows } = await database.query('SELECT version FROM feature_flags');
      expect(rows).toEqual([{ version: 2 }]);
    } finally {
      await database.exec('ROLLBACK');
    }
  });

  it.each([
    ['feature_flags', 'halyard_flag_state'],
    ['feature_flag_overrides', 'halyard_override_state'],
    ['users', 'halyard_user_state'],
  ])('of %s stands in the states of the log', async (table, state) => {
    const { rows } = await database.query<{ state: object }>(`SELECT ${state}(t) AS state FROM ${table} t`);
    const named = Object.values(columns[table] as object).flatMap(([, , inState]) => inState ?? []);
    expect(Object.keys(rows[0]?.state ?? {}).sort()).toEqual(named.sort());
  });
});

describe('a transaction of another program', () => {
  let database: PGlite;
  beforeAll(async () => {
    database = await PGlite.create({ loadDataDir: await pgliteTemplate() });
  });
  afterAll(() => database.close());

  interface Entry {
    readonly kind: string;
    readonly note: string | null;
    readonly batch: string;
    readonly reverts: number | null;
  }
  async function entries(sql: string): Promise<Entry[]> {
    const { rows } = await database.query<{ head: string }>('SELECT revision::text AS head FROM feature_log_head');
    await database.exec(sql);
    const after = [rows[0]?.head];
    const log = 'SELECT kind, note, batch, reverts FROM feature_changes WHERE revision > $1 ORDER BY revision';
    return (await database.query<Entry>(log, after)).rows;
  }
  const insert = (key: string) => `INSERT INTO feature_flags (key, name) VALUES ('${key}', 'n');`;

  it('is one batch, and the next transaction is another', async () => {
    const first = await entries(
      `BEGIN; ${insert('a')} ${insert('b')} UPDATE feature_flags SET enabled = true; COMMIT;`,
    );
    const second = await entries(insert('c'));
    const third = await entries(insert('d'));
    expect(first).toHaveLength(4);
    expect(new Set(first.map(({ batch }) => batch)).size).toBe(1);
    expect(new Set([...first, ...second, ...third].map(({ batch }) => batch)).size).toBe(3);
  });

  it('is one batch also where a part of it was rolled back', async () => {
    const log = await entries(
      `BEGIN; ${insert('e')} SAVEPOINT s; ${insert('f')} ROLLBACK TO s; ${insert('g')} COMMIT;`,
    );
    expect(log).toHaveLength(2);
    expect(log[0]?.batch).toBe(log[1]?.batch);
  });

  it('is one batch with a TRUNCATE and its RESET', async () => {
    const log = await entries(`BEGIN; ${insert('h')} TRUNCATE feature_flags CASCADE; COMMIT;`);
    expect(log.map(({ kind }) => kind)).toEqual(['FLAG_CREATED', 'RESET', 'RESET']);
    expect(new Set(log.map(({ batch }) => batch)).size).toBe(1);
  });

  it('says its note, its batch and what it reverts, for itself alone', async () => {
    const batch = '0f8fad5b-d9cb-469f-a165-70867728950e';
    const stated = `SET LOCAL halyard.note = 'it''s why'; SET LOCAL halyard.batch = '${batch}'; SET LOCAL halyard.reverts = '3';`;
    expect(await entries(`BEGIN; ${stated} ${insert('i')} COMMIT;`)).toEqual([
      { kind: 'FLAG_CREATED', note: `it's why`, batch, reverts: 3 },
    ]);
    const [next] = await entries(insert('j'));
    expect(next).toMatchObject({ note: null, reverts: null });
    expect(next?.batch).not.toBe(batch);
  });

  it.each([
    ['halyard.batch', 'no uuid', /uuid/],
    ['halyard.reverts', 'three', /bigint/],
    ['halyard.note', 'n'.repeat(501), /too long/],
  ])('is refused if %s is malformed', async (setting, value, message) => {
    const write = database.exec(`BEGIN; SET LOCAL ${setting} = '${value}'; ${insert('k')} COMMIT;`);
    await expect(write).rejects.toThrow(message);
    await database.exec('ROLLBACK');
  });
});
