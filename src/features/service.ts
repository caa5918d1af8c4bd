import DataLoader from 'dataloader';
import { LRUCache } from 'lru-cache';
import type { Author, Backend, Override, Targeting } from '../backends/backend.js';
import type { Attributes } from '../core/attributes.js';
import { UnavailableError } from '../core/errors.js';
import type { Flag } from '../core/flag.js';
import type { UpdateFlagInput } from '../core/inputs.js';
import { type Log, silentLog } from '../core/log.js';
import { createSubject, type OverrideDecision, type Subject } from '../core/subject.js';
import { canonicalUserId, isUuid, storedUserId } from '../core/user-id.js';
import { isPromise } from '../streams/pulled.js';
import { AnswerStamps } from './answer-stamps.js';
import { ApiKeys } from './api-keys.js';
import { ChangeFeed, type ChangeStream, type FollowOptions, type Telling } from './change-feed.js';
import { type Change, tellPrograms } from './changes.js';
import { type ConfirmablePreview, Confirmations, type Requester } from './confirmation.js';
import { Evaluator, type EvaluatorOptions, type FeatureExplanation, type SharedMaps } from './evaluator.js';
import type { FeatureUpdates } from './feature-updates.js';
import { LiveHub } from './live-hub.js';
import { Management } from './management.js';
import type { FeatureObserver } from './observer.js';
import type { PinnedAnswers } from './pins.js';
import type { FlagPreview, Population } from './preview.js';
import { Previewer } from './previewer.js';
import { Receipts } from './receipts.js';
import { Replica } from './replica.js';
import type { Snapshot } from './snapshot.js';
import type { Audience, SubscribeOptions } from './subscriber.js';
import { TargetingCache } from './targeting.js';
import { Usage } from './usage.js';
import { noUse, type QuestionListener } from './usage-counter.js';

/** The subject of an evaluation. */
export interface EvaluationContext {
  /** The id that the user is known by. Null or absent: anonymous. */
  readonly userId?: string | null | undefined;
  /** The rollout hashes this instead of the user id. */
  readonly targetingKey?: string | null | undefined;
  /** The rollout hashes this where there is neither of the two. */
  readonly device?: string | null | undefined;
  /** Laid over the stored ones: a stated attribute wins. */
  readonly attributes?: Attributes | null | undefined;
}

export interface FeatureServiceOptions {
  readonly backend: Backend;
  /** The answer for a flag that does not exist. Default false. */
  readonly defaultEnabled?: boolean | undefined;
  /** Seconds. How old the last confirmed read of the change log may be when it answers; 0: read before each. Default 60. */
  readonly cacheTtl?: number | undefined;
  /** How many users' targeting is kept. Default 50,000. */
  readonly cacheSize?: number | undefined;
  /** Milliseconds between reads of the change log that nothing prompted. Default 3,000. */
  readonly pollInterval?: number | undefined;
  /** Whether changes of requests that alter the answers of a flag need a confirmation; see `changesOf`. Default false. */
  readonly isProtected?: boolean | undefined;
  /** Signs the confirmations. All nodes of one database have the same. Default: one of this process alone. */
  readonly confirmationSecret?: Uint8Array | undefined;
  /** Whether this process verifies API keys, and so holds them in memory. Default false. */
  readonly holdsApiKeys?: boolean | undefined;
  /** Milliseconds between two writes of when API keys were last used. Default 60,000. */
  readonly apiKeyUsesInterval?: number | undefined;
  /** Milliseconds between two writes of the counts of questions; a process that is killed loses those of this time. Default 10,000. */
  readonly usageInterval?: number | undefined;
  /** Milliseconds after which a flag that stays the same, or that nobody asks for, is stale. Default 30 days. */
  readonly staleAfter?: number | undefined;
  /** Whether this process counts its viewers for clients of other nodes, as servers do. Default false. */
  readonly answersNodes?: boolean | undefined;
  readonly observers?: readonly FeatureObserver[] | undefined;
  readonly log?: Log | undefined;
  /** Milliseconds since the epoch; the clock that overrides expire by. Default Date.now. */
  readonly now?: (() => number) | undefined;
}

/** Milliseconds between two looks at whether a client of another node asks for receipts, where no notification comes. */
const lookInterval = 5_000;

/** How current this process is. */
export interface FeatureServiceStatus {
  /** The last applied revision of the change log. */
  readonly revision: number;
  /** Milliseconds since the log was last read to its end. */
  readonly age: number;
  /** Why the log cannot be read, as far as the last attempt told; null while it can. */
  readonly problem: string | null;
  readonly subscribers: number;
  readonly flags: number;
  /** Flags whose stored conditions, variants or rules are not valid: those match nobody. */
  readonly invalidFlags: number;
  /** The cache of users. Anonymous callers are not in it and are not counted. */
  readonly cache: {
    /** Users kept now. */
    readonly users: number;
    /** How often a user was known, since the start. */
    readonly hits: number;
    /** How often a user had to be read, since the start. */
    readonly misses: number;
  };
}

/** Evaluates, manages and watches flags over one backend, which it closes with itself. */
export class FeatureService {
  /** For changes by this program, which need no confirmation. Requests of others go through {@link changesOf}. */
  readonly management: Management;
  /** The API keys that count; null unless this process holds them. */
  readonly apiKeys: ApiKeys | null;
  /** Counts the questions that name flags. */
  readonly usage: Usage;
  /** Tells how far changes have come to viewers. */
  readonly receipts: Receipts;
  readonly #backend: Backend;
  readonly #replica: Replica;
  readonly #targeting: TargetingCache;
  readonly #hub: LiveHub;
  readonly #feed: ChangeFeed;
  readonly #previewer: Previewer;
  readonly #confirmations: Confirmations;
  readonly #now: () => number;
  readonly #evaluatorOptions: EvaluatorOptions;
  /** Whether somebody must hear of every answer. */
  readonly #isWatched: boolean;
  readonly #stamps = new AnswerStamps();
  /** By user id, the id under which the user is stored. Hashing a text costs more than an evaluation. */
  readonly #storedIds: LRUCache<string, string>;
  /** Overrides that are asked for in one turn of the event loop are read together. */
  readonly #overrides: DataLoader<Pick<Override, 'userId' | 'flagKey'>, Override | null>;
  #cacheHits = 0;
  #cacheMisses = 0;

  private constructor(options: FeatureServiceOptions, replica: Replica, apiKeys: ApiKeys | null) {
    const { backend, defaultEnabled = false, cacheTtl = 60, cacheSize = 50_000, observers = [] } = options;
    const { log = silentLog, now = Date.now } = options;
    const targeting = new TargetingCache({
      backend,
      reach: revision => replica.reach(revision),
      size: cacheSize,
      alwaysRead: cacheTtl === 0,
    });
    this.apiKeys = apiKeys;
    this.#backend = backend;
    this.#replica = replica;
    this.#targeting = targeting;
    this.#storedIds = new LRUCache({ max: cacheSize });
    this.#overrides = new DataLoader(of => backend.overrides(of), {
      maxBatchSize: 1_000,
      batchScheduleFn: callback => setImmediate(callback),
      cache: false,
    });
    this.#now = now;
    this.#evaluatorOptions = { defaultEnabled, observers };
    this.#isWatched = observers.some(observer => observer.seesEveryAnswer);
    // Before the hub listens: it must not load targeting after a change that was cached before the change.
    replica.onApplied(({ userIds }) => targeting.forget(userIds));
    const loadTargeting = async (storedId: string | null) => this.#targetingOf(storedId);
    this.#hub = new LiveHub({ replica, loadTargeting, defaultEnabled, observers, log, now });
    this.#feed = new ChangeFeed({ backend, replica });
    this.receipts = new Receipts({
      backend,
      hub: this.#hub,
      replica,
      answersOthers: options.answersNodes ?? false,
      lookInterval: Math.max(lookInterval, options.pollInterval ?? 0),
      log,
      now,
    });
    this.#previewer = new Previewer({ backend, targeting, viewers: () => this.#hub.viewers(), defaultEnabled, now });
    this.#confirmations = new Confirmations({
      backend,
      secret: options.confirmationSecret,
      isProtected: options.isProtected,
      preview: changes => this.#previewer.preview(changes, 'CONNECTED'),
      now,
    });
    this.management = new Management({ backend, replica, now });
    this.usage = new Usage({
      backend,
      flagOf: key => replica.snapshot.get(key),
      hasStreams: () => this.#hub.size > 0,
      interval: options.usageInterval,
      staleAfter: options.staleAfter,
      log,
      now,
    });
  }

  /** @throws UnavailableError when the definitions cannot be read. */
  static async open(options: FeatureServiceOptions): Promise<FeatureService> {
    const { backend, cacheTtl = 60, pollInterval = 3_000, log = silentLog } = options;
    const replica = await Replica.open({ backend, log, maxAge: cacheTtl * 1_000, pollInterval });
    try {
      const { holdsApiKeys = false, apiKeyUsesInterval: usesInterval, now = Date.now } = options;
      const apiKeys = holdsApiKeys ? await ApiKeys.open({ backend, replica, log, now, usesInterval }) : null;
      return new FeatureService(options, replica, apiKeys);
    } catch (error) {
      await replica.close();
      throw error;
    }
  }

  get status(): FeatureServiceStatus {
    const { revision, flags } = this.#replica.snapshot;
    return {
      revision,
      age: this.#replica.age,
      problem: this.#replica.problem,
      subscribers: this.#hub.size,
      flags: flags.length,
      invalidFlags: flags.filter(flag => flag.faults.length > 0).length,
      cache: { users: this.#targeting.size, hits: this.#cacheHits, misses: this.#cacheMisses },
    };
  }

  /** The revision of the change log that answers are computed from now. */
  get revision(): number {
    return this.#replica.snapshot.revision;
  }

  /**
   * Resolves once answers are no older than this revision, or the log has been read to its end.
   * @throws UnavailableError when the log must be read and cannot be.
   */
  reach(revision: number): Promise<void> {
    return this.#replica.reach(revision);
  }

  /**
   * Answers for one subject, all at one revision; no promise where nothing need be read.
   * @param questions counts the flags that are named. Default: they count as uses.
   * @throws UnavailableError when the user is not known here and the store cannot be asked; then the promise rejects.
   */
  evaluator(
    context: EvaluationContext,
    questions: QuestionListener = this.usage.counter,
  ): Evaluator | Promise<Evaluator> {
    const refresh = this.#replica.refresh();
    if (refresh !== undefined) return refresh.then(() => this.#evaluatorOf(context, questions));
    return this.#evaluatorOf(context, questions);
  }

  #evaluatorOf(context: EvaluationContext, questions: QuestionListener): Evaluator | Promise<Evaluator> {
    const { storedId, subject } = this.#audienceOf(context);
    const evaluator = (targeting: Targeting, isKnown: boolean) => {
      const { snapshot } = this.#replica;
      const now = this.#now();
      // Most users of a large site ask once between two changes: only the map of one who was known already is kept.
      const shared = isKnown ? this.#sharedMaps(context, targeting, snapshot, now) : null;
      return new Evaluator(snapshot, subject(targeting), now, this.#evaluatorOptions, questions, shared);
    };
    // Targeting first: the definitions that are read after it are never older.
    const known = this.#targetingOf(storedId);
    return isPromise(known) ? known.then(read => evaluator(read, false)) : evaluator(known, true);
  }

  /**
   * The answer for one key, and why. It is no use of the flag: observers are not told of it.
   * @throws UnavailableError when the user is not known here and the store cannot be asked.
   */
  async explain(context: EvaluationContext, key: string): Promise<FeatureExplanation> {
    const evaluator = await this.evaluator(context, noUse);
    return evaluator.explain(key, await this.#storedOverride(evaluator.subject, key));
  }

  /**
   * What an update of a flag would do to users, without making it. It answers within two seconds, for the users that it could
   * compare in that time.
   * @throws ValidationError, FlagNotFoundError, VersionConflictError as the update would.
   * @throws UnavailableError when the store cannot be asked, or other previews of stored users leave no time for this one.
   */
  async previewFlag(input: UpdateFlagInput, population: Population): Promise<FlagPreview> {
    return this.#previewer.preview([await this.management.planUpdate(input)], population);
  }

  /** The same as {@link previewFlag}, with the token that confirms the update for this caller. */
  async confirmablePreview(
    input: UpdateFlagInput,
    population: Population,
    caller: string,
  ): Promise<ConfirmablePreview> {
    const planned = await this.management.planUpdate(input);
    const preview = await this.#previewer.preview([planned], population);
    return { ...preview, confirm: this.#confirmations.confirmUpdate(caller, planned.before, planned.patch) };
  }

  /**
   * The changes that a request makes. On a protected server those that alter the answers of a flag reject with
   * `ConfirmationRequiredError` until they are confirmed. A confirmation that is given must fit on any server.
   */
  changesOf(requester: Requester): Management {
    const store = this.#confirmations.storeFor(requester);
    if (store === this.#backend) return this.management;
    const exempt = (by: Author) => this.#confirmations.exempt(by);
    return new Management({ backend: store, replica: this.#replica, now: this.#now, exempt });
  }

  /** The override as it is stored. Null: there is none, it was changed meanwhile, or the store cannot be asked. */
  async #storedOverride({ userId, overrides }: Subject, flagKey: string): Promise<Override | null> {
    const decision = overrides.get(flagKey);
    if (userId === null || decision === undefined) return null;
    try {
      const stored = await this.#overrides.load({ userId, flagKey });
      return stored !== null && isSameDecision(stored, decision) ? stored : null;
    } catch (error) {
      // The explanation then says all but who set the override and why.
      if (error instanceof UnavailableError) return null;
      throw error;
    }
  }

  /**
   * The version stamp of the answers for a user: while this returns the same object, every answer for this user, with the
   * same attributes in the token and the same device, stays the same. It reads nothing. Null where that cannot be told: the log
   * or the user must be read first, the clock may change an answer, or each evaluation is watched.
   */
  stamp(userId: string | null): object | null {
    if (this.#isWatched || !this.#replica.isFresh) return null;
    const targeting = this.#targeting.peek(userId === null ? null : this.#storedIdOf(canonicalUserId(userId)));
    if (targeting === undefined) return null;
    return this.#stamps.stampOf(targeting, this.#replica.snapshot, this.#now());
  }

  /** Null: the whole map may differ each time. */
  #sharedMaps(
    { userId, targetingKey, device, attributes }: EvaluationContext,
    targeting: Targeting,
    snapshot: Snapshot,
    now: number,
  ): SharedMaps | null {
    if (targetingKey != null || this.#isWatched) return null;
    if (device != null && snapshot.dependsOnDevice(userId == null ? 'anonymous' : 'user')) return null;
    const stamp = this.#stamps.stampOf(targeting, snapshot, now);
    if (stamp === null) return null;
    return this.#stamps.mapsUnder({ userId: userId ?? null, stamp, attributes: attributes ?? null });
  }

  /**
   * Whether answers for this user may differ from device to device. It does not change while the stamp stays the same.
   */
  dependsOnDevice(userId: string | null): boolean {
    return this.#replica.snapshot.dependsOnDevice(userId === null ? 'anonymous' : 'user');
  }

  /** Sends the context its own answers, then each change of them. They are no uses of flags. */
  subscribe(context: EvaluationContext, options?: SubscribeOptions): FeatureUpdates {
    this.usage.noteStream();
    return this.#hub.subscribe(this.#audienceOf(context), options);
  }

  /**
   * The changes of the log after a revision, or from now on, in their order and without gaps. When a change is told, this process
   * has applied it. A log that becomes one of another history ends the stream with `RevisionNotFoundError`.
   */
  follow<T>(options: FollowOptions, telling: Telling<T>): ChangeStream<T> {
    return this.#feed.follow(options, telling);
  }

  /** {@link follow} for programs: changes name users by the ids that they are known by. */
  changes(options: FollowOptions): ChangeStream<Change> {
    return this.follow(
      options,
      tellPrograms(storedIds => this.#backend.knownUserIds(storedIds)),
    );
  }

  /**
   * Calls the listener with the keys of flags whose definitions changed. It is called at once for all changes that are applied at
   * once, and must not throw.
   */
  onFlagsChanged(listener: (keys: readonly string[]) => void): () => void {
    return this.#replica.onApplied(({ flags }) => {
      if (flags.size > 0) listener([...flags]);
    });
  }

  /** The keys of the flags whose conditions name this group, sorted. */
  flagKeysNaming(group: string): string[] {
    return this.#replica.snapshot.flags.filter(flag => flag.groups.has(group)).map(flag => flag.key);
  }

  /** The groups that a flag's conditions and rules name, sorted. */
  groupsNamedBy(flagKey: string): string[] {
    return [...(this.#replica.snapshot.get(flagKey)?.groups ?? [])].sort();
  }

  /** How many flags there are. */
  get flagCount(): number {
    return this.#replica.snapshot.flags.length;
  }

  /** Every group that some flag's conditions name, sorted. */
  groupsNamed(): string[] {
    return [...new Set(this.#replica.snapshot.flags.flatMap(flag => [...flag.groups]))].sort();
  }

  /** The stored flags, sorted by key. */
  async flags(): Promise<readonly Flag[]> {
    return (await this.#backend.definitions()).flags;
  }

  /** A promise only where the store must be asked, so that the usual case costs no turn of the event loop. */
  #targetingOf(storedId: string | null): Targeting | Promise<Targeting> {
    const known = this.#targeting.peek(storedId);
    if (known === undefined) this.#cacheMisses += 1;
    else if (storedId !== null) this.#cacheHits += 1;
    return known ?? this.#targeting.load(storedId);
  }

  #audienceOf({ userId, targetingKey, device, attributes }: EvaluationContext): Audience {
    const id = userId == null ? null : canonicalUserId(userId);
    const subject = (targeting: Targeting): Subject =>
      createSubject({
        userId: id,
        targetingKey: targetingKey ?? null,
        device: device ?? null,
        attributes: hasNone(attributes) ? targeting.attributes : { ...targeting.attributes, ...attributes },
        groups: targeting.groups,
        overrides: targeting.overrides,
      });
    return { storedId: id === null ? null : this.#storedIdOf(id), subject };
  }

  #storedIdOf(userId: string): string {
    if (isUuid(userId)) return userId;
    let storedId = this.#storedIds.get(userId);
    if (storedId === undefined) {
      storedId = storedUserId(userId);
      this.#storedIds.set(userId, storedId);
    }
    return storedId;
  }

  /** Gives every user these answers, by flag key, in place of the stored flags, until the returned function is called. */
  pin(answers: PinnedAnswers): () => void {
    return this.#replica.pin(answers);
  }

  /** Ends every subscription, writes the counts of questions and closes the backend. */
  async close(): Promise<void> {
    this.#hub.close();
    this.#feed.close();
    await this.receipts.close();
    await this.usage.close();
    await this.#replica.close();
    await this.apiKeys?.close();
    await this.#backend.close();
  }
}

function hasNone(attributes: Attributes | null | undefined): boolean {
  for (const name in attributes) if (Object.hasOwn(attributes, name)) return false;
  return true;
}

function isSameDecision(stored: Override, { enabled, variant = null, expiresAt }: OverrideDecision): boolean {
  if (stored.enabled !== enabled || stored.variant !== variant) return false;
  if (stored.expiresAt === null || expiresAt === null) return stored.expiresAt === expiresAt;
  // Times in the store are finer than milliseconds, and are rounded in two ways.
  return Math.abs(stored.expiresAt.getTime() - expiresAt) <= 1;
}
