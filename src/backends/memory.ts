// Over 300 lines: it implements the whole contract, and its writes change the same maps.
import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { ApiKey } from '../core/api-key.js';
import type { Attributes } from '../core/attributes.js';
import { CrossedError, FlagExistsError, FlagNotFoundError, refuse, VersionConflictError } from '../core/errors.js';
import type { Flag } from '../core/flag.js';
import { type FlagPatch, inputs, type NewFlag, newFlagOf, parseInput } from '../core/inputs.js';
import type { JsonObject } from '../core/json.js';
import type { ConstantRequest, MapUsage, UsageBatch, UsagePoint, UsageRequest } from '../core/usage.js';
import { canonicalUserId, externalUserId, storedUserId } from '../core/user-id.js';
import type {
  ApiKeysRead,
  Author,
  Backend,
  ChangePage,
  Definitions,
  Guard,
  LogFound,
  LogSearch,
  NewApiKey,
  NewOverride,
  NodeNote,
  OverriddenVariants,
  Override,
  Step,
  TargetedUser,
  Targeting,
  TargetingNeeds,
  TargetingRead,
  User,
  Written,
} from './backend.js';
import { MemoryApiKeys } from './memory-api-keys.js';
import { MemoryLog, type Signature } from './memory-log.js';
import { MemoryNotes } from './memory-notes.js';
import { constantSince, MemoryUsage } from './memory-usage.js';
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

/** The most flags and the most users that a refusal names. */
const mostNamed = 100;
/** The most ids in one entry of the log. */
const sliceLength = 1_000;

/**
 * A backend in memory, for unit tests and for programs without a database. Its data ends with the process, and no other process
 * can use it. It keeps the contract of {@link Backend}, with the change log.
 *
 * The file has more than 300 lines because the class has one method for each method of {@link Backend}, with its log entries.
 */
export class MemoryBackend implements Backend {
  readonly isInstant = true;
  readonly #now: () => Date;
  readonly #log: MemoryLog;
  readonly #apiKeys: MemoryApiKeys;
  readonly #notes: MemoryNotes;
  // Here and in the log users are named by the ids under which they are stored.
  readonly #flags = new Map<string, Flag>();
  readonly #users = new Map<string, StoredUser>();
  /** The ids of the users, sorted, for this number of users and this head of the log. */
  #order: { readonly ids: readonly string[]; readonly size: number; readonly head: number } | null = null;
  /** The last versions of deleted flags, by key. */
  readonly #lastVersions = new Map<string, number>();
  readonly #usage = new MemoryUsage(key => this.#flags.get(key)?.id);

  /** @param options.now the clock. Tests provide their own. */
  constructor(options: { readonly now?: () => Date } = {}) {
    this.#now = options.now ?? (() => new Date());
    this.#log = new MemoryLog(this.#now);
    this.#apiKeys = new MemoryApiKeys(this.#log, this.#now);
    this.#notes = new MemoryNotes(this.#now);
  }

  /**
   * Adds flags, users, groups and overrides, with the same effect as single writes.
   * @throws ValidationError naming the faults; nothing was added.
   * @throws FlagExistsError, FlagNotFoundError if a flag exists already, or an override names an unknown flag; nothing was added.
   */
  seed({ flags = [], users = {}, groups = {}, overrides = [] }: Seed): void {
    refuse(seedIssues({ flags, users, groups, overrides }));
    const created = new Map(flags.map(flag => [flag.key, newFlagOf(namedFlag(flag))]));
    const keys = new Set(this.#flags.keys());
    for (const { key } of flags) {
      if (keys.has(key)) throw new FlagExistsError(key);
      keys.add(key);
    }
    const unknown = overrides.find(({ flagKey }) => !keys.has(flagKey));
    if (unknown !== undefined) throw new FlagNotFoundError(unknown.flagKey, 'flagKey');
    refuse(seedVariantIssues(overrides, key => created.get(key) ?? this.#flags.get(key) ?? null));

    this.#log.write(null, by => {
      for (const { key, note } of flags) this.#createFlag(created.get(key) as NewFlag, { ...by, note });
      for (const [id, attributes] of Object.entries(users)) this.#setAttributes(canonicalUserId(id), attributes, by);
      for (const [group, ids] of Object.entries(groups)) this.#addToGroup(group, ids.map(canonicalUserId), by);
      for (const override of overrides) this.#setOverride(parseInput(inputs.setOverride, override), by);
    });
  }

  /** Removes everything, and erases the users in the log. The log stays and gets a RESET. */
  clear(): void {
    this.#log.write(null, by => {
      for (const flag of [...this.#flags.values()]) this.#dropFlag(flag);
      this.#users.clear();
      this.#log.erase(null);
      this.#log.append(by, { kind: 'RESET' });
    });
  }

  async definitions(): Promise<Definitions> {
    const flags = [...this.#flags.values()].sort((a, b) => compare(a.key, b.key)).map(flag => this.#shown(flag));
    const { epoch, head } = this.#log;
    return { epoch, revision: head, nonce: this.#log.nonceOf(head), flags };
  }

  async changes(after: number, limit: number): Promise<ChangePage> {
    return this.#log.page(after, limit);
  }

  async search(search: LogSearch): Promise<LogFound> {
    return this.#log.search(search);
  }

  onHint(listener: () => void): () => void {
    return this.#log.onHint(listener);
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
    return { revision: this.#log.head, users: found };
  }

  async knownUserIds(storedIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const texts = storedIds.map(id => [id, this.#users.get(id)?.externalId ?? null] as const);
    return new Map(texts.filter((text): text is [string, string] => text[1] !== null));
  }

  async usersAfter(
    storedId: string | null,
    limit: number,
    { flagKeys, groups }: TargetingNeeds,
  ): Promise<readonly TargetedUser[]> {
    const sorted = this.#sortedIds();
    const start = storedId === null ? 0 : sorted.findIndex(id => id > storedId);
    const ids = start === -1 ? [] : sorted.slice(start, start + limit);
    const { users } = await this.targeting(ids);
    return ids.map(id => {
      const all = users.get(id) as Targeting;
      const targeting = {
        attributes: all.attributes,
        groups: new Set(groups.filter(group => all.groups.has(group))),
        overrides: new Map([...all.overrides].filter(([key]) => flagKeys.includes(key))),
      };
      return { storedId: id, id: this.#knownBy(id), targeting };
    });
  }

  async countUsers(): Promise<number> {
    return this.#users.size;
  }

  async getFlag(key: string): Promise<Flag | null> {
    const flag = this.#flags.get(key);
    return flag === undefined ? null : this.#shown(flag);
  }

  async createFlag(flag: NewFlag, by: Author | null): Promise<Written<Flag>> {
    return this.#log.write(by, signed => this.#createFlag(flag, signed));
  }

  async updateFlag(
    key: string,
    patch: FlagPatch,
    expectedVersion: number | null,
    by: Author | null,
  ): Promise<Written<Flag>> {
    return this.#log.write(by, signed => this.#updateFlag(key, patch, expectedVersion, signed));
  }

  async deleteFlag(key: string, by: Author | null): Promise<Written<boolean>> {
    return this.#log.write(by, signed => this.#deleteFlag(key, signed));
  }

  async setOverride(override: NewOverride, by: Author | null): Promise<Written<Override>> {
    return this.#log.write(by, signed => this.#setOverride(override, signed));
  }

  async overrides(of: readonly Pick<Override, 'userId' | 'flagKey'>[]): Promise<readonly (Override | null)[]> {
    return of.map(named => {
      const override = this.#users.get(storedUserId(named.userId))?.overrides.get(named.flagKey);
      return override === undefined ? null : this.#shownOverride(named, override);
    });
  }

  async overriddenVariants(flagKeys: readonly string[]): Promise<OverriddenVariants> {
    const byFlag = new Map<string, Map<string, string>>();
    const keys = new Set(flagKeys);
    for (const [id, { overrides }] of this.#sortedUsers()) {
      for (const { flagKey, variant, expiresAt } of overrides.values()) {
        if (variant === null || !keys.has(flagKey) || (expiresAt !== null && expiresAt <= this.#now())) continue;
        const users = byFlag.get(flagKey) ?? new Map<string, string>();
        if (!users.has(variant)) byFlag.set(flagKey, users.set(variant, this.#knownBy(id)));
      }
    }
    return byFlag;
  }

  async removeOverride(userId: string, flagKey: string, by: Author | null): Promise<Written<boolean>> {
    return this.#log.write(by, signed => this.#removeOverride(userId, flagKey, signed));
  }

  async addToGroup(group: string, userIds: readonly string[], by: Author | null): Promise<Written<number>> {
    return this.#log.write(by, signed => this.#addToGroup(group, userIds, signed));
  }

  async removeFromGroup(group: string, userIds: readonly string[], by: Author | null): Promise<Written<number>> {
    return this.#log.write(by, signed => this.#removeFromGroup(group, userIds, signed));
  }

  async setUserAttributes(userId: string, attributes: Attributes, by: Author | null): Promise<Written<User>> {
    return this.#log.write(by, signed => this.#setAttributes(userId, attributes, signed));
  }

  async apply(steps: readonly Step[], by: Author | null, guard: Guard | null = null): Promise<Written<null>> {
    if (guard !== null) this.#refuseCrossed(guard);
    return this.#log.write(by, signed => {
      const [flags, lastVersions] = [new Map(this.#flags), new Map(this.#lastVersions)];
      const users = new Map([...this.#users].map(([id, user]) => [id, copiedUser(user)]));
      try {
        this.#log.atomic(() => {
          this.#ensureActor(signed);
          for (const step of steps) this.#apply(step, signed);
        });
      } catch (error) {
        restore(this.#flags, flags);
        restore(this.#lastVersions, lastVersions);
        restore(this.#users, users);
        throw error;
      }
      return null;
    });
  }

  async deleteUser(userId: string, by: Author | null): Promise<Written<boolean>> {
    return this.#log.write(by, signed => this.#deleteUser(userId, signed));
  }

  async apiKeys(): Promise<ApiKeysRead> {
    return { revision: this.#log.head, keys: this.#apiKeys.live().map(key => this.#shown(key)) };
  }

  async createApiKey(key: NewApiKey, by: Author | null): Promise<Written<ApiKey>> {
    return this.#log.write(by, signed => {
      const made = this.#apiKeys.create(key, signed);
      this.#ensureActor(signed);
      return this.#shown(made);
    });
  }

  async revokeApiKey(id: string, by: Author | null): Promise<Written<ApiKey | null>> {
    return this.#log.write(by, signed => {
      const { key, isChanged } = this.#apiKeys.revoke(id, signed);
      if (isChanged) this.#ensureActor(signed);
      return key === null ? null : this.#shown(key);
    });
  }

  async noteApiKeyUses(uses: ReadonlyMap<string, Date>): Promise<void> {
    this.#apiKeys.noteUses(uses);
  }

  async addUsage(batch: UsageBatch): Promise<void> {
    this.#usage.add(batch);
  }

  async usage(requests: readonly UsageRequest[]): Promise<readonly (readonly UsagePoint[])[]> {
    return requests.map(request => this.#usage.points(request));
  }

  async lastAsked(flagIds: readonly string[]): Promise<ReadonlyMap<string, number>> {
    return this.#usage.lastAsked(flagIds);
  }

  async mapUsage(): Promise<MapUsage> {
    return this.#usage.maps;
  }

  async constantSince(requests: readonly ConstantRequest[], now: number): Promise<readonly (number | null)[]> {
    return requests.map(request => {
      const flag = this.#flags.get(request.flagKey);
      const overrides = [...this.#users.values()].flatMap(user => user.overrides.get(request.flagKey) ?? []);
      return flag === undefined ? null : constantSince(request, flag, overrides, this.#log.since(0), now);
    });
  }

  async exchangeNotes(own: NodeNote | null, isNews: boolean): Promise<readonly NodeNote[]> {
    return this.#notes.exchange(own, isNews);
  }

  onNotes(listener: () => void): () => void {
    return this.#notes.onNotes(listener);
  }

  async close(): Promise<void> {
    this.#log.removeListeners();
    this.#notes.removeListeners();
  }

  #apply(step: Step, by: Signature): void {
    switch (step.kind) {
      case 'createFlag':
        this.#createFlag(step.flag, by);
        break;
      case 'updateFlag':
        this.#updateFlag(step.key, step.patch, step.expectedVersion ?? null, by);
        break;
      case 'deleteFlag':
        this.#deleteFlag(step.key, by);
        break;
      case 'setOverride':
        this.#setOverride(step.override, by);
        break;
      case 'removeOverride':
        this.#removeOverride(step.userId, step.flagKey, by);
        break;
      case 'addToGroup':
        this.#addToGroup(step.group, step.userIds, by);
        break;
      case 'removeFromGroup':
        this.#removeFromGroup(step.group, step.userIds, by);
        break;
      case 'setUserAttributes':
        this.#setAttributes(step.userId, step.attributes, by);
        break;
    }
  }

  #refuseCrossed({ since, flagKeys, userIds }: Guard): void {
    const changes = this.#log.since(since);
    const isLost = since > this.#log.head || changes.some(({ kind }) => kind === 'RESET');
    const changedFlags = new Set(changes.map(({ flagKey }) => flagKey));
    const changedUsers = new Set(changes.flatMap(change => [change.userId, ...change.userIds]));
    const flags = new Set(flagKeys.filter(key => isLost || changedFlags.has(key)));
    const users = new Set(userIds.filter(id => isLost || changedUsers.has(storedUserId(id))));
    const first = (ids: ReadonlySet<string>) => [...ids].sort(compare).slice(0, mostNamed);
    if (flags.size > 0 || users.size > 0) throw new CrossedError(since, first(flags), first(users));
  }

  #createFlag(flag: NewFlag, by: Signature): Flag {
    if (this.#flags.has(flag.key)) throw new FlagExistsError(flag.key);
    this.#ensureActor(by);
    const now = this.#now();
    const version = (this.#lastVersions.get(flag.key) ?? 0) + 1;
    const createdById = storedOrNull(by.actor);
    const stored = { id: randomUUID(), ...copyOfFields(flag), version, createdAt: now, updatedAt: now, createdById };
    this.#flags.set(flag.key, stored);
    this.#log.append(by, { kind: 'FLAG_CREATED', flagKey: flag.key, after: flagState(stored) });
    return this.#shown(stored);
  }

  #updateFlag(key: string, patch: FlagPatch, expectedVersion: number | null, by: Signature): Flag {
    const before = this.#flags.get(key);
    if (before === undefined) throw new FlagNotFoundError(key);
    if (expectedVersion !== null && expectedVersion !== before.version) {
      throw new VersionConflictError(this.#shown(before), expectedVersion);
    }
    this.#ensureActor(by);
    const given = Object.entries(patch).filter(([, value]) => value !== undefined);
    const wanted: Flag = { ...before, ...copyOfFields(Object.fromEntries(given)) };
    if (isDeepStrictEqual(wanted, before)) return this.#shown(before);
    const after = { ...wanted, version: before.version + 1, updatedAt: this.#now() };
    this.#flags.set(key, after);
    this.#log.append(by, { kind: 'FLAG_UPDATED', flagKey: key, before: flagState(before), after: flagState(after) });
    return this.#shown(after);
  }

  #deleteFlag(key: string, by: Signature): boolean {
    this.#ensureActor(by);
    const flag = this.#flags.get(key);
    if (flag === undefined) return false;
    this.#dropFlag(flag);
    this.#log.append(by, { kind: 'FLAG_DELETED', flagKey: key, before: flagState(flag) });
    for (const [, user] of this.#sortedUsers()) this.#dropOverride(user, key, by);
    return true;
  }

  #dropFlag({ id, key, version }: Flag): void {
    this.#usage.forget(id);
    this.#flags.delete(key);
    this.#lastVersions.set(key, version);
  }

  #setOverride(override: NewOverride, by: Signature): Override {
    const { flagKey, enabled, variant = null, reason, expiresAt } = override;
    if (!this.#flags.has(flagKey)) throw new FlagNotFoundError(flagKey, 'flagKey');
    this.#ensureActor(by);
    const user = this.#ensureUser(override.userId, by);
    const before = user.overrides.get(flagKey);
    const same = before?.enabled === enabled && before.variant === variant && before.reason === reason;
    if (same && before.expiresAt?.getTime() === expiresAt?.getTime()) return this.#shownOverride(override, before);
    const [userId, createdById] = [user.id, storedOrNull(by.actor)];
    const after = { userId, flagKey, enabled, variant, reason, expiresAt, createdAt: this.#now(), createdById };
    user.overrides.set(flagKey, after);
    const states = { before: before === undefined ? null : overrideState(before), after: overrideState(after) };
    this.#log.append(by, { kind: 'OVERRIDE_SET', flagKey, userId, ...states });
    return this.#shownOverride(override, after);
  }

  #removeOverride(userId: string, flagKey: string, by: Signature): boolean {
    this.#ensureActor(by);
    const user = this.#users.get(storedUserId(userId));
    return user !== undefined && this.#dropOverride(user, flagKey, by);
  }

  #dropOverride(user: StoredUser, flagKey: string, by: Signature): boolean {
    const override = user.overrides.get(flagKey);
    if (override === undefined) return false;
    user.overrides.delete(flagKey);
    this.#log.append(by, { kind: 'OVERRIDE_REMOVED', flagKey, userId: user.id, before: overrideState(override) });
    return true;
  }

  #addToGroup(group: string, userIds: readonly string[], by: Signature): number {
    this.#ensureActor(by);
    const added = new Set<string>();
    for (const userId of userIds) {
      const { id, groups } = this.#ensureUser(userId, by);
      if (!groups.has(group)) added.add(id);
      groups.add(group);
    }
    this.#logMembers(by, 'MEMBERS_ADDED', group, [...added]);
    return added.size;
  }

  #removeFromGroup(group: string, userIds: readonly string[], by: Signature): number {
    this.#ensureActor(by);
    const removed = [...new Set(userIds.map(storedUserId))].filter(
      id => this.#users.get(id)?.groups.delete(group) === true,
    );
    this.#logMembers(by, 'MEMBERS_REMOVED', group, removed);
    return removed.length;
  }

  #setAttributes(userId: string, given: Attributes, by: Signature): User {
    // If the actor is the user, the user is created below, in one change.
    if (storedOrNull(by.actor) !== storedUserId(userId)) this.#ensureActor(by);
    const before = this.#users.get(storedUserId(userId))?.attributes;
    const attributes = copy(given);
    const user = this.#ensureUser(userId, by);
    user.attributes = attributes;
    if (!isDeepStrictEqual(before ?? {}, attributes)) {
      const states = { before: before === undefined ? null : { attributes: before }, after: { attributes } };
      this.#log.append(by, { kind: 'USER_UPDATED', userId: user.id, ...states });
    }
    return { id: userId, attributes };
  }

  #deleteUser(userId: string, by: Signature): boolean {
    const storedId = storedUserId(userId);
    // If the actor is the user, the user must not be created again.
    if (storedOrNull(by.actor) !== storedId) this.#ensureActor(by);
    const user = this.#users.get(storedId);
    if (user === undefined) return false;
    this.#users.delete(storedId);
    this.#log.append(by, { kind: 'USER_DELETED', userId: storedId, before: { attributes: user.attributes } });
    for (const group of [...user.groups].sort(compare)) this.#logMembers(by, 'MEMBERS_REMOVED', group, [storedId]);
    for (const key of [...user.overrides.keys()].sort(compare)) this.#dropOverride(user, key, by);
    this.#forgetCreator(storedId);
    this.#log.erase(storedId);
    return true;
  }

  #ensureActor(by: Signature): void {
    if (by.actor !== null) this.#ensureUser(by.actor, by);
  }

  #ensureUser(userId: string, by: Signature): StoredUser {
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
      this.#log.append(by, { kind: 'USER_UPDATED', userId: id, before: state, after: state });
    }
    return user;
  }

  /** The id that a user is known by. */
  #knownBy(storedId: string): string {
    return this.#users.get(storedId)?.externalId ?? storedId;
  }

  /** A flag or a key with its creator by the id that the creator is known by. */
  #shown<Made extends { readonly createdById: string | null }>(made: Made): Made {
    return made.createdById === null ? made : { ...made, createdById: this.#knownBy(made.createdById) };
  }

  #shownOverride({ userId }: Pick<Override, 'userId'>, override: Override): Override {
    const { createdById } = override;
    return { ...override, userId, createdById: createdById === null ? null : this.#knownBy(createdById) };
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

  /** Users who come change their number, and users who go are logged. */
  #sortedIds(): readonly string[] {
    const [{ size }, { head }] = [this.#users, this.#log];
    if (this.#order?.size !== size || this.#order.head !== head) {
      this.#order = { ids: [...this.#users.keys()].sort(compare), size, head };
    }
    return this.#order.ids;
  }

  #sortedUsers(): [string, StoredUser][] {
    return [...this.#users].sort(([a], [b]) => compare(a, b));
  }

  #logMembers(by: Signature, kind: 'MEMBERS_ADDED' | 'MEMBERS_REMOVED', groupName: string, ids: string[]): void {
    ids.sort(compare);
    for (let start = 0; start < ids.length; start += sliceLength) {
      this.#log.append(by, { kind, groupName, userIds: ids.slice(start, start + sliceLength) });
    }
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Copies an object, so that later changes of the caller's object are not stored. */
function copy<T extends object>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

/** The same of fields of a flag. JSON would make a text of a date. */
function copyOfFields<T extends FlagPatch>(fields: T): T {
  const { expectedUntil } = fields;
  return expectedUntil == null ? copy(fields) : { ...copy(fields), expectedUntil: new Date(expectedUntil) };
}

function storedOrNull(userId: string | null): string | null {
  return userId === null ? null : storedUserId(userId);
}

function copiedUser(user: StoredUser): StoredUser {
  return { ...user, groups: new Set(user.groups), overrides: new Map(user.overrides) };
}

function restore<Key, Value>(map: Map<Key, Value>, to: ReadonlyMap<Key, Value>): void {
  map.clear();
  for (const [key, value] of to) map.set(key, value);
}

function flagState(flag: Flag): JsonObject {
  const { createdAt, updatedAt, expectedUntil, ...fields } = flag;
  return {
    ...(fields as unknown as JsonObject),
    expectedUntil: expectedUntil?.toISOString() ?? null,
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  };
}

function overrideState({ enabled, variant, reason, expiresAt, createdAt, createdById }: Override): JsonObject {
  const times = { expiresAt: expiresAt?.toISOString() ?? null, createdAt: createdAt.toISOString() };
  return { enabled, variant, reason, ...times, createdById };
}
