// Over 300 lines: the transitions of one state machine belong together.
import type { Backend, ChangePage } from '../backends/backend.js';
import { UnavailableError } from '../core/errors.js';
import type { Log } from '../core/log.js';
import { type PinnedAnswers, Pins } from './pins.js';
import { Snapshot } from './snapshot.js';

/** What a stretch of the log, applied at once, has touched. */
export interface Applied {
  /** The keys of the flags. */
  readonly flags: ReadonlySet<string>;
  /** Those of them whose definition is another one now. A new name or tag, for example, changes no answer. */
  readonly redefined: ReadonlySet<string>;
  /** The ids under which users are stored whose overrides, groups or attributes changed; `null`: any may have changed. */
  readonly userIds: ReadonlySet<string> | null;
  /** The entries. Null: there are none, because everything was loaded again or answers were pinned. */
  readonly stretch: Stretch | null;
}

/** Entries of the log that follow one another. */
export interface Stretch extends Pick<ChangePage, 'epoch' | 'nonce' | 'changes'> {
  /** The revision before the first entry. `nonce` is that of the entry there. */
  readonly after: number;
}

export interface ReplicaOptions {
  readonly backend: Backend;
  readonly log: Log;
  /** Milliseconds. A state confirmed longer ago is confirmed before it answers; 0: before every answer. */
  readonly maxAge: number;
  /** Milliseconds between reads of the log that nothing prompted. */
  readonly pollInterval: number;
  /** Milliseconds that an answer waits for a read; past it the last known state stands. Default 500. */
  readonly patience?: number | undefined;
}

/** Entries read from the log at once. */
const pageSize = 1_000;
/** Milliseconds until the log is read again after it could not be; doubled each time up to the poll interval. */
const shortestBackoff = 250;

/**
 * This process's copy of the definitions, kept at the head of the change log.
 *
 * The log is the truth and a hint only a reason to read it sooner: it is also read every few seconds, and before an
 * answer when the last confirmed read is too old. So a lost hint costs time, never correctness.
 *
 * | state     | means                                        | leaves it by                                               |
 * |-----------|----------------------------------------------|------------------------------------------------------------|
 * | following | the log can be read: an answer waits for a   | a read that fails, or that an answer waited for in vain:   |
 * |           | read if the last one is too old              | away                                                       |
 * | away      | the log cannot be read: no answer waits, the | a read that comes through: following                       |
 * |           | last known state answers; the log is read    |                                                            |
 * |           | after a growing pause                        |                                                            |
 * | closed    | every read is refused                        | never                                                      |
 *
 * Beside that, at most one read is under way (`#reading`), and at most one waits to begin after it (`#next`). Both states
 * but the last can become closed.
 */
export class Replica {
  readonly #options: ReplicaOptions;
  readonly #listeners = new Set<(applied: Applied) => void>();
  readonly #pins = new Pins();
  #snapshot: Snapshot;
  /** The snapshot with the pinned answers over it. */
  #shown: Snapshot;
  #confirmedAt = performance.now();
  #reading: Promise<void> | null = null;
  #next: Promise<void> | null = null;
  #stopHints: () => void = () => {};
  #timer: NodeJS.Timeout | null = null;
  #backoff = shortestBackoff;
  #state: 'following' | 'away' | 'closed' = 'following';
  #problem: string | null = null;

  private constructor(options: ReplicaOptions, snapshot: Snapshot) {
    this.#options = options;
    this.#snapshot = snapshot;
    this.#shown = snapshot;
  }

  /** @throws UnavailableError when the definitions cannot be read a first time. */
  static async open(options: ReplicaOptions): Promise<Replica> {
    const { backend } = options;
    const replica = new Replica(options, await Snapshot.load(await backend.definitions()));
    replica.#reportFaults(replica.#snapshot.flags.map(flag => flag.key));
    // Listen first, then read: a change between the two is in the read, one after it is in a hint.
    replica.#stopHints = backend.onHint(() => replica.#readQuietly());
    try {
      await replica.read();
    } catch (error) {
      await replica.close();
      throw error;
    }
    replica.#pollLater(options.pollInterval);
    return replica;
  }

  get snapshot(): Snapshot {
    return this.#shown;
  }

  /** Lays answers over the definitions, without a change in the store, until the returned function is called. */
  pin(answers: PinnedAnswers): () => void {
    const apply = () => {
      this.#show(this.#snapshot);
      const flags = new Set(answers.keys());
      this.#emit({ flags, redefined: flags, userIds: new Set(), stretch: null });
    };
    this.#pins.add(answers);
    apply();
    return () => {
      this.#pins.delete(answers);
      apply();
    };
  }

  /** Milliseconds since the log was last read to its end. */
  get age(): number {
    return performance.now() - this.#confirmedAt;
  }

  /** Why the log cannot be read, as far as the last attempt told; null while it can. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Called after each stretch of the log that changed something. A listener must not throw. */
  onApplied(listener: (applied: Applied) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Confirms the known state if it is older than `maxAge`. Undefined when there is nothing to wait for, so that the usual
   * case costs no turn of the event loop. When the log cannot be read, the last known state stands.
   */
  refresh(): Promise<void> | undefined {
    if (this.isFresh) return undefined;
    return this.#waitBriefly(this.#isStale ? this.read() : (this.#next ?? this.#reading ?? this.read()));
  }

  /** Whether {@link refresh} has nothing to wait for. Reads nothing. */
  get isFresh(): boolean {
    if (this.#state === 'away') return true;
    if (this.#isStale) return false;
    return !this.#options.backend.isInstant || (this.#next ?? this.#reading) === null;
  }

  get #isStale(): boolean {
    const { maxAge } = this.#options;
    return maxAge === 0 || this.age > maxAge;
  }

  /** Resolves once the log has been applied up to `revision`, or to its end when that comes sooner. */
  async reach(revision: number): Promise<void> {
    if (this.#snapshot.revision < revision) await this.read();
  }

  /**
   * Reads the log from here to its end, in a read that begins after this call. Callers that come while one is under way
   * share the one after it.
   *
   * @throws UnavailableError
   */
  read(): Promise<void> {
    if (this.#state === 'closed') return Promise.reject(new UnavailableError('The change log is no longer followed.'));
    if (this.#reading === null) {
      this.#reading = this.#readToEnd()
        .then(
          () => this.#found(),
          (error: unknown) => {
            this.#noteLoss(error instanceof Error ? error.message : String(error), error);
            throw error;
          },
        )
        .finally(() => {
          this.#reading = null;
        });
      return this.#reading;
    }
    this.#next ??= this.#reading
      .catch(() => {})
      .then(() => {
        this.#next = null;
        return this.read();
      });
    return this.#next;
  }

  async close(): Promise<void> {
    this.#state = 'closed';
    this.#stopHints();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#listeners.clear();
    await Promise.allSettled([this.#reading, this.#next]);
  }

  #waitBriefly(read: Promise<void>): Promise<void> {
    const { patience = 500 } = this.#options;
    return new Promise(resolve => {
      const timer = setTimeout(() => {
        this.#noteLoss('A read of the change log goes unanswered.');
        resolve();
      }, patience);
      const done = () => {
        clearTimeout(timer);
        resolve();
      };
      read.then(done, done);
    });
  }

  /** Callers that need the read get its error; this call does not wait. */
  #readQuietly(): void {
    this.read().catch(() => {});
  }

  #pollLater(delay: number): void {
    if (this.#state === 'closed') return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    // Jitter, or nodes that were started together ask together for ever.
    this.#timer = setTimeout(() => this.#poll(), delay * (0.8 + Math.random() * 0.2)).unref();
  }

  #poll(): void {
    const { pollInterval } = this.#options;
    this.read().then(
      () => this.#pollLater(pollInterval),
      () => {
        this.#pollLater(Math.min(this.#backoff, pollInterval));
        this.#backoff = Math.min(this.#backoff * 2, pollInterval);
      },
    );
  }

  #noteLoss(problem: string, error?: unknown): void {
    this.#problem = problem;
    if (this.#state !== 'following') return;
    this.#state = 'away';
    this.#options.log.warn(
      { err: error, age: this.age },
      'The change log cannot be read. The last known state answers.',
    );
    // The next attempt must not wait for the turn of a healthy log.
    this.#backoff = shortestBackoff;
    this.#pollLater(shortestBackoff);
  }

  #found(): void {
    this.#problem = null;
    this.#backoff = shortestBackoff;
    if (this.#state !== 'away') return;
    this.#state = 'following';
    this.#options.log.info({ revision: this.#snapshot.revision }, 'The change log can be read again.');
  }

  async #readToEnd(): Promise<void> {
    const { backend } = this.#options;
    for (;;) {
      const startedAt = performance.now();
      const { epoch, head, nonce, changes } = await backend.changes(this.#snapshot.revision, pageSize);
      const { revision } = this.#snapshot;
      // The number of its last entry proves nothing: a restored log has grown past it with other changes.
      const follows = epoch === this.#snapshot.epoch && head >= revision && nonce === this.#snapshot.nonce;
      const isGapless = changes.length === 0 ? head === revision : changes[0]?.revision === revision + 1;
      if (!follows || !isGapless || changes.some(change => change.kind === 'RESET')) {
        await this.#reload();
      } else if (changes.length > 0) {
        this.#apply({ after: revision, epoch, nonce, changes });
      }
      if (this.#snapshot.revision >= head || !follows) {
        this.#confirmedAt = startedAt;
        return;
      }
    }
  }

  async #reload(): Promise<void> {
    const before = this.#snapshot;
    const after = await Snapshot.load(await this.#options.backend.definitions(), before);
    this.#show(after);
    this.#options.log.info({ revision: after.revision }, 'All definitions were reloaded.');
    const flags = after.differences(before);
    this.#emit({ flags, redefined: flags, userIds: null, stretch: null });
  }

  #show(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    this.#shown = this.#pins.over(snapshot);
  }

  #apply(stretch: Stretch): void {
    const before = this.#shown;
    this.#show(this.#snapshot.after(stretch.changes));
    const flags = new Set<string>();
    const userIds = new Set<string>();
    for (const { kind, flagKey, userId, userIds: members } of stretch.changes) {
      if (flagKey !== null && kind.startsWith('FLAG_')) flags.add(flagKey);
      if (userId !== null) userIds.add(userId);
      for (const member of members) userIds.add(member);
    }
    const redefined = new Set([...flags].filter(key => before.get(key) !== this.#shown.get(key)));
    this.#emit({ flags, redefined, userIds, stretch });
  }

  #emit(applied: Applied): void {
    this.#reportFaults(applied.flags);
    for (const listener of this.#listeners) listener(applied);
  }

  #reportFaults(keys: Iterable<string>): void {
    for (const key of keys) {
      const faults = this.#snapshot.get(key)?.faults ?? [];
      if (faults.length > 0) {
        this.#options.log.warn(
          { flag: key, faults },
          'Stored conditions, variants or rules are not valid and match nobody.',
        );
      }
    }
  }
}
