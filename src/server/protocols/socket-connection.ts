import type { Socket } from 'node:net';
import { CloseCode } from 'graphql-ws';
import type { Logger } from 'pino';
import type { WebSocket } from 'ws';
import type { Caller } from '../../auth/caller.js';
import { shortened } from '../../core/text.js';
import { type ByteBudget, ByteShare, uncountedBytes } from '../http/byte-budget.js';
import { LoggedRequest } from '../http/request.js';
import type { UpgradeOrigin } from '../http/route.js';
import { maxLingerTime } from '../http/send.js';
import { type Reader, ReaderProgress, type UnsentBytes } from '../http/unsent-bytes.js';
import type { ConnectionStreams } from '../operations/open-streams.js';
import { SocketInbox, type SocketLimits } from './socket-inbox.js';
import { SocketIntroduction, type StatedByHandshake } from './socket-introduction.js';
import { textFrame } from './text-frame.js';
import { UnfinishedMessage } from './unfinished-message.js';

export const tryAgainLater = 1013;

/** What all connections share. */
interface ConnectionParts {
  readonly unsent: UnsentBytes;
  readonly unfinished: ByteBudget;
  readonly log: Logger;
  readonly limits: SocketLimits;
}

/** One WebSocket: its state, the bytes that wait for its reader, and whether its peer is alive. */
export class SocketConnection extends LoggedRequest implements Reader {
  readonly inbox: SocketInbox;
  readonly introduction: SocketIntroduction;
  caller: Caller | null = null;
  /** The device of the caller; null: none. */
  device: string | null = null;
  /** How many there have been. */
  operations = 0;
  #handle: (message: string) => Promise<void> = async () => {};
  /** The protocol library's way to learn that the socket has closed. */
  leave: (code: number, reason: string) => Promise<void> = async () => {};
  /** Stops waiting for the end of its token. */
  forgetToken: () => void = () => {};
  readonly #parts: ConnectionParts;
  readonly #hasWaiting: (socket: Socket) => boolean;
  /** Whether anything has come from the peer since the last ping. */
  #isAlive = true;
  /** When the peer stopped taking its answers, as `performance.now()` has it; null while it takes them. */
  #stalledSince: number | null = null;
  /** Whether it has asked for more than is done at a time. */
  #isBusy = false;
  #isPaused = false;
  readonly #unfinished: UnfinishedMessage;
  /** What the client has sent of the operations that are under way. */
  readonly #underWay: ByteShare;
  readonly #progress: ReaderProgress;
  /** Bytes that are counted as waiting for its reader. */
  #unsent = 0;
  /** Told when the socket has closed. Null: nobody waits for that. */
  #onClosed: (() => void)[] | null = null;

  constructor(
    readonly socket: WebSocket,
    private readonly transport: Socket,
    { requestId, address, hasWaiting }: UpgradeOrigin,
    stated: StatedByHandshake,
    readonly streams: ConnectionStreams,
    parts: ConnectionParts,
  ) {
    super(requestId, address, parts.log);
    this.#hasWaiting = hasWaiting;
    this.#parts = parts;
    this.#unfinished = new UnfinishedMessage(parts.unfinished, address);
    this.#underWay = new ByteShare(parts.unfinished, address, uncountedBytes);
    this.#progress = new ReaderProgress(transport);
    // Called when the library has parsed the chunk, because its own listener was there first.
    transport.on('data', (chunk: Buffer) => {
      this.#isAlive = true;
      if (!this.#unfinished.addChunk(chunk)) this.#refuseBytes();
    });
    this.inbox = new SocketInbox(this, parts.limits);
    this.introduction = new SocketIntroduction(stated, this, parts.limits.initTimeout);
  }

  get isAcknowledged(): boolean {
    return this.caller !== null;
  }

  /** A message has come. After its end nothing of it is left here. */
  receive(text: string): void {
    this.#unfinished.endMessage();
    if (this.socket.readyState !== this.socket.OPEN) return;
    try {
      this.inbox.receive(text);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** A ping or a pong has come, perhaps between the parts of a message. */
  receiveControl(data: Buffer): void {
    this.#unfinished.skipControl(data);
  }

  /** The subprotocol that was agreed on. */
  get protocol(): string {
    return this.socket.protocol;
  }

  /** Takes the protocol library's way to take a message. */
  onMessage(handle: (message: string) => Promise<void>): void {
    this.#handle = handle;
  }

  /** Hands a message to the protocol library. Never rejects. */
  deliver(message: string): Promise<void> {
    // An async function would wait for as long as its subscription is open, with all that such a function keeps.
    return this.#handle(message).catch(error => this.#fail(error));
  }

  #fail(error: unknown): void {
    this.log.error({ err: error }, 'A message could not be handled.');
    this.close(CloseCode.InternalServerError, 'Internal server error');
  }

  /** Closes the socket, and reads on until its peer has agreed or left: what else comes is dropped. */
  close(code: number = CloseCode.InternalServerError, reason = ''): void {
    // A close frame has room for 123 bytes.
    this.socket.close(code, Buffer.byteLength(reason) <= 123 ? reason : shortened(reason, 41));
    this.#read();
  }

  introduce(payload: unknown): void {
    this.introduction.add(payload);
  }

  /** Whether bytes of its peer have come and wait for their turn. */
  get hasWaiting(): boolean {
    return this.#hasWaiting(this.transport);
  }

  onBusy(isBusy: boolean): void {
    this.#isBusy = isBusy;
    this.#read();
  }

  hold(bytes: number): boolean {
    const isHeld = this.#underWay.add(bytes);
    if (!isHeld) this.#refuseBytes();
    return isHeld;
  }

  release(bytes: number): void {
    this.#underWay.remove(bytes);
  }

  /**
   * Calls `taken` when the operating system has taken the message, later than now. A stream waits for that before it makes its next
   * message, so a slow reader holds up its own streams. Further requests of a slow reader are held up by no longer reading from it.
   */
  write(message: string, taken: () => void): void {
    const { socket } = this;
    if (socket.readyState !== socket.OPEN) {
      // Until its operations are told to end, a closing socket holds them up: nothing else would stop a busy one.
      this.#onClosed ??= [];
      this.#onClosed.push(taken);
      return;
    }
    // Nothing waits in the library itself: it neither compresses nor sends anything else in parts.
    this.transport.write(textFrame(message), () => {
      this.#count();
      taken();
    });
    this.#count();
  }

  /** The same with a promise. */
  send(message: string): Promise<void> {
    return new Promise(resolve => this.write(message, resolve));
  }

  /**
   * To be called at each ping interval: asks for a sign of life, and drops a peer that has given none. A sign that waits for its
   * turn is one.
   * @returns whether the peer was dropped because it gave none.
   */
  beat(): boolean {
    const { socket } = this;
    const { stallTimeout } = this.#parts.limits;
    if (!this.#isPaused && this.#unfinished.isLate(stallTimeout)) {
      // A message that never ends holds up the peer's answer to this as well: it has until the next round.
      if (socket.readyState !== socket.OPEN) socket.terminate();
      else this.close(CloseCode.BadRequest, `A message must be complete within ${stallTimeout / 1_000} seconds.`);
    } else if (this.#stalledSince !== null) {
      if (performance.now() - this.#stalledSince >= stallTimeout) this.#drop();
    } else if (this.#progress.isStalled(socket.bufferedAmount, stallTimeout)) {
      this.#drop();
    } else if (this.#isPaused) {
      // Nothing is read from it meanwhile, so no sign of life is seen.
    } else if (!this.#isAlive && !this.hasWaiting) {
      socket.terminate();
      return true;
    } else {
      this.#isAlive = false;
      if (socket.readyState === socket.OPEN) socket.ping();
    }
    return false;
  }

  /** Closes the socket, and reads nothing more: what has come would wait, and what is yet to come would come on top of it. */
  #refuseBytes(): void {
    const { socket, transport } = this;
    transport.removeAllListeners('data').resume();
    this.close(tryAgainLater, 'Too many bytes of unfinished messages and operations wait. Try again later.');
    transport.end();
    // Hanging up on a client that is still sending would reset the connection before it has read why.
    const timer = setTimeout(() => socket.terminate(), maxLingerTime).unref();
    socket.once('close', () => clearTimeout(timer));
  }

  /** The socket has closed: everything that it held is let go of. */
  letGo(): void {
    this.introduction.end();
    this.forgetToken();
    this.streams.end();
    this.inbox.clear();
    this.#unfinished.release();
    this.#release();
    for (const taken of this.#onClosed ?? []) taken();
    this.#onClosed = null;
  }

  #release(): void {
    this.#parts.unsent.release(this, this.#unsent, 0);
    this.#unsent = 0;
  }

  cut(): void {
    this.#release();
    this.log.warn({ bufferedBytes: this.socket.bufferedAmount }, 'A socket is cut: too much waits for readers.');
    this.socket.terminate();
  }

  /** Counts the bytes that wait for the reader, and stops or resumes reading from it. */
  #count(): void {
    const { bufferedAmount, readyState, OPEN } = this.socket;
    if (bufferedAmount === 0 && this.#unsent === 0) return;
    if (readyState !== OPEN) return;
    const { unsent, limits } = this.#parts;
    if (bufferedAmount < this.#unsent) {
      unsent.release(this, this.#unsent - bufferedAmount, bufferedAmount);
    } else if (bufferedAmount > this.#unsent && !unsent.hold(this, bufferedAmount - this.#unsent)) {
      this.cut();
      return;
    }
    this.#unsent = bufferedAmount;
    if (bufferedAmount > limits.maxBufferedBytes) this.#stalledSince ??= performance.now();
    else if (bufferedAmount <= limits.maxBufferedBytes / 2) this.#stalledSince = null;
    this.#read();
  }

  /** Reads on, or not: a peer that is behind, or that asks for more than is done at a time, is read later, unless it closes. */
  #read(): void {
    const { readyState, OPEN } = this.socket;
    const isPaused = readyState === OPEN && (this.#stalledSince !== null || this.#isBusy);
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
    if (socket.readyState === socket.OPEN) this.close(tryAgainLater, 'The connection is too slow.');
    else socket.terminate();
  }
}
