import { type ApiKey, apiKeyFromLog, maxApiKeys } from '../core/api-key.js';
import type { JsonObject } from '../core/json.js';
import { Prisma, type PrismaClient } from '../generated/prisma/client.js';
import type { ApiKeysRead, NewApiKey } from './backend.js';
import { read } from './reads.js';
import { ensureUsers, json, jsonb, knownBy, type Row, storedOrNull, storedUsers } from './sql.js';

// The SQL of API keys. The hash is in no state of a key.

const keyState = (row: Prisma.Sql) =>
  Prisma.sql`halyard_api_key_state(${row})::text AS key, ${knownBy(Prisma.sql`${row}.created_by_id`)} AS creator`;

export function apiKeyOf(row: Row | undefined): ApiKey | null {
  if (row === undefined) return null;
  const key = apiKeyFromLog(json<JsonObject>(row['key']));
  return { ...key, createdById: (row['creator'] as string | null) ?? key.createdById };
}

/** Inserts the key if its name is free and there is room. @param actor the id that the creator is known by. */
export function insertApiKey({ name, role, hash, prefix, expiresAt }: NewApiKey, actor: string | null): Prisma.Sql {
  const given = { name, role, hash: `\\x${Buffer.from(hash).toString('hex')}`, prefix, expires_at: expiresAt };
  return Prisma.sql`
    WITH made AS (
      INSERT INTO api_keys (name, role, hash, prefix, expires_at, created_by_id)
      SELECT made.name, made.role, made.hash, made.prefix, made.expires_at, ${storedOrNull(actor)}::uuid
      FROM jsonb_populate_record(NULL::api_keys, ${jsonb(given)}) AS made
      WHERE (SELECT count(*) FROM api_keys WHERE revoked_at IS NULL) < ${maxApiKeys}
      ON CONFLICT (name) WHERE revoked_at IS NULL DO NOTHING
      RETURNING *
    ), actors AS (
      ${ensureUsers(storedUsers([actor]), Prisma.sql`EXISTS (SELECT FROM made)`)}
    )
    SELECT halyard_api_key_state(made)::text AS key, ${actor}::text AS creator FROM made`;
}

export function isNameTaken(name: string): Prisma.Sql {
  return Prisma.sql`SELECT EXISTS (SELECT FROM api_keys WHERE name = ${name} AND revoked_at IS NULL) AS taken`;
}

export function revokeApiKey(id: string, actor: string | null): Prisma.Sql {
  return Prisma.sql`
    WITH revoked AS (
      UPDATE api_keys SET revoked_at = clock_timestamp() WHERE id = ${id}::uuid AND revoked_at IS NULL RETURNING id
    )
    ${ensureUsers(storedUsers([actor]), Prisma.sql`EXISTS (SELECT FROM revoked)`)}`;
}

export function selectApiKey(id: string): Prisma.Sql {
  return Prisma.sql`SELECT ${keyState(Prisma.sql`k`)} FROM api_keys k WHERE id = ${id}::uuid`;
}

/** The keys that are not revoked, and the head of the log. */
export async function readApiKeys(prisma: PrismaClient): Promise<ApiKeysRead> {
  const rows = await read(
    prisma,
    Prisma.sql`
    SELECT h.revision::text AS revision, encode(k.hash, 'hex') AS hash, ${keyState(Prisma.sql`k`)}
    FROM feature_log_head h LEFT JOIN api_keys k ON k.revoked_at IS NULL`,
  );
  const keys = rows.flatMap(row => {
    const key = row['hash'] === null ? null : apiKeyOf(row);
    return key === null ? [] : [{ ...key, hash: Buffer.from(row['hash'] as string, 'hex') }];
  });
  return { revision: Number(rows[0]?.['revision']), keys };
}

/** Writes when keys were last used. It takes no lock that writers of changes wait for. */
export async function writeApiKeyUses(prisma: PrismaClient, uses: ReadonlyMap<string, Date>): Promise<void> {
  if (uses.size === 0) return;
  const rows = [...uses].map(([id, at]) => ({ id, at }));
  await read(
    prisma,
    // Always in one order: two nodes that write the same keys must not wait for each other.
    Prisma.sql`
    INSERT INTO api_key_uses AS stored (key_id, last_used_at)
    SELECT given.id, given.at FROM jsonb_to_recordset(${jsonb(rows)}) AS given (id uuid, at timestamptz)
    JOIN api_keys k ON k.id = given.id ORDER BY given.id
    ON CONFLICT (key_id) DO UPDATE SET last_used_at = EXCLUDED.last_used_at WHERE stored.last_used_at < EXCLUDED.last_used_at`,
  );
}
