import { CloseCode } from 'graphql-ws';
import type { Logger } from 'pino';
import type { WebSocket } from 'ws';
import type { Caller } from '../../auth/caller.js';
import { type Credential, credentialOfParameters, credentialOfSocket } from '../../auth/credentials.js';
import { shortened } from '../../core/text.js';
import type { ByteBudget } from '../http/byte-budget.js';
import type { ConnectionStreams } from '../operations/streams.js';
import { SocketInbox, type SocketLimits } from './socket-inbox.js';

export const tryAgainLater = 1013;

interface ConnectionParts {
  readonly streams: ConnectionStreams;
  readonly unsent: ByteBudget;
  readonly log: Logger;
  readonly limits: SocketLimits;
}

/** One WebSocket: what is kept of it, what waits for its reader, and whether its peer is alive. */
export class SocketConnection {
  readonly requestId: string;
  readonly address: string;
  readonly streams: ConnectionStreams;
  readonly inbox: SocketInbox;
  caller: Caller | null = null;
  /** How many there have been. */
  operations = 0;
  /** The protocol library's way to take a message. */
  handle: (message: string) => Promise<void> = async () => {};
  cancelDeadline: () => void = () => {};
  readonly #parts: ConnectionParts;
  #log: Logger | null = null;
  /** What the client has presented so far; nothing of it is kept once it is verified. */
  #credential: Credential;
  /** Whether anything has come from the peer since the last ping. */
  #isAlive = true;
  /** Since when the peer does not take what it asked for, as `performance.now()` has it; null while it does. */
  #stalledSince: number | null = null;
  /** Whether it has asked for more than is done at a time. */
  #isBusy = false;
  #isPaused = false;
  /** When its reader last took something, as `performance.now()` has it. */
  #takenAt = performance.now();
  /** Bytes that are counted as waiting for its reader. */
  #unsent = 0;
  /** Resolves when the socket has closed. */
  readonly #whenClosed: Promise<void>;
  #resolveClosed = () => {};

  constructor(
    readonly socket: WebSocket,
    { requestId, address, credential }: { requestId: string; address: string; credential: Credential },
    parts: ConnectionParts,
  ) {
    this.requestId = requestId;
    this.address = address;
    this.#credential = credential;
    this.streams = parts.streams;
    this.#parts = parts;
    this.#whenClosed = new Promise(resolve => {
      this.#resolveClosed = resolve;
    });
    this.inbox = new SocketInbox(this, parts.limits);
  }

  /** Made when the first line is written: most sockets write none. */
  get log(): Logger {
    const { requestId, address } = this;
    this.#log ??= this.#parts.log.child({ requestId, address });
    return this.#log;
  }

  get isAcknowledged(): boolean {
    return this.caller !== null;
  }

  /** A message has come. After its end nothing of it is left here. */
  receive(text: string): void {
    this.#isAlive = true;
    if (this.socket.readyState !== this.socket.OPEN) return;
    try {
      this.inbox.receive(text);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The peer has answered a ping. */
  heard(): void {
    this.#isAlive = true;
  }

  /** Hands a message to the protocol library. Never rejects. */
  async deliver(message: string): Promise<void> {
    try {
      await this.handle(message);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.log.error({ err: error }, 'A message could not be handled.');
    this.close(CloseCode.InternalServerError, 'Internal server error');
  }

  close(code: number, reason: string): void {
    // A close frame has room for 123 bytes.
    this.socket.close(code, Buffer.byteLength(reason) <= 123 ? reason : shortened(reason, 41));
  }

  /** Keeps of a `connection_init` what proves who the caller is, until that is asked for. */
  introduce(payload: unknown): void {
    this.#credential = credentialOfSocket(this.#credential, credentialOfParameters(payload));
  }

  takeCredential(): Credential {
    const credential = this.#credential;
    this.#credential = null;
    return credential;
  }

  onBusy(isBusy: boolean): void {
    this.#isBusy = isBusy;
    this.#takenAt = performance.now();
    this.#read();
  }

  /**
   * Resolves when the operating system has taken the message: what produces messages waits for that before it makes the
   * next, so a slow reader holds up its own streams. What it asks for beyond that is held up by no longer reading from it.
   */
  send(data: string): Promise<void> {
    const { socket } = this;
    // Until its operations are told to end, a closing socket holds them up: nothing else would stop a busy one.
    if (socket.readyState !== socket.OPEN) return this.#whenClosed;
    return new Promise(resolve => {
      socket.send(data, () => {
        // Asked only where a reader holds its socket up.
        if (this.#isBusy) this.#takenAt = performance.now();
        this.#count();
        resolve();
      });
      this.#count();
    });
  }

  /** To be called at each ping interval: asks for a sign of life, and drops a peer that has given none. */
  beat(): void {
    const { socket } = this;
    const { stallTimeout } = this.#parts.limits;
    if (this.#stalledSince !== null) {
      if (performance.now() - this.#stalledSince >= stallTimeout) this.#drop();
    } else if (this.#isBusy) {
      // Nothing is read from it meanwhile, no sign of life either. It is dropped if it is its reader who holds it up.
      if (this.#unsent > 0 && performance.now() - this.#takenAt >= stallTimeout) this.#drop();
    } else if (!this.#isAlive) {
      socket.terminate();
    } else {
      this.#isAlive = false;
      if (socket.readyState === socket.OPEN) socket.ping();
    }
  }

  /** The socket has closed: everything that it held is let go of. */
  closed(): void {
    this.cancelDeadline();
    this.streams.end();
    this.inbox.clear();
    this.#parts.unsent.release(this.address, this.#unsent);
    this.#unsent = 0;
    this.#resolveClosed();
  }

  /** Counts what waits for the reader, and stops or goes on reading from it. */
  #count(): void {
    const { bufferedAmount, readyState, OPEN } = this.socket;
    if (bufferedAmount === 0 && this.#unsent === 0) return;
    if (readyState !== OPEN) return;
    const { unsent, limits } = this.#parts;
    if (bufferedAmount < this.#unsent) unsent.release(this.address, this.#unsent - bufferedAmount);
    else if (!unsent.hold(this.address, bufferedAmount - this.#unsent)) {
      this.log.warn({ bufferedBytes: bufferedAmount }, 'A socket is cut: too much waits for readers.');
      this.socket.terminate();
      return;
    }
    this.#unsent = bufferedAmount;
    if (bufferedAmount > limits.maxBufferedBytes) this.#stalledSince ??= performance.now();
    else if (bufferedAmount <= limits.maxBufferedBytes / 2) this.#stalledSince = null;
    this.#read();
  }

  /** Reads on, or not: a peer that is behind, or that asks for more than is done at a time, is read later. */
  #read(): void {
    const isPaused = this.#stalledSince !== null || this.#isBusy;
    if (isPaused === this.#isPaused) return;
    this.#isPaused = isPaused;
    this.#isAlive = true;
    if (isPaused) this.socket.pause();
    else this.socket.resume();
  }

  #drop(): void {
    const { socket } = this;
    this.log.warn({ bufferedBytes: socket.bufferedAmount }, 'A socket that stopped reading is closed.');
    // The reader may yet wake up and see why; it will not be waited for longer than until the next round.
    if (socket.readyState === socket.OPEN) socket.close(tryAgainLater, 'The connection is too slow.');
    else socket.terminate();
  }
}
