import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { networkKey } from './address.js';

/** Milliseconds of work on what clients send, after which all else in the process has a turn: timers, signals, pushes. */
const longestTurn = 10;
/** Milliseconds of a turn of the event loop from which on every connection is guarded. */
const overlongTurn = 100;
/** Milliseconds for which new connections are guarded after such a turn. */
const guardTime = 10_000;
/** Bytes of one connection that are parsed at a time. They may be thousands of chunks of a body, or hundreds of messages. */
const pieceSize = 16_384;
/** Pieces that are planned for one turn; they end earlier when its time is over. */
const piecesPerTurn = 64;

/** The bytes of a connection that wait. Null is the end of what its client sends. */
interface Waiting {
  readonly socket: Socket;
  readonly push: Socket['push'];
  readonly chunks: (Buffer | null)[];
}

/**
 * Shares the event loop among connections. Node hands over everything that has come on all connections, up to two megabytes
 * from each, before it does anything else, so a few busy clients could hold up all others for seconds.
 *
 * Bytes of a guarded connection are parsed at once only for ten milliseconds. From then on they wait, and their connections are
 * not read from; in each turn of the loop the addresses take turns, and so do the connections of an address. WebSockets are
 * guarded, and connections that send a long body. Node parses the requests of other connections straight from their
 * handles, which costs less; all are guarded as soon as a turn of the loop takes too long.
 */
export class Intake {
  readonly #free = new Set<Socket>();
  /** By address, in the order of their turns. */
  readonly #waiting = new Map<string, Waiting[]>();
  readonly #bySocket = new Map<Socket, Waiting>();
  /** When others last had a turn, as `performance.now()` has it. */
  #since = 0;
  #isFirst = false;
  /** Whether a turn is planned. Each plans the next, until nothing waits. */
  #isPlanned = false;
  /** When the present turn of the loop was first looked at, and whether it still lasts. */
  #seenAt = 0;
  #isSeen = false;
  #guardedUntil = 0;

  /** Takes a connection, before anything has been read from it. */
  add(socket: Socket): void {
    this.#free.add(socket);
    socket.once('close', () => this.#free.delete(socket));
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
    const network = networkKey(socket.remoteAddress ?? '');
    const { push } = socket;
    socket.push = (chunk: Buffer | null) => this.#take(socket, network, push, chunk);
    // Node's HTTP parser reads straight from the handle of a socket, unless somebody listens for its data.
    socket.on('data', nothing).off('data', nothing);
  }

  /** As `push` of a readable stream: false asks for a pause. */
  #take(socket: Socket, network: string, push: Socket['push'], chunk: Buffer | null): boolean {
    const waiting = this.#bySocket.get(socket);
    if (waiting !== undefined) {
      waiting.chunks.push(chunk);
      return false;
    }
    let rest = chunk;
    while (this.#bySocket.size === 0 && performance.now() - this.#since < longestTurn) {
      if (rest === null || rest.length <= pieceSize) return push.call(socket, rest);
      push.call(socket, rest.subarray(0, pieceSize));
      rest = rest.subarray(pieceSize);
    }
    this.#hold(network, { socket, push, chunks: [rest] });
    return false;
  }

  #hold(network: string, waiting: Waiting): void {
    if (!this.#isPlanned) setImmediate(this.#turn);
    this.#isPlanned = true;
    this.#bySocket.set(waiting.socket, waiting);
    const queue = this.#waiting.get(network);
    if (queue === undefined) this.#waiting.set(network, [waiting]);
    else queue.push(waiting);
  }

  readonly #turn = (): void => {
    this.#isFirst = true;
    // Each piece has a callback of its own: Node runs what a piece has caused before it runs the next.
    const count = Math.min(this.#bySocket.size, piecesPerTurn);
    for (let planned = 0; planned < count; planned += 1) setImmediate(this.#step);
    this.#isPlanned = count > 0;
    if (this.#isPlanned) setImmediate(this.#turn);
  };

  readonly #step = (): void => {
    if (this.#isFirst) this.#since = performance.now();
    else if (performance.now() - this.#since >= longestTurn) return;
    this.#isFirst = false;
    const next = this.#waiting.entries().next().value;
    if (next === undefined) return;
    const [network, queue] = next;
    // To the end of the order.
    this.#waiting.delete(network);
    const waiting = queue.shift() as Waiting;
    const isOver = this.#parse(waiting);
    if (isOver) this.#bySocket.delete(waiting.socket);
    else queue.push(waiting);
    if (queue.length > 0) this.#waiting.set(network, queue);
  };

  /** @returns whether nothing more waits. */
  #parse({ socket, push, chunks }: Waiting): boolean {
    const chunk = chunks[0] as Buffer | null;
    if (socket.destroyed) return true;
    if (chunk === null || chunk.length <= pieceSize) chunks.shift();
    else chunks[0] = chunk.subarray(pieceSize);
    push.call(socket, chunk === null ? null : chunk.subarray(0, pieceSize));
    return chunks.length === 0;
  }
}

const nothing = () => {};
