import type { Flag } from '../core/flag.js';
import type { JsonObject } from '../core/json.js';
import { Prisma } from '../generated/prisma/client.js';
import { type FlagPatch, flagFromLog, type Override } from './backend.js';

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

export function assignments(patch: FlagPatch): Prisma.Sql {
  const set = [];
  if (patch.name !== undefined) set.push(Prisma.sql`name = ${patch.name}`);
  if (patch.description !== undefined) set.push(Prisma.sql`description = ${patch.description}`);
  if (patch.enabled !== undefined) set.push(Prisma.sql`enabled = ${patch.enabled}`);
  if (patch.percentage !== undefined) set.push(Prisma.sql`percentage = ${patch.percentage}`);
  if (patch.conditions !== undefined) set.push(Prisma.sql`conditions = ${jsonb(patch.conditions)}`);
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
