/// <reference lib="esnext.disposable" preserve="true" />
import type { Override, User as StoredUser } from '../backends/backend.js';
import { attributeValue } from '../core/attributes.js';
import { type ClosedAnswer, FeatureDisabledError, UnavailableError, ValidationError } from '../core/errors.js';
import type { Attributes, Evaluation } from '../core/evaluate.js';
import type { FeatureKey } from '../core/feature-key.js';
import type { Flag } from '../core/flag.js';
import type {
  CreateFlagInput,
  DeleteFlagInput,
  DeleteUserInput,
  GroupInput,
  RemoveOverrideInput,
  SetOverrideInput,
  SetUserAttributesInput,
  UpdateFlagInput,
} from '../core/inputs.js';
import type { Json } from '../core/json.js';
import { isUuid } from '../core/user-id.js';
import type { Stop } from '../streams/stop.js';
import type { Evaluator } from './evaluator.js';
import { inSlices } from './group-slices.js';
import { type PinnedAnswers, pin } from './pins.js';
import type { EvaluationContext, FeatureService, FeatureServiceStatus } from './service.js';
import type { FeaturesUpdate } from './subscriber.js';
import { type UpdatesOptions, type WatchListener, type WatchOptions, watchUpdates } from './watch.js';

/**
 * A program's own user object: `id`, and everything else as attributes, which win over stored ones. An attribute counts as
 * `JSON.stringify` would write it: a `Date` as its ISO 8601 text, `undefined` and a `Date` that is not valid as missing. A bigint
 * is a number.
 */
export interface FeatureUser {
  /** A UUID for users who have stored groups, overrides or attributes; any other text is only hashed for rollouts. */
  readonly id: string;
  // biome-ignore lint/suspicious/noExplicitAny: with `unknown` an object whose type is an interface or a class does not fit.
  readonly [attribute: string]: any;
}

/** Who makes a change, for the change log. */
export interface By {
  /** The user's UUID. */
  readonly actor?: string | null;
}

/** Who makes a change of many, and who is told how far it is. */
export interface ByInSlices extends By {
  /** Called after each slice, with how many users are done, of how many. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** How {@link UserFeatures.require} answers in place of a feature that is off. */
export interface RequireOptions extends ClosedAnswer {
  /** Whether to let through when the feature cannot be determined, as in an outage. Default `'closed'`. */
  readonly whenUnknown?: 'closed' | 'open';
}

/** The features of one user. Every call answers from what is known at that moment. */
export class UserFeatures {
  readonly #service: FeatureService;
  readonly #context: EvaluationContext;

  constructor(service: FeatureService, context: EvaluationContext) {
    this.#service = service;
    this.#context = context;
  }

  /**
   * Whether a feature is on.
   * @param fallback the answer when there is no such flag, in place of `defaultEnabled`.
   * @throws UnavailableError when the user is not known yet and the database cannot be asked.
   */
  async isEnabled(key: FeatureKey, fallback?: boolean): Promise<boolean> {
    return (await this.evaluate(key, fallback)).enabled;
  }

  /** The answer with its reason. */
  async evaluate(key: FeatureKey, fallback?: boolean): Promise<Evaluation> {
    return (await this.#evaluator()).evaluate(key, fallback);
  }

  /** Whether each feature is on: all of them, by key. */
  async getAll(): Promise<Record<string, boolean>> {
    return (await this.#evaluator()).evaluateMap();
  }

  /**
   * Goes on only when the feature is on. Closed when that cannot be determined: an unreachable database opens nothing.
   * @throws FeatureDisabledError which carries what every gate answers with.
   */
  async require(key: FeatureKey, options: RequireOptions = {}): Promise<void> {
    try {
      if (await this.isEnabled(key)) return;
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      if (options.whenUnknown === 'open') return;
      throw new FeatureDisabledError(key, options, { cause: error });
    }
    throw new FeatureDisabledError(key, options);
  }

  /**
   * First all answers, then each time only what is different from what was last taken; who is slow takes one difference
   * over all that happened meanwhile. Ends when the features are closed; leaving the loop releases everything.
   *
   * Taking the first throws `UnavailableError` when the user is not known yet and the database cannot be asked. Later
   * outages are waited out.
   */
  updates({ keys }: UpdatesOptions = {}): AsyncIterableIterator<FeaturesUpdate> {
    return this.#service.subscribe(this.#context, { keys: keys ?? null });
  }

  #evaluator(): Promise<Evaluator> {
    return this.#service.evaluator(this.#context);
  }
}

/** Feature flags inside a program. Its own checks are those of somebody anonymous; `for(user)` checks for a user. */
export class Features<User = FeatureUser> extends UserFeatures {
  readonly #service: FeatureService;
  readonly #toFeatureUser: (user: User) => FeatureUser;
  readonly #report: (error: unknown) => void;

  /** @param report where the errors of watch listeners go that nobody else is told of; must not throw. */
  constructor(service: FeatureService, toFeatureUser: (user: User) => FeatureUser, report: (error: unknown) => void) {
    super(service, {});
    this.#service = service;
    this.#toFeatureUser = toFeatureUser;
    this.#report = report;
  }

  /**
   * The features of this user; null means an anonymous user.
   * @throws TypeError for a user without an `id`, for `undefined`, and for an attribute that is an integer beyond 2^53.
   */
  for(user: User | null): UserFeatures {
    const featureUser = user == null ? (user as null | undefined) : this.#toFeatureUser(user);
    return new UserFeatures(this.#service, contextOf(featureUser));
  }

  /**
   * Calls the listener with this user's answers, first all of them, then what changes in them, until the returned
   * function is called or the features are closed. It does not keep the program running.
   * @param user null: somebody anonymous.
   * @throws TypeError when the user has no `id`.
   *
   * @example
   * const stop = features.watch(user, ({ features, removed }) => render(features, removed));
   */
  watch(user: User | null, listener: WatchListener, options: WatchOptions = {}): Stop {
    const watched = this.for(user);
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

  /** What `halyard/testing` pins by. */
  [pin](answers: PinnedAnswers): () => void {
    return this.#service.pin(answers);
  }

  /** The stored flags, sorted by key. */
  listFlags(): Promise<readonly Flag[]> {
    return this.#service.flags();
  }

  /** @throws ValidationError, FlagExistsError */
  async createFlag(input: CreateFlagInput, by: By = {}): Promise<Flag> {
    return this.#service.management.createFlag(input, actorOf(by));
  }

  /** @throws ValidationError, FlagNotFoundError, VersionConflictError */
  async updateFlag(input: UpdateFlagInput, by: By = {}): Promise<Flag> {
    return this.#service.management.updateFlag(input, actorOf(by));
  }

  /** Deletes a flag with its overrides. False when there was none. */
  async deleteFlag(input: DeleteFlagInput, by: By = {}): Promise<boolean> {
    return this.#service.management.deleteFlag(input, actorOf(by));
  }

  /** @throws ValidationError, FlagNotFoundError */
  async setOverride(input: SetOverrideInput, by: By = {}): Promise<Override> {
    return this.#service.management.setOverride(input, actorOf(by));
  }

  /** False when there was none. */
  async removeOverride(input: RemoveOverrideInput, by: By = {}): Promise<boolean> {
    return this.#service.management.removeOverride(input, actorOf(by));
  }

  /**
   * Returns how many were not members before. Any number of users: more than 20,000 are added in slices, each a change of
   * its own. When one fails those before it stand; to add the same users again does no harm.
   * @throws ValidationError before anything is changed.
   */
  async addToGroup(input: GroupInput, by: ByInSlices = {}): Promise<number> {
    const actor = actorOf(by);
    return inSlices(input, slice => this.#service.management.addToGroup(slice, actor), by.onProgress);
  }

  /** Returns how many were members. Any number of users, as with {@link addToGroup}. */
  async removeFromGroup(input: GroupInput, by: ByInSlices = {}): Promise<number> {
    const actor = actorOf(by);
    return inSlices(input, slice => this.#service.management.removeFromGroup(slice, actor), by.onProgress);
  }

  /** Replaces a user's stored attributes; creates the user. */
  async setUserAttributes(input: SetUserAttributesInput, by: By = {}): Promise<StoredUser> {
    return this.#service.management.setUserAttributes(input, actorOf(by));
  }

  /** Deletes a user with memberships and overrides. False when there was none. */
  async deleteUser(input: DeleteUserInput, by: By = {}): Promise<boolean> {
    return this.#service.management.deleteUser(input, actorOf(by));
  }

  /** How current the answers are. */
  get status(): FeatureServiceStatus {
    return this.#service.status;
  }

  /** Ends every watch, stops following the database and closes it. */
  close(): Promise<void> {
    return this.#service.close();
  }

  /** As {@link close}: for `await using`. */
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
  // A number has no text to hash, and everybody without an id would be the same person.
  if (typeof id !== 'string' || id === '') {
    throw new TypeError('A user needs an `id` that is text; somebody anonymous is null.');
  }
  const attributes = Object.entries(rest).flatMap(([name, value]): [string, Json][] => {
    const attribute = attributeValue(value, name);
    return attribute === undefined ? [] : [[name, attribute]];
  });
  return { userId: id, attributes: Object.fromEntries(attributes) satisfies Attributes };
}

function actorOf({ actor = null }: By): string | null {
  if (actor === null) return null;
  if (typeof actor === 'string' && isUuid(actor)) return actor.toLowerCase();
  throw new ValidationError([{ path: ['actor'], message: 'Expected a UUID.' }]);
}
