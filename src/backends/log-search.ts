import { Prisma } from '../generated/prisma/client.js';
import type { LogSearch } from './backend.js';
import { uuids } from './sql.js';

/** The condition of a search on the rows of `feature_changes`: the same as `matcher` in memory-log.ts. */
export function searchCondition({ after, any }: Pick<LogSearch, 'after' | 'any'>): Prisma.Sql {
  const criteria = any.map(criterion => {
    const { kinds, flagKeys, groups, userIds, batch } = criterion;
    const isReset = kinds?.length === 1 && kinds[0] === 'RESET';
    const parts = [
      // A literal, for the index of these alone.
      isReset && Prisma.sql`kind = 'RESET'`,
      kinds && !isReset && Prisma.sql`coalesce(kind_name, kind::text) = ANY(${[...kinds]}::text[])`,
      flagKeys && Prisma.sql`flag_key = ANY(${[...flagKeys]}::text[])`,
      groups && Prisma.sql`group_name = ANY(${[...groups]}::text[])`,
      userIds && Prisma.sql`(user_id = ANY(${uuids(userIds)}) OR user_ids && ${uuids(userIds)})`,
      batch && Prisma.sql`batch = ${batch}::uuid`,
    ].filter(part => typeof part === 'object');
    return parts.length === 0 ? Prisma.sql`true` : Prisma.sql`(${Prisma.join(parts, ' AND ')})`;
  });
  const matches = criteria.length === 0 ? Prisma.sql`false` : Prisma.sql`(${Prisma.join(criteria, ' OR ')})`;
  return Prisma.sql`revision > ${after} AND ${matches}`;
}
