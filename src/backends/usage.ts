import {
  type ConstantRequest,
  type MapUsage,
  type UsageBatch,
  type UsagePoint,
  type UsageRequest,
  type UsageRow,
  usagePoints,
} from '../core/usage.js';
import { Prisma, type PrismaClient } from '../generated/prisma/client.js';
import { read } from './reads.js';
import { jsonb } from './sql.js';

/** The newest entries of the log in which the change is looked for that gave a flag its present answer. */
const entriesLookedAt = 1_000;

/** A time in milliseconds since the epoch. */
const time = (column: Prisma.Sql) => Prisma.sql`to_timestamp(${column} / 1000.0)`;

/** The reverse, as text. */
const milliseconds = (column: Prisma.Sql) => Prisma.sql`round(extract(epoch FROM ${column}) * 1000)::bigint::text`;

/**
 * Adds the counts of a batch, unless it was added before. One statement: it needs no transaction, and is stored as a whole or not at
 * all. Rows are written in one order, so two nodes never wait for each other.
 */
export async function writeUsage(prisma: PrismaClient, { writer, number, flags, maps }: UsageBatch): Promise<void> {
  const named = flags.map(({ variant, ...count }) => ({ ...count, variant: variant ?? '' }));
  await read(
    prisma,
    Prisma.sql`
    WITH fresh AS (
      INSERT INTO usage_writers AS known (id, batch, at) VALUES (${writer}::uuid, ${number}::bigint, now())
      ON CONFLICT (id) DO UPDATE SET batch = EXCLUDED.batch, at = EXCLUDED.at WHERE known.batch < EXCLUDED.batch
      RETURNING id
    ), added_flags AS (
      INSERT INTO flag_usage AS kept (flag_id, hour, reason, variant, count, last_at)
      SELECT f.id, ${time(Prisma.sql`given.hour`)}, given.reason, given.variant, given.count, ${time(Prisma.sql`given."lastAt"`)}
      FROM jsonb_to_recordset(${jsonb(named)})
             AS given ("flagKey" text, hour bigint, reason text, variant text, count bigint, "lastAt" bigint)
           JOIN feature_flags f ON f.key = given."flagKey"
      WHERE EXISTS (SELECT FROM fresh)
      ORDER BY f.id, given.hour, given.reason COLLATE "C", given.variant COLLATE "C"
      ON CONFLICT (flag_id, hour, reason, variant)
        DO UPDATE SET count = kept.count + EXCLUDED.count, last_at = greatest(kept.last_at, EXCLUDED.last_at)
    ), added_maps AS (
      INSERT INTO map_usage AS kept (hour, count, uncounted)
      SELECT ${time(Prisma.sql`given.hour`)}, given.count, given."isUncounted"
      FROM jsonb_to_recordset(${jsonb(maps)}) AS given (hour bigint, count bigint, "isUncounted" boolean)
      WHERE EXISTS (SELECT FROM fresh)
      ORDER BY given.hour
      ON CONFLICT (hour) DO UPDATE SET count = kept.count + EXCLUDED.count, uncounted = kept.uncounted OR EXCLUDED.uncounted
    )
    SELECT count(*)::int AS fresh FROM fresh`,
  );
}

/** The counts that are asked for, in one statement for any number of flags and ranges. */
export async function readUsage(
  prisma: PrismaClient,
  requests: readonly UsageRequest[],
): Promise<readonly (readonly UsagePoint[])[]> {
  if (requests.length === 0) return [];
  const asked = requests.map((request, place) => ({ ...request, place }));
  const rows = await read(
    prisma,
    Prisma.sql`
    SELECT asked.place, ${milliseconds(Prisma.sql`u.at`)} AS at, u.reason, u.variant, u.count::text AS count
    FROM jsonb_to_recordset(${jsonb(asked)})
           AS asked (place int, "flagId" uuid, since bigint, until bigint, interval text)
    CROSS JOIN LATERAL (
      SELECT date_trunc(asked.interval, hour, 'UTC') AS at, reason, variant, sum(count) AS count
      FROM flag_usage
      WHERE flag_id = asked."flagId" AND hour < ${time(Prisma.sql`asked.until`)}
        AND hour >= date_trunc(asked.interval, ${time(Prisma.sql`asked.since`)}, 'UTC')
      GROUP BY 1, 2, 3
    ) u`,
  );
  const found: UsageRow[][] = requests.map(() => []);
  for (const row of rows) {
    found[row['place'] as number]?.push({
      at: Number(row['at']),
      reason: row['reason'] as string,
      variant: row['variant'] as string,
      count: Number(row['count']),
    });
  }
  return found.map(usagePoints);
}

/** When flags were last asked for by name. */
export async function readLastAsked(
  prisma: PrismaClient,
  flagIds: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const rows = await read(
    prisma,
    Prisma.sql`
    SELECT asked.id, ${milliseconds(Prisma.sql`u.last_at`)} AS at
    FROM unnest(${[...flagIds]}::text[]) AS asked (id)
    CROSS JOIN LATERAL (
      SELECT max(last_at) AS last_at FROM flag_usage
      WHERE flag_id = asked.id::uuid AND hour = (SELECT max(hour) FROM flag_usage WHERE flag_id = asked.id::uuid)
    ) u
    WHERE u.last_at IS NOT NULL`,
  );
  return new Map(rows.map(row => [row['id'] as string, Number(row['at'])]));
}

/** What is stored about questions that named no flag. */
export async function readMapUsage(prisma: PrismaClient): Promise<MapUsage> {
  const [row] = await read(
    prisma,
    Prisma.sql`
    SELECT ${milliseconds(Prisma.sql`min(hour)`)} AS first, ${milliseconds(Prisma.sql`max(hour) FILTER (WHERE count > 0)`)} AS map,
           ${milliseconds(Prisma.sql`max(hour) FILTER (WHERE uncounted)`)} AS uncounted
    FROM map_usage`,
  );
  const number = (text: unknown) => (text == null ? null : Number(text));
  return {
    countedSince: number(row?.['first']),
    lastMap: number(row?.['map']),
    lastUncounted: number(row?.['uncounted']),
  };
}

/** Fields of a flag that decide no answer. */
const cosmetic = Prisma.sql`'{name,description,tags,owner,expectedUntil,version,updatedAt,createdById}'::text[]`;

/**
 * Since when flags have given everybody their present answer: the log knows the last change that altered it, and the last override
 * that contradicted it. After a RESET nobody knows what was before. Where the newest entries of a flag have no such change, the flag was last changed at the latest.
 */
export async function readConstantSince(
  prisma: PrismaClient,
  requests: readonly ConstantRequest[],
  now: number,
): Promise<readonly (number | null)[]> {
  if (requests.length === 0) return [];
  const rows = await read(
    prisma,
    Prisma.sql`
    SELECT asked."flagKey" AS key, ${milliseconds(Prisma.sql`greatest(coalesce(decided.at, f.updated_at), expired.at, reset.at)`)} AS since
    FROM jsonb_to_recordset(${jsonb(requests)}) AS asked ("flagKey" text, enabled boolean, variant text)
    JOIN feature_flags f ON f.key = asked."flagKey"
    LEFT JOIN LATERAL (
      SELECT at FROM (
        SELECT revision, at, kind, before, after FROM feature_changes WHERE flag_key = f.key ORDER BY revision DESC LIMIT ${entriesLookedAt}
      ) AS newest
      WHERE CASE
        WHEN kind IN ('OVERRIDE_SET', 'OVERRIDE_REMOVED') THEN ${contradicts(
          Prisma.sql`(before ->> 'enabled')::boolean`,
          Prisma.sql`before ->> 'variant'`,
        )} OR ${contradicts(Prisma.sql`(after ->> 'enabled')::boolean`, Prisma.sql`after ->> 'variant'`)}
        WHEN asked.enabled THEN before - ${cosmetic} IS DISTINCT FROM after - ${cosmetic}
        ELSE before -> 'enabled' IS DISTINCT FROM after -> 'enabled'
      END
      ORDER BY revision DESC LIMIT 1
    ) AS decided ON true
    LEFT JOIN LATERAL (
      SELECT max(expires_at) AS at, count(*) FILTER (WHERE expires_at IS NULL OR expires_at > ${time(Prisma.sql`${String(Math.round(now))}::text::bigint`)}) AS lasting
      FROM feature_flag_overrides WHERE flag_key = f.key AND ${contradicts(Prisma.sql`enabled`, Prisma.sql`variant`)}
    ) AS expired ON true
    LEFT JOIN (SELECT at FROM feature_changes WHERE kind = 'RESET' ORDER BY revision DESC LIMIT 1) AS reset ON true
    WHERE expired.lasting = 0`,
  );
  const since = new Map(rows.map(row => [row['key'] as string, Number(row['since'])]));
  return requests.map(({ flagKey }) => since.get(flagKey) ?? null);
}

/** Whether an override gives another answer than the one that is asked for. Null counts as no override. */
function contradicts(enabled: Prisma.Sql, variant: Prisma.Sql): Prisma.Sql {
  return Prisma.sql`coalesce(${enabled} <> asked.enabled OR (asked.enabled AND ${variant} <> asked.variant), false)`;
}

/** Days after which the number of a process that wrote counts is forgotten: no batch waits as long. */
const writerDays = 7;

/** Statements that each delete a slice of what is not needed any more. The last hour of each flag stays, for the time of its last question. */
export function pruneUsage(keepMs: number, limit: number): readonly Prisma.Sql[] {
  const bound = Prisma.sql`now() - make_interval(secs => ${keepMs / 1_000}::float8)`;
  const tables = [
    Prisma.sql`flag_usage WHERE ctid = ANY(ARRAY(
      SELECT old.ctid FROM flag_usage old
      WHERE old.hour < ${bound} AND EXISTS (SELECT FROM flag_usage later WHERE later.flag_id = old.flag_id AND later.hour > old.hour)
      LIMIT ${limit}))`,
    // Goes from flag to flag along the index: a look at every count would take seconds.
    Prisma.sql`flag_usage WHERE ctid = ANY(ARRAY(
      WITH RECURSIVE counted AS (
        SELECT (SELECT flag_id FROM flag_usage ORDER BY flag_id LIMIT 1) AS flag_id
        UNION ALL
        SELECT (SELECT flag_id FROM flag_usage WHERE flag_id > counted.flag_id ORDER BY flag_id LIMIT 1)
        FROM counted WHERE flag_id IS NOT NULL
      )
      SELECT u.ctid FROM flag_usage u JOIN counted ON counted.flag_id = u.flag_id
      WHERE NOT EXISTS (SELECT FROM feature_flags f WHERE f.id = counted.flag_id) LIMIT ${limit}))`,
    Prisma.sql`map_usage WHERE ctid = ANY(ARRAY(SELECT ctid FROM map_usage WHERE hour < ${bound} LIMIT ${limit}))`,
    Prisma.sql`usage_writers WHERE ctid = ANY(ARRAY(
      SELECT ctid FROM usage_writers WHERE at < now() - make_interval(days => ${writerDays}) LIMIT ${limit}))`,
  ];
  return tables.map(table => Prisma.sql`DELETE FROM ${table}`);
}
