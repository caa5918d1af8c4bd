import { murmur3, murmur3Premixed, type Premixed, premix } from './murmur3.js';
import { canonicalUserId } from './user-id.js';

/** How many buckets a rollout has; one percent is a hundred of them. */
export const rolloutBuckets = 10_000;

/** What separates the flags: the same user falls into another bucket for each. */
export function rolloutSeed(flagKey: string): number {
  return murmur3(flagKey, 0);
}

/**
 * Which of the buckets 0 to 9,999 a targeting key falls into for a flag. Frozen: it never changes between versions.
 * It is inside a rollout of `percentage` when the bucket is below `percentage * 100`.
 */
export function rolloutBucket(flagKey: string, targetingKey: string): number {
  return bucketOf(rolloutKey(targetingKey), rolloutSeed(flagKey));
}

/** Prepares a targeting key for {@link bucketOf}. A UUID counts in lower case, any other text as it is. */
export function rolloutKey(targetingKey: string): Premixed {
  const key = premix(targetingKey);
  if (!key.mayHaveCapitals) return key;
  const canonical = canonicalUserId(targetingKey);
  return canonical === targetingKey ? key : premix(canonical);
}

/** The bucket of a prepared targeting key under a flag's seed. Allocates nothing. */
export function bucketOf(key: Premixed, seed: number): number {
  return Math.floor((murmur3Premixed(key, seed) * rolloutBuckets) / 2 ** 32);
}
