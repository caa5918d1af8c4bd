import type { ExecutionResult } from 'graphql';
import { resultText } from '../operations/result-text.js';
import type { ResultStream } from '../operations/runner.js';

/**
 * The results of a subscription on a WebSocket, as the protocol library iterates over them. They are sent from here, each when the
 * one before was taken, so the library sees nothing but the end: its own way of sending makes the text of a result again for
 * each of the thousands who share it, and several promises for each.
 */
export class PushedResults implements AsyncGenerator<never, void, undefined> {
  readonly #source: ResultStream;
  readonly #id: string;
  readonly #send: (message: string) => Promise<void>;
  #resolve: (end: IteratorReturnResult<void>) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  /**
   * @param id of the subscription, as its client has chosen it.
   * @param send resolves when the message was taken, and never rejects.
   */
  constructor(source: ResultStream, id: string, send: (message: string) => Promise<void>) {
    this.#source = source;
    this.#id = JSON.stringify(id);
    this.#send = send;
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

  readonly #pull = (): void => {
    this.#source.next().then(this.#take, this.#fail);
  };

  readonly #take = (result: IteratorResult<ExecutionResult, void>): void => {
    if (result.done === true) {
      this.#resolve({ done: true, value: undefined });
      return;
    }
    try {
      this.#send(`{"id":${this.#id},"type":"next","payload":${resultText(result.value)}}`).then(this.#pull);
    } catch (error) {
      this.#source.end();
      this.#fail(error);
    }
  };

  readonly #fail = (error: unknown): void => this.#reject(error);
}
