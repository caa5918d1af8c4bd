import { murmur3 } from './murmur3.js';
import { canonicalUserId } from './user-id.js';

/** The number of buckets of a rollout; one percent is a hundred buckets. */
export const rolloutBuckets = 10_000;

/**
 * The seed of a flag, as a signed 32-bit integer. Flags have different seeds, so that a user is in a different bucket for each flag.
 */
export function rolloutSeed(flagKey: string): number {
  // Signed, because V8 allocates a number for each read of a larger one.
  return murmur3(flagKey, 0) | 0;
}

/**
 * The bucket of a targeting key for a flag, from 0 to 9,999. The result is the same in all versions. The key is inside a
 * rollout of `percentage` if the bucket is below `percentage * 100`. A UUID is hashed in lower case, any other text as it is.
 */
export function rolloutBucket(flagKey: string, targetingKey: string): number {
  return bucketOfHash(murmur3(canonicalUserId(targetingKey), rolloutSeed(flagKey)));
}

/** The bucket of a targeting key's 32-bit hash, signed or not. */
export function bucketOfHash(hash: number): number {
  return Math.floor(((hash >>> 0) * rolloutBuckets) / 2 ** 32);
}
