import { queryOnce } from '../../test/support/postgres-server.js';
import { userId } from './tokens.js';

/** The stored data of a user. */
export interface StoredUser {
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly groups: readonly string[];
}

/** Rows in one statement. */
const slice = 50_000;

/**
 * Stores so many users with eight attributes, and their groups: one in ten is in `beta`, one in a hundred in `staff`, every
 * other one in one of fifty groups. By the tables alone, so that each is in the change log as if it had been stored by hand.
 */
export async function storeUsers(databaseUrl: string, count: number): Promise<void> {
  for (let from = 0; from < count; from += slice) {
    const numbers = `generate_series(${from}, ${Math.min(from + slice, count) - 1}) AS i`;
    await queryOnce(databaseUrl, `INSERT INTO users (id, attributes) SELECT ${id}, ${attributes} FROM ${numbers}`);
    await queryOnce(
      databaseUrl,
      `INSERT INTO user_feature_groups (user_id, group_name)
       SELECT ${id}, 'beta' FROM ${numbers} WHERE i % 10 = 0
       UNION ALL SELECT ${id}, 'staff' FROM ${numbers} WHERE i % 100 = 7
       UNION ALL SELECT ${id}, 'group_' || i / 2 % 50 FROM ${numbers} WHERE i % 2 = 1`,
    );
  }
  await queryOnce(databaseUrl, 'ANALYZE');
}

const id = `('00000000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid`;
const attributes = `jsonb_build_object(
  'plan', (ARRAY['free', 'pro', 'team', 'enterprise'])[1 + i % 4],
  'country', (ARRAY['DE', 'BR', 'US', 'FR', 'IN'])[1 + i / 4 % 5],
  'seats', i * 37 % 200,
  'email', 'user' || i || '@corp' || i % 40 || '.com',
  'version', 1 + i % 3 || '.' || i / 3 % 12 || '.0',
  'joined', to_char(date '2023-01-01' + i % 900, 'YYYY-MM-DD'),
  'device', (ARRAY['ios', 'android', 'web'])[1 + i / 7 % 3],
  'locale', (ARRAY['en', 'de', 'pt', 'fr'])[1 + i / 5 % 4])`;

/** Reads these users back, in their order. */
export async function readUsers(databaseUrl: string, numbers: readonly number[]): Promise<readonly StoredUser[]> {
  const ids = [...new Set(numbers)].map(number => `'${userId(number)}'::uuid`);
  if (ids.length === 0) return [];
  const { rows } = await queryOnce(
    databaseUrl,
    `SELECT u.id, u.attributes, array(SELECT g.group_name::text FROM user_feature_groups g WHERE g.user_id = u.id) AS groups
     FROM users u WHERE u.id IN (${ids.join(', ')})`,
  );
  const users = new Map((rows as (StoredUser & { id: string })[]).map(row => [row.id, row]));
  return numbers.map(number => {
    const user = users.get(userId(number));
    if (user === undefined) throw new Error(`The user ${number} is not stored.`);
    return user;
  });
}
