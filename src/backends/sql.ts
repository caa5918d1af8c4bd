import type { Flag } from '../core/flag.js';
import type { NewFlag } from '../core/inputs.js';
import type { JsonObject } from '../core/json.js';
import { externalUserId, storedUserId } from '../core/user-id.js';
import { Prisma } from '../generated/prisma/client.js';
import { flagFromLog, type Override } from './backend.js';

// Parts of SQL statements, and functions that read their rows. States are JSON text in the form of the change log.

export type Row = Readonly<Record<string, unknown>>;

/** A list of stored ids as one parameter: Prisma would walk and convert a list id by id. */
export function uuids(ids: Iterable<string>): Prisma.Sql {
  return Prisma.sql`${`{${[...ids].join(',')}}`}::uuid[]`;
}

/** The id under which a user is stored. Null is nobody. */
export function storedOrNull(userId: string | null): string | null {
  return userId === null ? null : storedUserId(userId);
}

/** @param value of the form that JSON has. */
export function jsonb(value: object): Prisma.Sql {
  return Prisma.sql`${JSON.stringify(value)}::text::jsonb`;
}

export function json<T>(text: unknown): T {
  return JSON.parse(text as string) as T;
}

/** Users by the ids under which they are stored, each with the text that it is known by; null for a UUID. */
export type StoredUsers = ReadonlyMap<string, string | null>;

/** A user by the stored id, with the text that the user is known by. */
export function storedUser(userId: string): readonly [id: string, externalId: string | null] {
  return [storedUserId(userId), externalUserId(userId)];
}

/** Each of these users once. Of a user who is named by the text and by the stored id, the text counts. */
export function distinctUsers(users: Iterable<readonly [id: string, externalId: string | null]>): StoredUsers {
  const distinct = new Map<string, string | null>();
  for (const [id, externalId] of users) if (externalId !== null || !distinct.has(id)) distinct.set(id, externalId);
  return distinct;
}

/** The users with these ids. Null is nobody. */
export function storedUsers(ids: readonly (string | null)[]): StoredUsers {
  return distinctUsers(ids.filter(id => id !== null).map(storedUser));
}

/** Creates the unknown users among these, if a condition holds. */
export function ensureUsers(users: StoredUsers, where: Prisma.Sql = Prisma.sql`true`): Prisma.Sql {
  const known = [...users].filter(([, externalId]) => externalId !== null);
  if (known.length === 0) {
    return Prisma.sql`INSERT INTO users (id) SELECT unnest(${uuids(users.keys())}) WHERE ${where} ON CONFLICT DO NOTHING`;
  }
  // A user who was first named by the stored id is known by the text from now on.
  return Prisma.sql`
    INSERT INTO users AS stored (id, external_id)
    SELECT id, known.value
    FROM unnest(${uuids(users.keys())}) AS id LEFT JOIN jsonb_each_text(${jsonb(Object.fromEntries(known))}) AS known ON known.key = id::text
    WHERE ${where}
    ON CONFLICT (id) DO UPDATE SET external_id = EXCLUDED.external_id
    WHERE stored.external_id IS NULL AND EXCLUDED.external_id IS NOT NULL`;
}

/** The columns of the fields that callers set. The compiler asks for each field. */
const flagColumns: Readonly<Record<keyof NewFlag, string>> = {
  key: 'key',
  name: 'name',
  description: 'description',
  enabled: 'enabled',
  percentage: 'percentage',
  conditions: 'conditions',
  type: 'type',
  variants: 'variants',
  offVariant: 'off_variant',
  rules: 'rules',
  bucketBy: 'bucket_by',
  tags: 'tags',
  owner: 'owner',
  expectedUntil: 'expected_until',
};

/** Those columns of a row, or of the table. */
export function flagFields(row?: string): Prisma.Sql {
  const prefix = row === undefined ? '' : `${row}.`;
  return Prisma.raw(
    Object.values(flagColumns)
      .map(column => prefix + column)
      .join(', '),
  );
}

/** The given fields by their columns, as `jsonb_populate_record` takes them. */
export function flagRecord(fields: Partial<NewFlag>): JsonObject {
  const given = Object.entries(flagColumns).map(([field, column]) => [column, fields[field as keyof NewFlag]]);
  return Object.fromEntries(given.filter(([, value]) => value !== undefined)) as JsonObject;
}

/** The columns that {@link flagOf} reads, of the row of a flag that has this name in the statement. */
export function flagState(row: Prisma.Sql): Prisma.Sql {
  return Prisma.sql`halyard_flag_state(${row})::text AS flag, ${knownBy(Prisma.sql`${row}.created_by_id`)} AS creator`;
}

/** The columns that {@link overrideOf} reads. */
export const overrideState = Prisma.sql`halyard_override_state(o)::text AS override, ${knownBy(Prisma.sql`o.created_by_id`)} AS creator`;

/** The text that the user in this column is known by. Null: the UUID in the column. */
export function knownBy(column: Prisma.Sql): Prisma.Sql {
  return Prisma.sql`(SELECT u.external_id FROM users u WHERE u.id = ${column})`;
}

export function selectFlag(key: string): Prisma.Sql {
  return Prisma.sql`SELECT ${flagState(Prisma.sql`f`)} FROM feature_flags f WHERE key = ${key}`;
}

export function flagOf(row: Row | undefined): Flag | null {
  if (row === undefined) return null;
  const flag = flagFromLog(json<JsonObject>(row['flag']));
  const creator = row['creator'] as string | null;
  return creator === null ? flag : { ...flag, createdById: creator };
}

export function overrideOf(row: Row): Omit<Override, 'userId' | 'flagKey'> {
  const state = json<Omit<Override, 'expiresAt' | 'createdAt'> & { expiresAt: string | null; createdAt: string }>(
    row['override'],
  );
  return {
    ...state,
    expiresAt: state.expiresAt === null ? null : new Date(state.expiresAt),
    createdAt: new Date(state.createdAt),
    createdById: (row['creator'] as string | null) ?? state.createdById,
  };
}
