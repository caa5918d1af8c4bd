import { LRUCache } from 'lru-cache';
import type { Caller } from '../../auth/caller.js';
import type { KnownOperation } from './known-operation.js';

export type MediaType = 'application/json' | 'application/graphql-response+json';

/** An answer as it is sent. */
export interface Answer {
  readonly mediaType: MediaType;
  readonly body: string;
  /** Of the body, in bytes. */
  readonly length: number;
}

export interface KeptAnswer extends Answer {
  readonly operation: KnownOperation;
  /** The stamp of its caller when it was made; see `Operations.stampOf`. */
  readonly stamp: object;
}

/** How much is kept: answers, and characters of them. */
const maxKeptAnswers = 20_000;
const maxKeptAnswerLength = 32_000_000;

/**
 * Answers that would be the same again, by caller and by the words of the request. A page that is loaded again asks for
 * the same again, and between two changes the answer cannot differ.
 */
export class AnswerMemory {
  readonly #stampOf: (caller: Caller) => object | null;
  readonly #answers = new LRUCache<string, KeptAnswer>({
    max: maxKeptAnswers,
    maxSize: maxKeptAnswerLength,
    sizeCalculation: ({ body }, key) => body.length + key.length,
  });
  /** Callers are kept as long as their tokens are; each has a number here for as long as it is one object. */
  readonly #numbers = new WeakMap<Caller, number>();
  #callers = 0;

  /** @param stampOf the version stamp of a caller's answers now; null when it cannot be told. */
  constructor(stampOf: (caller: Caller) => object | null) {
    this.#stampOf = stampOf;
  }

  /** The answer to this caller and these words, if nothing has changed since it was given. */
  recall(caller: Caller, words: string): KeptAnswer | undefined {
    const answer = this.#answers.get(this.#keyOf(caller, words));
    // An answer with another stamp stays until its successor comes: the stamp may be unknown for a moment only.
    return answer?.stamp === this.#stampOf(caller) ? answer : undefined;
  }

  keep(caller: Caller, words: string, answer: KeptAnswer): void {
    this.#answers.set(this.#keyOf(caller, words), answer);
  }

  #keyOf(caller: Caller, words: string): string {
    let number = this.#numbers.get(caller);
    if (number === undefined) {
      this.#callers += 1;
      number = this.#callers;
      this.#numbers.set(caller, number);
    }
    return `${number}\n${words}`;
  }
}
