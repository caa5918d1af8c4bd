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
