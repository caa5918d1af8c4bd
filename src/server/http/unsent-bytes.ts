import type { Socket } from 'node:net';
import { networkKey } from './address.js';
import { ByteBudget } from './byte-budget.js';

export interface UnsentLimits {
  /** Bytes of answers that may wait for the readers of one address. */
  readonly unsentPerAddress: number;
  /** Bytes of answers that may wait for all readers together. */
  readonly unsentInAll: number;
  /** Milliseconds in which a reader must take some of the answer that waits for it. */
  readonly answerTimeout: number;
}

/** Something that bytes wait for: a response, or a socket. */
export interface Reader {
  readonly address: string;
  /** Cuts the connection. It calls {@link UnsentBytes.release} for its waiting bytes before it returns. */
  cut(): void;
}

/**
 * Bytes that have been written and that the operating system has not taken yet. Where too many wait, readers are cut: one
 * of the address that is beyond its share, or else those of the address for which most waits. So many slow readers of one
 * address never cost another address its answers.
 */
export class UnsentBytes {
  readonly #budget: ByteBudget;
  readonly #readers = new Map<string, Set<Reader>>();

  constructor({ unsentPerAddress, unsentInAll }: Pick<UnsentLimits, 'unsentPerAddress' | 'unsentInAll'>) {
    this.#budget = new ByteBudget({ perAddress: unsentPerAddress, inAll: unsentInAll });
  }

  /** Bytes that wait now, for all readers together. */
  get held(): number {
    return this.#budget.held;
  }

  /** @returns false when this reader is to be cut because too many bytes would wait for it; then nothing was counted. */
  hold(reader: Reader, bytes: number): boolean {
    while (!this.#budget.hold(reader.address, bytes)) {
      const largest = this.#budget.largest;
      // If it is this reader's own address, one of its others may be a page that is read well: the one that asks goes.
      if (!this.#budget.isFullInAll(bytes) || largest === null || largest === networkKey(reader.address)) return false;
      const [victim] = this.#readers.get(largest) ?? [];
      if (victim === undefined) return false;
      victim.cut();
    }
    const network = networkKey(reader.address);
    const readers = this.#readers.get(network) ?? new Set();
    this.#readers.set(network, readers.add(reader));
    return true;
  }

  /** @param left bytes that still wait for this reader. */
  release(reader: Reader, bytes: number, left: number): void {
    this.#budget.release(reader.address, bytes);
    if (left > 0) return;
    const network = networkKey(reader.address);
    const readers = this.#readers.get(network);
    readers?.delete(reader);
    if (readers?.size === 0) this.#readers.delete(network);
  }
}

/** Node's own handle of a socket, as far as it is used here. */
interface Handle {
  /** Bytes that were handed to it. */
  readonly bytesWritten: number;
  /** Bytes of them that the operating system has not taken yet. */
  readonly writeQueueSize: number;
}

/** Whether the reader of a socket takes what waits for it. What comes from its peer is no sign that it reads. */
export class ReaderProgress {
  readonly #socket: Socket;
  /** Bytes that had been taken when it was last asked. */
  #taken = 0;
  /** Since when bytes are known to have waited of which none was taken, as `performance.now()` has it; null: none wait. */
  #since: number | null = null;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /**
   * Whether bytes have waited for so many milliseconds of which none was taken, however few they are. To be asked at intervals.
   * @param waiting bytes that wait now.
   */
  isStalled(waiting: number, timeout: number): boolean {
    const taken = this.#read();
    if (waiting === 0) this.#since = null;
    else if (taken !== this.#taken || this.#since === null) this.#since = performance.now();
    this.#taken = taken;
    return this.#since !== null && performance.now() - this.#since >= timeout;
  }

  /** Bytes that the operating system has taken. Node's public counters tell only when all of a write has been taken. */
  #read(): number {
    const { _handle: handle } = this.#socket as unknown as { readonly _handle: Handle | null };
    return handle === null ? 0 : handle.bytesWritten - handle.writeQueueSize;
  }
}
