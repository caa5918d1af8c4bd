import type { Targeting } from '../backends/backend.js';
import type { SharedMaps } from './evaluator.js';
import { KeptMaps, type MapBasis } from './kept-maps.js';
import type { Snapshot } from './snapshot.js';

/** The version stamp of the answers for a user, and the snapshot that it belongs to. */
interface Stamp {
  readonly snapshot: Snapshot;
  readonly stamp: object;
  /** When the last override expires, in milliseconds since the epoch: from then on the clock changes no answer. Null: none does. */
  readonly settledAt: number | null;
}

/**
 * Version stamps: while the stamp of a user is the same object, every answer for this user, with the same attributes and the same device,
 * stays the same.
 */
export class AnswerStamps {
  /** By the targeting of a user, the stamp of its answers under the last definitions that were asked for with it. */
  readonly #stamps = new WeakMap<Targeting, Stamp>();
  readonly #maps = new KeptMaps();

  /**
   * The stamp of a user's answers under these definitions. Null: the clock may change an answer.
   * @param now milliseconds since the epoch.
   */
  stampOf(targeting: Targeting, snapshot: Snapshot, now: number): object | null {
    let last = this.#stamps.get(targeting);
    if (last?.snapshot !== snapshot) {
      last = { snapshot, stamp: {}, settledAt: lastExpiry(targeting) };
      this.#stamps.set(targeting, last);
    }
    return last.settledAt === null || last.settledAt <= now ? last.stamp : null;
  }

  /** The whole maps under this stamp, to share among those who ask for them. */
  mapsUnder(basis: MapBasis): SharedMaps {
    return { maps: this.#maps, basis };
  }
}

/** When the last of the user's overrides expires, in milliseconds since the epoch; null when none does. */
function lastExpiry({ overrides }: Targeting): number | null {
  let last: number | null = null;
  for (const { expiresAt } of overrides.values()) {
    if (expiresAt !== null && (last === null || expiresAt > last)) last = expiresAt;
  }
  return last;
}
