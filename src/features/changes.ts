import { z } from 'zod';
import { type ChangeKind, changeKinds, type Change as LogEntry } from '../backends/backend.js';
import { type Difference, differencesBetween } from '../core/differences.js';
import { parseInput, userId } from '../core/inputs.js';
import type { JsonObject } from '../core/json.js';
import type { Telling } from './change-feed.js';
import type { ChangeFilter } from './change-filter.js';

/** An entry of the change log. Users have the ids that they are known by; those who were deleted since have their stored UUIDs. */
export interface Change {
  /** The position in the log, counted from 1 without gaps. */
  readonly revision: number;
  readonly at: Date;
  readonly kind: ChangeKind;
  /** The user who made the change. Null: the program that made it named none. */
  readonly actorId: string | null;
  /** The flag of FLAG_* and OVERRIDE_*, otherwise null. */
  readonly flagKey: string | null;
  /** The group of MEMBERS_*, otherwise null. */
  readonly group: string | null;
  /** The users that the change is about: of MEMBERS_* at most 1,000, of OVERRIDE_* and USER_* one, otherwise none. */
  readonly userIds: readonly string[];
  /** The state before the change. Null: there was none; always null for MEMBERS_*. */
  readonly before: JsonObject | null;
  /** The state after the change. Null: there is none any more; always null for MEMBERS_*. */
  readonly after: JsonObject | null;
  /** Why the change was made. Null: its author wrote nothing. */
  readonly note: string | null;
  /** A UUID that all changes of one write have, and all of one transaction of another program. */
  readonly batch: string;
  /** The revision that the change goes back to. Null: it is no revert and no undo. */
  readonly reverts: number | null;
  /** What is different after the change. Empty for MEMBERS_*, of which `userIds` say it all. */
  readonly differences: readonly Difference[];
}

export interface ChangesOptions {
  /** The revision that the program knows: the changes after it come first. Default: only changes from now on. */
  readonly since?: number | null | undefined;
  /** Default: all changes. */
  readonly filter?: ChangeFilter | null | undefined;
  /** Ends the changes when it aborts. */
  readonly signal?: AbortSignal | undefined;
}

const date = z.date('Expected a valid Date.');
const optionsSchema = z.strictObject({
  since: z.number('Expected a number.').int('Expected a whole number.').min(0, 'Expected 0 or more.').nullish(),
  filter: z
    .strictObject({
      flagKey: z.string('Expected text.').nullish(),
      group: z.string('Expected text.').nullish(),
      userId: userId.nullish(),
      actorId: userId.nullish(),
      batch: z.uuid('Expected a UUID.').toLowerCase().nullish(),
      kinds: z.array(z.enum(changeKinds, `Expected one of ${changeKinds.join(', ')}.`), 'Expected a list.').nullish(),
      since: date.nullish(),
      until: date.nullish(),
    })
    .nullish(),
  signal: z.custom<AbortSignal>(value => value instanceof AbortSignal, 'Expected an AbortSignal.').optional(),
});

/** @throws ValidationError */
export function parseChangesOptions(options: ChangesOptions): ChangesOptions {
  return parseInput(optionsSchema, options);
}

/** Tells programs of changes: asks once for the ids that all users in a part of the log are known by. */
export function tellPrograms(
  knownUserIds: (storedIds: readonly string[]) => Promise<ReadonlyMap<string, string>>,
): Telling<Change> {
  return async entries => {
    const known = await knownUserIds([...new Set(entries.flatMap(usersIn))]);
    const shown = (storedId: string) => known.get(storedId) ?? storedId;
    const shownState = (state: JsonObject | null): JsonObject | null => {
      const creator = state?.['createdById'];
      return typeof creator === 'string' ? { ...state, createdById: shown(creator) } : state;
    };
    return ({ nonce: _, groupName: group, actorId, userId, userIds, before, after, ...entry }) => ({
      ...entry,
      group,
      actorId: actorId === null ? null : shown(actorId),
      userIds: (userId === null ? userIds : [userId]).map(shown),
      before: shownState(before),
      after: shownState(after),
      differences: differencesBetween(before, after),
    });
  };
}

/** The stored ids of all users that an entry names. */
function usersIn({ actorId, userId, userIds, before, after }: LogEntry): string[] {
  const named = [actorId, userId, before?.['createdById'], after?.['createdById'], ...userIds];
  return named.filter(id => typeof id === 'string');
}
