import DataLoader from 'dataloader';
import { LRUCache } from 'lru-cache';
import type { Backend, Targeting } from '../backends/backend.js';
import { UnavailableError } from '../core/errors.js';
import { isUuid } from '../core/user-id.js';

/** Users asked for in one query. */
const batchSize = 1_000;

const untargeted: Targeting = { attributes: {}, groups: new Set(), overrides: new Map() };

export interface TargetingCacheOptions {
  readonly backend: Backend;
  /** Applies the change log up to a revision. */
  readonly reach: (revision: number) => Promise<void>;
  /** How many users are kept; the least recently used go first. */
  readonly size: number;
  /** Whether each request reads anew. What is kept then only answers when the store cannot. */
  readonly alwaysRead: boolean;
  /** Milliseconds that an answer waits for a read while something is known; then that stands. Default 500. */
  readonly patience?: number | undefined;
}

/** One user's targeting on its way, for all who ask meanwhile. */
interface Load {
  readonly result: Promise<Targeting>;
  /** A change has touched the user since it began. */
  isOutdated: boolean;
  /** What `#forgets` was when the result was kept. */
  keptAt: number;
}

/**
 * What is stored about users, loaded in batches and kept until a change touches them.
 *
 * Users asked for in the same turn of the event loop share one query, and a user asked for twice meanwhile is asked for
 * once. What a load brings is kept, and handed out, only if no change that touches its user was applied since it
 * began: it may have read the state before that change.
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
      async (userIds: readonly string[]) => {
        const { revision, users } = await backend.targeting(userIds);
        // What was read may be newer than the definitions here: together they would be a state that never was.
        await reach(revision);
        return userIds.map(userId => users.get(userId) ?? untargeted);
      },
      // Requests that arrive together come in separate turns of the promise queue but in one turn of the event loop.
      { maxBatchSize: batchSize, batchScheduleFn: callback => setImmediate(callback), cache: false },
    );
  }

  /** How many users are kept. */
  get size(): number {
    return this.#cache.size;
  }

  /** What is known without asking the store; undefined when it must be asked. */
  peek(userId: string | null): Targeting | undefined {
    if (userId === null || !isUuid(userId)) return untargeted;
    return this.#alwaysRead ? undefined : this.#cache.get(userId);
  }

  /** @throws UnavailableError when the store cannot be asked and nothing is known. */
  async load(userId: string | null): Promise<Targeting> {
    for (;;) {
      const known = this.peek(userId);
      if (known !== undefined || userId === null) return known ?? untargeted;
      const load = this.#join(userId);
      // Only where each request reads anew is anything known here.
      const lastKnown = this.#cache.get(userId);
      try {
        const targeting = await (lastKnown === undefined ? load.result : this.#briefly(userId, load.result));
        if (targeting === this.#cache.peek(userId) || this.#isCurrent(load)) return targeting;
      } catch (error) {
        const standing = error instanceof UnavailableError ? this.#cache.get(userId) : undefined;
        if (standing === undefined) throw error;
        return standing;
      }
    }
  }

  /** Forgets these users, or all: a change has touched them. */
  forget(userIds: ReadonlySet<string> | null): void {
    this.#forgets += 1;
    if (userIds === null) this.#cache.clear();
    for (const userId of userIds ?? [...this.#loads.keys()]) {
      this.#cache.delete(userId);
      const load = this.#loads.get(userId);
      if (load === undefined) continue;
      load.isOutdated = true;
      this.#loads.delete(userId);
    }
  }

  #join(userId: string): Load {
    const underWay = this.#loads.get(userId);
    if (underWay !== undefined) return underWay;
    const finish = () => this.#loads.get(userId) === load && this.#loads.delete(userId);
    const result = this.#loader.load(userId).then(
      targeting => {
        finish();
        if (!load.isOutdated) this.#cache.set(userId, targeting);
        load.keptAt = this.#forgets;
        return targeting;
      },
      (error: unknown) => {
        finish();
        throw error;
      },
    );
    result.catch(() => {}); // whoever still waits is told; perhaps nobody does
    const load: Load = { result, isOutdated: false, keptAt: -1 };
    this.#loads.set(userId, load);
    return load;
  }

  /** Between keeping and handing out lie turns of the promise queue, in which a change may come. */
  #isCurrent(load: Load): boolean {
    return !load.isOutdated && load.keptAt === this.#forgets;
  }

  /** Past the patience what is known stands, unless a change has touched it. */
  #briefly(userId: string, result: Promise<Targeting>): Promise<Targeting> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const standing = this.#cache.get(userId);
        if (standing !== undefined) resolve(standing);
      }, this.#patience);
      const settled = () => clearTimeout(timer);
      result.then(resolve, reject).finally(settled);
    });
  }
}
