import {
  type Author,
  type Backend,
  type Change,
  flagFromLog,
  type Guard,
  type LogCriterion,
  type LogFound,
  type Step,
  type Written,
} from '../backends/backend.js';
import {
  type Conflict,
  ConflictsError,
  CrossedError,
  FlagNotFoundError,
  RevisionNotFoundError,
  refuse,
  UnavailableError,
  VersionConflictError,
} from '../core/errors.js';
import type { Flag } from '../core/flag.js';
import type { RevertFlagInput } from '../core/inputs.js';
import { shortened } from '../core/text.js';
import { variantKeys } from '../core/variants.js';
import { checkedWrite } from './checked-patch.js';
import { flagKinds, laterCriteria, reverting, undoing } from './undo.js';

/** The most changes that an undo takes back, and the most changes since that it compares them with. */
export const maxUndone = 10_000;
/** The most members of groups that an undo takes back: as many as one mutation adds. */
export const maxUndoneMembers = 20_000;
/** The most overrides that come back with a deleted flag. */
export const maxOverridesBack = 10_000;

/** How long after a change its undo needs no confirmation, in milliseconds. */
const unconfirmedFor = 10 * 60_000;

/** How often a restoration is planned again because what it concerns was changed meanwhile. */
const attempts = 20;

/** The steps of a restoration, and what must not be changed before they are made. */
interface Plan<T> {
  readonly steps: readonly Step[];
  readonly guard: Guard;
  /** The revision that the log shows as the one that was gone back to. */
  readonly reverts: number;
  readonly value: T;
  /** Whether it needs no confirmation. */
  readonly isExempt: boolean;
}

/** Makes the steps of a plan, all or none. Plans again if something crossed, also while the plan was made. */
async function carryOut<T>(
  backend: Backend,
  author: (reverts: number, isExempt: boolean) => Author,
  plan: () => Promise<Plan<T>>,
): Promise<Written<T>> {
  const attempt = async (): Promise<Written<T>> => {
    const { steps, guard, reverts, value, isExempt } = await plan();
    if (steps.length === 0) return { value, revision: guard.since, batch: null };
    return { ...(await backend.apply(steps, author(reverts, isExempt), guard)), value };
  };
  const isCrossed = (error: unknown) => error instanceof CrossedError;
  try {
    return await checkedWrite(async () => null, attempt, isCrossed, attempts);
  } catch (error) {
    if (!isCrossed(error)) throw error;
    throw new UnavailableError('Others keep changing what this is about. Nothing was changed; try again.');
  }
}

/** Brings a flag back to what it was at a revision; see {@link Management.revertFlag}. */
export async function revertFlag(
  backend: Backend,
  input: Pick<RevertFlagInput, 'key' | 'revision' | 'expectedVersion'>,
  by: Author,
): Promise<Written<Flag>> {
  const author = (reverts: number) => ({ ...by, reverts });
  const written = await carryOut(backend, author, () => planRevert(backend, input));
  const flag = await backend.getFlag(input.key);
  // Deleted again since.
  if (flag === null) throw new FlagNotFoundError(input.key);
  return { ...written, value: flag };
}

async function planRevert(
  backend: Backend,
  { key, revision, expectedVersion }: Pick<RevertFlagInput, 'key' | 'revision' | 'expectedVersion'>,
): Promise<Plan<null>> {
  const search = (criterion: LogCriterion, options: { after?: number; limit?: number; newestFirst?: boolean } = {}) =>
    backend.search({ after: revision, limit: 1, ...options, any: [criterion] });
  // The log first: the guard refuses what is written after it was read.
  const next = await search({ kinds: flagKinds, flagKeys: [key] });
  const [reset, deletion, present] = await Promise.all([
    search({ kinds: ['RESET'] }),
    search({ kinds: ['FLAG_DELETED'], flagKeys: [key] }, { newestFirst: true }),
    backend.getFlag(key),
  ]);
  if (next.changes.length === 0 && present === null) throw new FlagNotFoundError(key);
  checkKept(revision, next, reset);
  const [first] = next.changes;
  const past = first === undefined ? present : first.before && flagFromLog(first.before);
  if (past === null) {
    const message = `There was no flag with the key "${key}" at revision ${revision}. Its history, "changes" of the flag, has the revisions that it had.`;
    refuse([{ path: ['revision'], message }]);
  }
  await checkPresent(backend, present, past as Flag, expectedVersion ?? null);
  const lost = present === null ? await lostOverrides(backend, key, deletion.changes[0]?.revision ?? revision) : [];
  return {
    steps: reverting(present, past as Flag, lost),
    guard: { since: next.head, flagKeys: [key], userIds: lost.map(({ userId }) => userId as string) },
    reverts: revision,
    value: null,
    isExempt: false,
  };
}

/** @throws RevisionNotFoundError unless the log has everything since a revision. */
function checkKept(revision: number, { head, prunedTo }: LogFound, reset: LogFound): void {
  const [cut] = reset.changes;
  if (revision > head) throw new RevisionNotFoundError(`The newest revision is ${head}.`, 'revision');
  if (revision < prunedTo) {
    const message = `The log keeps what changed since revision ${prunedTo}: choose that one or a later one.`;
    throw new RevisionNotFoundError(message, 'revision', prunedTo);
  }
  if (cut !== undefined) throw new RevisionNotFoundError(unknownBefore(cut), 'revision', cut.revision);
}

function unknownBefore({ revision }: Change): string {
  return `At revision ${revision} all data was replaced in a way that the log does not tell, so what was before it is not known.`;
}

/** @throws FeatureError unless the flag as it is now can become the flag that it was. */
async function checkPresent(
  backend: Backend,
  present: Flag | null,
  past: Flag,
  expectedVersion: number | null,
): Promise<void> {
  if (present === null) {
    const message = 'The flag is deleted, so it has no version: leave this out.';
    if (expectedVersion != null) refuse([{ path: ['expectedVersion'], message }]);
    return;
  }
  if (expectedVersion != null && expectedVersion !== present.version) {
    throw new VersionConflictError(present, expectedVersion);
  }
  if (present.type !== past.type) {
    const message = `The flag was of the type ${past.type} at this revision and is of the type ${present.type} now. The type of a flag never changes: delete the flag first, and revert the deleted flag.`;
    refuse([{ path: ['revision'], message }]);
  }
  const kept = new Set(variantKeys(past.variants));
  const removed = variantKeys(present.variants).filter(variant => !kept.has(variant));
  if (removed.length === 0) return;
  const overridden = (await backend.overriddenVariants([present.key])).get(present.key);
  refuse(
    removed.flatMap(variant => {
      const userId = overridden?.get(variant);
      if (userId === undefined) return [];
      const message = `The flag had no variant "${variant}" at this revision, and an override of the user "${shortened(userId)}" names it. Change or remove the overrides that name it first.`;
      return [{ path: ['revision'], message }];
    }),
  );
}

/** The removals of the overrides that went with a deleted flag, without those of users who were deleted since. */
async function lostOverrides(backend: Backend, key: string, deletedAt: number) {
  const { changes } = await backend.search({
    after: deletedAt,
    any: [{ kinds: ['OVERRIDE_REMOVED'], flagKeys: [key] }],
    limit: maxOverridesBack + 1,
  });
  if (changes.length > maxOverridesBack) {
    const message = `More than ${maxOverridesBack} overrides were deleted with this flag, which cannot come back at once. Create the flag again without them.`;
    refuse([{ path: ['key'], message }]);
  }
  const gone = await deletedUsers(
    backend,
    deletedAt,
    changes.map(({ userId }) => userId as string),
  );
  return changes.filter(({ userId }) => !gone.has(userId as string));
}

async function deletedUsers(backend: Backend, after: number, userIds: readonly string[]): Promise<ReadonlySet<string>> {
  if (userIds.length === 0) return new Set();
  const any = [{ kinds: ['USER_DELETED'], userIds }] as const;
  // A user may be deleted, created and deleted again.
  const { changes } = await backend.search({ after, any, limit: maxUndone });
  return new Set(changes.map(({ userId }) => userId as string));
}

/** Takes a batch back, all of it or nothing; see {@link Management.undoBatch}. */
export async function undoBatch(
  backend: Backend,
  batch: string,
  { by, now, exempt }: { readonly by: Author; readonly now: number; readonly exempt: (by: Author) => Author },
): Promise<Written<readonly Flag[]>> {
  const author = (reverts: number, isExempt: boolean) => (isExempt ? exempt({ ...by, reverts }) : { ...by, reverts });
  const written = await carryOut(backend, author, () => planUndo(backend, batch, now));
  return { ...written, value: await presentFlags(backend, written.value) };
}

/** @returns with the keys of the flags that the batch concerns. */
async function planUndo(backend: Backend, batch: string, now: number): Promise<Plan<readonly string[]>> {
  const { changes, prunedTo } = await backend.search({ after: 0, any: [{ batch }], limit: maxUndone + 1 });
  const [first] = changes;
  const unknown = (why: string) => new RevisionNotFoundError(why, 'batch');
  if (first === undefined)
    throw unknown('The log has no changes of this batch: it never was, or is not kept any more.');
  if (prunedTo > 0 && first.revision === prunedTo + 1) {
    throw unknown('The log does not go back further than this batch, so a part of it may not be kept any more.');
  }
  if (changes.some(({ kind }) => kind === 'API_KEY_CREATED' || kind === 'API_KEY_REVOKED')) {
    const message =
      'The batch made or revoked an API key, which is not taken back: revoke the key, or make another one.';
    refuse([{ path: ['batch'], message }]);
  }
  checkSize(changes.length, 'The batch has');
  const members = changes.reduce((sum, { userIds }) => sum + userIds.length, 0);
  if (members > maxUndoneMembers) {
    const message = `The batch is about more than ${maxUndoneMembers} members of groups, who cannot be taken back at once.`;
    refuse([{ path: ['batch'], message }]);
  }
  const { after, resets } = { after: first.revision, resets: [{ kinds: ['RESET'] }] } as const;
  const since = await backend.search({
    after,
    any: [...laterCriteria(changes), { batch }],
    limit: maxUndone + changes.length + 1,
  });
  const [reset = changes.find(({ kind }) => kind === 'RESET')] = (
    await backend.search({ after, any: resets, limit: 1 })
  ).changes;
  if (reset !== undefined) throw unknown(unknownBefore(reset));
  const later = since.changes.filter(change => change.batch !== batch);
  // Another transaction has added to the batch after it was read.
  if (since.changes.length - later.length > changes.length - 1) throw new CrossedError(since.head, [], []);
  checkSize(later.length, 'Since then, the same things had');
  const { steps, conflicts, erased } = undoing(changes, later);
  const flagKeys = namesIn(changes, ({ flagKey }) => (flagKey === null ? [] : [flagKey]));
  if (conflicts.length > 0) throw await conflictsError(backend, conflicts);
  if (steps.length === 0 && erased > 0) {
    const message =
      'All that this batch changed belonged to users who are deleted. What is erased does not come back: create the users again.';
    refuse([{ path: ['batch'], message }]);
  }
  const userIds = namesIn(changes, change => (change.userId === null ? change.userIds : [change.userId]));
  // An undo that was undone again and again would be a switch without a confirmation.
  const isFirstUndo = changes.every(({ reverts }) => reverts === null);
  return {
    steps,
    guard: { since: since.head, flagKeys, userIds },
    reverts: first.revision,
    value: flagKeys,
    isExempt: isFirstUndo && now - first.at.getTime() <= unconfirmedFor,
  };
}

/** The conflicts, with users by the ids that they are known by. */
async function conflictsError(backend: Backend, conflicts: readonly Conflict[]): Promise<ConflictsError> {
  const known = await backend.knownUserIds(namesIn(conflicts, ({ userId }) => (userId === null ? [] : [userId])));
  const [first, ...others] = conflicts.map(conflict => ({
    ...conflict,
    userId: conflict.userId === null ? null : (known.get(conflict.userId) ?? conflict.userId),
  })) as [Conflict, ...Conflict[]];
  const keys = namesIn(conflicts, ({ flagKey }) => (flagKey === null ? [] : [flagKey]));
  return new ConflictsError([first, ...others], await presentFlags(backend, keys));
}

function checkSize(count: number, what: string): void {
  if (count <= maxUndone) return;
  refuse([{ path: ['batch'], message: `${what} more than ${maxUndone} changes, which cannot be taken back at once.` }]);
}

function namesIn<T>(changes: readonly T[], namesOf: (change: T) => readonly string[]): string[] {
  return [...new Set(changes.flatMap(namesOf))];
}

async function presentFlags(backend: Backend, keys: readonly string[]): Promise<readonly Flag[]> {
  if (keys.length === 0) return [];
  const named = new Set(keys);
  return (await backend.definitions()).flags.filter(({ key }) => named.has(key));
}
