import { LRUCache } from 'lru-cache';
import type { Caller } from '../../../auth/caller.js';
import { jsonBytes } from '../../operations/variables.js';
import type { Asked } from './asked.js';

/** A context that a stream may be opened for. */
export interface Watched extends Pick<Asked, 'context' | 'keys'> {
  /** The last caller who asked for its answers. All of them have a credential that ends at {@link endsAt}, or in the half hour after. */
  readonly caller: Caller;
  /** When its streams end, in milliseconds since the epoch; null: never. */
  readonly endsAt: number | null;
  /** Bytes of memory that it takes, about. */
  readonly bytes: number;
}

/** How many contexts are kept, and how many bytes of them. */
const maxWatchedContexts = 50_000;
const maxWatchedContextBytes = 64_000_000;
/** Bytes that a context takes in memory without its attributes and keys, about. */
const leastBytes = 200;

/** Bytes of memory that a context takes, about. */
export function contextBytes({ context, keys }: Pick<Asked, 'context' | 'keys'>): number {
  return leastBytes + jsonBytes(context.attributes ?? null) + jsonBytes(keys);
}

/**
 * The contexts that tickets name, as far as this node has been asked for their answers. It may have been another node, or before a
 * start, or too long ago; then nothing is known of a ticket but its signature.
 */
export class WatchedContexts {
  readonly #byId = new LRUCache<string, Watched>({
    max: maxWatchedContexts,
    maxSize: maxWatchedContextBytes,
    sizeCalculation: ({ bytes }) => bytes,
  });
  /** By id, who waits for an unknown context. */
  readonly #waiting = new Map<string, Set<() => void>>();

  get(id: string): Watched | undefined {
    return this.#byId.get(id);
  }

  remember(id: string, watched: Watched): void {
    // An answer that is given again has the same.
    if (this.#byId.get(id) === watched) return;
    this.#byId.set(id, watched);
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    for (const act of waiting) act();
  }

  /** The credential of this caller has ended: until somebody asks with another one, the ticket opens nothing here. */
  forget(id: string, { caller }: Watched): void {
    const kept = this.#byId.get(id);
    if (kept?.caller === caller) this.#byId.set(id, { ...kept, endsAt: 0 });
  }

  /**
   * Calls `act` once, when a context becomes known.
   * @returns a function that cancels it.
   */
  whenKnown(id: string, act: () => void): () => void {
    const waiting = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, waiting.add(act));
    return () => {
      waiting.delete(act);
      if (waiting.size === 0 && this.#waiting.get(id) === waiting) this.#waiting.delete(id);
    };
  }
}
