/** Any JSON value, as JSON.parse returns it. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;

/** A JSON object. Read own keys only: `__proto__` and `constructor` are keys like any other. */
export interface JsonObject {
  readonly [key: string]: Json;
}

/**
 * Whether a number is the one that was written. JavaScript rounds integers beyond 2^53, so of a larger one nobody knows what it
 * was; JSON has no number that is not finite.
 */
export function isExact(value: number): boolean {
  return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
}

/** What to say of a number that is not {@link isExact}. */
export const inexactNumber =
  'Expected a number that JavaScript keeps as it is: integers up to 9,007,199,254,740,991. Write it as text, such as "9007199254740993".';

/** Whether a value is what JSON.parse makes of an object, from whichever realm: no list, and nothing with a class. */
export function isPlainObject(value: unknown): value is { readonly [name: string]: unknown } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
