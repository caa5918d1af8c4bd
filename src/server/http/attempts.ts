import { LRUCache } from 'lru-cache';
import { networkKey } from './address.js';

/** Addresses whose attempts are counted. Those that tried least recently are forgotten first. */
const remembered = 10_000;
const interval = 60_000;

/** Bounds how often an address may try something in a minute. */
export class Attempts {
  readonly #perMinute: number;
  readonly #counts = new LRUCache<string, { count: number }>({ max: remembered, ttl: interval });

  constructor(perMinute: number) {
    this.#perMinute = perMinute;
  }

  /** Counts an attempt. False: the address has had all of this minute. */
  take(address: string): boolean {
    const network = networkKey(address);
    const known = this.#counts.get(network);
    if (known === undefined) this.#counts.set(network, { count: 1 });
    else known.count += 1;
    return (known?.count ?? 1) <= this.#perMinute;
  }
}
