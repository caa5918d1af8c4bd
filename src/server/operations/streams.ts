import { type DocumentNode, type ExecutionResult, GraphQLError } from 'graphql';
import { endable } from '../../features/endable.js';
import { ByteBudget } from '../http/byte-budget.js';
import type { PreparedOperation } from './runner.js';

export interface StreamLimits {
  /** Bytes of documents and variables that the subscriptions of one address may keep. */
  readonly keptPerAddress: number;
  /** Bytes of documents and variables that all subscriptions together may keep. */
  readonly keptInAll: number;
}

/** A document that subscriptions keep, and on whose account: the first's, as long as there is one. */
interface KeptDocument {
  readonly address: string;
  readonly bytes: number;
  subscriptions: number;
}

/** Every subscription that is open, over whatever protocol. */
export class OpenStreams {
  readonly #ends = new Set<() => void>();
  readonly #budget: ByteBudget;
  /** Thousands may share one document: it is charged once. */
  readonly #documents = new Map<DocumentNode, KeptDocument>();

  constructor({ keptPerAddress, keptInAll }: StreamLimits) {
    this.#budget = new ByteBudget({ perAddress: keptPerAddress, inAll: keptInAll });
  }

  get size(): number {
    return this.#ends.size;
  }

  /** Bytes of documents and variables that they keep. */
  get keptBytes(): number {
    return this.#budget.held;
  }

  /** What a new connection opens its subscriptions through. */
  connection(): ConnectionStreams {
    return new ConnectionStreams(this);
  }

  /** Ends every connection that has a subscription. */
  endAll(): void {
    for (const end of [...this.#ends]) end();
  }

  /** Registers a subscription. Null when what it keeps is more than may be kept. */
  register(prepared: PreparedOperation, end: () => void): (() => void) | null {
    const { document, kept, contextValue } = prepared;
    const { address } = contextValue;
    const known = this.#documents.get(document);
    const bytes = kept.variables + (known === undefined ? kept.document : 0);
    if (!this.#budget.hold(address, bytes)) return null;
    const shared = known ?? { address, bytes: kept.document, subscriptions: 0 };
    shared.subscriptions += 1;
    this.#documents.set(document, shared);
    this.#ends.add(end);
    return () => {
      this.#ends.delete(end);
      this.#budget.release(address, kept.variables);
      shared.subscriptions -= 1;
      if (shared.subscriptions > 0) return;
      this.#documents.delete(document);
      this.#budget.release(shared.address, shared.bytes);
    };
  }
}

/**
 * The subscriptions of one connection. Each is registered when it opens and removed when it ends, and all end with their
 * connection, whatever the library that speaks its protocol believes.
 */
export class ConnectionStreams {
  readonly #all: OpenStreams;
  readonly #own = new Set<() => void>();
  #isEnded = false;

  constructor(all: OpenStreams) {
    this.#all = all;
  }

  /**
   * Registers the stream of a subscription. Where the connection has gone meanwhile, it ends at once.
   * @returns errors in place of a stream when the server may not keep more.
   */
  open(
    source: AsyncIterable<ExecutionResult>,
    prepared: PreparedOperation,
  ): AsyncGenerator<ExecutionResult, void, undefined> | ExecutionResult {
    let release: (() => void) | null = null;
    const { stream, end } = endable<ExecutionResult>(source, () => {
      this.#own.delete(end);
      release?.();
    });
    release = this.#all.register(prepared, () => this.end());
    if (release === null) {
      end();
      return { errors: [tooMuchKept()] };
    }
    this.#own.add(end);
    if (this.#isEnded) end();
    return stream;
  }

  /** Whether it was ended, whatever the sources of its subscriptions have yet to say. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Ends all of them, those too that are yet to open. */
  end(): void {
    this.#isEnded = true;
    for (const end of [...this.#own]) end();
  }
}

const tooMuchKept = () =>
  new GraphQLError('The subscriptions of this address keep as much of documents and variables as they may.', {
    extensions: { code: 'TOO_MANY_SUBSCRIPTIONS', http: { status: 429, headers: { 'retry-after': '5' } } },
  });
