import type { Evaluation } from '../core/evaluate.js';
import { isExact, isPlainObject, typeName } from '../core/json.js';

/** Writes a warning to the log. Must not throw. */
export type Warn = (details: object, message: string) => void;

/** Reads values out of answers, for programs that expect a type. */
export class ValueReader {
  readonly #warn: Warn;
  /** The flags that a warning was written for. */
  readonly #warned = new Set<string>();

  constructor(warn: Warn) {
    this.#warn = warn;
  }

  /**
   * The value of an answer. The fallback if the value is null or has another JSON type, which is logged once for each flag.
   * @throws TypeError for a fallback that no flag can have as its value.
   */
  read({ key, value }: Evaluation, fallback: unknown): unknown {
    const expected = typeName(fallback);
    if (!valueTypeNames.has(expected) || !isLikeValue(fallback)) {
      throw new TypeError(
        `The fallback for the value of "${key}" is ${expected} that no flag can have; expected true, false, a text, a finite number, a plain object or a list.`,
      );
    }
    if (value === null) return fallback;
    const found = typeName(value);
    if (found === expected) return value;
    if (!this.#warned.has(key)) {
      this.#warned.add(key);
      this.#warn(
        { flag: key, expected, found },
        `The value of the flag "${key}" is ${found}, but the program expects ${expected}. It gets its fallback.`,
      );
    }
    return fallback;
  }
}

/** Whether a flag may have a value like this, as far as its outermost level shows. */
function isLikeValue(fallback: unknown): boolean {
  if (typeof fallback === 'number') return isExact(fallback);
  return typeof fallback !== 'object' || Array.isArray(fallback) || isPlainObject(fallback);
}

const valueTypeNames: ReadonlySet<string> = new Set([true, '', 0, {}, []].map(typeName));
