import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { networkKey } from './address.js';
import { Schedule } from './schedule.js';

/** Milliseconds of a turn of the event loop from which on every connection is guarded. */
const overlongTurn = 100;
/** Milliseconds for which new connections are guarded after such a turn. */
const guardTime = 10_000;
/** Bytes of one connection that are parsed at a time. They may be thousands of chunks of a body, or hundreds of messages. */
const pieceSize = 16_384;

/** The bytes of a connection that wait. */
interface Waiting {
  readonly socket: Socket;
  /** Null is the end of what its client sends. */
  readonly chunks: (Buffer | null)[];
  /** Whether they have a place in the schedule. Those of a paused connection get one when it is resumed. */
  isPlanned: boolean;
}

/**
 * Shares the event loop among connections, with {@link Schedule}. Node hands over everything that has come on all connections, up to two megabytes
 * from each, before it does anything else, so a few busy clients could hold up all others for seconds.
 *
 * Bytes of a guarded connection are parsed at once only for ten milliseconds. From then on they wait, and their connections are
 * not read from. WebSockets are guarded, and connections that send a long body. Node parses the requests of other connections
 * straight from their handles, which costs less; all are guarded as soon as a turn of the loop takes too long.
 *
 * To pause a connection means the same whether or not it is guarded: nothing more is read from it. A stream alone would go on until its
 * buffer is full, and each byte would restart the timer that cuts a client that takes no answer. So at most one chunk of 64 kB of
 * a connection waits here. No budget counts it.
 */
export class Intake {
  readonly #free = new Set<Socket>();
  readonly #schedule: Schedule;
  readonly #waiting = new Map<Socket, Waiting>();
  /** When the present turn of the loop was first looked at, and whether it still lasts. */
  #seenAt = 0;
  #isSeen = false;
  #guardedUntil = 0;
  /** The `push` of guarded sockets. One for all: one for each would stay as long as the socket is open. */
  readonly #push: Socket['push'];
  /** Their `_read`, by which a stream asks for more. */
  readonly #read: Socket['_read'];
  readonly #onResume: (this: Socket) => void;
  readonly #onClose: (this: Socket) => void;

  constructor(schedule = new Schedule()) {
    this.#schedule = schedule;
    const take = (socket: Socket, chunk: Buffer | null) => this.#take(socket, chunk);
    this.#push = function (this: Socket, chunk: Buffer | null) {
      return take(this, chunk);
    };
    const waiting = this.#waiting;
    this.#read = function (this: Socket, size: number) {
      // The stream asks for more after each piece, even while other pieces wait.
      if (!waiting.has(this)) classOf(this)._read.call(this, size);
    };
    const plan = (socket: Socket) => this.#plan(waiting.get(socket));
    this.#onResume = function (this: Socket) {
      plan(this);
    };
    const free = this.#free;
    this.#onClose = function (this: Socket) {
      free.delete(this);
      waiting.delete(this);
    };
  }

  /** Takes a connection, before anything has been read from it. It is let go of when it has closed. */
  add(socket: Socket): void {
    this.#schedule.countConnection();
    this.#free.add(socket);
    socket.on('close', this.#onClose);
    if (performance.now() < this.#guardedUntil) this.guard(socket);
  }

  /** A request has come: looks at its body, and at the time that this turn of the loop has taken. */
  receive({ headers, socket }: IncomingMessage): void {
    if (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > pieceSize) {
      this.guard(socket);
    }
    const now = performance.now();
    if (now - this.#seenAt < overlongTurn) return;
    if (this.#isSeen) {
      this.#guardedUntil = now + guardTime;
      for (const each of this.#free) this.guard(each);
      return;
    }
    this.#isSeen = true;
    this.#seenAt = now;
    setImmediate(() => {
      this.#isSeen = false;
    });
  }

  /** From now on bytes of this connection wait for their turn. */
  guard(socket: Socket): void {
    if (!this.#free.delete(socket)) return;
    socket.push = this.#push;
    socket._read = this.#read;
    // Node's HTTP parser reads straight from the handle of a socket, unless somebody listens for its data.
    socket.on('data', nothing).off('data', nothing);
    // The parser stops and starts the handle itself. The stream knows nothing of that and would not start it again after a
    // pause, if this did not end the reading that it believes to be under way.
    pass(socket, noBytes);
    socket.on('resume', this.#onResume);
  }

  /** Whether bytes of this connection have come and wait for their turn. */
  hasWaiting(socket: Socket): boolean {
    return this.#waiting.has(socket);
  }

  /** As `push` of a readable stream: false asks for a pause. */
  #take(socket: Socket, chunk: Buffer | null): boolean {
    const before = this.#waiting.get(socket);
    if (before !== undefined) {
      before.chunks.push(chunk);
      return false;
    }
    let rest = chunk;
    while (!socket.isPaused() && this.#schedule.hasTime) {
      if (rest === null || rest.length <= pieceSize) return pass(socket, rest);
      pass(socket, rest.subarray(0, pieceSize));
      rest = rest.subarray(pieceSize);
    }
    const waiting = { socket, chunks: [rest], isPlanned: false };
    this.#waiting.set(socket, waiting);
    this.#plan(waiting);
    return false;
  }

  #plan(waiting: Waiting | undefined): void {
    if (waiting === undefined || waiting.isPlanned || waiting.socket.isPaused()) return;
    waiting.isPlanned = true;
    this.#schedule.add(networkKey(waiting.socket.remoteAddress ?? ''), () => this.#parse(waiting));
  }

  /** @returns whether nothing more waits, or is to wait until the connection is resumed. */
  #parse(waiting: Waiting): boolean {
    const { socket, chunks } = waiting;
    const chunk = chunks[0] as Buffer | null;
    if (!socket.destroyed && !socket.isPaused()) {
      if (chunk === null || chunk.length <= pieceSize) chunks.shift();
      else chunks[0] = chunk.subarray(pieceSize);
      pass(socket, chunk === null ? null : chunk.subarray(0, pieceSize));
    }
    const isOver = socket.destroyed || chunks.length === 0;
    if (isOver) this.#waiting.delete(socket);
    waiting.isPlanned = !isOver && !socket.isPaused();
    return !waiting.isPlanned;
  }
}

/** The methods of a socket before which those of the intake stand. */
const classOf = (socket: Socket): Socket => Object.getPrototypeOf(socket);

function pass(socket: Socket, chunk: Buffer | null): boolean {
  return classOf(socket).push.call(socket, chunk);
}

const nothing = () => {};
const noBytes = Buffer.alloc(0);
