import { type DocumentNode, type ExecutionResult, GraphQLError } from 'graphql';
import { ByteBudget } from '../http/byte-budget.js';
import type { PreparedOperation, ResultStream } from './runner.js';

export interface StreamLimits {
  /** Bytes of documents and variables that the subscriptions of one address may keep. */
  readonly keptPerAddress: number;
  /** Bytes of documents and variables that all subscriptions together may keep. */
  readonly keptInAll: number;
}

/** A document that subscriptions keep. It is charged to the address of the first, as long as any keeps it. */
interface KeptDocument {
  readonly address: string;
  readonly bytes: number;
  subscriptions: number;
}

/** A stream that can be ended, and tells when it has. */
interface Stream {
  end(): void;
  whenEnded(act: () => void): void;
}

/** Every subscription and stream that is open, over any protocol. */
export class OpenStreams {
  readonly #open = new Map<Stream, { end(): void }>();
  readonly #budget: ByteBudget;
  /** Thousands may share one document: it is charged once. */
  readonly #documents = new Map<DocumentNode, KeptDocument>();

  constructor({ keptPerAddress, keptInAll }: StreamLimits) {
    this.#budget = new ByteBudget({ perAddress: keptPerAddress, inAll: keptInAll });
  }

  get size(): number {
    return this.#open.size;
  }

  /** Bytes of documents and variables that they keep. */
  get keptBytes(): number {
    return this.#budget.held;
  }

  /** The registry of a new connection, which opens its subscriptions through it. */
  connection(): ConnectionStreams {
    return new ConnectionStreams(this);
  }

  /** Ends every stream, and every connection that has a subscription. */
  endAll(): void {
    for (const holder of new Set(this.#open.values())) holder.end();
  }

  /** Registers a stream that is no subscription until it ends. False when it would keep more bytes than are left. */
  add(stream: Stream, address: string, bytes: number): boolean {
    if (!this.#budget.hold(address, bytes)) return false;
    this.#open.set(stream, stream);
    stream.whenEnded(() => {
      this.#open.delete(stream);
      this.#budget.release(address, bytes);
    });
    return true;
  }

  /** Registers a subscription until it ends. False when it would keep more bytes than are left. */
  register(
    connection: ConnectionStreams,
    stream: ResultStream,
    { document, kept, contextValue }: PreparedOperation,
  ): boolean {
    const { address } = contextValue;
    const known = this.#documents.get(document);
    const bytes = kept.variables + (known === undefined ? kept.document : 0);
    if (!this.#budget.hold(address, bytes)) return false;
    const shared = known ?? { address, bytes: kept.document, subscriptions: 0 };
    shared.subscriptions += 1;
    this.#documents.set(document, shared);
    this.#open.set(stream, connection);
    stream.whenEnded(() => {
      this.#open.delete(stream);
      connection.forget(stream);
      this.#budget.release(address, kept.variables);
      shared.subscriptions -= 1;
      if (shared.subscriptions > 0) return;
      this.#documents.delete(document);
      this.#budget.release(shared.address, shared.bytes);
    });
    return true;
  }
}

/**
 * The subscriptions of one connection. Each is registered when it opens and removed when it ends, and all end with their
 * connection, even if the protocol library still counts them as open.
 */
export class ConnectionStreams {
  readonly #all: OpenStreams;
  readonly #own = new Set<ResultStream>();
  #isEnded = false;

  constructor(all: OpenStreams) {
    this.#all = all;
  }

  /**
   * Registers the stream of a subscription. If the connection has gone meanwhile, it ends at once.
   * @returns errors in place of a stream when the server may not keep more.
   */
  open(stream: ResultStream, prepared: PreparedOperation): ResultStream | ExecutionResult {
    // Before it is registered: a stream that has ended already is forgotten at once.
    this.#own.add(stream);
    if (!this.#all.register(this, stream, prepared)) {
      this.#own.delete(stream);
      stream.end();
      return { errors: [tooMuchKept()] };
    }
    if (this.#isEnded) stream.end();
    return stream;
  }

  /** A subscription has ended. */
  forget(stream: ResultStream): void {
    this.#own.delete(stream);
  }

  /** Whether it was ended, whatever the sources of its subscriptions have yet to say. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Ends all of them, those too that are yet to open. */
  end(): void {
    this.#isEnded = true;
    for (const stream of [...this.#own]) stream.end();
  }
}

const tooMuchKept = () =>
  new GraphQLError('The subscriptions of this address keep as much of documents and variables as they may.', {
    extensions: { code: 'TOO_MANY_SUBSCRIPTIONS', http: { status: 429, headers: { 'retry-after': '5' } } },
  });
