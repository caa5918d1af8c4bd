import { LRUCache } from 'lru-cache';
import type { Attributes } from '../core/attributes.js';
import { keepText, keptText } from '../core/json.js';

/** Characters of JSON of all maps together. */
const maxKeptMapLength = 32_000_000;

type FeatureMap = Readonly<Record<string, boolean>>;

/** On what the whole map of a subject depends. */
export interface MapBasis {
  /** Null: anonymous. */
  readonly userId: string | null;
  /** The same object while all answers for this user, as it is stored, stay the same. */
  readonly stamp: object;
  /** The attributes that were given for the user; one object as long as they are the same. */
  readonly attributes: Attributes | null;
}

interface KeptMap extends Pick<MapBasis, 'stamp' | 'attributes'> {
  readonly map: FeatureMap;
}

/** The whole maps of users who ask again and again in other words: one for each user, and its text. */
export class KeptMaps {
  readonly #maps = new LRUCache<string, KeptMap>({
    maxSize: maxKeptMapLength,
    sizeCalculation: ({ map }, userId) => userId.length + (keptText(map)?.length ?? 0) + 1,
  });

  /** The map of before, if it would be the same. */
  recall({ userId, stamp, attributes }: MapBasis): FeatureMap | undefined {
    const kept = this.#maps.get(userId ?? '');
    return kept?.stamp === stamp && kept.attributes === attributes ? kept.map : undefined;
  }

  /** @param map nobody may change it any more. */
  keep({ userId, stamp, attributes }: MapBasis, map: FeatureMap): void {
    this.#maps.set(userId ?? '', { stamp, attributes, map: keepText(map) });
  }
}
