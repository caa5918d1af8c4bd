import DataLoader from 'dataloader';
import { LRUCache } from 'lru-cache';
import type { Backend, Targeting } from '../backends/backend.js';
import { UnavailableError } from '../core/errors.js';

/** The most users in one query. */
const batchSize = 1_000;

const untargeted: Targeting = { attributes: {}, groups: new Set(), overrides: new Map() };

export interface TargetingCacheOptions {
  readonly backend: Backend;
  /** Applies the change log up to a revision. */
  readonly reach: (revision: number) => Promise<void>;
  /** The number of users in the cache; the least recently used ones are dropped first. */
  readonly size: number;
  /** Whether each request reads the store. The cache is then used only if the store cannot answer. */
  readonly alwaysRead: boolean;
  /** Milliseconds that an answer waits for a read if the cache has the user; then the cached value is used. Default 500. */
  readonly patience?: number | undefined;
}

/** A running load of one user's targeting. Callers that need the user meanwhile share it. */
interface Load {
  readonly result: Promise<Targeting>;
  /** Whether a change has touched the user since the load began. */
  isOutdated: boolean;
  /** The value of `#forgets` when the result was stored in the cache. */
  keptAt: number;
}

/**
 * A cache of the stored targeting of users, by the ids under which they are stored. It loads users in batches and keeps them
 * until a change touches them.
 *
 * All loads of one turn of the event loop share one query, and callers that need the same user share one load. The result of
 * a load is cached and returned only if no change that touches the user was applied since the load began: it may have read
 * the state before that change.
 */
export class TargetingCache {
  readonly #cache: LRUCache<string, Targeting>;
  readonly #loads = new Map<string, Load>();
  readonly #loader: DataLoader<string, Targeting>;
  readonly #alwaysRead: boolean;
  readonly #patience: number;
  #forgets = 0;

  constructor({ backend, reach, size, alwaysRead, patience = 500 }: TargetingCacheOptions) {
    this.#cache = new LRUCache({ max: size });
    this.#alwaysRead = alwaysRead;
    this.#patience = patience;
    this.#loader = new DataLoader(
      async (storedIds: readonly string[]) => {
        const { revision, users } = await backend.targeting(storedIds);
        // The result may be newer than the definitions in memory. The two together would be a state that never existed.
        await reach(revision);
        return storedIds.map(storedId => users.get(storedId) ?? untargeted);
      },
      // Requests that arrive together come in separate turns of the promise queue but in one turn of the event loop.
      { maxBatchSize: batchSize, batchScheduleFn: callback => setImmediate(callback), cache: false },
    );
  }

  /** The number of users in the cache. */
  get size(): number {
    return this.#cache.size;
  }

  /** The targeting without a read of the store; undefined if a read is needed. */
  peek(storedId: string | null): Targeting | undefined {
    if (storedId === null) return untargeted;
    return this.#alwaysRead ? undefined : this.#cache.get(storedId);
  }

  /** @throws UnavailableError if the store cannot be read and the cache does not have the user. */
  async load(storedId: string | null): Promise<Targeting> {
    for (;;) {
      const known = this.peek(storedId);
      if (known !== undefined || storedId === null) return known ?? untargeted;
      const load = this.#join(storedId);
      // Only with `alwaysRead` can the cache have the user here.
      const lastKnown = this.#cache.get(storedId);
      try {
        const targeting = await (lastKnown === undefined ? load.result : this.#briefly(storedId, load.result));
        if (targeting === this.#cache.peek(storedId) || this.#isCurrent(load)) return targeting;
      } catch (error) {
        const standing = error instanceof UnavailableError ? this.#cache.get(storedId) : undefined;
        if (standing === undefined) throw error;
        return standing;
      }
    }
  }

  /** Forgets these users after a change that touched them. Null: all users. */
  forget(storedIds: ReadonlySet<string> | null): void {
    this.#forgets += 1;
    if (storedIds === null) this.#cache.clear();
    for (const storedId of storedIds ?? [...this.#loads.keys()]) {
      this.#cache.delete(storedId);
      const load = this.#loads.get(storedId);
      if (load === undefined) continue;
      load.isOutdated = true;
      this.#loads.delete(storedId);
    }
  }

  #join(storedId: string): Load {
    const underWay = this.#loads.get(storedId);
    if (underWay !== undefined) return underWay;
    const finish = () => this.#loads.get(storedId) === load && this.#loads.delete(storedId);
    const result = this.#loader.load(storedId).then(
      targeting => {
        finish();
        if (!load.isOutdated) this.#cache.set(storedId, targeting);
        load.keptAt = this.#forgets;
        return targeting;
      },
      (error: unknown) => {
        finish();
        throw error;
      },
    );
    result.catch(() => {}); // Callers that wait get the error. There may be none.
    const load: Load = { result, isOutdated: false, keptAt: -1 };
    this.#loads.set(storedId, load);
    return load;
  }

  /** Turns of the promise queue lie between storing and returning a result. A change may arrive in them. */
  #isCurrent(load: Load): boolean {
    return !load.isOutdated && load.keptAt === this.#forgets;
  }

  /** Waits for the load up to the patience. Then it returns the cached value, unless a change has touched the user. */
  #briefly(storedId: string, result: Promise<Targeting>): Promise<Targeting> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const standing = this.#cache.get(storedId);
        if (standing !== undefined) resolve(standing);
      }, this.#patience);
      const settled = () => clearTimeout(timer);
      result.then(resolve, reject).finally(settled);
    });
  }
}
