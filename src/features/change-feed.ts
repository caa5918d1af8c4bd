import type { Backend, Change, ChangePage } from '../backends/backend.js';
import { RevisionNotFoundError, UnavailableError } from '../core/errors.js';
import { Bell } from '../streams/bell.js';
import { pulled } from '../streams/pulled.js';
import { streamTurn } from '../streams/slices.js';
import { type ChangeFilter, changeTest } from './change-filter.js';
import type { Replica, Stretch } from './replica.js';

export interface FollowOptions {
  /** The changes after this revision come first. Null or absent: only changes from now on. */
  readonly since?: number | null | undefined;
  readonly filter?: ChangeFilter | null | undefined;
}

/** Makes what the reader gets of changes. It is called once for each part of the log, with the changes that match. */
export type Telling<T> = (changes: readonly Change[]) => Promise<(change: Change) => T>;

/** Changes in the order of their revisions, for one reader. Leaving releases everything at once, also while `next()` waits. */
export interface ChangeStream<T> extends AsyncIterableIterator<T> {
  /**
   * Looks for the place in the log; `next()` does it too.
   * @throws RevisionNotFoundError, UnavailableError
   */
  begin(): Promise<void>;
  /** Calls `act` once, when the stream has ended in whichever way; at once if it has. */
  whenEnded(act: () => void): void;
}

export interface ChangeFeedOptions {
  readonly backend: Backend;
  readonly replica: Replica;
}

/** The most entries that a follower reads at once. The backend bounds their size. */
const pageSize = 1_000;
/** Milliseconds until a follower reads again when the log could not be read. */
const retryDelay = 1_000;

/**
 * Lets readers follow the change log from any revision on, each at its own pace.
 *
 * A follower is a place in the log. It pulls the entries after its place, so that a slow reader keeps one part of the log
 * in memory at most, however much happens meanwhile. The replica reads the log anyway: it hands what it has read to the followers that
 * wait at its end. All others read for themselves, and those at the same place share one read.
 */
export class ChangeFeed {
  readonly #options: ChangeFeedOptions;
  readonly #followers = new Set<Pick<Follower<unknown>, 'hint' | 'end'>>();
  /** Reads under way, by the revision that they begin after. */
  readonly #reads = new Map<number, Promise<ChangePage>>();
  #isClosed = false;

  constructor(options: ChangeFeedOptions) {
    this.#options = options;
    options.replica.onApplied(({ stretch, userIds }) => {
      // Pinned answers are no change of the log. Only after a reload may any user have changed.
      if (stretch === null && userIds !== null) return;
      for (const follower of this.#followers) follower.hint(stretch);
    });
  }

  follow<T>(options: FollowOptions, telling: Telling<T>): ChangeStream<T> {
    const { replica } = this.#options;
    const follower = new Follower(options, telling, { replica, read: after => this.#read(after) });
    this.#followers.add(follower);
    follower.whenEnded(() => this.#followers.delete(follower));
    if (this.#isClosed) follower.end();
    const stream = pulled(
      () => follower.next(),
      () => follower.end(),
    );
    return Object.assign(stream, {
      begin: () =>
        follower.begin().catch((error: unknown) => {
          follower.end();
          throw error;
        }),
      whenEnded: (act: () => void) => follower.whenEnded(act),
    });
  }

  /** Ends every stream. */
  close(): void {
    this.#isClosed = true;
    for (const follower of [...this.#followers]) follower.end();
  }

  #read(after: number): Promise<ChangePage> {
    let read = this.#reads.get(after);
    if (read === undefined) {
      read = this.#options.backend.changes(after, pageSize).finally(() => this.#reads.delete(after));
      this.#reads.set(after, read);
    }
    return read;
  }
}

interface FollowerOptions {
  readonly replica: Replica;
  readonly read: (after: number) => Promise<ChangePage>;
}

/** Where a follower is: the last entry that it has read. */
interface Place {
  readonly revision: number;
  /** Null: not known yet, because nothing was read. */
  readonly epoch: string | null;
  /** Null: not known, or there is no such entry. */
  readonly nonce: string | null;
}

const finished: IteratorReturnResult<undefined> = { done: true, value: undefined };

class Follower<T> {
  readonly #options: FollowerOptions;
  readonly #telling: Telling<T>;
  readonly #matches: (change: Change) => boolean;
  readonly #bell = new Bell();
  #place: Place;
  /** What matches of the entries up to the place, as far as the reader has not taken it; the next one last. */
  #untold: Change[] = [];
  #tell: ((change: Change) => T) | null = null;
  /** What the replica handed over while nothing else was to do. */
  #stretch: Stretch | null = null;
  #isWaiting = false;
  /** Whether the log may have become that of another history. */
  #isDoubtful: boolean;
  #begun: Promise<void> | null = null;
  #last: Promise<unknown> = Promise.resolve();
  /** Tell those who wait for a change that there is none. */
  readonly #pulls = new Set<() => void>();
  readonly #onEnd: (() => void)[] = [];

  constructor({ since = null, filter }: FollowOptions, telling: Telling<T>, options: FollowerOptions) {
    const { snapshot } = options.replica;
    this.#options = options;
    this.#telling = telling;
    this.#matches = changeTest(filter ?? {});
    const { revision, epoch, nonce } = snapshot;
    this.#place = since === null ? { revision, epoch, nonce } : { revision: since, epoch: null, nonce: null };
    this.#isDoubtful = since !== null;
  }

  begin(): Promise<void> {
    this.#begun ??= this.#find();
    return this.#begun;
  }

  next(): Promise<IteratorResult<T>> {
    return new Promise((resolve, reject) => {
      const leave = () => resolve(finished);
      this.#pulls.add(leave);
      // One pull at a time, even if the reader asks for several.
      const pull = this.#last.then(() => this.#pull());
      this.#last = pull.catch(() => {}).then(() => this.#pulls.delete(leave));
      pull.then(resolve, error => {
        reject(error);
        this.end();
      });
    });
  }

  /** The log has grown by this stretch. Null: it was read anew. */
  hint(stretch: Stretch | null): void {
    if (stretch === null) this.#isDoubtful = true;
    else if (this.#isWaiting) this.#stretch = stretch;
    this.#bell.ring();
  }

  end(): void {
    if (this.#bell.isEnded) return;
    this.#untold = [];
    this.#bell.end();
    for (const leave of this.#pulls) leave();
    for (const act of this.#onEnd.splice(0)) act();
  }

  whenEnded(act: () => void): void {
    if (this.#bell.isEnded) act();
    else this.#onEnd.push(act);
  }

  /** A reader that has had nothing yet gets the error of a log that cannot be read. Later it only delays changes. */
  async #find(): Promise<void> {
    if (this.#isDoubtful) await this.#advance();
  }

  async #pull(): Promise<IteratorResult<T>> {
    if (!this.#bell.isEnded) await this.begin();
    while (!this.#bell.isEnded) {
      const change = this.#untold.pop();
      if (change !== undefined && this.#tell !== null) {
        if (this.#untold.length > 0) await streamTurn();
        return { done: false, value: this.#tell(change) };
      }
      if (this.#isBehind) await this.#persist();
      else await this.#wait();
    }
    return finished;
  }

  get #isBehind(): boolean {
    const { revision } = this.#place;
    return this.#isDoubtful || this.#stretch !== null || revision < this.#options.replica.snapshot.revision;
  }

  async #wait(): Promise<void> {
    this.#isWaiting = true;
    await this.#bell.wait();
    this.#isWaiting = false;
  }

  /** Advances. While the log cannot be read, it tries again after a pause. */
  async #persist(): Promise<void> {
    try {
      await this.#advance();
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      const timer = setTimeout(() => this.#bell.ring(), retryDelay).unref();
      await this.#bell.wait();
      clearTimeout(timer);
    }
  }

  /** Reads on from the place, and moves it. */
  async #advance(): Promise<void> {
    const stretch = this.#stretch;
    this.#stretch = null;
    if (stretch !== null && this.#follows(stretch)) return this.#take(stretch.changes, stretch.epoch);
    const { revision, nonce } = this.#place;
    if (!this.#isDoubtful && revision >= this.#options.replica.snapshot.revision) return;
    this.#isDoubtful = false;
    try {
      const page = await this.#options.read(revision);
      const [first] = page.changes;
      const isKnown = page.head >= revision && (this.#place.epoch ?? page.epoch) === page.epoch;
      // The entry at the place itself may have been deleted for its age.
      if (!isKnown || (nonce ?? page.nonce) !== (page.nonce ?? nonce)) throw notFollowed(revision, null);
      if (first !== undefined && first.revision !== revision + 1) {
        throw notFollowed(revision, first.revision);
      }
      if (first === undefined) this.#place = { revision, epoch: page.epoch, nonce: page.nonce };
      else await this.#take(page.changes, page.epoch);
    } catch (error) {
      this.#isDoubtful = true;
      throw error;
    }
  }

  #follows({ after, epoch, nonce }: Stretch): boolean {
    return (
      !this.#isDoubtful && after === this.#place.revision && epoch === this.#place.epoch && nonce === this.#place.nonce
    );
  }

  async #take(changes: readonly Change[], epoch: string): Promise<void> {
    const { revision, nonce } = changes.at(-1) as Change;
    const matching = changes.filter(this.#matches);
    // A reader that asks for answers after a change gets answers that know it.
    await this.#options.replica.reach(revision);
    if (matching.length > 0) this.#tell = await this.#telling(matching);
    if (this.#bell.isEnded) return;
    this.#untold = matching.reverse();
    this.#place = { revision, epoch, nonce };
  }
}

/** @param oldest the oldest change after the revision that the log keeps. Null: the log is another one. */
function notFollowed(revision: number, oldest: number | null): RevisionNotFoundError {
  const reason =
    oldest === null
      ? `The change log is not the one that revision ${revision} belongs to, because the database was restored or replaced, or there never was such a revision.`
      : `The change log does not keep what follows revision ${revision}: the oldest change after it that is kept has revision ${oldest}.`;
  return new RevisionNotFoundError(
    `${reason} Read the present state again, and follow the log from its revision.`,
    null,
    oldest,
  );
}
