import { LRUCache } from 'lru-cache';
import type { Caller } from '../../auth/caller.js';
import { AskedBefore } from './asked-before.js';
import type { OperationOrigin } from './origin.js';

/** The questions that an operation has asked, for the count of their uses. */
export interface AskedQuestions {
  /** Bytes that are kept with an answer. */
  readonly bytes: number;
  /** The same questions were answered once more. */
  repeat(): void;
}

/** An answer that may be given again. */
export interface KeptAnswer {
  readonly body: string | Buffer;
  /** Bytes of what is kept beside the body. Default 0. */
  readonly extra?: number;
  /** The stamp of its caller when it was made; see `FeatureService.stamp`. */
  readonly stamp: object;
  /** Told when the answer is given again. Absent: nobody counts. */
  readonly questions?: AskedQuestions | undefined;
}

/** How much is kept: answers, and characters or bytes of them. */
const maxKeptAnswers = 20_000;
const maxKeptAnswerLength = 32_000_000;

/** Answers of all protocols: one bound for all of them. */
export type AnswerStore = LRUCache<string, KeptAnswer>;

export function createAnswerStore(): AnswerStore {
  return new LRUCache({
    max: maxKeptAnswers,
    maxSize: maxKeptAnswerLength,
    sizeCalculation: ({ body, extra = 0, questions }, key) =>
      body.length + key.length + extra + (questions?.bytes ?? 0),
  });
}

/** The facts about a request that decide its answer beside the words. */
type Asker = Pick<OperationOrigin, 'caller' | 'device'>;

export interface AnswerFacts<Kept extends KeptAnswer> {
  /** Answers like this one, to this caller, are unchanged while this returns the same object. Null: not known. */
  stampOf(caller: Caller, answer: Kept): object | null;
  /** Whether answers to this caller may differ from device to device; false only while the stamp stays the same. */
  dependsOnDevice(caller: Caller): boolean;
}

/**
 * Answers of one protocol that would be the same again, by caller and by the words of the request; by device too, where they may
 * differ by it. A page that is loaded again asks for the same again, and between two changes the answer cannot differ.
 *
 * An answer is kept when its question is executed for the second time. Most questions with variables come once: to keep their answers
 * took a fifth of the time of such a query, most of it to collect garbage, and may push out answers that are asked for again.
 */
export class AnswerMemory<Kept extends KeptAnswer> {
  readonly #facts: AnswerFacts<Kept>;
  readonly #store: AnswerStore;
  readonly #protocol: string;
  /** Callers are kept as long as their tokens are; each has a number here for as long as it is one object. */
  readonly #numbers = new WeakMap<Caller, number>();
  #callers = 0;
  readonly #questions = new AskedBefore();

  /**
   * @param facts says on what the answers depend now.
   * @param protocol tells its answers apart from those of others in the store.
   */
  constructor(facts: AnswerFacts<Kept>, store: AnswerStore, protocol: string) {
    this.#facts = facts;
    this.#store = store;
    this.#protocol = protocol;
  }

  /**
   * The answer to this caller and these words, if nothing has changed since it was given. Whoever gives it tells its
   * `questions`.
   */
  recall(asker: Asker, words: string): Kept | undefined {
    const answer = this.#store.get(this.#keyOf(asker, words)) as Kept | undefined;
    if (answer === undefined) return undefined;
    // An answer with another stamp stays until its successor comes: the stamp may be unknown for a moment only.
    return answer.stamp === this.#facts.stampOf(asker.caller, answer) ? answer : undefined;
  }

  /** Keeps this answer if its question was executed before, as far as that is remembered. */
  keep(asker: Asker, words: string, answer: Kept): void {
    const key = this.#keyOf(asker, words);
    if (this.#store.has(key) || this.#questions.note(key)) this.#store.set(key, answer);
  }

  #keyOf({ caller, device }: Asker, words: string): string {
    let number = this.#numbers.get(caller);
    if (number === undefined) {
      this.#callers += 1;
      number = this.#callers;
      this.#numbers.set(caller, number);
    }
    const by = `${this.#protocol}${number}`;
    if (device === null || !this.#facts.dependsOnDevice(caller)) return `${by}\n${words}`;
    return `${by} ${device}\n${words}`;
  }
}
