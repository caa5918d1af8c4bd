import type { Evaluation } from '../core/evaluate.js';

/**
 * The last answer for each flag, sorted by key. Each subscriber has one of these, and for a hundred flags it takes a tenth of
 * the memory of a Map.
 */
export class LastAnswers {
  #sorted: Evaluation[] = [];

  get(key: string): Evaluation | undefined {
    const found = this.#sorted[this.#placeOf(key)];
    return found?.key === key ? found : undefined;
  }

  /** Replaces the last answer for the same flag. */
  set(evaluation: Evaluation): void {
    const place = this.#placeOf(evaluation.key);
    const isKnown = this.#sorted[place]?.key === evaluation.key;
    if (isKnown) this.#sorted[place] = evaluation;
    else this.#sorted.splice(place, 0, evaluation);
  }

  /** Gives back the room that was taken for more answers than came. */
  trim(): void {
    this.#sorted = this.#sorted.slice();
  }

  /** False if there was no answer for this key. */
  delete(key: string): boolean {
    const place = this.#placeOf(key);
    if (this.#sorted[place]?.key !== key) return false;
    this.#sorted.splice(place, 1);
    return true;
  }

  /** The answers themselves, which change with the next update. */
  get all(): readonly Evaluation[] {
    return this.#sorted;
  }

  /** A copy, so that the answers may change during an iteration. */
  keys(): string[] {
    return this.#sorted.map(({ key }) => key);
  }

  /** The index of the key, or the index to insert it at. */
  #placeOf(key: string): number {
    const sorted = this.#sorted;
    let low = 0;
    let high = sorted.length;
    // Keys mostly arrive in order.
    if (high > 0 && (sorted[high - 1] as Evaluation).key < key) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((sorted[middle] as Evaluation).key < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
