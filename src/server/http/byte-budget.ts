import { networkKey } from './address.js';

/** Bounds bytes that the server holds for clients, by address and for all together. */
export class ByteBudget {
  readonly #perAddress: number;
  readonly #inAll: number;
  readonly #byNetwork = new Map<string, number>();
  #held = 0;

  /** Both in bytes. */
  constructor(limits: { readonly perAddress: number; readonly inAll: number }) {
    this.#perAddress = limits.perAddress;
    this.#inAll = limits.inAll;
  }

  /** Bytes that are held now, for all addresses together. */
  get held(): number {
    return this.#held;
  }

  /** The network for which most is held, as `networkKey` names it; null when nothing is. */
  get largest(): string | null {
    let largest: string | null = null;
    let most = 0;
    for (const [network, held] of this.#byNetwork) {
      if (held <= most) continue;
      most = held;
      largest = network;
    }
    return largest;
  }

  /** Whether so many more are too many for all together. */
  isFullInAll(bytes: number): boolean {
    return this.#held + bytes > this.#inAll;
  }

  /** @returns false when so many more may not be held; then nothing was counted. */
  hold(address: string, bytes: number): boolean {
    const network = networkKey(address);
    const held = (this.#byNetwork.get(network) ?? 0) + bytes;
    if (held > this.#perAddress || this.#held + bytes > this.#inAll) return false;
    if (held > 0) this.#byNetwork.set(network, held);
    this.#held += bytes;
    return true;
  }

  /** Gives back bytes that were held. */
  release(address: string, bytes: number): void {
    const network = networkKey(address);
    const left = (this.#byNetwork.get(network) ?? 0) - bytes;
    if (left > 0) this.#byNetwork.set(network, left);
    else this.#byNetwork.delete(network);
    this.#held -= bytes;
  }
}

/** Bytes of operations that a WebSocket may have under way before they are counted, and of the body of a plain request. */
export const uncountedBytes = 16_384;

/** Bytes that are counted or given back at a time, so that small changes need not be counted each time. */
const step = 4_096;

/** The part of a budget that one holder takes. The first bytes are free: nearly all holders need no more. */
export class ByteShare {
  readonly #budget: ByteBudget;
  readonly #address: string;
  readonly #free: number;
  /** Bytes that its holder has. */
  #bytes = 0;
  /** Bytes of them that are counted, or a step more. */
  #counted = 0;

  /** @param free bytes that are not counted. */
  constructor(budget: ByteBudget, address: string, free: number) {
    this.#budget = budget;
    this.#address = address;
    this.#free = free;
  }

  /** @returns false when so many more may not be held; then nothing was added. */
  add(bytes: number): boolean {
    const more = this.#bytes + bytes - this.#free - this.#counted;
    if (more > 0) {
      const size = Math.max(step, more);
      if (!this.#budget.hold(this.#address, size)) return false;
      this.#counted += size;
    }
    this.#bytes += bytes;
    return true;
  }

  /** Gives back bytes that were added. */
  remove(bytes: number): void {
    this.#bytes -= bytes;
    const spare = this.#counted - Math.max(0, this.#bytes - this.#free);
    if (this.#counted === 0 || (spare < step && this.#bytes > this.#free)) return;
    this.#budget.release(this.#address, spare);
    this.#counted -= spare;
  }
}
