import DataLoader from 'dataloader';
import type { FeatureChange, FeatureFlag, User } from '../generated/prisma/client.js';
import { Prisma, type PrismaClient } from '../generated/prisma/client.js';

/** A page of a list that belongs to one of many parents, such as the members of a group. */
export interface PageRequest<Cursor> {
  /** The name or key of the parent. */
  readonly name: string;
  /** The page begins after this place; null means the first page. */
  readonly after: Cursor | null;
  readonly limit: number;
}

export interface MemberRow {
  readonly userId: string;
  readonly addedAt: Date;
  readonly addedById: string | null;
}

export type Loaders = ReturnType<typeof createLoaders>;

/**
 * Reads of admins that Prisma's relations do not cover, each for many parents in one query. Loads that are asked for together
 * are batched; nothing is cached.
 */
export function createLoaders(prisma: PrismaClient) {
  return {
    userById: batched<string, User | null>(async ids => {
      const users = await prisma.user.findMany({ where: { id: { in: [...ids] } } });
      return byKey(ids, users, user => user.id);
    }),

    flagByKey: batched<string, FeatureFlag | null>(async keys => {
      const flags = await prisma.featureFlag.findMany({ where: { key: { in: [...keys] } } });
      return byKey(keys, flags, flag => flag.key);
    }),

    memberCount: batched<string, number>(async groups => {
      const counts = await prisma.membership.groupBy({
        by: ['groupName'],
        where: { groupName: { in: [...groups] } },
        _count: true,
      });
      const byName = new Map(counts.map(count => [count.groupName, count._count]));
      return groups.map(group => byName.get(group) ?? 0);
    }),

    /** Sorted by user id. */
    members: batched<PageRequest<string>, readonly MemberRow[]>(async pages => {
      const rows = await prisma.$queryRaw<(MemberRow & { page: number })[]>`
        SELECT p.page::int AS page, m.user_id AS "userId", m.added_at AS "addedAt", m.added_by_id AS "addedById"
        FROM unnest(${pages.map(page => page.name)}::text[], ${pages.map(page => page.after)}::uuid[],
          ${pages.map(page => page.limit)}::int[]) WITH ORDINALITY AS p(name, after, size, page)
        CROSS JOIN LATERAL (
          SELECT user_id, added_at, added_by_id FROM user_feature_groups
          WHERE group_name = p.name AND (p.after IS NULL OR user_id > p.after)
          ORDER BY user_id LIMIT p.size
        ) m
        ORDER BY page, m.user_id`;
      return byPage(pages, rows);
    }),

    /** The changes of each flag, newest first. */
    flagChanges: batched<PageRequest<bigint>, readonly FeatureChange[]>(async pages => {
      const places = await prisma.$queryRaw<{ page: number; revision: bigint }[]>`
        SELECT p.page::int AS page, c.revision
        FROM unnest(${pages.map(page => page.name)}::text[], ${pages.map(page => page.after)}::bigint[],
          ${pages.map(page => page.limit)}::int[]) WITH ORDINALITY AS p(name, after, size, page)
        CROSS JOIN LATERAL (
          SELECT revision FROM feature_changes
          WHERE flag_key = p.name AND (p.after IS NULL OR revision < p.after)
          ORDER BY revision DESC LIMIT p.size
        ) c
        ORDER BY page, c.revision DESC`;
      const changes = await prisma.featureChange.findMany({
        where: { revision: { in: places.map(place => place.revision) } },
      });
      const byRevision = new Map(changes.map(change => [change.revision, change]));
      return byPage(pages, places).map(page => page.flatMap(({ revision }) => byRevision.get(revision) ?? []));
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
