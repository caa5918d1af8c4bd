import type { Issue } from './errors.js';
import { isPlainObject } from './json.js';
import { isName, isStorable, maxNameLength, unstorableText } from './text.js';

/** Limits of the attributes in one context: unbounded ones would use memory for as long as their subscription lives. */
export const attributeLimits = { count: 100, bytes: 16_384, depth: 8 } as const;

/**
 * The faults of a JSON value before it is stored. PostgreSQL text holds neither U+0000 nor half of a surrogate pair, and
 * JSON numbers are finite.
 *
 * @param depth how many levels of lists and objects are allowed; the walk stops there.
 */
export function storableIssues(value: unknown, path: readonly string[], depth = 64): Issue[] {
  switch (typeof value) {
    case 'boolean':
      return [];
    case 'number':
      return Number.isFinite(value) ? [] : [{ path, message: 'Expected a finite number.' }];
    case 'string':
      return isStorable(value) ? [] : [{ path, message: unstorableText }];
    case 'object': {
      if (value === null) return [];
      if (depth === 0) return [{ path, message: 'Nested too deeply.' }];
      if (Array.isArray(value)) {
        return value.flatMap((item, index) => storableIssues(item, [...path, String(index)], depth - 1));
      }
      if (!isPlainObject(value)) return [{ path, message: 'Expected a JSON value.' }];
      return Object.entries(value).flatMap(([name, item]) =>
        isStorable(name) ? storableIssues(item, [...path, name], depth - 1) : [{ path, message: unstorableText }],
      );
    }
    default:
      return [{ path, message: 'Expected a JSON value.' }];
  }
}

/** The faults of a user's attributes: a JSON object within {@link attributeLimits}. Empty when there are none. */
export function attributeIssues(value: unknown, path: readonly string[] = ['attributes']): Issue[] {
  if (!isPlainObject(value)) return [{ path, message: 'Expected an object.' }];
  const names = Object.keys(value);
  if (names.length > attributeLimits.count) {
    return [{ path, message: `Expected at most ${attributeLimits.count} attributes, found ${names.length}.` }];
  }
  if (!names.every(isName)) {
    return [{ path, message: `Expected names of 1 to ${maxNameLength} characters that can be stored.` }];
  }
  const issues = storableIssues(value, path, attributeLimits.depth);
  if (issues.length > 0) return issues;
  const bytes = Buffer.byteLength(JSON.stringify(value));
  return bytes > attributeLimits.bytes
    ? [{ path, message: `Expected at most ${attributeLimits.bytes} bytes of JSON, found ${bytes}.` }]
    : [];
}
