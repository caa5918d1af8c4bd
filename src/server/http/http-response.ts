import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Reader, UnsentBytes } from './unsent-bytes.js';

/** The rules for all responses of a server that wait for their readers. */
export interface UnsentPolicy {
  readonly unsent: UnsentBytes;
  /** Milliseconds in which a reader must take something. */
  readonly patience: number;
  /** Called when the connection of this address is cut because of its reader. */
  readonly onCut: (address: string) => void;
}

/** A connection whose `_paused` is set as long as Node itself reads no more from it, because much waits for its reader. */
type NodePaused = Socket & { readonly _paused?: boolean };

/** By connection, the responses that have not been sent. Most connections have one at a time. */
const underWay = new WeakMap<Socket, Set<HttpResponse>>();

/** The responses of a connection that have not been sent, in the order of their requests. */
export function responsesOn(socket: Socket): ReadonlySet<HttpResponse> {
  return underWay.get(socket) ?? none;
}

const none: ReadonlySet<HttpResponse> = new Set();

function follow(socket: Socket, response: HttpResponse): void {
  let responses = underWay.get(socket);
  if (responses === undefined) {
    const opened = new Set<HttpResponse>();
    responses = opened;
    underWay.set(socket, opened);
    // A socket closes once. `once` would keep a wrapper for as long as it is open.
    socket.on('close', () => {
      for (const one of opened) one.settle();
    });
  }
  responses.add(response);
}

/**
 * A response that does not wait for its reader without end. Bytes that the operating system does not take at once are counted.
 * The connection is cut when too many wait, or when the reader takes nothing for some time. All responses are of this class.
 */
export class HttpResponse<Request extends IncomingMessage = IncomingMessage>
  extends ServerResponse<Request>
  implements Reader
{
  address = '';
  #policy: UnsentPolicy | null = null;
  /** Bytes that are counted as waiting. */
  #held = 0;
  /** Milliseconds in which the reader must take something. */
  #patience = 0;
  #isWatched = false;
  #isShared = false;
  /** Whether anything of the body was written. */
  #hasBegun = false;
  #isClosed = false;
  #onClosed: (() => void)[] = [];

  constructor(request: Request) {
    super(request);
    if (request.socket.destroyed) return;
    follow(request.socket, this);
    this.on('close', settle);
  }

  /** Charges bytes that wait for the reader to an address. To be called before anything is written. */
  charge(address: string, policy: UnsentPolicy): void {
    this.address = address;
    this.#policy = policy;
    this.#patience = policy.patience;
  }

  /** Calls `act` once, when all is sent or the connection is gone; at once if that has happened already. */
  whenClosed(act: () => void): void {
    if (this.#isClosed) act();
    else this.#onClosed.push(act);
  }

  /**
   * Nothing more can be sent. Node tells a response so when it has been sent or cut, but not one that waits behind others
   * on a connection that goes: its connection calls this.
   */
  settle(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    underWay.get(this.req.socket)?.delete(this);
    const acts = this.#onClosed;
    this.#onClosed = [];
    for (const act of acts) act();
  }

  /** Grants the reader another time than a plain answer has, in milliseconds, from now on. */
  waitFor(patience: number): void {
    this.#patience = patience;
    this.setTimeout(patience);
  }

  /** The body is one buffer for all readers: it costs no memory while it waits. */
  share(): void {
    this.#isShared = true;
  }

  // biome-ignore lint/suspicious/noExplicitAny: the signatures are handed on as they are.
  override write(...args: any[]): boolean {
    this.#hasBegun = true;
    const callback = typeof args.at(-1) === 'function' ? args.pop() : undefined;
    // biome-ignore lint/suspicious/noExplicitAny: as above.
    const isTaken = super.write(...(args as [any]), (error?: Error | null) => {
      this.#count();
      callback?.(error);
    });
    this.#count();
    return isTaken;
  }

  /**
   * Writes a part of the body, like `write`: the head of a chunk, its text and its end at once, of which Node makes four writes.
   * @param taken called when the operating system has taken it, or the connection is gone.
   */
  writeChunk(text: string, taken: () => void): void {
    // The first write sends the headers. A response behind others has no socket of its own yet. Old clients know no chunks.
    if (!this.#hasBegun || this.socket === null || !this.chunkedEncoding || text === '') {
      this.write(text, taken);
      return;
    }
    const chunk = Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`);
    this.socket.write(chunk, () => {
      this.#count();
      taken();
    });
    this.#count();
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
    if (waiting === this.#held || this.#policy === null || this.req.socket.destroyed) return;
    const { unsent } = this.#policy;
    const more = waiting - this.#held;
    if (more > 0 && !unsent.hold(this, more)) {
      this.cut();
      return;
    }
    if (more < 0) unsent.release(this, -more, waiting);
    this.#held = waiting;
    if (!this.#isWatched) this.#watch();
    this.#readOn(waiting === 0);
  }

  /** Bytes from the client would restart the timer below too, so nothing is read from a client that does not read itself. */
  #readOn(isTaken: boolean): void {
    const socket: NodePaused = this.req.socket;
    if (!isTaken) socket.pause();
    // Node resumes the connection that it has paused itself. If bytes came before that, an assertion in Node would end the process.
    else if (socket._paused !== true) socket.resume();
  }

  #watch(): void {
    this.#isWatched = true;
    this.whenClosed(() => {
      this.#release();
      this.#readOn(true);
    });
    // Node puts the timer off as long as the operating system goes on taking some.
    this.setTimeout(this.#patience, () => this.cut());
  }

  #release(): void {
    this.#policy?.unsent.release(this, this.#held, 0);
    this.#held = 0;
  }

  /** Cuts the connection because of its reader. */
  cut(): void {
    this.#release();
    this.#policy?.onCut(this.address);
    // A response that waits behind others has no socket of its own yet.
    this.req.socket.destroy();
  }
}

/** One listener for all responses. */
function settle(this: HttpResponse): void {
  this.settle();
}
