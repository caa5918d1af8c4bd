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
  /** What it stands on; see `Operations.basisOf`. */
  readonly basis: object;
}

/** How much is kept: answers, and characters of them. */
const maxKeptAnswers = 20_000;
const maxKeptAnswerLength = 32_000_000;

/**
 * Answers that would be the same again, by caller and by the words of the request. A page that is loaded again asks for
 * what it asked before, and between two changes nothing else can come out.
 */
export class AnswerMemory {
  readonly #basisOf: (caller: Caller) => object | null;
  readonly #answers = new LRUCache<string, KeptAnswer>({
    max: maxKeptAnswers,
    maxSize: maxKeptAnswerLength,
    sizeCalculation: ({ body }, key) => body.length + key.length,
  });
  /** Callers are kept as long as their tokens are; each has a number here for as long as it is one object. */
  readonly #numbers = new WeakMap<Caller, number>();
  #callers = 0;

  /** @param basisOf what answers to a caller stand on now; null: nothing that is known at once. */
  constructor(basisOf: (caller: Caller) => object | null) {
    this.#basisOf = basisOf;
  }

  /** The answer to this caller and these words, if nothing has changed since it was given. */
  recall(caller: Caller, words: string): KeptAnswer | undefined {
    const answer = this.#answers.get(this.#keyOf(caller, words));
    // One that stands on something else is left to its successor: for a moment it may only not be known.
    return answer?.basis === this.#basisOf(caller) ? answer : undefined;
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
