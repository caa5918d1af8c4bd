import { fmix32, murmur3 } from './murmur3.js';

/**
 * The split: which of several variants a unit has. It is weighted rendezvous hashing, as in C. Schindelhauer and G. Schomaker,
 * "Weighted Distributed Hash Tables" (SPAA 2005): each variant draws an exponentially distributed number for the unit, and the
 * least number in relation to its weight wins. docs/evaluation.md has the formula and vectors. The result is the same in all versions.
 *
 * Only the ratios of weights count, and not the order of variants. A higher weight moves units only into that variant.
 */
export interface SplitShare {
  /** The key of the variant. */
  readonly key: string;
  /** A whole number from 1 to 100,000. */
  readonly weight: number;
  /** The hash of the key; see {@link variantHash}. */
  readonly hash: number;
}

/**
 * The seed of a flag's split, as a signed 32-bit integer. It differs from the seed of its rollout, so both select units
 * independently.
 */
export function splitSeed(flagKey: string): number {
  return murmur3(flagKey, 1) | 0;
}

/** The hash of a variant's key, as a signed 32-bit integer. */
export function variantHash(variantKey: string): number {
  return murmur3(variantKey, 0) | 0;
}

/**
 * The share that wins for a unit. Allocates nothing.
 * @param shares at least one.
 * @param base the hash of the unit under {@link splitSeed}.
 */
export function chooseShare<Share extends SplitShare>(shares: readonly Share[], base: number): Share {
  let winner = shares[0] as Share;
  if (shares.length === 1) return winner;
  let least = drawOf(winner, base);
  for (let index = 1; index < shares.length; index++) {
    const share = shares[index] as Share;
    const draw = drawOf(share, base);
    // Draws are below 2^35 and weights below 2^17, so the products are exact.
    const ahead = draw * winner.weight - least * share.weight;
    if (ahead < 0 || (ahead === 0 && share.key < winner.key)) {
      winner = share;
      least = draw;
    }
  }
  return winner;
}

function drawOf({ hash }: SplitShare, base: number): number {
  const mixed = fmix32(base ^ hash);
  return Math.floor(-Math.log((mixed + 0.5) / 2 ** 32) * 2 ** 30);
}
