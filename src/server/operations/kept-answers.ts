import { LRUCache } from 'lru-cache';
import type { Caller } from '../../auth/caller.js';
import type { KnownOperation } from './known-operation.js';
import type { Operations } from './operations.js';
import type { OperationOrigin } from './origin.js';

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

/** The facts about a request that decide its answer beside the words. */
type Asker = Pick<OperationOrigin, 'caller' | 'device'>;

/**
 * Answers that would be the same again, by caller and by the words of the request; by device too, where they may differ by it.
 * A page that is loaded again asks for the same again, and between two changes the answer cannot differ.
 */
export class AnswerMemory {
  readonly #operations: Pick<Operations, 'stampOf' | 'dependsOnDevice'>;
  readonly #answers = new LRUCache<string, KeptAnswer>({
    max: maxKeptAnswers,
    maxSize: maxKeptAnswerLength,
    sizeCalculation: ({ body }, key) => body.length + key.length,
  });
  /** Callers are kept as long as their tokens are; each has a number here for as long as it is one object. */
  readonly #numbers = new WeakMap<Caller, number>();
  #callers = 0;

  /** @param operations says on what the answers to a caller depend now. */
  constructor(operations: Pick<Operations, 'stampOf' | 'dependsOnDevice'>) {
    this.#operations = operations;
  }

  /** How many answers are kept now. */
  get size(): number {
    return this.#answers.size;
  }

  /** The answer to this caller and these words, if nothing has changed since it was given. */
  recall(asker: Asker, words: string): KeptAnswer | undefined {
    const answer = this.#answers.get(this.#keyOf(asker, words));
    // An answer with another stamp stays until its successor comes: the stamp may be unknown for a moment only.
    return answer?.stamp === this.#operations.stampOf(asker.caller) ? answer : undefined;
  }

  keep(asker: Asker, words: string, answer: KeptAnswer): void {
    this.#answers.set(this.#keyOf(asker, words), answer);
  }

  #keyOf({ caller, device }: Asker, words: string): string {
    let number = this.#numbers.get(caller);
    if (number === undefined) {
      this.#callers += 1;
      number = this.#callers;
      this.#numbers.set(caller, number);
    }
    if (device === null || !this.#operations.dependsOnDevice(caller)) return `${number}\n${words}`;
    return `${number} ${device}\n${words}`;
  }
}
