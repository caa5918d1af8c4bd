import { murmur3 } from './murmur3.js';
import { canonicalUserId } from './user-id.js';

/** How many buckets a rollout has; one percent is a hundred of them. */
const rolloutBuckets = 10_000;

/** What separates the flags: the same user falls into another bucket for each. */
export function rolloutSeed(flagKey: string): number {
  return murmur3(flagKey, 0);
}

/**
 * Which of the buckets 0 to 9,999 a targeting key falls into for a flag. Frozen: it never changes between versions.
 * It is inside a rollout of `percentage` when the bucket is below `percentage * 100`. A UUID counts in lower case, any
 * other text as it is.
 */
export function rolloutBucket(flagKey: string, targetingKey: string): number {
  return bucketOfHash(murmur3(canonicalUserId(targetingKey), rolloutSeed(flagKey)));
}

/** The bucket of a targeting key's unsigned 32-bit hash. */
export function bucketOfHash(hash: number): number {
  return Math.floor((hash * rolloutBuckets) / 2 ** 32);
}
