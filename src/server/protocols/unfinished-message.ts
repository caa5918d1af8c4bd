import type { ByteBudget } from '../http/byte-budget.js';

/** Bytes before the data of a ping or a pong of a client. */
const controlHeader = 6;
/** Bytes of a message, and of headers beside, that may wait for its end without a bound of time. */
const maxShortMessage = 64_000;
/** Bytes of memory that each chunk takes beside its content, however small it is. */
const chunkCost = 256;
/** Bytes that are counted at a time, so that a chunk of a few bytes need not be counted each time. */
const step = 4_096;

/**
 * The bytes of one WebSocket that wait in memory for the end of their message. They count towards the budget that bounds the
 * bodies of requests that have not come to their end.
 *
 * Messages and control frames are reported while a chunk is parsed, the chunk itself after that. Where in a chunk a message
 * ends is not known, so the bytes behind it are not counted; they are fewer than the intake parses at a time.
 */
export class UnfinishedMessage {
  readonly #budget: ByteBudget;
  readonly #address: string;
  /** Bytes since the last chunk in which a message ended, without control frames. */
  #bytes = 0;
  #chunks = 0;
  /** Whether a message has ended in the chunk that is being parsed. */
  #hasEnded = false;
  /** Bytes that are counted. */
  #held = 0;
  /** Since when more than a short message has been under way, as `performance.now()` has it; null while it is not. */
  #longSince: number | null = null;

  constructor(budget: ByteBudget, address: string) {
    this.#budget = budget;
    this.#address = address;
  }

  /** A whole message has come. */
  endMessage(): void {
    this.#hasEnded = true;
    this.release();
  }

  /** A ping or a pong has come, perhaps between the parts of a message. */
  skipControl(data: Buffer): void {
    this.#bytes -= controlHeader + data.length;
  }

  /** A chunk has been parsed. @returns false when there is no room for what waits. */
  addChunk({ length }: Buffer): boolean {
    this.#bytes = this.#hasEnded ? 0 : this.#bytes + length;
    this.#hasEnded = false;
    if (this.#bytes <= 0) {
      this.#bytes = 0;
      this.release();
      return true;
    }
    this.#chunks += 1;
    const more = this.#bytes + this.#chunks * chunkCost - this.#held;
    if (more <= 0) return true;
    const size = Math.max(step, more);
    if (!this.#budget.hold(this.#address, size)) return false;
    this.#held += size;
    return true;
  }

  /** Whether a message that is not short has been under way for so many milliseconds. To be asked at intervals. */
  isLate(timeout: number): boolean {
    this.#longSince = this.#bytes > maxShortMessage ? (this.#longSince ?? performance.now()) : null;
    return this.#longSince !== null && performance.now() - this.#longSince >= timeout;
  }

  /** Nothing waits any more. */
  release(): void {
    if (this.#held > 0) this.#budget.release(this.#address, this.#held);
    this.#held = 0;
    this.#chunks = 0;
  }
}
