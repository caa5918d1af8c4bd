import { isDeepStrictEqual } from 'node:util';
import type { Backend } from '../backends/backend.js';
import { RevisionNotFoundError } from '../core/errors.js';
import type { Log } from '../core/log.js';
import {
  allAsks,
  type FlagAudience,
  isCovered,
  type NodeAnswer,
  type NodeAsks,
  nothingAsked,
  nothingCounted,
  type Propagation,
  sumOfAudiences,
  sumOfReceipts,
} from '../core/receipt.js';
import { Latest } from '../streams/latest.js';
import { TimeSlice } from '../streams/slices.js';
import { AudienceCounter } from './audience.js';
import type { LiveHub } from './live-hub.js';
import { NodeRounds } from './node-rounds.js';
import type { Receipt } from './receipt.js';
import { receiptLife } from './receipt-ledger.js';
import type { Replica } from './replica.js';

export interface ReceiptsOptions {
  readonly backend: Backend;
  readonly hub: LiveHub;
  readonly replica: Replica;
  /** See {@link NodeRounds}. */
  readonly answersOthers: boolean;
  readonly lookInterval: number;
  readonly log: Log;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Milliseconds that nodes have to answer, before nothing is left to come. */
const patience = 1_900;

/** The least milliseconds between two updates of an audience. */
const leastPause = 500;

/** What the nodes have said in a round, added up once for all clients that ask. */
class Round {
  readonly #audiences = new Map<string, FlagAudience>();
  readonly #last: ReadonlyMap<string, FlagAudience>;

  /** @param last the round before: what has not changed since is the same object. */
  constructor(
    readonly answers: readonly NodeAnswer[],
    last: Round | null,
  ) {
    this.#last = last === null ? new Map() : last.#audiences;
  }

  audience(key: string): FlagAudience {
    let sum = this.#audiences.get(key);
    if (sum === undefined) {
      sum = sumOfAudiences(
        key,
        this.answers.map(({ audience }) => audience.get(key)),
      );
      const last = this.#last.get(key);
      if (last !== undefined && isDeepStrictEqual(last, sum)) sum = last;
      this.#audiences.set(key, sum);
    }
    return sum;
  }
}

/** A client that asks. */
interface Watch {
  readonly asks: NodeAsks;
  onRound(round: Round): void;
  end(): void;
}

/** Tells how far changes have come to viewers, and who has a flag, over all nodes. docs/decisions/0049-receipts-and-audience.md */
export class Receipts {
  readonly #options: ReceiptsOptions;
  readonly #rounds: NodeRounds;
  readonly #audience: AudienceCounter;
  readonly #watches = new Set<Watch>();
  /** The receipts of the revisions that are asked for: they are kept as long as somebody asks. */
  #held: ReadonlyMap<number, Receipt | null> = new Map();
  #lastRound: Round | null = null;
  #isClosed = false;

  constructor(options: ReceiptsOptions) {
    this.#options = options;
    this.#audience = new AudienceCounter(options.hub);
    this.#rounds = new NodeRounds({
      ...options,
      asks: () => this.#asks,
      answer: asked => this.#answer(asked),
      onRound: (asked, own, others) => {
        const round = new Round([own, ...others], this.#lastRound);
        for (const watch of [...this.#watches]) if (isCovered(watch.asks, asked)) watch.onRound(round);
        this.#lastRound = this.#watches.size === 0 ? null : round;
      },
    });
  }

  /**
   * How far the batch of a revision has come: now, and each time that it is known to have come further. It ends when it is done,
   * or after a minute.
   * @throws RevisionNotFoundError if there is no such revision yet, or it is older than a minute.
   * @throws UnavailableError if the log must be read and cannot be.
   */
  async propagation(revision: number): Promise<AsyncIterableIterator<Propagation>> {
    await this.#require(revision);
    const startedAt = performance.now();
    const wait = this.#options.backend.isInstant ? 0 : patience;
    return this.#watch<Propagation>({ ...nothingAsked, revisions: [revision] }, (put, end) => ({ answers }) => {
      const counts = answers.map(({ receipts }) => receipts.get(revision));
      const age = performance.now() - startedAt;
      const isDone = age >= wait && counts.every(count => count?.behind === 0);
      put('', {
        revision,
        ...sumOfReceipts(counts),
        nodes: answers.length,
        nodesApplied: answers.filter(answer => answer.revision >= revision).length,
        isDone,
      });
      if (isDone || age > receiptLife) end();
    });
  }

  /**
   * The audience of each flag: now, and each time that it has changed, over all nodes. Null: of all flags.
   * @throws UnavailableError if the log must be read and cannot be.
   */
  flagAudience(keys: readonly string[] | null): AsyncIterableIterator<FlagAudience> {
    let toldAt = Number.NEGATIVE_INFINITY;
    return this.#watch<FlagAudience>({ ...nothingAsked, audience: keys }, put => round => {
      // Clients that come and go begin rounds too.
      if (performance.now() - toldAt < leastPause) return;
      toldAt = performance.now();
      for (const key of keys ?? this.#options.replica.snapshot.flags.map(flag => flag.key)) {
        put(key, round.audience(key));
      }
    });
  }

  /** The audience of flags among the viewers of this process alone. */
  async audience(keys: readonly string[]): Promise<readonly FlagAudience[]> {
    const counts = await this.#audience.count(keys);
    return keys.map(key => sumOfAudiences(key, [counts.get(key)]));
  }

  /** Ends every stream. Never rejects. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const watch of [...this.#watches]) watch.end();
    await this.#rounds.close();
    this.#audience.stop();
  }

  get #asks(): NodeAsks {
    return allAsks([...this.#watches].map(({ asks }) => asks));
  }

  #watch<T>(
    asks: NodeAsks,
    make: (put: (name: string, value: T) => void, end: () => void) => Watch['onRound'],
  ): AsyncIterableIterator<T> {
    const leave = () => {
      // While others ask, the next round is soon enough.
      if (this.#watches.delete(watch) && this.#watches.size === 0) this.#rounds.begin();
    };
    const latest = new Latest<T>(leave);
    const told = new Map<string, T>();
    const put = (name: string, value: T) => {
      const last = told.get(name);
      if (last === value || isDeepStrictEqual(last, value)) return;
      told.set(name, value);
      latest.put(name, value);
    };
    const end = () => {
      leave();
      latest.end();
    };
    const watch: Watch = { asks, onRound: make(put, end), end };
    if (this.#isClosed) latest.end();
    else {
      this.#watches.add(watch);
      this.#rounds.begin();
    }
    return latest.values;
  }

  async #answer({ revisions, audience }: NodeAsks): Promise<NodeAnswer> {
    const { hub, replica } = this.#options;
    const { receipts } = hub;
    this.#held = new Map(revisions.map(revision => [revision, this.#held.get(revision) ?? receipts.at(revision)]));
    const { revision: applied } = replica.snapshot;
    const asked = [...this.#held].filter(([revision]) => revision <= applied);
    const behind = await this.#behind(new Set(asked.flatMap(([, receipt]) => receipt ?? [])));
    return {
      revision: applied,
      receipts: new Map(
        asked.map(([revision, receipt]) => [
          revision,
          receipt === null ? nothingCounted : receipt.count(behind.get(receipt) ?? 0),
        ]),
      ),
      audience: audience?.length === 0 ? new Map() : await this.#audience.count(audience),
    };
  }

  /** By receipt, the viewers who may yet be handed something of it. */
  async #behind(receipts: ReadonlySet<Receipt>): Promise<ReadonlyMap<Receipt, number>> {
    const behind = new Map<Receipt, number>();
    if (receipts.size === 0) return behind;
    const slice = new TimeSlice();
    for (const subscriber of this.#options.hub.subscribers()) {
      if (slice.isOver) await slice.next();
      const { handed, touchedSince, underway, keys, audience } = subscriber;
      // The first answers of a viewer are no update.
      if (handed === null || subscriber.state === 'closed' || (touchedSince === 0 && underway === null)) continue;
      for (const receipt of receipts) {
        if (!underway?.of.includes(receipt) && !receipt.concerns(touchedSince, keys, audience.storedId)) continue;
        behind.set(receipt, 1 + (behind.get(receipt) ?? 0));
      }
    }
    return behind;
  }

  /** @throws RevisionNotFoundError if receipts of this revision are not kept. */
  async #require(revision: number): Promise<void> {
    const { backend, hub, replica, now } = this.#options;
    await replica.reach(revision);
    if (hub.receipts.at(revision) !== null) return;
    const { head, changes } = await backend.changes(revision - 1, 1);
    if (head < revision) {
      throw new RevisionNotFoundError(
        `The change log ends at revision ${head}: there is no revision ${revision} yet. Ask for the revision that a mutation has answered.`,
        'revision',
      );
    }
    const [entry] = changes;
    // This node may have started since, and others know the receipt.
    if (entry?.revision === revision && now() - entry.at.getTime() <= receiptLife) return;
    throw new RevisionNotFoundError(
      `Receipts are kept for ${receiptLife / 1_000} seconds, and revision ${revision} is older.`,
      'revision',
    );
  }
}
