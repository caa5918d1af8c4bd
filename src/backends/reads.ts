import type { Attributes } from '../core/attributes.js';
import type { Flag } from '../core/flag.js';
import { storedUserId } from '../core/user-id.js';
import { Prisma, type PrismaClient } from '../generated/prisma/client.js';
import { mapInSlices } from '../streams/slices.js';
import type {
  Change,
  ChangePage,
  Definitions,
  LogFound,
  LogSearch,
  OverriddenVariants,
  Override,
  TargetedUser,
  Targeting,
  TargetingNeeds,
  TargetingRead,
} from './backend.js';
import { toUnavailable } from './errors.js';
import { searchCondition } from './log-search.js';
import { flagOf, flagState, json, overrideOf, overrideState, type Row, uuids } from './sql.js';

/** Runs one statement outside of transactions. */
export async function read(prisma: PrismaClient, sql: Prisma.Sql): Promise<readonly Row[]> {
  try {
    return await prisma.$queryRaw<Row[]>(sql);
  } catch (error) {
    throw toUnavailable(error) ?? error;
  }
}

/** Evaluated once for each statement and not for each row. */
const epoch = Prisma.sql`h.epoch::text || (SELECT coalesce('/' || halyard_timeline(), '')) AS epoch`;

/** All flags and the head of the log. */
export async function readDefinitions(prisma: PrismaClient): Promise<Definitions> {
  // One row for each flag, so that any number of flags can be parsed in slices.
  const rows = await read(
    prisma,
    Prisma.sql`
    SELECT ${epoch}, h.revision::text AS revision, c.nonce::text AS nonce,
           f.key, ${flagState(Prisma.sql`f`)}
    FROM feature_log_head h LEFT JOIN feature_changes c ON c.revision = h.revision LEFT JOIN feature_flags f ON true ORDER BY f.key COLLATE "C"`,
  );
  const head = headOf(rows);
  const flags = await mapInSlices(head['key'] === null ? [] : rows, row => flagOf(row) as Flag);
  const { revision, nonce } = head;
  return { epoch: head['epoch'] as string, revision: Number(revision), nonce: nonce as string | null, flags };
}

/** The columns of a change, with the names of {@link Change}. */
const changeColumns = Prisma.sql`revision, nonce, halyard_time(at) AS at, actor_id AS "actorId", coalesce(kind_name, kind::text) AS kind, flag_key AS "flagKey",
                     user_id AS "userId", group_name AS "groupName", coalesce(user_ids, '{}') AS "userIds", before, after,
                     note, batch, reverts, api_key_id AS "apiKeyId"`;

function changesOf(text: unknown): Change[] {
  return json<(Change & { at: string })[]>(text).map(change => ({ ...change, at: new Date(change.at) }));
}

/** The entries of the log after a revision, until `limit` entries or `bytesPerPage` are reached. */
export async function readChanges(
  prisma: PrismaClient,
  after: number,
  limit: number,
  bytesPerPage: number,
): Promise<ChangePage> {
  const page = Prisma.sql`
    SELECT ${epoch}, h.revision::text AS head,
           (SELECT nonce::text FROM feature_changes WHERE revision = ${after}) AS nonce,
           (SELECT coalesce(json_agg(c ORDER BY c.revision), '[]')
            FROM (
              SELECT ${changeColumns}
              FROM (
                SELECT *, sum(coalesce(pg_column_size(user_ids), 0) + coalesce(pg_column_size(before), 0)
                              + coalesce(pg_column_size(after), 0))
                          OVER (ORDER BY revision ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS size_before
                FROM (SELECT * FROM feature_changes WHERE revision > ${after} AND revision <= h.revision ORDER BY revision LIMIT ${limit}) AS following
              ) AS measured
              WHERE coalesce(size_before, 0) < ${bytesPerPage}
            ) c)::text AS changes
    FROM feature_log_head h`;
  const row = headOf(await read(prisma, page));
  return {
    epoch: row['epoch'] as string,
    head: Number(row['head']),
    nonce: row['nonce'] as string | null,
    changes: changesOf(row['changes']),
  };
}

/** The changes that match a search. */
export async function searchChanges(prisma: PrismaClient, search: LogSearch): Promise<LogFound> {
  const { limit, newestFirst } = search;
  const order = newestFirst === true ? Prisma.sql`ORDER BY revision DESC` : Prisma.sql`ORDER BY revision`;
  const rows = await read(
    prisma,
    Prisma.sql`
    SELECT h.revision::text AS head, (SELECT coalesce(min(revision) - 1, h.revision)::text FROM feature_changes) AS pruned,
           (SELECT coalesce(json_agg(c), '[]')
            FROM (
              SELECT ${changeColumns} FROM feature_changes
              WHERE ${searchCondition(search)} AND revision <= h.revision ${order} LIMIT ${limit}
            ) c)::text AS changes
    FROM feature_log_head h`,
  );
  const row = headOf(rows);
  return { head: Number(row['head']), prunedTo: Number(row['pruned']), changes: changesOf(row['changes']) };
}

/**
 * The data that is stored under these ids, and the head of the log.
 * @param run runs a statement; see `Connection.read`.
 */
export async function readTargeting(
  run: (statement: Prisma.Sql) => Promise<readonly (readonly unknown[])[]>,
  storedIds: readonly string[],
): Promise<TargetingRead> {
  if (storedIds.length === 0) return { revision: 0, users: new Map() };
  const statement = Prisma.sql`
    SELECT h.revision::text, u.id::text, u.attributes::text,
           (SELECT json_agg(m.group_name) FROM user_feature_groups m WHERE m.user_id = u.id)::text,
           (SELECT json_agg(${storedDecision})
            FROM feature_flag_overrides o WHERE o.user_id = u.id)::text
    FROM feature_log_head h LEFT JOIN users u ON u.id = ANY(${uuids(storedIds)})`;
  const rows = await run(statement).catch(error => {
    throw toUnavailable(error) ?? error;
  });
  const users = new Map<string, Targeting>();
  for (const [, id, attributes, groups, overrides] of rows) {
    if (id === null) continue;
    const targeting = targetingOf(
      json<Attributes>(attributes),
      groups === null ? [] : json<string[]>(groups),
      overrides === null ? [] : json<StoredDecision[]>(overrides),
    );
    users.set(id as string, targeting);
  }
  return { revision: Number(rows[0]?.[0]), users };
}

/** The texts that users are known by, by the ids under which they are stored. */
export async function readKnownUserIds(
  prisma: PrismaClient,
  storedIds: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  // Only UUIDs of version 8 are made of other ids: for the rest no query is needed.
  const mayHaveText = storedIds.filter(id => id[14] === '8');
  if (mayHaveText.length === 0) return new Map();
  const rows = await read(
    prisma,
    Prisma.sql`
    SELECT id::text AS id, external_id AS text FROM users WHERE id = ANY(${uuids(mayHaveText)}) AND external_id IS NOT NULL`,
  );
  return new Map(rows.map(row => [row['id'] as string, row['text'] as string]));
}

/** An override as it is read: flag key, enabled, when it expires in milliseconds since the epoch, variant. */
type StoredDecision = readonly [string, boolean, number | null, string | null];

/** The columns of the override `o`, in the form of {@link StoredDecision}. */
const storedDecision = Prisma.sql`json_build_array(o.flag_key, o.enabled, round(extract(epoch FROM o.expires_at) * 1000), o.variant)`;

/** Shared by all users who have none: most of those who are kept. */
const noGroups: Targeting['groups'] = new Set();
const noOverrides: Targeting['overrides'] = new Map();

function targetingOf(
  attributes: Attributes,
  groups: readonly string[],
  overrides: readonly StoredDecision[],
): Targeting {
  const decisions = overrides.map(
    ([key, enabled, expiresAt, variant]) => [key, { enabled, variant, expiresAt }] as const,
  );
  return {
    attributes,
    groups: groups.length === 0 ? noGroups : new Set(groups),
    overrides: decisions.length === 0 ? noOverrides : new Map(decisions),
  };
}

/** The stored users after this one, with the data that is needed. */
export async function readUsersAfter(
  prisma: PrismaClient,
  storedId: string | null,
  limit: number,
  { flagKeys, groups }: TargetingNeeds,
): Promise<readonly TargetedUser[]> {
  const after = storedId === null ? Prisma.sql`true` : Prisma.sql`id > ${storedId}::uuid`;
  // One value for the whole page: each value of a row costs several times its part of the text.
  const [row] = await read(
    prisma,
    Prisma.sql`
    SELECT coalesce(json_agg(json_build_array(
             u.id, u.external_id, u.attributes,
             (SELECT json_agg(m.group_name) FROM user_feature_groups m
              WHERE m.user_id = u.id AND m.group_name = ANY(${[...groups]}::text[])),
             (SELECT json_agg(${storedDecision}) FROM feature_flag_overrides o
              WHERE o.user_id = u.id AND o.flag_key = ANY(${[...flagKeys]}::text[]))
           ) ORDER BY u.id), '[]')::text AS users
    FROM (SELECT id, external_id, attributes FROM users WHERE ${after} ORDER BY id LIMIT ${limit}) u`,
  );
  const users = json<
    [
      id: string,
      externalId: string | null,
      attributes: Attributes,
      groups: string[] | null,
      overrides: StoredDecision[] | null,
    ][]
  >(row?.['users']);
  return users.map(([id, externalId, attributes, members, overrides]) => ({
    storedId: id,
    id: externalId ?? id,
    targeting: targetingOf(attributes, members ?? [], overrides ?? []),
  }));
}

/** PostgreSQL counts so many users within a tenth of a second. To count millions takes all cores, and others wait for them. */
const mostCounted = 100_000;

/** The number of stored users; of more than PostgreSQL counts in a moment, the estimate of its planner. */
export async function readUserCount(prisma: PrismaClient): Promise<number> {
  const [row] = await read(prisma, Prisma.sql`EXPLAIN (FORMAT JSON) SELECT FROM users`);
  const found = row?.['QUERY PLAN'];
  const [top] = (typeof found === 'string' ? json(found) : found) as readonly { Plan: { 'Plan Rows': number } }[];
  const estimate = top?.Plan['Plan Rows'] ?? 0;
  if (estimate > mostCounted) return estimate;
  const [counted] = await read(prisma, Prisma.sql`SELECT count(*)::text AS count FROM users`);
  return Number(counted?.['count']);
}

/** The overrides of these users and flags, in this order; null where there is none. */
export async function readOverrides(
  prisma: PrismaClient,
  of: readonly Pick<Override, 'userId' | 'flagKey'>[],
): Promise<readonly (Override | null)[]> {
  if (of.length === 0) return [];
  const storedIds = of.map(({ userId }) => storedUserId(userId));
  const rows = await read(
    prisma,
    Prisma.sql`
    SELECT p.place::int AS place, ${overrideState}
    FROM unnest(${uuids(storedIds)}, ${of.map(({ flagKey }) => flagKey)}::text[]) WITH ORDINALITY AS p(user_id, flag_key, place)
    JOIN feature_flag_overrides o ON o.user_id = p.user_id AND o.flag_key = p.flag_key`,
  );
  const byPlace = new Map(rows.map(row => [row['place'], overrideOf(row)]));
  return of.map(({ userId, flagKey }, index) => {
    const found = byPlace.get(index + 1);
    return found === undefined ? null : { userId, flagKey, ...found };
  });
}

/** The variants of flags that overrides name, each with one user who has it, by the id that the user is known by. */
export async function readOverriddenVariants(
  prisma: PrismaClient,
  flagKeys: readonly string[],
): Promise<OverriddenVariants> {
  const rows = await read(
    prisma,
    Prisma.sql`
    SELECT DISTINCT ON (o.flag_key, o.variant) o.flag_key AS key, o.variant, coalesce(u.external_id, u.id::text) AS "user"
    FROM feature_flag_overrides o JOIN users u ON u.id = o.user_id
    WHERE o.flag_key = ANY(${[...flagKeys]}::text[]) AND o.variant IS NOT NULL AND (o.expires_at IS NULL OR o.expires_at > now())
    ORDER BY o.flag_key, o.variant, o.user_id`,
  );
  const byFlag = new Map<string, Map<string, string>>();
  for (const row of rows) {
    const key = row['key'] as string;
    const users = byFlag.get(key) ?? new Map<string, string>();
    byFlag.set(key, users.set(row['variant'] as string, row['user'] as string));
  }
  return byFlag;
}

/** The first row, which has the head of the log. */
function headOf(rows: readonly Row[]): Row {
  const [row] = rows;
  if (row === undefined) throw new Error('The table feature_log_head has lost its row.');
  return row;
}
