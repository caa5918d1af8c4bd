import DataLoader from 'dataloader';
import type { FlagAudience } from '../core/receipt.js';
import type { Staleness } from '../core/staleness.js';
import type { UsagePoint, UsageRequest } from '../core/usage.js';
import type { Receipts } from '../features/receipts.js';
import type { Usage } from '../features/usage.js';
import type { FeatureChange, FeatureFlag, Membership, Override, User } from '../generated/prisma/client.js';
import { Prisma, type PrismaClient } from '../generated/prisma/client.js';
import type { ListPart } from './cursors.js';

/** A part of a list that belongs to one of many parents, such as the members of a group. */
export interface ListPartRequest<Place> extends ListPart<Place> {
  /** The name, key or id of the parent. */
  readonly of: string;
}

export type MemberRow = Pick<Membership, 'userId' | 'addedAt' | 'addedById'>;

export type Loaders = ReturnType<typeof createLoaders>;

/**
 * Reads of admins that Prisma's relations do not cover, each for many parents in one query. Loads that are asked for together
 * are batched; nothing is cached.
 */
export function createLoaders(prisma: PrismaClient, usage: Usage, receipts: Receipts) {
  const externalIds = batched<string, string | null>(async ids => {
    const users = await prisma.user.findMany({
      where: { id: { in: [...new Set(ids)] }, externalId: { not: null } },
      select: { id: true, externalId: true },
    });
    const found = new Map(users.map(user => [user.id, user.externalId]));
    return ids.map(id => found.get(id) ?? null);
  });
  return {
    userById: batched<string, User | null>(async ids => {
      const users = await prisma.user.findMany({ where: { id: { in: [...ids] } } });
      return byKey(ids, users, user => user.id);
    }),

    /** The ids that users are known by, from those under which they are stored. A deleted user has only that one. */
    knownBy: {
      load: async (storedId: string): Promise<string> =>
        mayBeExternal(storedId) ? ((await externalIds.load(storedId)) ?? storedId) : storedId,
    },

    flagByKey: batched<string, FeatureFlag | null>(async keys => {
      const flags = await prisma.featureFlag.findMany({ where: { key: { in: [...keys] } } });
      return byKey(keys, flags, flag => flag.key);
    }),

    lastAsked: batched<string, Date | null>(ids => usage.lastAsked(ids)),

    usage: batched<UsageRequest, readonly UsagePoint[]>(requests => usage.points(requests)),

    staleness: batched<Pick<FeatureFlag, 'id' | 'key' | 'createdAt' | 'expectedUntil'>, readonly Staleness[]>(flags =>
      usage.staleness(flags),
    ),

    audience: batched<string, FlagAudience>(keys => receipts.audience(keys)),

    memberCount: batched<string, number>(async groups => {
      const counts = await prisma.membership.groupBy({
        by: ['groupName'],
        where: { groupName: { in: [...groups] } },
        _count: true,
      });
      const byName = new Map(counts.map(count => [count.groupName, count._count]));
      return groups.map(group => byName.get(group) ?? 0);
    }),

    overrideCountOfFlag: batched<string, number>(async flagKeys => {
      const where = { flagKey: { in: [...flagKeys] } };
      const counts = await prisma.override.groupBy({ by: ['flagKey'], where, _count: true });
      const byFlag = new Map(counts.map(count => [count.flagKey, count._count]));
      return flagKeys.map(flagKey => byFlag.get(flagKey) ?? 0);
    }),

    overrideCountOfUser: batched<string, number>(async userIds => {
      const where = { userId: { in: [...userIds] } };
      const counts = await prisma.override.groupBy({ by: ['userId'], where, _count: true });
      const byUser = new Map(counts.map(count => [count.userId, count._count]));
      return userIds.map(userId => byUser.get(userId) ?? 0);
    }),

    /** Sorted by user id. */
    members: parts<string, MemberRow>(prisma, {
      table: Prisma.sql`user_feature_groups`,
      parent: { column: Prisma.sql`group_name`, type: Prisma.sql`text` },
      place: { column: Prisma.sql`user_id`, ...uuidPlace },
      columns: Prisma.sql`user_id AS "userId", added_at AS "addedAt", added_by_id AS "addedById"`,
    }),

    /** Sorted by user id. */
    overridesOfFlag: parts<string, Override>(prisma, {
      table: Prisma.sql`feature_flag_overrides`,
      parent: { column: Prisma.sql`flag_key`, type: Prisma.sql`text` },
      place: { column: Prisma.sql`user_id`, ...uuidPlace },
      columns: overrideColumns,
    }),

    /** Sorted by flag key. */
    overridesOfUser: parts<string, Override>(prisma, {
      table: Prisma.sql`feature_flag_overrides`,
      parent: { column: Prisma.sql`user_id`, type: Prisma.sql`uuid` },
      // Keys are ASCII, and sort by its order.
      place: { column: Prisma.sql`flag_key`, type: Prisma.sql`text`, least: '', greatest: '~' },
      columns: overrideColumns,
    }),

    /** The changes of each flag and its groups, newest first. */
    flagHistory: batched<HistoryRequest, readonly FeatureChange[]>(async requests => {
      const sources = requests.flatMap(({ key, groups, before, limit }, index) =>
        [{ flag: key, group: null }, ...groups.map(group => ({ flag: null, group }))].map(source => ({
          ...source,
          page: index + 1,
          before: before ?? newest,
          limit,
        })),
      );
      // Each source has an index by revision. Only the entries that a page shows are read as a whole.
      const rows = await prisma.$queryRaw<(FeatureChange & { page: number })[]>`
        SELECT picked.page, revision, at, actor_id AS "actorId", kind::text AS kind, flag_key AS "flagKey",
          user_id AS "userId", group_name AS "groupName", coalesce(user_ids, '{}') AS "userIds", before, after, nonce, note, batch, reverts
        FROM (
          SELECT s.page, found.revision, s.size,
            row_number() OVER (PARTITION BY s.page ORDER BY found.revision DESC) AS place
          FROM unnest(${sources.map(({ page }) => page)}::int[], ${sources.map(({ flag }) => flag)}::text[],
            ${sources.map(({ group }) => group)}::text[], ${sources.map(({ before }) => before)}::bigint[],
            ${sources.map(({ limit }) => limit)}::int[]) AS s(page, flag, named, bound, size)
          CROSS JOIN LATERAL (
            (SELECT revision FROM feature_changes WHERE flag_key = s.flag AND revision < s.bound ORDER BY revision DESC LIMIT s.size)
            UNION ALL
            (SELECT revision FROM feature_changes WHERE group_name = s.named AND revision < s.bound ORDER BY revision DESC LIMIT s.size)
          ) found
        ) picked JOIN feature_changes USING (revision)
        WHERE picked.place <= picked.size
        ORDER BY picked.page, revision DESC`;
      return byPage(requests, rows);
    }),

    /** The groups that have members, sorted by name. Not batched: an operation reads this list once. */
    groupsWithMembers: async (after: string, limit: number): Promise<readonly string[]> => {
      const groups = await prisma.membership.groupBy({
        by: ['groupName'],
        where: { groupName: { gt: after } },
        orderBy: { groupName: Prisma.SortOrder.asc },
        take: limit,
      });
      return groups.map(group => group.groupName);
    },
  };
}

/** A page of the history of a flag. */
interface HistoryRequest {
  readonly key: string;
  /** The groups whose changes belong to it. */
  readonly groups: readonly string[];
  /** Only changes before this revision. Null: all. */
  readonly before: bigint | null;
  readonly limit: number;
}

/** No revision is as great. */
const newest = 2n ** 63n - 1n;

/** Only UUIDs of version 8 are made of other ids: for the rest no query is needed. */
const mayBeExternal = (storedId: string): boolean => storedId[14] === '8';

const uuidPlace = {
  type: Prisma.sql`uuid`,
  least: '00000000-0000-0000-0000-000000000000',
  greatest: 'ffffffff-ffff-ffff-ffff-ffffffffffff',
};

const overrideColumns = Prisma.sql`user_id AS "userId", flag_key AS "flagKey", enabled, variant, reason, expires_at AS "expiresAt",
  created_at AS "createdAt", created_by_id AS "createdById"`;

/** A table that holds the lists of many parents. An index on both columns, in this order, keeps each part cheap. */
interface ListTable<Place> {
  readonly table: Prisma.Sql;
  readonly parent: { readonly column: Prisma.Sql; readonly type: Prisma.Sql };
  /** The column that tells the items of one parent apart, and that they are sorted by. No value is beyond the bounds. */
  readonly place: {
    readonly column: Prisma.Sql;
    readonly type: Prisma.Sql;
    readonly least: Place;
    readonly greatest: Place;
  };
  /** The columns of an item, each under the name of its field. */
  readonly columns: Prisma.Sql;
}

/** Loads parts of the lists of a table: all that are asked for together in one query for each direction. */
function parts<Place, Row>(
  prisma: PrismaClient,
  { table, parent, place, columns }: ListTable<Place>,
): { load(request: ListPartRequest<Place>): Promise<readonly Row[]> } {
  const inDirection = (down: boolean) =>
    batched<ListPartRequest<Place>, readonly Row[]>(async requests => {
      const order = down ? Prisma.sql`DESC` : Prisma.sql`ASC`;
      // Together these mean "beyond the place, or anywhere without one", in a form that the index can answer.
      const bound = down
        ? Prisma.sql`${place.column} <= coalesce(p.place, ${place.greatest}::${place.type})`
        : Prisma.sql`${place.column} >= coalesce(p.place, ${place.least}::${place.type})`;
      const rows = await prisma.$queryRaw<(Row & { page: number })[]>`
        SELECT p.page::int AS page, item.*
        FROM unnest(${requests.map(({ of }) => of)}::${parent.type}[], ${requests.map(({ from }) => from)}::${place.type}[],
          ${requests.map(({ limit }) => limit)}::int[]) WITH ORDINALITY AS p(parent, place, size, page)
        CROSS JOIN LATERAL (
          SELECT ${columns}, ${place.column} AS place FROM ${table}
          WHERE ${parent.column} = p.parent AND ${bound} AND (p.place IS NULL OR ${place.column} <> p.place)
          ORDER BY ${place.column} ${order} LIMIT p.size
        ) item
        ORDER BY page, item.place ${order}`;
      return byPage(requests, rows);
    });
  const [up, down] = [inDirection(false), inDirection(true)];
  return { load: request => (request.backwards ? down : up).load(request) };
}

/** The row that another row refers to. */
export function stillThere<Row>(row: Row | null): Row {
  // Rare: it was deleted between the two reads. The next read is right.
  if (row === null) throw new Error('A row was deleted while rows that refer to it were read. Read it again.');
  return row;
}

function batched<Key, Value>(load: (keys: readonly Key[]) => Promise<readonly Value[]>): DataLoader<Key, Value> {
  return new DataLoader<Key, Value>(load, { cache: false, maxBatchSize: 1_000 });
}

function byKey<Row>(keys: readonly string[], rows: readonly Row[], keyOf: (row: Row) => string): (Row | null)[] {
  const found = new Map(rows.map(row => [keyOf(row), row]));
  return keys.map(key => found.get(key) ?? null);
}

function byPage<Row extends { readonly page: number }>(
  pages: readonly unknown[],
  rows: readonly Row[],
): readonly (readonly Row[])[] {
  const grouped: Row[][] = pages.map(() => []);
  for (const row of rows) grouped[row.page - 1]?.push(row);
  return grouped;
}
