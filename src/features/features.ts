/// <reference lib="esnext.disposable" preserve="true" />
import { randomUUID } from 'node:crypto';
import type { Override, User as StoredUser } from '../backends/backend.js';
import type { Attributes } from '../core/attributes.js';
import { attributeValue } from '../core/attributes.js';
import { deviceFault } from '../core/device.js';
import { ValidationError } from '../core/errors.js';
import type { Flag } from '../core/flag.js';
import type {
  ApplyDefinitionsInput,
  CreateFlagInput,
  DeleteFlagInput,
  DeleteUserInput,
  GroupInput,
  RemoveOverrideInput,
  RevertFlagInput,
  SetOverrideInput,
  SetUserAttributesInput,
  UndoBatchInput,
  UpdateFlagInput,
  UpdateFlagsInput,
} from '../core/inputs.js';
import type { Json } from '../core/json.js';
import { canonicalUserId, userIdFault } from '../core/user-id.js';
import type { Stop } from '../streams/stop.js';
import type { ApplicationOfDefinitions } from './bulk.js';
import { type Change, type ChangesOptions, parseChangesOptions } from './changes.js';
import { inSlices } from './group-slices.js';
import { type PinnedAnswers, pin } from './pins.js';
import { type FlagPreview, type Population, populations } from './preview.js';
import type { EvaluationContext, FeatureService, FeatureServiceStatus } from './service.js';
import { UserFeatures } from './user-features.js';
import type { ValueReader } from './value-reader.js';
import { type ForOptions, type WatchListener, type WatchOptions, watchUpdates } from './watch.js';

/**
 * A program's own user object. All properties except `id` are attributes, which replace stored attributes of the same name. An
 * attribute counts as `JSON.stringify` would write it: a `Date` as its ISO 8601 text, `undefined` and an invalid `Date` as
 * missing. A bigint is a number.
 */
export interface FeatureUser {
  /** Text of 1 to 255 characters, without control characters and without blanks at either end. */
  readonly id: string;
  // biome-ignore lint/suspicious/noExplicitAny: objects of interfaces and classes do not fit `unknown`.
  readonly [attribute: string]: any;
}

/** The user who makes a change, for the change log. */
export interface By {
  /** The user's id; null: unknown. */
  readonly actor?: string | null;
}

/** The result of {@link Features.applyDefinitions}. */
export interface AppliedDefinitions extends ApplicationOfDefinitions {
  /** The revision right after the changes. Of a dry run: the revision of the plan, which is an `expectedRevision`. */
  readonly revision: number;
  /** The batch of the changes in the log; null if nothing was changed. */
  readonly batch: string | null;
}

/** The user who makes a change in slices, and a listener for its progress. */
export interface ByInSlices extends By {
  /** Called after each slice with the number of finished users and the number of all users. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** The key of the method that gives the service behind features, also across two copies of the package. */
export const serviceOf: unique symbol = Symbol.for('halyard.service');

/** Feature flags inside a program. Its own checks are for an anonymous user; `for(user)` checks for a user. */
export class Features<User = FeatureUser> extends UserFeatures {
  readonly #service: FeatureService;
  readonly #toFeatureUser: (user: User) => FeatureUser;
  readonly #report: (error: unknown) => void;
  readonly #valueReader: ValueReader;

  /** @param report gets the errors of watches without `onError`; must not throw. */
  constructor(
    service: FeatureService,
    toFeatureUser: (user: User) => FeatureUser,
    report: (error: unknown) => void,
    valueReader: ValueReader,
  ) {
    super(service, {}, valueReader);
    this.#service = service;
    this.#valueReader = valueReader;
    this.#toFeatureUser = toFeatureUser;
    this.#report = report;
  }

  /**
   * The features of this user; null means an anonymous user.
   * @throws TypeError for a user without an `id` that is text, for `undefined`, and for an attribute that is an integer beyond 2^53.
   * @throws ValidationError with the path `id` for a text that is not a user id, `device` for a value that is not a device id.
   *
   * @example
   * features.for(null, { device: cookies.device }); // a visitor without a user: rollouts hash the device
   */
  for(user: User | null, { device = null }: ForOptions = {}): UserFeatures {
    const featureUser = user == null ? (user as null | undefined) : this.#toFeatureUser(user);
    const context = contextOf(featureUser);
    if (device === null) return new UserFeatures(this.#service, context, this.#valueReader);
    const fault = deviceFault(device);
    if (fault !== null) throw new ValidationError([{ path: ['device'], message: fault }]);
    return new UserFeatures(this.#service, { ...context, device }, this.#valueReader);
  }

  /**
   * Calls the listener with this user's answers: first all of them, then the changes. The watch ends when the returned
   * function is called or the features are closed. It does not keep the program running.
   * @param user null: an anonymous user.
   * @throws TypeError, ValidationError as {@link for} does.
   *
   * @example
   * const stop = features.watch(user, ({ features, removed }) => render(features, removed));
   */
  watch(user: User | null, listener: WatchListener, options: WatchOptions = {}): Stop {
    const watched = this.for(user, options);
    const { onError = this.#report, signal } = options;
    const report = (error: unknown) => {
      try {
        onError(error);
      } catch (failure) {
        this.#report(failure);
      }
    };
    return watchUpdates(() => watched.updates(options), listener, report, signal);
  }

  /**
   * The changes of flags, overrides, groups and users, oldest first and without gaps, whoever makes them. Leaving the loop, or closing the
   * features, ends them. When a change is told, answers know it. A slow reader misses nothing, and keeps little in memory.
   *
   * The first change rejects with `UnavailableError` if the database cannot be reached. Later outages only delay changes. They reject with
   * `RevisionNotFoundError` if the log does not have what follows `since`, and if the database is restored from a backup or replaced.
   * @throws ValidationError
   *
   * @example
   * for await (const { kind, flagKey, differences } of features.changes({ filter: { flagKey: 'new_checkout' } })) {
   *   console.log(kind, flagKey, differences);
   * }
   */
  changes(options: ChangesOptions = {}): AsyncIterableIterator<Change> {
    const { since, filter, signal } = parseChangesOptions(options);
    const changes = this.#service.changes({ since, filter });
    const end = () => void changes.return?.();
    signal?.addEventListener('abort', end, { once: true });
    changes.whenEnded(() => signal?.removeEventListener('abort', end));
    if (signal?.aborted) end();
    return changes;
  }

  /** Pins answers, for `halyard/testing`. Returns a function that removes the pins. */
  [pin](answers: PinnedAnswers): () => void {
    return this.#service.pin(answers);
  }

  /** The service behind these features, for `halyard/openfeature`, whose contexts are no users of the program. */
  [serviceOf](): FeatureService {
    return this.#service;
  }

  /** The stored flags, sorted by key. */
  listFlags(): Promise<readonly Flag[]> {
    return this.#service.flags();
  }

  /** @throws ValidationError, FlagExistsError */
  async createFlag(input: CreateFlagInput, by: By = {}): Promise<Flag> {
    return (await this.#service.management.createFlag(input, authorOf(by))).value;
  }

  /** @throws ValidationError, FlagNotFoundError, VersionConflictError */
  async updateFlag(input: UpdateFlagInput, by: By = {}): Promise<Flag> {
    return (await this.#service.management.updateFlag(input, authorOf(by))).value;
  }

  /**
   * What an update of a flag would do: how many users would gain and lose the feature, with examples. Changes nothing, and takes
   * two seconds at most. `CONNECTED` (the default) counts the users who are watched in this program, `STORED` those of whom
   * something is stored.
   * @throws ValidationError, FlagNotFoundError, VersionConflictError
   *
   * @example
   * const { gain, lose } = await features.previewFlag({ key: 'checkout', percentage: 50 }, { population: 'STORED' });
   */
  async previewFlag(
    input: UpdateFlagInput,
    { population = 'CONNECTED' }: { readonly population?: Population } = {},
  ): Promise<FlagPreview> {
    if (!populations.includes(population)) {
      throw new ValidationError([{ path: ['population'], message: `Expected one of ${populations.join(', ')}.` }]);
    }
    return this.#service.previewFlag(input, population);
  }

  /**
   * Changes up to 500 flags, all of them or none. Returns them as they are now, in the order of the input.
   * @throws ValidationError, FlagNotFoundError, ConflictsError with every flag that is not at its expected version
   */
  async updateFlags(input: UpdateFlagsInput, by: By = {}): Promise<readonly Flag[]> {
    return (await this.#service.management.updateFlags(input, authorOf(by))).value;
  }

  /**
   * Makes the stored flags equal up to 2,000 definitions, all of them or none. What a definition omits has the default of
   * {@link createFlag}. With `prune` flags without a definition are deleted. With `dryRun` nothing is changed: the result is the plan.
   * @throws ValidationError, ConflictsError with every flag of the plan that was changed after `expectedRevision`
   */
  async applyDefinitions(input: ApplyDefinitionsInput, by: By = {}): Promise<AppliedDefinitions> {
    const { value, revision, batch } = await this.#service.management.applyDefinitions(input, authorOf(by));
    return { ...value, revision, batch };
  }

  /** Deletes a flag with its overrides. False if there was no such flag. */
  async deleteFlag(input: DeleteFlagInput, by: By = {}): Promise<boolean> {
    return (await this.#service.management.deleteFlag(input, authorOf(by))).value;
  }

  /** @throws ValidationError, FlagNotFoundError */
  async setOverride(input: SetOverrideInput, by: By = {}): Promise<Override> {
    return (await this.#service.management.setOverride(input, authorOf(by))).value;
  }

  /** False if there was no such override. */
  async removeOverride(input: RemoveOverrideInput, by: By = {}): Promise<boolean> {
    return (await this.#service.management.removeOverride(input, authorOf(by))).value;
  }

  /**
   * Adds any number of users; more than 20,000 are added in slices, which are separate changes of one batch. If a slice fails, the
   * slices before it stay; it is safe to add the same users again. Returns the number of users that were not members before.
   * @throws ValidationError before anything is changed.
   */
  async addToGroup(input: GroupInput, by: ByInSlices = {}): Promise<number> {
    const author = { ...authorOf(by), batch: randomUUID() };
    return inSlices(
      input,
      async slice => (await this.#service.management.addToGroup(slice, author)).value,
      by.onProgress,
    );
  }

  /** Removes any number of users, as {@link addToGroup} adds them. Returns the number of users that were members. */
  async removeFromGroup(input: GroupInput, by: ByInSlices = {}): Promise<number> {
    const author = { ...authorOf(by), batch: randomUUID() };
    return inSlices(
      input,
      async slice => (await this.#service.management.removeFromGroup(slice, author)).value,
      by.onProgress,
    );
  }

  /** Replaces a user's stored attributes; creates the user. */
  async setUserAttributes(input: SetUserAttributesInput, by: By = {}): Promise<StoredUser> {
    return (await this.#service.management.setUserAttributes(input, authorOf(by))).value;
  }

  /** Deletes a user with memberships and overrides. False if there was no such user. */
  async deleteUser(input: DeleteUserInput, by: By = {}): Promise<boolean> {
    return (await this.#service.management.deleteUser(input, authorOf(by))).value;
  }

  /**
   * Brings a flag back to what it was right after a revision of the change log. A deleted flag comes back with the overrides that
   * were deleted with it.
   * @throws ValidationError, FlagNotFoundError, RevisionNotFoundError, VersionConflictError
   */
  async revertFlag(input: RevertFlagInput, by: By = {}): Promise<Flag> {
    return (await this.#service.management.revertFlag(input, authorOf(by))).value;
  }

  /**
   * Takes back all changes of a batch, or none. Returns the flags that it is about.
   * @throws ValidationError, RevisionNotFoundError, ConflictsError
   */
  async undoBatch(input: UndoBatchInput, by: By = {}): Promise<readonly Flag[]> {
    return (await this.#service.management.undoBatch(input, authorOf(by))).value;
  }

  /** How current the answers are. */
  get status(): FeatureServiceStatus {
    return this.#service.status;
  }

  /** Ends every watch, stops following the database and closes it. */
  close(): Promise<void> {
    return this.#service.close();
  }

  /** The same as {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function contextOf(user: FeatureUser | null | undefined): EvaluationContext {
  if (user === null) return {};
  if (typeof user !== 'object') {
    throw new TypeError(
      `Expected a user, such as { id: "ann" }, or null for anonymous; found ${user === undefined ? 'undefined' : `a ${typeof user}`}.`,
    );
  }
  const { id, ...rest } = user;
  // Rollouts hash text, and all users without an id would count as one user.
  if (typeof id !== 'string' || id === '') {
    throw new TypeError('A user needs an `id` that is a text. For an anonymous user pass null.');
  }
  const fault = userIdFault(id);
  if (fault !== null) throw new ValidationError([{ path: ['id'], message: fault }]);
  const attributes = Object.entries(rest).flatMap(([name, value]): [string, Json][] => {
    const attribute = attributeValue(value, name);
    return attribute === undefined ? [] : [[name, attribute]];
  });
  return { userId: id, attributes: Object.fromEntries(attributes) satisfies Attributes };
}

function authorOf({ actor = null }: By): { readonly actor: string | null } {
  if (actor === null) return { actor };
  const fault = userIdFault(actor);
  if (fault !== null) throw new ValidationError([{ path: ['actor'], message: fault }]);
  return { actor: canonicalUserId(actor) };
}
