import type { ExecutionResult } from 'graphql';
import type { Reader } from '../../streams/pulled.js';
import { resultText } from '../operations/result-text.js';
import type { ResultStream } from '../operations/runner.js';

/** Where messages go. */
interface Outlet {
  /** @param taken called when the message was taken, or never will be. */
  write(message: string, taken: () => void): void;
}

/**
 * The results of a subscription on a WebSocket, as the protocol library iterates over them. They are sent from here, each when the
 * one before was taken, so the library sees nothing but the end: its own way of sending makes the text of a result again for
 * each of the thousands who share it, and several promises for each.
 */
export class PushedResults implements AsyncGenerator<never, void, undefined>, Reader<ExecutionResult> {
  readonly #source: ResultStream;
  readonly #id: string;
  readonly #outlet: Outlet;
  #resolve: (end: IteratorReturnResult<void>) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  /** @param id of the subscription, as its client has chosen it. */
  constructor(source: ResultStream, id: string, outlet: Outlet) {
    this.#source = source;
    this.#id = JSON.stringify(id);
    this.#outlet = outlet;
  }

  /** Sends results until there are no more. Rejects with what the stream throws. */
  next(): Promise<IteratorReturnResult<void>> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#pull();
    });
  }

  return(): Promise<IteratorResult<never, void>> {
    return this.#source.return() as Promise<IteratorReturnResult<void>>;
  }

  throw(error: unknown): Promise<IteratorResult<never, void>> {
    return this.#source.throw(error) as Promise<never>;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#source.end();
  }

  take(result: ExecutionResult): void {
    try {
      this.#outlet.write(`{"id":${this.#id},"type":"next","payload":${resultText(result)}}`, this.#pull);
    } catch (error) {
      this.#source.end();
      this.fail(error);
    }
  }

  end(): void {
    this.#resolve({ done: true, value: undefined });
  }

  fail(error: unknown): void {
    this.#reject(error);
  }

  readonly #pull = (): void => this.#source.pull(this);
}
