// Over 300 lines: it implements the whole contract, and its writes change the same maps.
import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Attributes } from '../core/attributes.js';
import { FlagExistsError, FlagNotFoundError, refuse, VersionConflictError } from '../core/errors.js';
import type { Flag } from '../core/flag.js';
import { type FlagPatch, inputs, type NewFlag, parseInput } from '../core/inputs.js';
import type { JsonObject } from '../core/json.js';
import { canonicalUserId, externalUserId, storedUserId } from '../core/user-id.js';
import type {
  Actor,
  Backend,
  Change,
  ChangePage,
  Definitions,
  NewOverride,
  Override,
  Targeting,
  TargetingRead,
  User,
  Written,
} from './backend.js';
import { namedFlag, type Seed, seedIssues, seedVariantIssues } from './seed.js';

interface StoredUser {
  /** The id under which the user is stored. */
  readonly id: string;
  /** The text that the user is known by. Null: the user is known by the UUID. */
  externalId: string | null;
  attributes: Attributes;
  readonly groups: Set<string>;
  /** By flag key. */
  readonly overrides: Map<string, Override>;
}

/** The most ids in one entry of the log. */
const sliceLength = 1_000;
const noFields = { flagKey: null, userId: null, groupName: null, userIds: [], before: null, after: null } as const;

/**
 * A backend in memory, for unit tests and for programs without a database. Its data ends with the process, and no other process
 * can use it. It keeps the contract of {@link Backend}, with the change log.
 *
 * The file has more than 300 lines because the class has one method for each method of {@link Backend}, with its log entries.
 */
export class MemoryBackend implements Backend {
  readonly isInstant = true;
  readonly #epoch = randomUUID();
  readonly #now: () => Date;
  // Here and in the log users are named by the ids under which they are stored.
  readonly #flags = new Map<string, Flag>();
  readonly #users = new Map<string, StoredUser>();
  readonly #changes: Change[] = [];
  /** The last versions of deleted flags, by key. */
  readonly #lastVersions = new Map<string, number>();
  readonly #hintListeners = new Set<() => void>();

  /** @param options.now the clock. Tests provide their own. */
  constructor(options: { readonly now?: () => Date } = {}) {
    this.#now = options.now ?? (() => new Date());
  }

  /**
   * Adds flags, users, groups and overrides, with the same effect as single writes.
   * @throws ValidationError naming the faults; nothing was added.
   * @throws FlagExistsError, FlagNotFoundError if a flag exists already, or an override names an unknown flag; nothing was added.
   */
  seed({ flags = [], users = {}, groups = {}, overrides = [] }: Seed): void {
    refuse(seedIssues({ flags, users, groups, overrides }));
    const created = new Map(flags.map(flag => [flag.key, parseInput(inputs.createFlag, namedFlag(flag))]));
    const keys = new Set(this.#flags.keys());
    for (const { key } of flags) {
      if (keys.has(key)) throw new FlagExistsError(key);
      keys.add(key);
    }
    const unknown = overrides.find(({ flagKey }) => !keys.has(flagKey));
    if (unknown !== undefined) throw new FlagNotFoundError(unknown.flagKey, 'flagKey');
    refuse(seedVariantIssues(overrides, key => created.get(key) ?? this.#flags.get(key) ?? null));

    for (const flag of created.values()) this.#createFlag(flag, null);
    for (const [id, attributes] of Object.entries(users)) this.#setAttributes(canonicalUserId(id), attributes, null);
    for (const [group, ids] of Object.entries(groups)) this.#addToGroup(group, ids.map(canonicalUserId), null);
    for (const override of overrides) this.#setOverride(parseInput(inputs.setOverride, override), null);
  }

  /** Removes everything, and erases the users in the log. The log stays and gets a RESET. */
  clear(): void {
    for (const flag of [...this.#flags.values()]) this.#dropFlag(flag);
    this.#users.clear();
    this.#erase(null);
    this.#log(null, { kind: 'RESET' });
  }

  async definitions(): Promise<Definitions> {
    const flags = [...this.#flags.values()].sort((a, b) => compare(a.key, b.key)).map(flag => this.#shown(flag));
    const revision = this.#changes.length;
    return { epoch: this.#epoch, revision, nonce: this.#nonceOf(revision), flags };
  }

  async changes(after: number, limit: number): Promise<ChangePage> {
    const changes = this.#changes.slice(after, after + limit);
    return { epoch: this.#epoch, head: this.#changes.length, nonce: this.#nonceOf(after), changes };
  }

  onHint(listener: () => void): () => void {
    // The same listener may be added twice, and each time is removed alone.
    const own = () => listener();
    this.#hintListeners.add(own);
    return () => void this.#hintListeners.delete(own);
  }

  async targeting(storedIds: readonly string[]): Promise<TargetingRead> {
    const found = new Map<string, Targeting>();
    for (const id of storedIds) {
      const user = this.#users.get(id);
      if (user === undefined) continue;
      const decisions = [...user.overrides.values()].map(
        ({ flagKey, enabled, variant, expiresAt }) =>
          [flagKey, { enabled, variant, expiresAt: expiresAt?.getTime() ?? null }] as const,
      );
      found.set(id, { attributes: user.attributes, groups: new Set(user.groups), overrides: new Map(decisions) });
    }
    return { revision: this.#changes.length, users: found };
  }

  async getFlag(key: string): Promise<Flag | null> {
    const flag = this.#flags.get(key);
    return flag === undefined ? null : this.#shown(flag);
  }

  async createFlag(flag: NewFlag, actor: Actor): Promise<Written<Flag>> {
    return this.#written(this.#createFlag(flag, actor));
  }

  async updateFlag(
    key: string,
    patch: FlagPatch,
    expectedVersion: number | null,
    actor: Actor,
  ): Promise<Written<Flag>> {
    const before = this.#flags.get(key);
    if (before === undefined) throw new FlagNotFoundError(key);
    if (expectedVersion !== null && expectedVersion !== before.version) {
      throw new VersionConflictError(this.#shown(before), expectedVersion);
    }
    this.#ensureUser(actor, actor);
    const given = Object.entries(patch).filter(([, value]) => value !== undefined);
    const wanted: Flag = { ...before, ...copy(Object.fromEntries(given)) };
    if (isDeepStrictEqual(wanted, before)) return this.#written(this.#shown(before));
    const after = { ...wanted, version: before.version + 1, updatedAt: this.#now() };
    this.#flags.set(key, after);
    this.#log(actor, { kind: 'FLAG_UPDATED', flagKey: key, before: flagState(before), after: flagState(after) });
    return this.#written(this.#shown(after));
  }

  async deleteFlag(key: string, actor: Actor): Promise<Written<boolean>> {
    this.#ensureUser(actor, actor);
    const flag = this.#flags.get(key);
    if (flag === undefined) return this.#written(false);
    this.#dropFlag(flag);
    this.#log(actor, { kind: 'FLAG_DELETED', flagKey: key, before: flagState(flag) });
    for (const [, user] of this.#sortedUsers()) this.#removeOverride(user, key, actor);
    return this.#written(true);
  }

  async setOverride(override: NewOverride, actor: Actor): Promise<Written<Override>> {
    if (!this.#flags.has(override.flagKey)) throw new FlagNotFoundError(override.flagKey, 'flagKey');
    return this.#written(this.#setOverride(override, actor));
  }

  async overrides(of: readonly Pick<Override, 'userId' | 'flagKey'>[]): Promise<readonly (Override | null)[]> {
    return of.map(named => {
      const override = this.#users.get(storedUserId(named.userId))?.overrides.get(named.flagKey);
      return override === undefined ? null : this.#shownOverride(named, override);
    });
  }

  async overriddenVariants(flagKey: string): Promise<ReadonlyMap<string, string>> {
    const named = new Map<string, string>();
    for (const [id, { overrides }] of this.#sortedUsers()) {
      const { variant = null, expiresAt = null } = overrides.get(flagKey) ?? {};
      if (variant === null || (expiresAt !== null && expiresAt <= this.#now())) continue;
      if (!named.has(variant)) named.set(variant, this.#knownBy(id));
    }
    return named;
  }

  async removeOverride(userId: string, flagKey: string, actor: Actor): Promise<Written<boolean>> {
    this.#ensureUser(actor, actor);
    const user = this.#users.get(storedUserId(userId));
    return this.#written(user !== undefined && this.#removeOverride(user, flagKey, actor));
  }

  async addToGroup(group: string, userIds: readonly string[], actor: Actor): Promise<Written<number>> {
    this.#ensureUser(actor, actor);
    return this.#written(this.#addToGroup(group, userIds, actor));
  }

  async removeFromGroup(group: string, userIds: readonly string[], actor: Actor): Promise<Written<number>> {
    this.#ensureUser(actor, actor);
    const removed = [...new Set(userIds.map(storedUserId))].filter(
      id => this.#users.get(id)?.groups.delete(group) === true,
    );
    this.#logMembers(actor, 'MEMBERS_REMOVED', group, removed);
    return this.#written(removed.length);
  }

  async setUserAttributes(userId: string, attributes: Attributes, actor: Actor): Promise<Written<User>> {
    if (storedOrNull(actor) !== storedUserId(userId)) this.#ensureUser(actor, actor);
    return this.#written(this.#setAttributes(userId, attributes, actor));
  }

  async deleteUser(userId: string, actor: Actor): Promise<Written<boolean>> {
    const storedId = storedUserId(userId);
    // If the actor is the user, the user must not be created again.
    if (storedOrNull(actor) !== storedId) this.#ensureUser(actor, actor);
    const user = this.#users.get(storedId);
    if (user === undefined) return this.#written(false);
    this.#users.delete(storedId);
    this.#log(actor, { kind: 'USER_DELETED', userId: storedId, before: { attributes: user.attributes } });
    for (const group of [...user.groups].sort(compare)) this.#logMembers(actor, 'MEMBERS_REMOVED', group, [storedId]);
    for (const key of [...user.overrides.keys()].sort(compare)) this.#removeOverride(user, key, actor);
    this.#forgetCreator(storedId);
    this.#erase(storedId);
    return this.#written(true);
  }

  async close(): Promise<void> {
    this.#hintListeners.clear();
  }

  #createFlag(flag: NewFlag, actor: Actor): Flag {
    if (this.#flags.has(flag.key)) throw new FlagExistsError(flag.key);
    this.#ensureUser(actor, actor);
    const now = this.#now();
    const version = (this.#lastVersions.get(flag.key) ?? 0) + 1;
    const createdById = storedOrNull(actor);
    const stored = { id: randomUUID(), ...copy(flag), version, createdAt: now, updatedAt: now, createdById };
    this.#flags.set(flag.key, stored);
    this.#log(actor, { kind: 'FLAG_CREATED', flagKey: flag.key, after: flagState(stored) });
    return this.#shown(stored);
  }

  #dropFlag({ key, version }: Flag): void {
    this.#flags.delete(key);
    this.#lastVersions.set(key, version);
  }

  #setOverride(override: NewOverride, actor: Actor): Override {
    const { flagKey, enabled, variant = null, reason, expiresAt } = override;
    this.#ensureUser(actor, actor);
    const user = this.#ensureUser(override.userId, actor) as StoredUser;
    const before = user.overrides.get(flagKey);
    const same = before?.enabled === enabled && before.variant === variant && before.reason === reason;
    if (same && before.expiresAt?.getTime() === expiresAt?.getTime()) return this.#shownOverride(override, before);
    const [userId, createdById] = [user.id, storedOrNull(actor)];
    const after = { userId, flagKey, enabled, variant, reason, expiresAt, createdAt: this.#now(), createdById };
    user.overrides.set(flagKey, after);
    const states = { before: before === undefined ? null : overrideState(before), after: overrideState(after) };
    this.#log(actor, { kind: 'OVERRIDE_SET', flagKey, userId, ...states });
    return this.#shownOverride(override, after);
  }

  #removeOverride(user: StoredUser, flagKey: string, actor: Actor): boolean {
    const override = user.overrides.get(flagKey);
    if (override === undefined) return false;
    user.overrides.delete(flagKey);
    this.#log(actor, { kind: 'OVERRIDE_REMOVED', flagKey, userId: user.id, before: overrideState(override) });
    return true;
  }

  #addToGroup(group: string, userIds: readonly string[], actor: Actor): number {
    const added = new Set<string>();
    for (const userId of userIds) {
      const { id, groups } = this.#ensureUser(userId, actor) as StoredUser;
      if (!groups.has(group)) added.add(id);
      groups.add(group);
    }
    this.#logMembers(actor, 'MEMBERS_ADDED', group, [...added]);
    return added.size;
  }

  #setAttributes(userId: string, given: Attributes, actor: Actor): User {
    const before = this.#users.get(storedUserId(userId))?.attributes;
    const attributes = copy(given);
    const user = this.#ensureUser(userId, actor) as StoredUser;
    user.attributes = attributes;
    if (!isDeepStrictEqual(before ?? {}, attributes)) {
      const states = { before: before === undefined ? null : { attributes: before }, after: { attributes } };
      this.#log(actor, { kind: 'USER_UPDATED', userId: user.id, ...states });
    }
    return { id: userId, attributes };
  }

  #ensureUser(userId: string | null, actor: Actor): StoredUser | null {
    if (userId === null) return null;
    const [id, externalId] = [storedUserId(userId), externalUserId(userId)];
    let user = this.#users.get(id);
    if (user === undefined) {
      user = { id, externalId, attributes: {}, groups: new Set(), overrides: new Map() };
      this.#users.set(id, user);
    }
    if (user.externalId === null && externalId !== null) {
      // A user who was first named by the stored id is known by the text from now on.
      user.externalId = externalId;
      const state = { attributes: user.attributes };
      this.#log(actor, { kind: 'USER_UPDATED', userId: id, before: state, after: state });
    }
    return user;
  }

  /** The id that a user is known by. */
  #knownBy(storedId: string): string {
    return this.#users.get(storedId)?.externalId ?? storedId;
  }

  /** A flag with its creator by the id that the creator is known by. */
  #shown(flag: Flag): Flag {
    return flag.createdById === null ? flag : { ...flag, createdById: this.#knownBy(flag.createdById) };
  }

  #shownOverride({ userId }: Pick<Override, 'userId'>, override: Override): Override {
    const { createdById } = override;
    return { ...override, userId, createdById: createdById === null ? null : this.#knownBy(createdById) };
  }

  /** Removes from the log what it says about a deleted user. Null: about all users. */
  #erase(storedId: string | null): void {
    for (const [index, change] of this.#changes.entries()) {
      if (change.userId === null || (storedId !== null && change.userId !== storedId)) continue;
      this.#changes[index] = { ...change, before: erased(change.before), after: erased(change.after) };
    }
  }

  #forgetCreator(id: string): void {
    for (const flag of this.#flags.values()) {
      if (flag.createdById === id) this.#flags.set(flag.key, { ...flag, createdById: null });
    }
    for (const { overrides } of this.#users.values()) {
      for (const override of overrides.values()) {
        if (override.createdById === id) overrides.set(override.flagKey, { ...override, createdById: null });
      }
    }
  }

  #sortedUsers(): [string, StoredUser][] {
    return [...this.#users].sort(([a], [b]) => compare(a, b));
  }

  #logMembers(actor: Actor, kind: 'MEMBERS_ADDED' | 'MEMBERS_REMOVED', groupName: string, ids: string[]): void {
    ids.sort(compare);
    for (let start = 0; start < ids.length; start += sliceLength) {
      this.#log(actor, { kind, groupName, userIds: ids.slice(start, start + sliceLength) });
    }
  }

  #log(actor: Actor, change: Pick<Change, 'kind'> & Partial<Change>): void {
    const actorId = storedOrNull(actor);
    const revision = this.#changes.length + 1;
    this.#changes.push({ ...noFields, revision, nonce: randomUUID(), at: this.#now(), actorId, ...change });
    // Synchronous, so that an evaluation right after a seed, without a turn of the event loop between, sees the seed.
    for (const own of [...this.#hintListeners]) own();
  }

  #nonceOf(revision: number): string | null {
    return this.#changes[revision - 1]?.nonce ?? null;
  }

  #written<T>(value: T): Written<T> {
    return { value, revision: this.#changes.length };
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Copies an object, so that later changes of the caller's object are not stored. */
function copy<T extends object>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

function storedOrNull(userId: string | null): string | null {
  return userId === null ? null : storedUserId(userId);
}

function erased(state: JsonObject | null): JsonObject | null {
  return state && { ...state, ...('reason' in state ? { reason: null } : { attributes: {} }) };
}

function flagState(flag: Flag): JsonObject {
  const { createdAt, updatedAt, ...fields } = flag;
  return {
    ...(fields as unknown as JsonObject),
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  };
}

function overrideState({ enabled, variant, reason, expiresAt, createdAt, createdById }: Override): JsonObject {
  const times = { expiresAt: expiresAt?.toISOString() ?? null, createdAt: createdAt.toISOString() };
  return { enabled, variant, reason, ...times, createdById };
}
