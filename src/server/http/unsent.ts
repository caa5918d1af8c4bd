import { type IncomingMessage, ServerResponse } from 'node:http';
import type { ByteBudget } from './byte-budget.js';
import { whenClosed } from './closed.js';

export interface UnsentLimits {
  /** Bytes of answers that may wait for the readers of one address. */
  readonly unsentPerAddress: number;
  /** Bytes of answers that may wait for all readers together. */
  readonly unsentInAll: number;
  /** Milliseconds in which a reader must take some of the answer that waits for it. */
  readonly answerTimeout: number;
}

/** On whose account a response waits for its reader. */
export interface UnsentAccount {
  /** Of bytes that have been written and that the operating system has not taken yet. */
  readonly unsent: ByteBudget;
  readonly address: string;
  /** Milliseconds in which the reader must take something. */
  readonly patience: number;
  /** Called when the connection is cut because of its reader. */
  readonly onCut: () => void;
}

/**
 * A response whose reader is not waited for without end: what the operating system does not take at once is counted, and
 * the connection is cut where too much waits, or where the reader takes nothing for some time. Whoever writes, it ends here.
 */
export class HttpResponse<Request extends IncomingMessage = IncomingMessage> extends ServerResponse<Request> {
  #account: UnsentAccount | null = null;
  /** Bytes that are counted as waiting. */
  #held = 0;
  /** Milliseconds in which the reader must take something. */
  #patience = 0;
  #isWatched = false;
  #isShared = false;

  /** To be called before anything is written. */
  account(account: UnsentAccount): void {
    this.#account = account;
    this.#patience = account.patience;
  }

  /** Grants the reader another time than a plain answer has, in milliseconds, from now on. */
  waitFor(patience: number): void {
    this.#patience = patience;
    this.setTimeout(patience);
  }

  /** What is written is one buffer for all readers: it costs no memory to have it wait. */
  share(): void {
    this.#isShared = true;
  }

  // biome-ignore lint/suspicious/noExplicitAny: the signatures are handed on as they are.
  override write(...args: any[]): boolean {
    const callback = typeof args.at(-1) === 'function' ? args.pop() : undefined;
    // biome-ignore lint/suspicious/noExplicitAny: as above.
    const isTaken = super.write(...(args as [any]), (error?: Error | null) => {
      this.#count();
      callback?.(error);
    });
    this.#count();
    return isTaken;
  }

  // biome-ignore lint/suspicious/noExplicitAny: as above.
  override end(...args: any[]): this {
    super.end(...args);
    this.#count();
    return this;
  }

  #count(): void {
    const waiting = this.#isShared ? Math.min(1, this.writableLength) : this.writableLength;
    // Nearly always everything is taken at once.
    if (waiting === this.#held || this.#account === null || this.req.socket.destroyed) return;
    const { unsent, address } = this.#account;
    const more = waiting - this.#held;
    if (more > 0 && !unsent.hold(address, more)) {
      this.#cut();
      return;
    }
    if (more < 0) unsent.release(address, -more);
    this.#held = waiting;
    if (!this.#isWatched) this.#watch();
    this.#readOn(waiting === 0);
  }

  /** What a client sends puts off the timer below as well, so nothing is read from one that does not read itself. */
  #readOn(isTaken: boolean): void {
    const { socket } = this.req;
    if (isTaken) socket.resume();
    else socket.pause();
  }

  #watch(): void {
    this.#isWatched = true;
    whenClosed(this, () => {
      this.#account?.unsent.release(this.#account.address, this.#held);
      this.#held = 0;
      this.#readOn(true);
    });
    // Node puts the timer off as long as the operating system goes on taking some.
    this.setTimeout(this.#patience, () => this.#cut());
  }

  #cut(): void {
    this.#account?.onCut();
    // A response that waits behind others has no socket of its own yet.
    this.req.socket.destroy();
  }
}
