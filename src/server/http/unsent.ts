import { type IncomingMessage, ServerResponse } from 'node:http';
import { networkKey } from './address.js';
import { whenClosed } from './closed.js';

export interface UnsentLimits {
  /** Bytes of answers that may wait for the readers of one address. */
  readonly unsentPerAddress: number;
  /** Bytes of answers that may wait for all readers together. */
  readonly unsentInAll: number;
  /** Milliseconds in which a reader must take some of the answer that waits for it. */
  readonly answerTimeout: number;
}

/** Counts the bytes that have been written for readers and that the operating system has not taken yet. */
export class UnsentBytes {
  readonly #limits: UnsentLimits;
  readonly #byNetwork = new Map<string, number>();
  #inAll = 0;

  constructor(limits: UnsentLimits) {
    this.#limits = limits;
  }

  /** Bytes that wait now, for all readers together. */
  get inAll(): number {
    return this.#inAll;
  }

  get answerTimeout(): number {
    return this.#limits.answerTimeout;
  }

  /** @returns false when so many more may not wait; then nothing was counted, and the connection is to be cut. */
  hold(address: string, bytes: number): boolean {
    const network = networkKey(address);
    const held = (this.#byNetwork.get(network) ?? 0) + bytes;
    const { unsentPerAddress, unsentInAll } = this.#limits;
    if (held > unsentPerAddress || this.#inAll + bytes > unsentInAll) return false;
    this.#byNetwork.set(network, held);
    this.#inAll += bytes;
    return true;
  }

  /** They have been taken, or their connection is gone. */
  release(address: string, bytes: number): void {
    const network = networkKey(address);
    const left = (this.#byNetwork.get(network) ?? 0) - bytes;
    if (left > 0) this.#byNetwork.set(network, left);
    else this.#byNetwork.delete(network);
    this.#inAll -= bytes;
  }
}

/**
 * A response whose reader is not waited for without end: what the operating system does not take at once is counted, and
 * cut where too much waits or where the reader takes nothing for some seconds. Whoever writes the answer, it ends here.
 */
export class HttpResponse<Request extends IncomingMessage = IncomingMessage> extends ServerResponse<Request> {
  #account: { readonly unsent: UnsentBytes; readonly address: string; readonly onCut: () => void } | null = null;

  /** @param onCut called when the connection is cut because of its reader. */
  account(unsent: UnsentBytes, address: string, onCut: () => void): void {
    this.#account = { unsent, address, onCut };
  }

  // biome-ignore lint/suspicious/noExplicitAny: the three signatures of `end` are handed on as they are.
  override end(...args: any[]): this {
    super.end(...args);
    const waiting = this.writableLength;
    if (waiting > 0 && !this.destroyed) this.#await(waiting);
    return this;
  }

  #await(bytes: number): void {
    if (this.#account === null) return;
    const { unsent, address, onCut } = this.#account;
    this.#account = null;
    const cut = () => {
      onCut();
      // A response that waits behind others has no socket of its own yet.
      this.req.socket.destroy();
    };
    if (!unsent.hold(address, bytes)) {
      cut();
      return;
    }
    whenClosed(this, () => unsent.release(address, bytes));
    // Node puts the timer off as long as the operating system goes on taking some.
    this.setTimeout(unsent.answerTimeout, cut);
  }
}
