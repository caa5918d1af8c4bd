import { isDeepStrictEqual } from 'node:util';
import {
  type Change,
  type ChangeKind,
  flagFromLog,
  type LogCriterion,
  type Override,
  type Step,
} from '../backends/backend.js';
import type { Attributes } from '../core/attributes.js';
import type { Conflict } from '../core/errors.js';
import type { Flag } from '../core/flag.js';
import { flagInput, type NewFlag } from '../core/inputs.js';
import type { JsonObject } from '../core/json.js';
import { variantKeys } from '../core/variants.js';

// What undoes changes of the log. Users are named by their stored ids, as in the log.

export const flagKinds: readonly ChangeKind[] = ['FLAG_CREATED', 'FLAG_UPDATED', 'FLAG_DELETED'];
const overrideKinds: readonly ChangeKind[] = ['OVERRIDE_SET', 'OVERRIDE_REMOVED'];
const memberKinds: readonly ChangeKind[] = ['MEMBERS_ADDED', 'MEMBERS_REMOVED'];

/** Something that changes, with its states before the first and after the last change. */
interface Net {
  readonly first: Change;
  readonly last: Change;
}

/** What a batch changed, all in all. */
interface Effect {
  /** By flag key. */
  readonly flags: ReadonlyMap<string, Net>;
  /** By {@link pairKey} of the override. */
  readonly overrides: ReadonlyMap<string, Net>;
  /** By {@link pairKey} of group and user. */
  readonly members: ReadonlyMap<string, Net & { readonly group: string; readonly userId: string }>;
  /** By user. */
  readonly attributes: ReadonlyMap<string, Net>;
  /** The users that were deleted, with the revision of the last deletion. */
  readonly deleted: ReadonlyMap<string, number>;
}

export interface Undoing {
  readonly steps: readonly Step[];
  /** What was changed again since. The steps must not be made unless there is none. */
  readonly conflicts: readonly Conflict[];
  /** Users who were deleted since, or in the batch: what belonged to them stays erased. */
  readonly erased: number;
}

/** Keys and names have no control characters. */
const pairKey = (name: string, userId: string) => `${name}\n${userId}`;

function effectOf(changes: readonly Change[]): Effect {
  const flags = new Map<string, Net>();
  const overrides = new Map<string, Net>();
  const attributes = new Map<string, Net>();
  const members = new Map<string, Net & { group: string; userId: string }>();
  const deleted = new Map<string, number>();
  const extend = (map: Map<string, Net>, key: string, change: Change) =>
    map.set(key, { first: map.get(key)?.first ?? change, last: change });
  for (const change of changes) {
    const { kind, flagKey, userId, groupName } = change;
    if (flagKinds.includes(kind)) extend(flags, flagKey as string, change);
    if (overrideKinds.includes(kind)) extend(overrides, pairKey(flagKey as string, userId as string), change);
    if (kind === 'USER_UPDATED') extend(attributes, userId as string, change);
    if (kind === 'USER_DELETED') deleted.set(userId as string, change.revision);
    for (const member of memberKinds.includes(kind) ? change.userIds : []) {
      const group = groupName as string;
      const key = pairKey(group, member);
      members.set(key, { group, userId: member, first: members.get(key)?.first ?? change, last: change });
    }
  }
  return { flags, overrides, members, attributes, deleted };
}

/** The changes after a batch that may be in the way of its undo. */
export function laterCriteria(batch: readonly Change[]): LogCriterion[] {
  const { flags, overrides, members, attributes } = effectOf(batch);
  const pairs = [...overrides.values()].map(({ first }) => first);
  const memberships = [...members.values()];
  const users = new Set([
    ...pairs.map(({ userId }) => userId as string),
    ...memberships.map(({ userId }) => userId),
    ...attributes.keys(),
  ]);
  const overridden = new Set(pairs.map(({ flagKey }) => flagKey as string));
  return [
    { kinds: ['USER_DELETED', 'USER_UPDATED'], userIds: [...users] },
    { kinds: flagKinds, flagKeys: [...new Set([...flags.keys(), ...overridden])] },
    { kinds: overrideKinds, flagKeys: [...flags.keys()] },
    { kinds: overrideKinds, flagKeys: [...overridden], userIds: [...users] },
    { kinds: memberKinds, groups: [...new Set(memberships.map(({ group }) => group))] },
  ];
}

/**
 * What undoes a batch.
 * @param batch its changes, oldest first, without a `RESET`.
 * @param later the changes of other batches since its first one that match {@link laterCriteria}, oldest first.
 */
export function undoing(batch: readonly Change[], later: readonly Change[]): Undoing {
  const effect = effectOf(batch);
  const { deleted: deletedSince } = effectOf(later);
  /** What belonged to these users is gone, and what they have now is not of this batch. */
  const isGone = (userId: string | null) => userId !== null && deletedSince.has(userId);
  /** What came before the deletion does not come back. */
  const isErased = (userId: string | null) => isGone(userId) || effect.deleted.has(userId as string);
  const restored = [...effect.flags.values()].map(restoredFlag).filter(flag => flag !== null);
  const removed = new Set(restored.filter(({ before }) => before === null).map(({ key }) => key));
  /** Deleted and created again by the undo, because the type of a flag never changes: its overrides are set again. */
  const remade = new Set(restored.filter(isRemade).map(({ key }) => key));
  const steps: Step[] = restored.flatMap(({ key, before, after }): Step[] => {
    if (before === null) return [];
    if (after === null) return [{ kind: 'createFlag', flag: before }];
    if (!remade.has(key)) return [{ kind: 'updateFlag', key, patch: patchTo(before) }];
    return [
      { kind: 'deleteFlag', key },
      { kind: 'createFlag', flag: before },
    ];
  });
  for (const { first, last } of effect.overrides.values()) {
    const [flagKey, userId] = [first.flagKey as string, first.userId as string];
    const before = isErased(userId) ? null : first.before;
    const present = remade.has(flagKey) ? null : last.after;
    if (isGone(userId) || removed.has(flagKey) || sameOverride(before, present)) continue;
    steps.push(
      before === null
        ? { kind: 'removeOverride', flagKey, userId }
        : { kind: 'setOverride', override: { flagKey, userId, ...overrideInput(before) } },
    );
  }
  const joined = new Map<string, string[]>();
  const left = new Map<string, string[]>();
  for (const { group, userId, first, last } of effect.members.values()) {
    const wasMember = first.kind === 'MEMBERS_REMOVED' && !isErased(userId);
    const isMember = last.kind === 'MEMBERS_ADDED';
    if (isGone(userId) || wasMember === isMember) continue;
    const lists = isMember ? joined : left;
    const list = lists.get(group);
    if (list === undefined) lists.set(group, [userId]);
    else list.push(userId);
  }
  for (const [group, userIds] of joined) steps.push({ kind: 'removeFromGroup', group, userIds });
  for (const [group, userIds] of left) steps.push({ kind: 'addToGroup', group, userIds });
  for (const [userId, { first, last }] of effect.attributes) {
    const [before, after] = [isErased(userId) ? {} : attributesOf(first.before), attributesOf(last.after)];
    if (isGone(userId) || isDeepStrictEqual(before, after)) continue;
    steps.push({ kind: 'setUserAttributes', userId, attributes: before });
  }
  // Last, because the overrides of a flag go with it.
  for (const key of removed) steps.push({ kind: 'deleteFlag', key });
  const erased = new Set([...effect.deleted.keys(), ...deletedSince.keys()]).size;
  return { steps, conflicts: conflictsOf(effect, restored, later, deletedSince), erased };
}

interface RestoredFlag {
  readonly key: string;
  readonly before: NewFlag | null;
  readonly after: NewFlag | null;
}

function isRemade({ before, after }: RestoredFlag): boolean {
  return before !== null && after !== null && before.type !== after.type;
}

/** Null: the flag is as it was before the batch. */
function restoredFlag({ first, last }: Net): RestoredFlag | null {
  const [before, after] = [definedIn(first.before), definedIn(last.after)];
  return isDeepStrictEqual(before, after) ? null : { key: first.flagKey as string, before, after };
}

/** The fields that people set in the flag of a state. */
function definedIn(state: JsonObject | null): NewFlag | null {
  return state === null ? null : flagInput(flagFromLog(state));
}

function patchTo({ key, type, ...fields }: NewFlag) {
  return fields;
}

function conflictsOf(
  { overrides, members, attributes, deleted }: Effect,
  flags: readonly RestoredFlag[],
  later: readonly Change[],
  deletedSince: ReadonlyMap<string, number>,
): Conflict[] {
  const isGone = (userId: string | null) => userId !== null && deletedSince.has(userId);
  const byKey = new Map(flags.map(flag => [flag.key, flag]));
  /** By flag: the variants that the overrides name which come back. */
  const comingBack = new Map<string | null, Set<string>>();
  for (const { first } of overrides.values()) {
    if (first.before === null || isGone(first.userId) || deleted.has(first.userId as string)) continue;
    const named = comingBack.get(first.flagKey) ?? new Set();
    comingBack.set(first.flagKey, named);
    const { variant = null } = first.before;
    if (variant !== null) named.add(variant as string);
  }
  const conflicts = new Map<string, Conflict>();
  // By what it is about, so that the newest change of each thing is told.
  const conflict = (about: Omit<Conflict, 'message' | 'revision'>, { revision }: Change, message: string) =>
    conflicts.set(JSON.stringify(about), { ...about, revision, message });
  for (const change of later) {
    const { kind, flagKey, userId } = change;
    const flag = flagKey === null ? undefined : byKey.get(flagKey);
    const about = { flagKey, group: null, userId: null };
    if (flagKinds.includes(kind)) {
      if (flag !== undefined) conflict(about, change, `The flag "${flagKey}" was changed again since.`);
      const named = comingBack.get(flagKey);
      if (named !== undefined && !hasPlace(named, change.after)) {
        conflict(about, change, `The flag "${flagKey}" was changed since, so an override of it cannot come back.`);
      }
    }
    if (overrideKinds.includes(kind)) {
      // What a user has who was deleted and came again is not of this batch, but it must not go with a flag either.
      const isNew = kind === 'OVERRIDE_SET' && change.revision > (deletedSince.get(userId as string) ?? 0);
      const isSame = !isGone(userId) && overrides.has(pairKey(flagKey as string, userId as string));
      const isInTheWay = flag !== undefined && !keepsOverride(flag, change.after) && (isNew || !isGone(userId));
      if (isSame || isInTheWay) {
        conflict({ flagKey, group: null, userId }, change, `An override of the flag "${flagKey}" was changed since.`);
      }
    }
    if (kind === 'USER_UPDATED' && attributes.has(userId as string) && !isGone(userId)) {
      if (isDeepStrictEqual(attributesOf(change.before), attributesOf(change.after))) continue;
      conflict({ flagKey: null, group: null, userId }, change, 'The attributes of the user were changed again since.');
    }
    if (!memberKinds.includes(kind)) continue;
    const group = change.groupName as string;
    const member = change.userIds.find(id => members.has(pairKey(group, id)) && !isGone(id));
    if (member !== undefined) {
      conflict(
        { flagKey: null, group, userId: member },
        change,
        `Members of the group "${group}" were changed again since.`,
      );
    }
  }
  return [...conflicts.values()];
}

/** Whether overrides that name these variants can come back to a flag in this state; null: there is no such flag. */
function hasPlace(variants: ReadonlySet<string>, flagState: JsonObject | null): boolean {
  if (flagState === null) return false;
  const present = new Set(variantKeys(flagFromLog(flagState).variants));
  return [...variants].every(variant => present.has(variant));
}

/** Whether an override that was set or removed since is as right for the restored flag as for the present one. */
function keepsOverride({ before, after }: RestoredFlag, override: JsonObject | null): boolean {
  if (before === null || after === null || before.type !== after.type) return false;
  const { variant = null } = override ?? {};
  return variant === null || variantKeys(before.variants).includes(variant as string);
}

function overrideInput(state: JsonObject): Pick<Override, 'enabled' | 'variant' | 'reason' | 'expiresAt'> {
  const { enabled, variant = null, reason = null, expiresAt = null } = state;
  return {
    enabled: enabled as boolean,
    variant: variant as string | null,
    reason: reason as string | null,
    expiresAt: expiresAt === null ? null : new Date(expiresAt as string),
  };
}

function sameOverride(before: JsonObject | null, after: JsonObject | null): boolean {
  if (before === null || after === null) return before === after;
  return isDeepStrictEqual(overrideInput(before), overrideInput(after));
}

function attributesOf(state: JsonObject | null): Attributes {
  return (state?.['attributes'] ?? {}) as Attributes;
}

/**
 * What brings a flag back to what it was.
 * @param present null: the flag is deleted.
 * @param past the state that comes back.
 * @param lost the removals of the overrides that went with a deleted flag, without those of users who were deleted since.
 */
export function reverting(present: Flag | null, past: Flag, lost: readonly Change[]): Step[] {
  const flag = flagInput(past);
  if (present !== null) {
    return isDeepStrictEqual(flagInput(present), flag)
      ? []
      : [{ kind: 'updateFlag', key: flag.key, patch: patchTo(flag) }];
  }
  const variants = new Set(variantKeys(flag.variants));
  const overrides = lost.map(({ userId, before }): Step => {
    const { variant, ...rest } = overrideInput(before as JsonObject);
    // The flag may have had other variants when it was deleted.
    const known = variant !== null && variants.has(variant) ? variant : null;
    return {
      kind: 'setOverride',
      override: { flagKey: flag.key, userId: userId as string, variant: known, ...rest },
    };
  });
  return [{ kind: 'createFlag', flag }, ...overrides];
}
