import { parseAddress } from '../core/network.js';

/** Bounds how many connections one address may hold open at a time. */
export class AddressSlots {
  readonly #limit: number;
  readonly #taken = new Map<string, number>();

  /** @param limit 0: none. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** How many addresses hold something. */
  get size(): number {
    return this.#taken.size;
  }

  /** Whether this address holds as many as it may. */
  isFull(address: string): boolean {
    return this.#limit > 0 && (this.#taken.get(holderOf(address)) ?? 0) >= this.#limit;
  }

  /**
   * Takes one, also beyond the limit: ask {@link isFull} before.
   * @returns what gives it back; more than once is harmless.
   */
  take(address: string): () => void {
    const holder = holderOf(address);
    this.#taken.set(holder, (this.#taken.get(holder) ?? 0) + 1);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      const left = (this.#taken.get(holder) ?? 1) - 1;
      if (left === 0) this.#taken.delete(holder);
      else this.#taken.set(holder, left);
    };
  }
}

/** Whoever has one IPv6 address has the 2^64 others of its network too: they count as one. */
function holderOf(address: string): string {
  const parsed = address.includes(':') ? parseAddress(address) : null;
  return parsed?.kind() === 'ipv6' ? parsed.toByteArray().slice(0, 8).join('.') : address;
}
