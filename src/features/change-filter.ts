import type { Change, ChangeKind } from '../backends/backend.js';
import { storedUserId } from '../core/user-id.js';

/** Selects changes. A change must match all that is given; null counts as not given. */
export interface ChangeFilter {
  /** Only changes of the flag with this key and of its overrides. */
  readonly flagKey?: string | null | undefined;
  /** Only changes of the members of this group. */
  readonly group?: string | null | undefined;
  /** Only changes about this user: attributes, memberships, overrides. */
  readonly userId?: string | null | undefined;
  /** Only changes that this user made. */
  readonly actorId?: string | null | undefined;
  /** Only changes of this batch: a UUID in lower case. */
  readonly batch?: string | null | undefined;
  /** Only changes of these kinds. */
  readonly kinds?: readonly ChangeKind[] | null | undefined;
  /** Only changes at this time or later. */
  readonly since?: Date | null | undefined;
  /** Only changes before this time. */
  readonly until?: Date | null | undefined;
}

type Test = (change: Change) => boolean;

/** One test for each filter. `graphql/change.ts` has the same meaning in SQL, and a test compares the two. */
const tests: { readonly [Name in keyof ChangeFilter]-?: (value: NonNullable<ChangeFilter[Name]>) => Test } = {
  flagKey: key => change => change.flagKey === key,
  group: group => change => change.groupName === group,
  userId: userId => {
    const id = storedUserId(userId);
    return change => change.userId === id || change.userIds.includes(id);
  },
  actorId: actorId => {
    const id = storedUserId(actorId);
    return change => change.actorId === id;
  },
  batch: batch => change => change.batch === batch,
  kinds: kinds => change => kinds.includes(change.kind),
  since: since => change => change.at >= since,
  until: until => change => change.at < until,
};

/** Whether a change of the log matches the filter. */
export function changeTest(filter: ChangeFilter): Test {
  const all = (Object.keys(tests) as (keyof ChangeFilter)[]).flatMap(name => {
    const value = filter[name];
    // The compiler does not see that the value belongs to the test of the same name.
    return value == null ? [] : [(tests[name] as (value: unknown) => Test)(value)];
  });
  return change => all.every(test => test(change));
}
