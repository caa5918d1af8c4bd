import type { GraphQLError } from 'graphql';
import { isPlainObject } from '../../core/json.js';
import { parsedBytes } from '../operations/variables.js';
import type { EventStreamLimits } from './event-stream.js';
import { type Params, persistedQueryFault, wellFormed } from './graphql-params.js';

export interface InboxLimits {
  /** Characters of a message that begins no operation, such as `connection_init`. */
  readonly controlMessageLength: number;
  /** Characters of the id of an operation. */
  readonly idLength: number;
  /** Operations of one socket that are begun or executed at a time; more wait for their turn. */
  readonly concurrentPerSocket: number;
}

export interface SocketLimits extends InboxLimits, EventStreamLimits {
  /** The largest message that is taken, in bytes; a larger one closes the socket with 1009. */
  readonly maxMessageSize: number;
  /** So many bytes may wait for a slow reader before nothing more is read from it. */
  readonly maxBufferedBytes: number;
  /** Milliseconds within which a new socket must introduce itself; later it is closed with 4408. 0: no limit. */
  readonly initTimeout: number;
  /** Subscriptions that one socket may hold open; one more fails alone. 0: no limit. */
  readonly subscriptionsPerSocket: number;
  /** Bytes of documents and variables that the subscriptions of one socket may keep together, as `jsonBytes` counts them. */
  readonly keptPerSocket: number;
}

/** The socket as its inbox uses it. */
export interface InboxHost {
  /** Hands a message to the protocol library. For `subscribe` it resolves when the operation is over. */
  deliver(message: string): Promise<void>;
  close(code: number, reason: string): void;
  /** Whether the client has introduced itself. */
  readonly isAcknowledged: boolean;
  /** Takes the payload of `connection_init`. The inbox does not keep it. */
  introduce(payload: unknown): void;
  /** Counts bytes of an operation that has come. False when there is no room for them; then the host closes the socket. */
  hold(bytes: number): boolean;
  /** Gives them back. */
  release(bytes: number): void;
  /** Called when there begins or ceases to be more than can be done at a time: the socket is to be read later. */
  onBusy(isBusy: boolean): void;
}

/**
 * An operation of a socket, from its `subscribe` to its end:
 *
 * | state   | means                                                         | leaves it by |
 * |---------|---------------------------------------------------------------|--------------|
 * | waiting | for its turn, or for the end of the one before it of that id  | its turn: begun; `complete`: gone |
 * | begun   | it is prepared, executed, or a subscription that is open       | `complete` of either side, an error: over |
 * | over    | it is ending; its id may be used again                         | its end: gone |
 */
export interface Run {
  readonly id: string;
  state: 'waiting' | 'begun' | 'over';
  /** The parameters; taken when the operation is prepared, so that a long subscription does not keep them. */
  params: Params | GraphQLError | null;
  /** Whether it is a subscription that is open: those are counted apart. */
  isOpen: boolean;
  /** Bytes that it keeps while it is open. */
  kept: number;
  /** Bytes that the host counts for what its client has sent, until it is open or has ended. */
  held: number;
}

/**
 * Takes the messages of one socket. It hands the protocol library one operation an id at a time, even if the client reuses
 * ids, and a few at a time in all. The library keeps nothing that a client may choose freely.
 */
export class SocketInbox {
  readonly #host: InboxHost;
  readonly #limits: InboxLimits;
  /** By id, those that are not over. */
  readonly #current = new Map<string, Run>();
  /** By id, those that are ending. Null: none is, as with nearly all sockets. */
  #ending: Map<string, Run> | null = null;
  #waiting: Run[] = [];
  #begun = 0;
  #isBusy = false;
  /** Runs out when others have had their turn; null while one may begin. */
  #turn: NodeJS.Immediate | null = null;

  constructor(host: InboxHost, limits: InboxLimits) {
    this.#host = host;
    this.#limits = limits;
  }

  /** The number of open subscriptions, with those that are being opened, and the bytes that they keep. */
  get open(): { readonly count: number; readonly kept: number } {
    let count = 0;
    let kept = 0;
    for (const run of this.#current.values()) {
      if (!run.isOpen) continue;
      count += 1;
      kept += run.kept;
    }
    // An operation that is ending is kept until its reader has taken its last message.
    for (const run of this.#ending?.values() ?? []) kept += run.kept;
    return { count, kept };
  }

  /** The parameters of the operation with this id; a second call gets none. */
  take(id: string): { readonly run: Run; readonly params: Params | GraphQLError } | null {
    const run = this.#current.get(id);
    if (run === undefined || run.params === null) return null;
    const { params } = run;
    run.params = null;
    return { run, params };
  }

  /** A subscription has been found to be one, and may be opened. */
  markOpen(run: Run, kept: number): void {
    run.isOpen = true;
    run.kept = kept;
    this.#release(run);
    this.#begun -= 1;
    this.#next();
  }

  /** The server has ended it: the client may use its id again as soon as it is told so. */
  markOver(id: string): void {
    const run = this.#current.get(id);
    if (run?.state !== 'begun') return;
    run.state = 'over';
    this.#current.delete(id);
    this.#ending ??= new Map();
    this.#ending.set(id, run);
  }

  receive(text: string): void {
    const refusal = this.#take(text);
    if (refusal !== null) this.#host.close(...refusal);
  }

  /** Forgets everything that has not begun. */
  clear(): void {
    if (this.#turn !== null) clearImmediate(this.#turn);
    for (const run of this.#waiting) this.#release(run);
    this.#waiting = [];
    this.#current.clear();
    this.#ending = null;
  }

  /** Takes a message. A malformed one closes the socket. */
  #take(text: string): Refusal | null {
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch {
      return invalid;
    }
    if (!isPlainObject(message)) return invalid;
    const { type, id, payload } = message;
    if (type === 'subscribe') return this.#subscribe(id, payload, text);
    const { controlMessageLength } = this.#limits;
    if (text.length > controlMessageLength) {
      return [badRequest, `A message of this type may have ${controlMessageLength} characters.`];
    }
    if (type === 'complete') return this.#complete(id);
    if (payload != null && !isPlainObject(payload)) return invalid;
    if (type === 'connection_init') {
      this.#host.introduce(payload);
      this.#hand({ type });
    } else if (type === 'ping') {
      // A pong may leave the payload out, and does: the sender may have nested it more deeply than can be written.
      this.#hand({ type });
    } else if (type !== 'pong') return invalid;
    return null;
  }

  #subscribe(id: unknown, payload: unknown, text: string): Refusal | null {
    const { idLength } = this.#limits;
    if (typeof id !== 'string' || id === '' || id.length > idLength) {
      return [badRequest, `An id is a text of 1 to ${idLength} characters.`];
    }
    // Members that the protocol does not know say nothing.
    const { query, operationName, variables, extensions } = isPlainObject(payload) ? payload : {};
    const asked = { query, operationName, variables, extensions };
    const params = persistedQueryFault(asked) ?? wellFormed(asked);
    if (params === null) return invalid;
    if (!this.#host.isAcknowledged) return [unauthorized, 'Unauthorized'];
    if (this.#current.has(id)) return [alreadyExists, 'This id is in use.'];
    const held = parsedBytes(text);
    if (!this.#host.hold(held)) return null;
    const run: Run = { id, state: 'waiting', params, isOpen: false, kept: 0, held };
    this.#current.set(id, run);
    this.#waiting.push(run);
    this.#next();
    return null;
  }

  #complete(id: unknown): Refusal | null {
    if (typeof id !== 'string' || id === '') return invalid;
    const run = this.#current.get(id);
    if (run?.state === 'waiting') {
      this.#current.delete(id);
      this.#waiting = this.#waiting.filter(other => other !== run);
      this.#release(run);
      this.#next();
    } else if (run !== undefined) {
      this.markOver(id);
      this.#hand({ id, type: 'complete' });
    }
    return null;
  }

  /** Begins the first operation that may begin. The next one waits until other sockets had their turn. */
  #next(): void {
    const { concurrentPerSocket } = this.#limits;
    // An id that is used again waits for its predecessor's end.
    const isFull = this.#begun + (this.#ending?.size ?? 0) >= concurrentPerSocket;
    const run = this.#turn !== null || isFull ? undefined : this.#waiting.find(({ id }) => !this.#ending?.has(id));
    if (run !== undefined) {
      this.#waiting.splice(this.#waiting.indexOf(run), 1);
      this.#turn = setImmediate(() => {
        this.#turn = null;
        this.#next();
      });
      this.#begin(run);
    }
    const isBusy = this.#waiting.length > 0;
    if (isBusy === this.#isBusy) return;
    this.#isBusy = isBusy;
    this.#host.onBusy(isBusy);
  }

  #begin(run: Run): void {
    run.state = 'begun';
    this.#begun += 1;
    const ended = () => {
      this.#release(run);
      if (!run.isOpen) this.#begun -= 1;
      if (this.#current.get(run.id) === run) this.#current.delete(run.id);
      if (this.#ending?.get(run.id) === run) this.#ending.delete(run.id);
      if (this.#ending?.size === 0) this.#ending = null;
      this.#next();
    };
    // The document and the variables stay here: the library would keep its message for as long as the operation lives.
    this.#host.deliver(JSON.stringify({ id: run.id, type: 'subscribe', payload: { query: '' } })).then(ended, ended);
  }

  #release(run: Run): void {
    this.#host.release(run.held);
    run.held = 0;
  }

  #hand(message: object): void {
    // `deliver` never rejects.
    void this.#host.deliver(JSON.stringify(message));
  }
}

/** With which code, and why, a socket is closed. */
type Refusal = readonly [code: number, reason: string];

const badRequest = 4400;
const unauthorized = 4401;
const alreadyExists = 4409;
const invalid: Refusal = [badRequest, 'Invalid message received'];
