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
  /** How many users are kept; the least recently used go first. */
  readonly size: number;
  /** Whether each request reads anew. What is kept then only answers when the store cannot. */
  readonly alwaysRead: boolean;
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
  readonly #loading = new Map<string, Promise<Targeting>>();
  readonly #loader: DataLoader<string, Targeting>;
  readonly #alwaysRead: boolean;

  constructor({ backend, size, alwaysRead }: TargetingCacheOptions) {
    this.#cache = new LRUCache({ max: size });
    this.#alwaysRead = alwaysRead;
    this.#loader = new DataLoader(
      async (userIds: readonly string[]) => {
        const found = await backend.targeting(userIds);
        return userIds.map(userId => found.get(userId) ?? untargeted);
      },
      // Requests that arrive together come in separate turns of the promise queue but in one turn of the event loop.
      { maxBatchSize: batchSize, batchScheduleFn: callback => setImmediate(callback), cacheMap: this.#loading },
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
      const load = this.#loader.load(userId);
      try {
        const targeting = await load;
        if (this.#loading.get(userId) === load) {
          this.#loading.delete(userId);
          this.#cache.set(userId, targeting);
          return targeting;
        }
        // Somebody who waited for the same load was here first and kept it.
        if (this.#cache.peek(userId) === targeting) return targeting;
      } catch (error) {
        if (this.#loading.get(userId) === load) this.#loading.delete(userId);
        const lastKnown = error instanceof UnavailableError ? this.#cache.get(userId) : undefined;
        if (lastKnown === undefined) throw error;
        return lastKnown;
      }
    }
  }

  /** Forgets these users, or all: a change has touched them. */
  forget(userIds: ReadonlySet<string> | null): void {
    if (userIds === null) {
      this.#cache.clear();
      this.#loading.clear();
      return;
    }
    for (const userId of userIds) {
      this.#cache.delete(userId);
      this.#loading.delete(userId);
    }
  }
}
