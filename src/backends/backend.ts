import type { ApiKey } from '../core/api-key.js';
import type { Attributes } from '../core/attributes.js';
import type { Flag, FlagLabels } from '../core/flag.js';
import type { FlagPatch, NewFlag } from '../core/inputs.js';
import type { JsonObject } from '../core/json.js';
import type { OverrideDecision } from '../core/subject.js';
import type { ConstantRequest, MapUsage, UsageBatch, UsagePoint, UsageRequest } from '../core/usage.js';
import { plainValues } from '../core/values.js';

/** The stored data of one user that evaluations need. */
export interface Targeting {
  readonly attributes: Attributes;
  readonly groups: ReadonlySet<string>;
  /** By flag key. May include expired overrides; the evaluation compares them with the clock. */
  readonly overrides: ReadonlyMap<string, OverrideDecision>;
}

/** The stored data of several users at one revision. */
export interface TargetingRead {
  /** The head of the log in the same consistent read. */
  readonly revision: number;
  /** By the ids that were asked for; unknown users are absent. */
  readonly users: ReadonlyMap<string, Targeting>;
}

/** The parts of the stored data of users that some flags look at. */
export interface TargetingNeeds {
  /** Flags whose overrides are needed. */
  readonly flagKeys: readonly string[];
  /** Groups whose members are needed. */
  readonly groups: readonly string[];
}

/** A stored user with the data that was asked for. */
export interface TargetedUser {
  /** The id under which the user is stored. */
  readonly storedId: string;
  /** The id that the user is known by. */
  readonly id: string;
  readonly targeting: Targeting;
}

/** All definitions at one revision of the change log. */
export interface Definitions {
  /**
   * Identifies the database and the timeline of its server. Revisions of another epoch belong to another history and cannot be
   * compared with these.
   */
  readonly epoch: string;
  /** The head of the log in the same consistent read; 0 when nothing has ever changed. */
  readonly revision: number;
  /** The nonce of the entry at `revision`; null if there is no such entry. */
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
  'API_KEY_CREATED',
  'API_KEY_REVOKED',
  'RESET',
] as const;

export type ChangeKind = (typeof changeKinds)[number];

/**
 * One entry of the change log. It names users by the ids under which they are stored (`storedUserId`), also those who were
 * deleted since, and in the fields of its states.
 */
export interface Change {
  /** Contiguous from 1, in the order of commits. */
  readonly revision: number;
  /** Random for this entry. No other history has it, so a reader can verify its own place. */
  readonly nonce: string;
  readonly at: Date;
  /** The user who made the change; null if unknown (a service token without a user, another program). */
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
   * The state before and after the change; null if there is none. FLAG_*: the flag with the names of {@link Flag} and times as
   * ISO 8601 text; {@link flagFromLog} reads it. OVERRIDE_*: `{ enabled, variant, reason, expiresAt, createdAt, createdById }`.
   * USER_*: `{ attributes }`. A USER_UPDATED without `before` concerns a user who did not exist before. The states of a deleted
   * user have no attributes and no reason, which may say something about a person. API_KEY_*: the key without its hash;
   * `apiKeyFromLog` reads it. A key that another program deleted has no `after`.
   */
  readonly before: JsonObject | null;
  readonly after: JsonObject | null;
  /** Why the change was made, as its author wrote it; null if the author wrote nothing. */
  readonly note: string | null;
  /** A UUID that all changes of one write share, and all changes of one transaction of another program. */
  readonly batch: string;
  /** For a revert the revision that was reverted to, for an undo the first revision of the undone batch. Otherwise null. */
  readonly reverts: number | null;
  /** The API key that made the change; null if none did. */
  readonly apiKeyId: string | null;
}

/** Selects changes. A change must match each field that is given. */
export interface LogCriterion {
  readonly kinds?: readonly ChangeKind[];
  readonly flagKeys?: readonly string[];
  readonly groups?: readonly string[];
  /** Stored ids; a change of a group matches if it is about one of these users. */
  readonly userIds?: readonly string[];
  readonly batch?: string;
}

/** A search in the change log. */
export interface LogSearch {
  /** Only changes after this revision. */
  readonly after: number;
  /** Only changes that match one of these. */
  readonly any: readonly LogCriterion[];
  /** The most changes, 1 or more. */
  readonly limit: number;
  /** Whether the newest changes come first. Default: the oldest. */
  readonly newestFirst?: boolean;
}

/** What a search has found, from one consistent read. */
export interface LogFound {
  /** The revision before the first one that is kept: what was before it is not known. 0 if all of the log is kept. */
  readonly prunedTo: number;
  /** The log's highest revision. */
  readonly head: number;
  readonly changes: readonly Change[];
}

/** A page of the change log. */
export interface ChangePage {
  readonly epoch: string;
  /** The log's highest revision in the same consistent read. If it is below the reader's place, the history is another one: reload. */
  readonly head: number;
  /** The nonce of the entry before this page. If it differs from the reader's nonce, the history is another one: reload. */
  readonly nonce: string | null;
  /** Ascending, without gaps. The first is `after + 1` unless that part of the log was pruned. */
  readonly changes: readonly Change[];
}

/** An override as it is stored. Users have the ids that they are known by. */
export interface Override {
  readonly userId: string;
  readonly flagKey: string;
  readonly enabled: boolean;
  /** The key of the variant that the user has. Null: the flag's weights choose. */
  readonly variant: string | null;
  readonly reason: string | null;
  readonly expiresAt: Date | null;
  readonly createdAt: Date;
  readonly createdById: string | null;
}

/** An override to set. A variant that is omitted is null. */
export type NewOverride = Pick<Override, 'userId' | 'flagKey' | 'enabled' | 'reason' | 'expiresAt'> &
  Partial<Pick<Override, 'variant'>>;

/** Users by variant, by flag key. */
export type OverriddenVariants = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** What a node tells the others for as long as somebody asks. Backends do not look into it. */
export interface NodeNote {
  /** A UUID that the node has as long as it runs. */
  readonly node: string;
  /** What its clients ask of all nodes. Null: nothing. */
  readonly asks: JsonObject | null;
  /** What it says to all that is asked. Null: nothing. */
  readonly answer: JsonObject | null;
}

/** Milliseconds for which a note counts. */
export const noteLife = 5_000;

/** A user as it is stored. */
export interface User {
  /** The id that the user is known by. */
  readonly id: string;
  readonly attributes: Attributes;
}

/** A key to make. */
export interface NewApiKey extends Pick<ApiKey, 'name' | 'role' | 'prefix' | 'expiresAt'> {
  /** SHA-256 of the secret. */
  readonly hash: Uint8Array;
}

/** The keys that are not revoked, each with the hash of its secret. */
export interface ApiKeysRead {
  /** The log's head in the same consistent read. */
  readonly revision: number;
  readonly keys: readonly (ApiKey & Pick<NewApiKey, 'hash'>)[];
}

/** The result of a write. */
export interface Written<T> {
  readonly value: T;
  /**
   * The log's head right after the write, even if the write changed nothing. A reader that has applied the log up to this
   * revision has seen the write.
   */
  readonly revision: number;
  /** The batch of the changes in the log; null if the write changed nothing. */
  readonly batch: string | null;
}

/** Who makes a change, and why, for the change log. */
export interface Author {
  /** The user who makes the change; null if unknown. An unknown id creates a user. */
  readonly actor: string | null;
  /** The API key that makes the change. */
  readonly apiKeyId?: string | null | undefined;
  /** Why the change is made: 1 to 500 characters. */
  readonly note?: string | null | undefined;
  /** The UUID of a batch that several writes share. Default: each write is a batch of its own. */
  readonly batch?: string | undefined;
  /** The revision that the change goes back to. */
  readonly reverts?: number | null | undefined;
}

/** A single write of {@link Backend.apply}. Each means the same as the method of its name. */
export type Step =
  | { readonly kind: 'createFlag'; readonly flag: NewFlag }
  | {
      readonly kind: 'updateFlag';
      readonly key: string;
      readonly patch: FlagPatch;
      readonly expectedVersion?: number | null | undefined;
    }
  | { readonly kind: 'deleteFlag'; readonly key: string }
  | { readonly kind: 'setOverride'; readonly override: NewOverride }
  | { readonly kind: 'removeOverride'; readonly userId: string; readonly flagKey: string }
  | { readonly kind: 'addToGroup' | 'removeFromGroup'; readonly group: string; readonly userIds: readonly string[] }
  | { readonly kind: 'setUserAttributes'; readonly userId: string; readonly attributes: Attributes };

/** What must not have been changed since a revision. */
export interface Guard {
  /** The revision that the caller has seen. */
  readonly since: number;
  /** Flags whose FLAG_* and OVERRIDE_* changes count. */
  readonly flagKeys: readonly string[];
  /** Users whose attributes, overrides and memberships count. */
  readonly userIds: readonly string[];
}

/**
 * The store of definitions, groups, overrides and users, with the log of every change to them.
 *
 * Every backend keeps this contract, which test/backends/contract.ts checks:
 * - Inputs are valid (the management service checks them). User ids are in their canonical form.
 * - Writes, flags and overrides name users by the ids that they are known by. The log, and reads of targeting, name them by the
 *   ids under which they are stored (`storedUserId`).
 * - Each write is atomic, with its log entries, for any number of users.
 * - A write that resolves is stored, and every read that begins after it sees it.
 * - A write that changes nothing logs nothing and does not change `version` and `updatedAt`.
 * - Versions of a flag never repeat: a flag that is created again continues after the last version of the deleted one.
 * - Overrides, memberships and actors that name an unknown user create the user, without attributes, if the write resolves.
 *   This is not a change and is not logged. A refused write creates no user.
 * - A deletion also removes the overrides of a flag, or the memberships and overrides of a user. These removals are logged right
 *   after the deletion. Flags and overrides that a deleted user had created stay, without a creator; that is not logged.
 * - The deletion of a user is an erasure: the text that the user was known by, the attributes and the reasons of the overrides
 *   are nowhere in the store any more, the log included.
 * - If the store cannot be reached in time, every method rejects with `UnavailableError`.
 */
export interface Backend {
  /** Reads need no I/O and cannot hang, so an answer may wait for a read after a hint. Absent: reads may hang. */
  readonly isInstant?: true;

  /** All definitions with the log's head, from one consistent read. */
  definitions(): Promise<Definitions>;

  /**
   * The log after a revision, oldest first, at most `limit` entries. It returns fewer if the entries are large, but at least one
   * if there are any: continue until the head is reached.
   */
  changes(after: number, limit: number): Promise<ChangePage>;

  /** The changes that match a search, in one consistent read. */
  search(search: LogSearch): Promise<LogFound>;

  /**
   * Calls `listener` soon after the log has grown. The call is only a hint: it may be late, missing or repeated. The listener
   * must not throw. Returns a function that removes the listener.
   */
  onHint(listener: () => void): () => void;

  /** The data that is stored under these ids, in one consistent read for any number of users. Unknown users are absent. */
  targeting(storedIds: readonly string[]): Promise<TargetingRead>;

  /** The texts that users are known by, by the ids under which they are stored. Users who are known by a UUID, or not at all, are absent. */
  knownUserIds(storedIds: readonly string[]): Promise<ReadonlyMap<string, string>>;

  /**
   * The stored users after this stored id, in the order of stored ids, at most `limit`; fewer only at the end. Null: from the
   * beginning. Other overrides and groups than those in `needs` are left out.
   */
  usersAfter(storedId: string | null, limit: number, needs: TargetingNeeds): Promise<readonly TargetedUser[]>;

  /** The number of stored users, or an estimate where there are so many that to count them would hold up others. */
  countUsers(): Promise<number>;

  /** The stored flag; null if there is none. */
  getFlag(key: string): Promise<Flag | null>;

  /** @throws FlagExistsError when the key is taken. */
  createFlag(flag: NewFlag, by: Author | null): Promise<Written<Flag>>;

  /**
   * Changes the fields in `patch`. With `expectedVersion` it does so only if the flag is at that version.
   * @throws FlagNotFoundError
   * @throws VersionConflictError with the present flag.
   */
  updateFlag(key: string, patch: FlagPatch, expectedVersion: number | null, by: Author | null): Promise<Written<Flag>>;

  /** Deletes a flag with its overrides. False if there was no such flag. */
  deleteFlag(key: string, by: Author | null): Promise<Written<boolean>>;

  /**
   * Sets a user's override of a flag and replaces an earlier one. `createdAt` and `createdById` of the earlier one stay if
   * nothing else changes.
   * @throws FlagNotFoundError with the path `flagKey`.
   */
  setOverride(override: NewOverride, by: Author | null): Promise<Written<Override>>;

  /** The stored overrides of these users and flags, in this order; null where there is none. Users have the ids that they are known by. */
  overrides(of: readonly Pick<Override, 'userId' | 'flagKey'>[]): Promise<readonly (Override | null)[]>;

  /**
   * The variants of these flags that overrides name, each with one user who has it; by flag key. Expired overrides do not count.
   * Flags without such overrides are absent.
   */
  overriddenVariants(flagKeys: readonly string[]): Promise<OverriddenVariants>;

  /** False if there was no such override. */
  removeOverride(userId: string, flagKey: string, by: Author | null): Promise<Written<boolean>>;

  /** Returns the number of users that were not members before. Repeated ids count once. */
  addToGroup(group: string, userIds: readonly string[], by: Author | null): Promise<Written<number>>;

  /** Returns the number of users that were members. */
  removeFromGroup(group: string, userIds: readonly string[], by: Author | null): Promise<Written<number>>;

  /** Replaces a user's attributes; creates the user. */
  setUserAttributes(userId: string, attributes: Attributes, by: Author | null): Promise<Written<User>>;

  /**
   * Makes several writes, some thousands at most, in their order: all of them or none, as one batch. With a guard it does so only
   * if nothing that the guard names was changed since its revision; a RESET counts as a change of everything, and so does a part
   * of the log that is not kept any more.
   * @throws CrossedError with what was changed since.
   * @throws FlagExistsError, FlagNotFoundError, VersionConflictError of the first step that cannot be done.
   */
  apply(steps: readonly Step[], by: Author | null, guard?: Guard | null): Promise<Written<null>>;

  /** Deletes a user with memberships and overrides. False if there was no such user. */
  deleteUser(userId: string, by: Author | null): Promise<Written<boolean>>;

  /** The keys that are not revoked, those that have expired included. */
  apiKeys(): Promise<ApiKeysRead>;

  /**
   * Makes a key.
   * @throws ApiKeyExistsError when a key that is not revoked has the name.
   * @throws TooManyApiKeysError when there are `maxApiKeys` keys that are not revoked.
   */
  createApiKey(key: NewApiKey, by: Author | null): Promise<Written<ApiKey>>;

  /** Revokes a key. One that is revoked stays as it is. Null if there is no such key. */
  revokeApiKey(id: string, by: Author | null): Promise<Written<ApiKey | null>>;

  /** Keeps when keys were last used, by their ids; an earlier time than the known one changes nothing. It is not logged. */
  noteApiKeyUses(uses: ReadonlyMap<string, Date>): Promise<void>;

  /**
   * Adds counts to the stored ones: all of them or none, and each batch once, also if it comes again. Counts of flags that do not
   * exist are left out. It is no change and is not logged.
   */
  addUsage(batch: UsageBatch): Promise<void>;

  /**
   * The stored counts, for each request the intervals with questions, oldest first. A flag that is created again under a deleted
   * key is another flag.
   */
  usage(requests: readonly UsageRequest[]): Promise<readonly (readonly UsagePoint[])[]>;

  /** When these flags were last asked for by name, in milliseconds since the epoch; by id. Flags that were not are absent. */
  lastAsked(flagIds: readonly string[]): Promise<ReadonlyMap<string, number>>;

  /** What is stored about questions that named no flag. */
  mapUsage(): Promise<MapUsage>;

  /**
   * Since when flags have given everybody the answer that they give now, at the latest; milliseconds since the epoch, one for each
   * request. Null: an override gives somebody another answer, or there is no such flag.
   * @param now milliseconds since the epoch; decides which overrides have expired.
   */
  constantSince(requests: readonly ConstantRequest[], now: number): Promise<readonly (number | null)[]>;

  /**
   * Puts a note in place of the last one of its node, and returns the notes of all other nodes that are younger than
   * {@link noteLife}. A note without asks and answer is no note: it takes the last one away. Notes are not logged, and may be lost.
   * Null only reads, for a node that has left no note.
   * @param isNews whether {@link onNotes} is to tell other nodes of it.
   */
  exchangeNotes(own: NodeNote | null, isNews: boolean): Promise<readonly NodeNote[]>;

  /**
   * Calls `listener` soon after a node has left a note that is news. As with {@link onHint}, the call may be late, missing or repeated,
   * the listener must not throw, and the returned function removes it.
   */
  onNotes(listener: () => void): () => void;

  /** Releases everything. Calls in flight may reject. Closing twice is harmless. */
  close(): Promise<void>;
}

type LoggedFlag = Omit<Flag, keyof FlagLabels | 'createdAt' | 'updatedAt'> &
  Partial<Omit<FlagLabels, 'expectedUntil'>> & { createdAt: string; updatedAt: string; expectedUntil?: string | null };

/** Reads a flag from the `before` or `after` of a FLAG_* change. */
export function flagFromLog(state: JsonObject): Flag {
  // Entries from before flags had values and labels do not say any.
  const { createdAt, updatedAt, expectedUntil, tags = [], owner = null, ...rest } = state as unknown as LoggedFlag;
  return {
    ...plainValues,
    ...rest,
    tags,
    owner,
    expectedUntil: expectedUntil == null ? null : new Date(expectedUntil),
    createdAt: new Date(createdAt),
    updatedAt: new Date(updatedAt),
  };
}
