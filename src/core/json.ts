/** Any JSON value, as JSON.parse returns it. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;

/** A JSON object. Read own keys only: `__proto__` and `constructor` are keys like any other. */
export interface JsonObject {
  readonly [key: string]: Json;
}

/**
 * Whether a number is the one that was written. JavaScript rounds integers beyond 2^53, so the
 * original of a larger one is not known. JSON has no number that is not finite.
 */
export function isExact(value: number): boolean {
  return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
}

/** The message for a number that is not {@link isExact}. */
export const inexactNumber =
  'Expected a number that JavaScript keeps as it is: integers up to 9,007,199,254,740,991. Write it as text, such as "9007199254740993".';

/** The type of a value, for a message that does not repeat the value: "a list", "a number", "null". */
export function typeName(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'object') return Array.isArray(value) ? 'a list' : 'an object';
  return typeof value === 'string' ? 'text' : `a ${typeof value}`;
}

/** Whether a value is a plain object, as JSON.parse returns it, from any realm. Lists and instances of classes are not. */
export function isPlainObject(value: unknown): value is { readonly [name: string]: unknown } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/**
 * The JSON text of a value with the keys of all objects sorted, so that equal values have equal texts. Fields that are undefined
 * are left out.
 * @throws TypeError, RangeError for a value that JSON does not have, or that is nested too deeply.
 */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (!isPlainObject(part)) return part;
    const entries = Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1));
    // Defined, not assigned: a key may be `__proto__`.
    return Object.fromEntries(entries);
  });
}

const texts = new WeakMap<object, string>();

/** Writes an object that is never changed, and keeps the text for {@link keptText}. @returns the object. */
export function keepText<T extends object>(value: T): T {
  texts.set(value, JSON.stringify(value));
  return value;
}

/** The JSON text of an object that was given to {@link keepText}. */
export function keptText(value: object): string | undefined {
  return texts.get(value);
}
