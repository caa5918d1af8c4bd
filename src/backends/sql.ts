import type { Flag } from '../core/flag.js';
import type { FlagPatch, NewFlag } from '../core/inputs.js';
import type { JsonObject } from '../core/json.js';
import { Prisma } from '../generated/prisma/client.js';
import { flagFromLog, type Override } from './backend.js';

// Parts of SQL statements, and functions that read their rows. States are JSON text in the form of the change log.

export type Row = Readonly<Record<string, unknown>>;

/** A list of ids as one parameter: Prisma would walk and convert a list id by id. */
export function uuids(ids: readonly string[]): Prisma.Sql {
  return Prisma.sql`${`{${ids.join(',')}}`}::uuid[]`;
}

export function jsonb(value: JsonObject): Prisma.Sql {
  return Prisma.sql`${JSON.stringify(value)}::text::jsonb`;
}

export function json<T>(text: unknown): T {
  return JSON.parse(text as string) as T;
}

/** Creates the unknown users among these, if a condition holds. */
export function ensureUsers(ids: readonly (string | null)[], where: Prisma.Sql = Prisma.sql`true`): Prisma.Sql {
  const known = ids.filter(id => id !== null);
  return Prisma.sql`INSERT INTO users (id) SELECT DISTINCT unnest(${uuids(known)}) WHERE ${where} ON CONFLICT DO NOTHING`;
}

/** The columns of the fields that callers set. The compiler asks for each field. */
const flagColumns: Readonly<Record<keyof NewFlag, string>> = {
  key: 'key',
  name: 'name',
  description: 'description',
  enabled: 'enabled',
  percentage: 'percentage',
  conditions: 'conditions',
};

/** The columns of those fields that are given, each with its value. */
function flagValues(fields: Partial<NewFlag>): { readonly column: Prisma.Sql; readonly value: Prisma.Sql }[] {
  return Object.entries(flagColumns).flatMap(([field, column]) => {
    const value = fields[field as keyof NewFlag];
    if (value === undefined) return [];
    const isJson = typeof value === 'object' && value !== null;
    return { column: Prisma.raw(column), value: isJson ? jsonb(value) : Prisma.sql`${value}` };
  });
}

/** Inserts a flag; the caller says what follows. */
export function insertFlag(flag: NewFlag, createdById: string | null): Prisma.Sql {
  const values = flagValues(flag);
  return Prisma.sql`
    INSERT INTO feature_flags (${Prisma.join(values.map(({ column }) => column))}, created_by_id)
    VALUES (${Prisma.join(values.map(({ value }) => value))}, ${createdById}::uuid)`;
}

export function assignments(patch: FlagPatch): Prisma.Sql {
  const set = flagValues(patch).map(({ column, value }) => Prisma.sql`${column} = ${value}`);
  return set.length === 0 ? Prisma.sql`key = key` : Prisma.join(set);
}

export function selectFlag(key: string): Prisma.Sql {
  return Prisma.sql`SELECT halyard_flag_state(f)::text AS flag FROM feature_flags f WHERE key = ${key}`;
}

export function flagOf(row: Row | undefined): Flag | null {
  return row === undefined ? null : flagFromLog(json<JsonObject>(row['flag']));
}

export function overrideOf(row: Row): Omit<Override, 'userId' | 'flagKey'> {
  const state = json<Omit<Override, 'expiresAt' | 'createdAt'> & { expiresAt: string | null; createdAt: string }>(
    row['override'],
  );
  return {
    ...state,
    expiresAt: state.expiresAt === null ? null : new Date(state.expiresAt),
    createdAt: new Date(state.createdAt),
  };
}
