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

  /** @returns false when so many more may not be held; then nothing was counted. */
  hold(address: string, bytes: number): boolean {
    const network = networkKey(address);
    const held = (this.#byNetwork.get(network) ?? 0) + bytes;
    if (held > this.#perAddress || this.#held + bytes > this.#inAll) return false;
    if (held > 0) this.#byNetwork.set(network, held);
    this.#held += bytes;
    return true;
  }

  /** Gives back what was held. */
  release(address: string, bytes: number): void {
    const network = networkKey(address);
    const left = (this.#byNetwork.get(network) ?? 0) - bytes;
    if (left > 0) this.#byNetwork.set(network, left);
    else this.#byNetwork.delete(network);
    this.#held -= bytes;
  }
}
