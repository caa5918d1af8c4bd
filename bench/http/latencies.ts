const microsecondsPerSlot = 10;
const slots = 3_000_000;

/** Latencies in slots of 10 microseconds up to 30 seconds: cheap to add to, whatever the number. */
export class Latencies {
  readonly #counts = new Uint32Array(slots);
  #count = 0;
  #highest = 0;

  get count(): number {
    return this.#count;
  }

  add(milliseconds: number): void {
    const slot = Math.min(slots - 1, Math.floor((milliseconds * 1_000) / microsecondsPerSlot));
    this.#counts[slot] = (this.#counts[slot] ?? 0) + 1;
    this.#count += 1;
    if (slot > this.#highest) this.#highest = slot;
  }

  /** Milliseconds; NaN when there are none. */
  quantile(q: number): number {
    if (this.#count === 0) return Number.NaN;
    let left = Math.max(1, Math.ceil(q * this.#count));
    for (let slot = 0; slot <= this.#highest; slot += 1) {
      left -= this.#counts[slot] ?? 0;
      if (left <= 0) return ((slot + 0.5) * microsecondsPerSlot) / 1_000;
    }
    return Number.NaN;
  }

  clear(): void {
    this.#counts.fill(0, 0, this.#highest + 1);
    this.#count = 0;
    this.#highest = 0;
  }
}
