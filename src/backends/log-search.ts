import { Prisma } from '../generated/prisma/client.js';
import type { Change, LogCriterion, LogSearch } from './backend.js';
import { uuids } from './sql.js';

/** Whether a change matches; the same as {@link searchCondition}. */
export function matchesSearch({ after, any }: Pick<LogSearch, 'after' | 'any'>): (change: Change) => boolean {
  const tests = any.map(matcher);
  return change => change.revision > after && tests.some(test => test(change));
}

function matcher({ kinds, flagKeys, groups, userIds, batch }: LogCriterion): (change: Change) => boolean {
  const users = userIds && new Set(userIds);
  const among = (list: readonly string[] | undefined, value: string | null) =>
    list === undefined || (value !== null && list.includes(value));
  return change =>
    among(kinds, change.kind) &&
    among(flagKeys, change.flagKey) &&
    among(groups, change.groupName) &&
    (batch === undefined || change.batch === batch) &&
    (users === undefined ||
      (change.userId === null ? change.userIds.some(id => users.has(id)) : users.has(change.userId)));
}

/** The condition of a search on the rows of `feature_changes`. */
export function searchCondition({ after, any }: Pick<LogSearch, 'after' | 'any'>): Prisma.Sql {
  const criteria = any.map(criterion => {
    const { kinds, flagKeys, groups, userIds, batch } = criterion;
    const parts = [
      kinds && Prisma.sql`kind = ANY(${[...kinds]}::feature_change_kind[])`,
      flagKeys && Prisma.sql`flag_key = ANY(${[...flagKeys]}::text[])`,
      groups && Prisma.sql`group_name = ANY(${[...groups]}::text[])`,
      userIds && Prisma.sql`(user_id = ANY(${uuids(userIds)}) OR user_ids && ${uuids(userIds)})`,
      batch && Prisma.sql`batch = ${batch}::uuid`,
    ].filter(part => part !== undefined && part !== '');
    return parts.length === 0 ? Prisma.sql`true` : Prisma.sql`(${Prisma.join(parts, ' AND ')})`;
  });
  const matches = criteria.length === 0 ? Prisma.sql`false` : Prisma.sql`(${Prisma.join(criteria, ' OR ')})`;
  return Prisma.sql`revision > ${after} AND ${matches}`;
}
