import type { JsonObject } from '../../src/core/json.js';
import { storedUserId } from '../../src/core/user-id.js';
import type { Random } from './random.js';

/** Names that everything in a run is about. */
export interface World {
  /** Those who watch, and some who do not. */
  readonly users: readonly string[];
  readonly flags: readonly string[];
  readonly groups: readonly string[];
  /** How many ids a bulk change names. */
  readonly bulk: number;
}

/** Where a change is sent. What it meets there is the run's business. */
export interface Hands {
  /** A mutation, by its name, on some node. */
  mutate(mutation: string, input: JsonObject): Promise<void>;
  /** Statements in one transaction; `ROLLBACK` as the last one takes them back. */
  sql(...statements: readonly Statement[]): Promise<void>;
  /** An override that ends then, in milliseconds since the epoch, is on its way. */
  expires(at: number): void;
}

export type Statement = string | { readonly text: string; readonly values: readonly unknown[] };

export interface ChangeKind {
  readonly name: string;
  readonly weight: number;
  /** Everything random is drawn here, before anything waits, so that a seed means the same changes in any weather. */
  readonly draw: (random: Random, world: World) => (hands: Hands) => Promise<void>;
}

function attributes(random: Random): JsonObject {
  return {
    plan: random.pick(['free', 'pro', 'enterprise']),
    seats: random.integer(0, 20),
    ...(random.chance(0.3) ? { tags: random.some(['a', 'b', 'c'], 2) } : {}),
    ...(random.chance(0.3) ? { version: `1.${random.integer(0, 9)}.0` } : {}),
  };
}

function conditions(random: Random, world: World, depth = 2): JsonObject {
  const groups = { groups: random.some(world.groups, random.integer(1, 2)) };
  const simple: readonly (() => JsonObject)[] = [
    () => groups,
    () => ({ attributes: { plan: random.pick(['pro', 'enterprise']) } }),
    () => ({ attributes: { seats: { gte: random.integer(0, 20) } } }),
    () => ({ attributes: { tags: { contains: random.pick(['a', 'b', 'c']) } }, ...groups }),
    () => ({ attributes: { version: { semver_gte: `1.${random.integer(0, 9)}.0` } } }),
  ];
  if (depth === 0 || random.chance(0.6)) return random.pick(simple)();
  const inner = () => conditions(random, world, depth - 1);
  return random.pick<() => JsonObject>([
    () => ({ all: [inner(), inner()] }),
    () => ({ any: [inner(), inner()] }),
    () => ({ not: inner() }),
  ])();
}

function patch(random: Random, world: World): JsonObject {
  return {
    enabled: random.chance(0.8),
    ...(random.chance(0.5) ? { percentage: random.pick([0, 10, 20, 50, 90, 100]) } : {}),
    ...(random.chance(0.5) ? { conditions: random.chance(0.3) ? {} : conditions(random, world) } : {}),
  };
}

const colours = ['red', 'green', 'blue'];

/** Variants of the type STRING, of which one has a weight. */
function variants(random: Random): JsonObject[] {
  const [first, ...others] = random.some(colours, random.integer(1, 3));
  const variant = (key: string, weight: number) => ({ key, value: `${key} ${random.integer(1, 3)}`, weight });
  return [variant(first as string, 1), ...others.map(key => variant(key, random.integer(0, 3)))];
}

function rules(random: Random, world: World, keys: readonly string[]): JsonObject[] {
  return Array.from({ length: random.integer(0, 3) }, (_, index) => {
    const on = random.chance(0.7);
    const isServed = on && keys.length > 0 && random.chance(0.5);
    const serve = isServed ? random.some(keys, 2).map(variant => ({ variant, weight: random.integer(1, 3) })) : [];
    return {
      id: `r${index}`,
      when: random.chance(0.2) ? {} : conditions(random, world),
      percentage: random.pick([0, 12.25, 50, 100]),
      on,
      serve,
    };
  });
}

/** Everything about the values of a flag of the type STRING. */
function values(random: Random, world: World): JsonObject {
  const given = variants(random);
  const keys = given.map(({ key }) => key as string);
  const bucketBy = random.pick([null, null, '$id', '$device', 'plan']);
  return { variants: given, offVariant: keys[0] as string, rules: rules(random, world, keys), bucketBy };
}

/** Whether an input may be refused because of the flag that it meets. */
export function hasValues(input: JsonObject): boolean {
  return 'variants' in input || 'rules' in input;
}

/** SQL names users by the ids under which they are stored. */
const stored = (users: readonly string[]) => users.map(storedUserId);

function insertGroup(group: string, users: readonly string[]): Statement[] {
  const ids = stored(users);
  return [
    { text: 'INSERT INTO users (id) SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING', values: [ids] },
    {
      text: 'INSERT INTO user_feature_groups (user_id, group_name) SELECT unnest($1::uuid[]), $2 ON CONFLICT DO NOTHING',
      values: [ids, group],
    },
  ];
}

/** Through a node, in the product's own words. */
export const mutationKinds: readonly ChangeKind[] = [
  {
    name: 'createFlag',
    weight: 6,
    draw: (random, world) => {
      const key = random.pick(world.flags);
      const input = { key, name: key, ...patch(random, world) };
      return hands => hands.mutate('createFlag', input);
    },
  },
  {
    name: 'updateFlag',
    weight: 14,
    draw: (random, world) => {
      const version = random.chance(0.1) ? { expectedVersion: random.integer(1, 3) } : {};
      const input = { key: random.pick(world.flags), ...patch(random, world), ...version };
      return hands => hands.mutate('updateFlag', input);
    },
  },
  {
    name: 'deleteFlag',
    weight: 2,
    draw: (random, world) => {
      const key = random.pick(world.flags);
      return hands => hands.mutate('deleteFlag', { key });
    },
  },
  {
    name: 'setOverride',
    weight: 10,
    draw: (random, world) => {
      const input = {
        userId: random.pick(world.users),
        flagKey: random.pick(world.flags),
        enabled: random.chance(0.5),
      };
      return hands => hands.mutate('setOverride', input);
    },
  },
  {
    name: 'setOverride that expires',
    weight: 8,
    draw: (random, world) => {
      const input = {
        userId: random.pick(world.users),
        flagKey: random.pick(world.flags),
        enabled: random.chance(0.5),
      };
      const life = random.integer(300, 3_000);
      return hands => {
        const expiresAt = Date.now() + life;
        hands.expires(expiresAt);
        return hands.mutate('setOverride', { ...input, expiresAt: new Date(expiresAt).toISOString() });
      };
    },
  },
  {
    name: 'removeOverride',
    weight: 4,
    draw: (random, world) => {
      const input = { userId: random.pick(world.users), flagKey: random.pick(world.flags) };
      return hands => hands.mutate('removeOverride', input);
    },
  },
  {
    name: 'addToGroup',
    weight: 8,
    draw: (random, world) => {
      const input = { group: random.pick(world.groups), userIds: random.some(world.users, random.integer(1, 10)) };
      return hands => hands.mutate('addToGroup', input);
    },
  },
  {
    name: 'addToGroup in bulk',
    weight: 1,
    draw: (random, world) => {
      const strangers = Array.from({ length: world.bulk }, () => random.uuid());
      const input = { group: random.pick(world.groups), userIds: [...strangers, ...random.some(world.users, 50)] };
      return hands => hands.mutate('addToGroup', input);
    },
  },
  {
    name: 'removeFromGroup',
    weight: 5,
    draw: (random, world) => {
      const input = { group: random.pick(world.groups), userIds: random.some(world.users, random.integer(1, 40)) };
      return hands => hands.mutate('removeFromGroup', input);
    },
  },
  {
    name: 'setUserAttributes',
    weight: 8,
    draw: (random, world) => {
      const input = { userId: random.pick(world.users), attributes: attributes(random) };
      return hands => hands.mutate('setUserAttributes', input);
    },
  },
  {
    name: 'deleteUser',
    weight: 2,
    draw: (random, world) => {
      const userId = random.pick(world.users);
      return hands => hands.mutate('deleteUser', { userId });
    },
  },
];

/** The same, of flags that carry values. */
const valuedKinds: readonly ChangeKind[] = [
  {
    name: 'createFlag with values',
    weight: 4,
    draw: (random, world) => {
      const key = random.pick(world.flags);
      const input = { key, name: key, ...patch(random, world), type: 'STRING', ...values(random, world) };
      return hands => hands.mutate('createFlag', input);
    },
  },
  {
    name: 'updateFlag with values',
    weight: 8,
    draw: (random, world) => {
      const given = random.chance(0.5) ? values(random, world) : { rules: rules(random, world, []) };
      const input = { key: random.pick(world.flags), ...given };
      return hands => hands.mutate('updateFlag', input);
    },
  },
  {
    name: 'setOverride of a variant',
    weight: 4,
    draw: (random, world) => {
      const [userId, flagKey, variant] = [random.pick(world.users), random.pick(world.flags), random.pick(colours)];
      return hands => hands.mutate('setOverride', { userId, flagKey, enabled: true, variant });
    },
  },
];

/** By another hand: statements that no node has seen. */
const statements: readonly ChangeKind[] = [
  {
    name: 'SQL: update flags',
    weight: 4,
    draw: (random, world) => {
      const values = [random.some(world.flags, 3), random.chance(0.8), random.pick([5, 50, 100])];
      const text = 'UPDATE feature_flags SET enabled = $2, percentage = $3 WHERE key = ANY($1)';
      return hands => hands.sql({ text, values });
    },
  },
  {
    name: 'SQL: conditions, also wrong ones',
    weight: 3,
    draw: (random, world) => {
      const stored = random.chance(0.3) ? { attributes: { seats: { gte: 'many' } } } : conditions(random, world);
      const values = [random.pick(world.flags), JSON.stringify(stored)];
      const text = 'UPDATE feature_flags SET conditions = $2::jsonb WHERE key = $1';
      return hands => hands.sql({ text, values });
    },
  },
  {
    name: 'SQL: values, also wrong ones',
    weight: 3,
    draw: (random, world) => {
      const given = values(random, world);
      const stored = random.chance(0.3) ? [{ key: 'red' }] : given['variants'];
      const columns = [JSON.stringify(stored), given['offVariant'], JSON.stringify(given['rules']), given['bucketBy']];
      const text = `UPDATE feature_flags SET type = 'STRING', variants = $2::jsonb, off_variant = $3, rules = $4::jsonb, bucket_by = $5
        WHERE key = $1`;
      const parameters = [random.pick(world.flags), ...columns];
      return hands => hands.sql({ text, values: parameters });
    },
  },
  {
    name: 'SQL: insert flags',
    weight: 3,
    draw: (random, world) => {
      const values = [random.some(world.flags, 4)];
      const text = `INSERT INTO feature_flags (key, name, enabled) SELECT key, key, true FROM unnest($1::text[]) AS key ON CONFLICT DO NOTHING`;
      return hands => hands.sql({ text, values });
    },
  },
  {
    name: 'SQL: delete a flag',
    weight: 1,
    draw: (random, world) => {
      const values = [random.pick(world.flags)];
      return hands => hands.sql({ text: 'DELETE FROM feature_flags WHERE key = $1', values });
    },
  },
  {
    name: 'SQL: rename a flag',
    weight: 1,
    draw: (random, world) => {
      const values = random.some(world.flags, 2);
      const text = `DELETE FROM feature_flag_overrides WHERE flag_key = $1`;
      const rename = `UPDATE feature_flags SET key = $2 WHERE key = $1 AND NOT EXISTS (SELECT FROM feature_flags WHERE key = $2)`;
      return hands => hands.sql({ text, values: values.slice(0, 1) }, { text: rename, values });
    },
  },
  {
    name: 'SQL: overrides of many',
    weight: 3,
    draw: (random, world) => {
      const values = [
        stored(random.some(world.users, 20)),
        random.pick(world.flags),
        random.chance(0.5),
        random.integer(500, 3_000),
      ];
      const text = `INSERT INTO feature_flag_overrides (user_id, flag_key, enabled, expires_at)
        SELECT u.id, f.key, $3, now() + $4 * interval '1 ms' FROM users u, feature_flags f WHERE u.id = ANY($1) AND f.key = $2
        ON CONFLICT (user_id, flag_key) DO UPDATE SET enabled = EXCLUDED.enabled, expires_at = EXCLUDED.expires_at`;
      return async hands => {
        await hands.sql({ text, values });
        hands.expires(Date.now() + (values[3] as number));
      };
    },
  },
  {
    name: 'SQL: move and delete overrides',
    weight: 2,
    draw: (random, world) => {
      const values = random.some(world.flags, 2);
      const text = `UPDATE feature_flag_overrides o SET flag_key = $2 WHERE flag_key = $1
        AND EXISTS (SELECT FROM feature_flags WHERE key = $2)
        AND NOT EXISTS (SELECT FROM feature_flag_overrides x WHERE x.flag_key = $2 AND x.user_id = o.user_id)`;
      return hands =>
        hands.sql(
          { text, values },
          { text: 'DELETE FROM feature_flag_overrides WHERE flag_key = $1', values: [values[0]] },
        );
    },
  },
  {
    name: 'SQL: rename a group',
    weight: 1,
    draw: (random, world) => {
      const values = random.some(world.groups, 2);
      const text = `UPDATE user_feature_groups m SET group_name = $2 WHERE group_name = $1
        AND NOT EXISTS (SELECT FROM user_feature_groups x WHERE x.group_name = $2 AND x.user_id = m.user_id)`;
      return hands => hands.sql({ text, values });
    },
  },
  {
    name: 'SQL: members in bulk',
    weight: 1,
    draw: (random, world) => {
      const strangers = Array.from({ length: world.bulk }, () => random.uuid());
      const insert = insertGroup(random.pick(world.groups), [...strangers, ...random.some(world.users, 30)]);
      return hands => hands.sql(...insert);
    },
  },
  {
    name: 'SQL: delete members',
    weight: 2,
    draw: (random, world) => {
      const values = [random.pick(world.groups), stored(random.some(world.users, 60))];
      return hands =>
        hands.sql({ text: 'DELETE FROM user_feature_groups WHERE group_name = $1 AND user_id = ANY($2)', values });
    },
  },
  {
    name: 'SQL: attributes of many',
    weight: 3,
    draw: (random, world) => {
      const values = [stored(random.some(world.users, 40)), JSON.stringify({ seats: random.integer(0, 20) })];
      return hands =>
        hands.sql({ text: 'UPDATE users SET attributes = attributes || $2::jsonb WHERE id = ANY($1)', values });
    },
  },
  {
    name: 'SQL: delete users',
    weight: 1,
    draw: (random, world) => {
      const values = [stored(random.some(world.users, 15))];
      return hands => hands.sql({ text: 'DELETE FROM users WHERE id = ANY($1)', values });
    },
  },
  {
    name: 'SQL: a transaction over all tables',
    weight: 3,
    draw: (random, world) => {
      const [user, flag, group] = [random.pick(world.users), random.pick(world.flags), random.pick(world.groups)];
      const end = random.chance(0.3) ? ['ROLLBACK'] : [];
      const pause = `SELECT pg_sleep(${random.pick([0, 0, 0.2])})`;
      const enabled = random.chance(0.5);
      return hands =>
        hands.sql(
          ...insertGroup(group, [user]),
          'SAVEPOINT before_all_off',
          'UPDATE feature_flags SET enabled = false',
          'ROLLBACK TO before_all_off',
          { text: 'UPDATE feature_flags SET enabled = NOT enabled WHERE key = $1', values: [flag] },
          pause,
          { text: `UPDATE users SET attributes = '{"plan": "pro"}' WHERE id = $1`, values: stored([user]) },
          {
            text: `INSERT INTO feature_flag_overrides (user_id, flag_key, enabled) SELECT $1, key, $3 FROM feature_flags WHERE key = $2
              ON CONFLICT (user_id, flag_key) DO UPDATE SET enabled = EXCLUDED.enabled, expires_at = NULL`,
            values: [storedUserId(user), flag, enabled],
          },
          ...end,
        );
    },
  },
  {
    name: 'SQL: as a replica',
    weight: 2,
    draw: (random, world) => {
      const values = [random.some(world.flags, 3), random.chance(0.5)];
      const text = 'UPDATE feature_flags SET enabled = $2 WHERE key = ANY($1)';
      return hands => hands.sql('SET LOCAL session_replication_role = replica', { text, values });
    },
  },
  {
    name: 'SQL: truncate',
    weight: 0.7,
    draw: random => {
      const table = random.weighted([
        { weight: 3, name: 'user_feature_groups' },
        { weight: 3, name: 'feature_flag_overrides' },
        { weight: 1, name: 'feature_flags' },
        { weight: 1, name: 'users' },
      ]).name;
      return hands => hands.sql(`TRUNCATE ${table} CASCADE`);
    },
  },
];

export const changeKinds: readonly ChangeKind[] = [...mutationKinds, ...valuedKinds, ...statements];
