/** The upper bound of the first bucket, in milliseconds. */
const shortest = 0.25;
/** Buckets for each doubling: a bound is 19 % above the one before. */
const steps = 4;
/** The last bucket takes all that is longer than its bound, a little above a minute. */
const buckets = 73;

/** Times in buckets that grow with the times, in a third of a kilobyte however many there are, and in nothing while there are none. */
export class Latencies {
  #buckets: Uint32Array | null = null;
  #total = 0;

  get #counts(): Uint32Array {
    this.#buckets ??= new Uint32Array(buckets);
    return this.#buckets;
  }

  /** @param time milliseconds. */
  add(time: number): void {
    const bucket = time <= shortest ? 0 : Math.ceil(Math.log2(time / shortest) * steps);
    const index = Math.min(bucket, buckets - 1);
    this.#counts[index] = (this.#counts[index] as number) + 1;
    this.#total += 1;
  }

  /** Adds times of another process. Pairs that name no bucket are left out. */
  addAll(counts: readonly (readonly [bucket: number, count: number])[]): void {
    for (const [bucket, count] of counts) {
      const known = this.#counts[bucket];
      if (known === undefined || !Number.isSafeInteger(count) || count < 1) continue;
      this.#counts[bucket] = known + count;
      this.#total += count;
    }
  }

  /** The buckets that are not empty. */
  get counts(): readonly (readonly [bucket: number, count: number])[] {
    return [...(this.#buckets ?? [])].flatMap((count, bucket) => (count === 0 ? [] : [[bucket, count] as const]));
  }

  /**
   * The time within which this part of all was done, in milliseconds, rounded up by at most a fifth. Null: there is none.
   * @param part above 0, at most 1.
   */
  quantile(part: number): number | null {
    if (this.#total === 0) return null;
    let left = Math.ceil(part * this.#total);
    const bucket = this.#counts.findIndex(count => {
      left -= count;
      return left <= 0;
    });
    return Number((shortest * 2 ** (bucket / steps)).toPrecision(3));
  }
}
