import type { Attributes, OverrideDecision } from '../core/evaluate.js';
import type { Flag } from '../core/flag.js';
import type { FlagPatch, NewFlag } from '../core/inputs.js';
import type { JsonObject } from '../core/json.js';

/** What is stored about one user that decides evaluations. */
export interface Targeting {
  readonly attributes: Attributes;
  readonly groups: ReadonlySet<string>;
  /** By flag key. Expired ones may be among them: the evaluation asks the clock. */
  readonly overrides: ReadonlyMap<string, OverrideDecision>;
}

/** What is stored about some users, as of one revision. */
export interface TargetingRead {
  /** The head of the log in the same consistent read. */
  readonly revision: number;
  /** By user id; unknown users are absent. */
  readonly users: ReadonlyMap<string, Targeting>;
}

/** All definitions at one revision of the change log. */
export interface Definitions {
  /**
   * Which database this is, and on which timeline of its server: another one has another epoch, and its revisions mean
   * nothing here.
   */
  readonly epoch: string;
  /** The head of the log in the same consistent read; 0 when nothing has ever changed. */
  readonly revision: number;
  /** That entry's nonce; null where there is no such entry. */
  readonly nonce: string | null;
  /** Sorted by key, in code unit order. */
  readonly flags: readonly Flag[];
}

export const changeKinds = [
  'FLAG_CREATED',
  'FLAG_UPDATED',
  'FLAG_DELETED',
  'OVERRIDE_SET',
  'OVERRIDE_REMOVED',
  'MEMBERS_ADDED',
  'MEMBERS_REMOVED',
  'USER_UPDATED',
  'USER_DELETED',
  'RESET',
] as const;

export type ChangeKind = (typeof changeKinds)[number];

/** One entry of the change log. */
export interface Change {
  /** Contiguous from 1, in the order of commits. */
  readonly revision: number;
  /** Made at random for this entry: no other history has it, so a reader knows its own place again. */
  readonly nonce: string;
  readonly at: Date;
  /** UUID of who did it; null when unknown (a service token without a user, another program). */
  readonly actorId: string | null;
  readonly kind: ChangeKind;
  /** The flag of FLAG_* and OVERRIDE_*. */
  readonly flagKey: string | null;
  /** The user of OVERRIDE_* and USER_*. */
  readonly userId: string | null;
  /** The group of MEMBERS_*. */
  readonly groupName: string | null;
  /** The users of MEMBERS_*, sorted, at most 1,000: a larger write is several changes. Otherwise empty. */
  readonly userIds: readonly string[];
  /**
   * The state before and after, null where there is none. FLAG_*: the flag with the names of {@link Flag} and times as
   * ISO 8601 text; {@link flagFromLog} reads it. OVERRIDE_*: `{ enabled, reason, expiresAt, createdAt, createdById }`.
   * USER_*: `{ attributes }`. A USER_UPDATED without `before` is about a user who was not known.
   */
  readonly before: JsonObject | null;
  readonly after: JsonObject | null;
}

/** A stretch of the change log. */
export interface ChangePage {
  readonly epoch: string;
  /** The log's highest revision in the same consistent read. Below the reader's own place: another history, reload. */
  readonly head: number;
  /** The nonce of the entry after which is read. Not the one that the reader knows: another history, reload. */
  readonly nonce: string | null;
  /** Ascending, contiguous. The first is `after + 1` unless that part of the log was pruned. */
  readonly changes: readonly Change[];
}

/** An override as it is stored. */
export interface Override {
  readonly userId: string;
  readonly flagKey: string;
  readonly enabled: boolean;
  readonly reason: string | null;
  readonly expiresAt: Date | null;
  readonly createdAt: Date;
  readonly createdById: string | null;
}

export type NewOverride = Pick<Override, 'userId' | 'flagKey' | 'enabled' | 'reason' | 'expiresAt'>;

/** A user as it is stored. */
export interface User {
  readonly id: string;
  readonly attributes: Attributes;
}

/** What a write answers. */
export interface Written<T> {
  readonly value: T;
  /**
   * The log's head right after the write, whether or not it changed anything. A reader that has applied the log up to
   * here has seen the write.
   */
  readonly revision: number;
}

/** Who makes a change: a user's UUID, or null when it is not known. A user first named here is created. */
export type Actor = string | null;

/**
 * Where definitions, groups, overrides and users are kept, with the log of every change to them.
 *
 * The same for every backend, pinned by test/backends/contract.ts:
 * - Inputs are valid (the management service checks them), user ids are UUIDs in lower case.
 * - Each write is atomic: wholly done with its log entries, or not at all, however many users it names.
 * - A write that resolves has been kept, and every read that begins after it sees it.
 * - A write that changes nothing logs nothing and leaves `version` and `updatedAt` alone.
 * - Versions of a flag never repeat: one that is created again goes on after the last version of the one before it.
 * - A user first named by an override, a membership or as the actor of a write that resolves is created with no
 *   attributes; that alone is not a change and is not logged. A write that is refused creates nobody.
 * - What a deletion takes along is logged right after the deletion itself: the overrides of a flag, the memberships and
 *   overrides of a user. What a deleted user had created stays, without a creator; that alone is not logged.
 * - When the store cannot be reached in time every method rejects with `UnavailableError`.
 */
export interface Backend {
  /** Reads need no I/O and cannot hang, so an answer may wait for those that a hint asked for. Absent: they may. */
  readonly isInstant?: true;

  /** All definitions with the log's head, from one consistent read. */
  definitions(): Promise<Definitions>;

  /**
   * The log after a revision, oldest first, at most `limit` entries. Fewer when they are large, but one at least where
   * there are any: read on until the head is reached.
   */
  changes(after: number, limit: number): Promise<ChangePage>;

  /**
   * Calls `listener` soon after the log has grown: a hint that may be late, missing or repeated, never a promise. The
   * listener must not throw. Returns what ends the watch.
   */
  watch(listener: () => void): () => void;

  /** What is stored about these users, in one consistent read however many they are. Unknown users are absent. */
  targeting(userIds: readonly string[]): Promise<TargetingRead>;

  /** The stored flag, null when there is none. */
  getFlag(key: string): Promise<Flag | null>;

  /** @throws FlagExistsError when the key is taken. */
  createFlag(flag: NewFlag, actor: Actor): Promise<Written<Flag>>;

  /**
   * Changes the fields that `patch` names. With `expectedVersion` only if the flag is at that version.
   * @throws FlagNotFoundError
   * @throws VersionConflictError with the flag as it is.
   */
  updateFlag(key: string, patch: FlagPatch, expectedVersion: number | null, actor: Actor): Promise<Written<Flag>>;

  /** Deletes a flag with its overrides. False when there was none. */
  deleteFlag(key: string, actor: Actor): Promise<Written<boolean>>;

  /**
   * Sets a user's override of a flag, in place of any earlier one (whose `createdAt` and `createdById` stay when
   * nothing else changes).
   * @throws FlagNotFoundError with the path `flagKey`.
   */
  setOverride(override: NewOverride, actor: Actor): Promise<Written<Override>>;

  /** False when there was none. */
  removeOverride(userId: string, flagKey: string, actor: Actor): Promise<Written<boolean>>;

  /** Returns how many were not members before. Repeated ids count once. */
  addToGroup(group: string, userIds: readonly string[], actor: Actor): Promise<Written<number>>;

  /** Returns how many were members. */
  removeFromGroup(group: string, userIds: readonly string[], actor: Actor): Promise<Written<number>>;

  /** Replaces a user's attributes; creates the user. */
  setUserAttributes(userId: string, attributes: Attributes, actor: Actor): Promise<Written<User>>;

  /** Deletes a user with memberships and overrides. False when there was none. */
  deleteUser(userId: string, actor: Actor): Promise<Written<boolean>>;

  /** Releases everything. Calls in flight may reject. Closing twice is harmless. */
  close(): Promise<void>;
}

/** Reads a flag from the `before` or `after` of a FLAG_* change. */
export function flagFromLog(state: JsonObject): Flag {
  const { createdAt, updatedAt, ...rest } = state as unknown as Flag & { createdAt: string; updatedAt: string };
  return { ...rest, createdAt: new Date(createdAt), updatedAt: new Date(updatedAt) };
}
