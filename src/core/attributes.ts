import type { Issue } from './errors.js';
import { inexactNumber, isExact, isPlainObject, type Json, type JsonObject, typeName } from './json.js';
import { isName, isStorable, maxNameLength, shortened, unstorableText } from './text.js';

/** A user's attributes. Read own keys only; `null` counts as missing. */
export type Attributes = { readonly [name: string]: Json };

/** Limits of the attributes in one context: unbounded ones would use memory for as long as their subscription lives. */
export const attributeLimits = { count: 100, bytes: 16_384, depth: 8 } as const;

/**
 * The faults of a JSON value before it is stored. PostgreSQL text holds neither U+0000 nor half of a surrogate pair, and
 * JavaScript has rounded an integer beyond 2^53 before it comes here.
 *
 * @param depth how many levels of lists and objects are allowed; the walk stops there.
 */
export function storableIssues(value: unknown, path: readonly string[], levels = 64): Issue[] {
  return storableIssuesAt(value, path, levels, levels);
}

function storableIssuesAt(value: unknown, path: readonly string[], depth: number, levels: number): Issue[] {
  switch (typeof value) {
    case 'boolean':
      return [];
    case 'number':
      return isExact(value) ? [] : [{ path, message: inexactNumber }];
    case 'string':
      return isStorable(value) ? [] : [{ path, message: unstorableText }];
    case 'object': {
      if (value === null) return [];
      if (depth === 0)
        return [{ path, message: `Expected at most ${levels} levels of lists and objects, one in another.` }];
      if (Array.isArray(value)) {
        // Not `value.flatMap`, which passes over gaps.
        return Array.from(value, (item, index) =>
          storableIssuesAt(item, [...path, String(index)], depth - 1, levels),
        ).flat();
      }
      if (!isPlainObject(value)) return [{ path, message: 'Expected a JSON value.' }];
      return Object.entries(value).flatMap(([name, item]) =>
        isStorable(name)
          ? storableIssuesAt(item, [...path, name], depth - 1, levels)
          : [{ path, message: unstorableText }],
      );
    }
    default:
      return [{ path, message: 'Expected a JSON value.' }];
  }
}

/** Whether a name is kept for {@link builtInAttributes}. Attributes of such names that are stored already go on. */
export function isReservedName(name: string): boolean {
  return name.startsWith('$');
}

const reservedName =
  'Names that begin with "$" are kept for built-in attributes, such as "$id" for the user id. Expected another name.';

/** The faults of a user's attributes: a JSON object within {@link attributeLimits}. Empty when there are none. */
export function attributeIssues(value: unknown, path: readonly string[] = ['attributes']): Issue[] {
  if (!isPlainObject(value))
    return [{ path, message: `Expected an object such as {"plan": "pro"}, found ${typeName(value)}.` }];
  const names = Object.keys(value);
  if (names.length > attributeLimits.count) {
    return [{ path, message: `Expected at most ${attributeLimits.count} attributes, found ${names.length}.` }];
  }
  if (!names.every(isName)) {
    return [{ path, message: `Expected names of 1 to ${maxNameLength} characters that can be stored.` }];
  }
  const reserved = names.find(isReservedName);
  if (reserved !== undefined) return [{ path: [...path, reserved], message: reservedName }];
  const issues = storableIssues(value, path, attributeLimits.depth);
  if (issues.length > 0) return issues;
  const bytes = Buffer.byteLength(JSON.stringify(value));
  return bytes > attributeLimits.bytes
    ? [{ path, message: `Expected at most ${attributeLimits.bytes} bytes of JSON, found ${bytes}.` }]
    : [];
}

/**
 * What an attribute of a program's own user object counts as: what `JSON.stringify` would write. So a date is its ISO 8601 text,
 * and what has a `toJSON` is what that returns. A bigint is a number. An object is not looked into: it exists, and equals nothing.
 * @returns undefined where JSON would have nothing or null in place of it: `undefined`, functions, symbols, NaN, the infinities, and dates
 *   that are not valid. Such an attribute is missing.
 * @throws TypeError for an integer beyond 2^53, also in a list: the number that it was meant to be is not known any more.
 */
export function attributeValue(given: unknown, name: string): Json | undefined {
  const value = written(given, name);
  if (!Array.isArray(value)) return plainValue(value, name);
  return Array.from(value as unknown[], element => {
    const item = written(element, name);
    // A list in a list equals nothing, as an object does.
    return Array.isArray(item) ? (item as Json) : (plainValue(item, name) ?? null);
  });
}

/**
 * What is found in an attribute by a path of names, such as `['address', 'country']`. Every name is an own property of an object;
 * a list is not looked into. An object of a program counts as what JSON would write.
 * @returns undefined where there is nothing, or where reading fails. Never throws.
 */
export function valueAt(attributes: Attributes, path: readonly string[]): Json | undefined {
  let value: unknown = attributes;
  try {
    for (const name of path) {
      if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, name)) return;
      value = written((value as { readonly [name: string]: unknown })[name], name);
    }
    // Not copied, as `attributeValue` would: many conditions may read the same long list.
    return Array.isArray(value) ? (value as Json) : (plainValue(value, path.join('.')) ?? undefined);
  } catch {
    // A getter or a `toJSON` of the program failed, or the number has been rounded.
    return;
  }
}

/** What JSON writes in place of an object. */
function written(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if ('toJSON' in value && typeof value.toJSON === 'function') return value.toJSON(name);
  return value instanceof String || value instanceof Number || value instanceof Boolean ? value.valueOf() : value;
}

function plainValue(value: unknown, name: string): Json | undefined {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      if (!Number.isFinite(value)) return undefined;
      if (!isExact(value)) throw rounded(name);
      return value;
    case 'bigint':
      if (!isExact(Number(value))) throw rounded(name);
      return Number(value);
    case 'object':
      return value as JsonObject | null;
    default:
      return undefined;
  }
}

const rounded = (name: string) =>
  new TypeError(
    `The attribute "${shortened(name)}" is an integer beyond 9,007,199,254,740,991, which JavaScript rounds. Write it as text, such as "9007199254740993".`,
  );
