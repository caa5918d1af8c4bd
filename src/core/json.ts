/** Any JSON value, as JSON.parse returns it. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;

/** A JSON object. Read own keys only: `__proto__` and `constructor` are keys like any other. */
export interface JsonObject {
  readonly [key: string]: Json;
}

/** Whether a value is what JSON.parse makes of an object, from whichever realm: no list, and nothing with a class. */
export function isPlainObject(value: unknown): value is { readonly [name: string]: unknown } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
