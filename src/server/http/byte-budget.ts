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
