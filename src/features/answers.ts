import type { Evaluation } from '../core/evaluate.js';

/**
 * The last answer for each flag, in order of the keys: a tenth of what a Map of a hundred takes, and there is one of these
 * for each subscriber.
 */
export class Answers {
  readonly #sorted: Evaluation[] = [];

  get(key: string): Evaluation | undefined {
    const found = this.#sorted[this.#placeOf(key)];
    return found?.key === key ? found : undefined;
  }

  /** In place of the last answer for the same flag. */
  set(evaluation: Evaluation): void {
    const place = this.#placeOf(evaluation.key);
    const isKnown = this.#sorted[place]?.key === evaluation.key;
    if (isKnown) this.#sorted[place] = evaluation;
    else this.#sorted.splice(place, 0, evaluation);
  }

  /** False when there was none. */
  delete(key: string): boolean {
    const place = this.#placeOf(key);
    if (this.#sorted[place]?.key !== key) return false;
    this.#sorted.splice(place, 1);
    return true;
  }

  /** A copy: what is iterated may be changed meanwhile. */
  keys(): string[] {
    return this.#sorted.map(({ key }) => key);
  }

  /** Where the key stands, or would. */
  #placeOf(key: string): number {
    const sorted = this.#sorted;
    let low = 0;
    let high = sorted.length;
    // Sets are filled in order.
    if (high > 0 && (sorted[high - 1] as Evaluation).key < key) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((sorted[middle] as Evaluation).key < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
