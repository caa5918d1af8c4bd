import type { ExecutionResult } from 'graphql';
import { endable } from '../../features/endable.js';

/** Every subscription that is open, over whatever protocol. */
export class OpenStreams {
  readonly #ends = new Set<() => void>();

  get size(): number {
    return this.#ends.size;
  }

  /** What a new connection opens its subscriptions through. */
  connection(): ConnectionStreams {
    return new ConnectionStreams(this.#ends);
  }

  /** Completes every subscription. */
  endAll(): void {
    for (const end of [...this.#ends]) end();
  }
}

/**
 * The subscriptions of one connection. Each is registered when it opens and removed when it ends, and all end with their
 * connection, whatever the library that speaks its protocol believes.
 */
export class ConnectionStreams {
  readonly #all: Set<() => void>;
  readonly #own = new Set<(last?: ExecutionResult) => void>();
  #isEnded = false;

  constructor(all: Set<() => void>) {
    this.#all = all;
  }

  /** How many are open. */
  get size(): number {
    return this.#own.size;
  }

  /** Registers a subscription. Where the connection has gone meanwhile, it ends at once. */
  open(source: AsyncIterable<ExecutionResult>): AsyncGenerator<ExecutionResult, void, undefined> {
    const { stream, end } = endable<ExecutionResult>(source, () => {
      this.#own.delete(end);
      this.#all.delete(end as () => void);
    });
    this.#own.add(end);
    this.#all.add(end as () => void);
    if (this.#isEnded) end();
    return stream;
  }

  /** Ends all of them, those too that are yet to open, after one last result if given. */
  end(last?: ExecutionResult): void {
    this.#isEnded = true;
    for (const end of [...this.#own]) end(last);
  }
}
