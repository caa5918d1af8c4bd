import type { EvaluationContext as OpenFeatureContext } from '@openfeature/server-sdk';
import { type Attributes, attributeIssues, attributeLimits } from '../core/attributes.js';
import { ValidationError } from '../core/errors.js';
import { isPlainObject, type Json } from '../core/json.js';
import { userIdFault } from '../core/user-id.js';
import type { EvaluationContext } from '../features/service.js';

/**
 * The context of an evaluation as Halyard knows it: the targeting key is the user id, everything else is an attribute. A `Date` is its
 * ISO 8601 text, and `undefined` is missing.
 * @throws ValidationError that names what Halyard cannot take.
 */
export function contextOf({ targetingKey, ...rest }: OpenFeatureContext): EvaluationContext {
  const userId = targetingKey ?? null;
  const fault = userId === null ? null : userIdFault(userId);
  if (fault !== null) throw new ValidationError([{ path: ['targetingKey'], message: fault }]);
  const names = Object.keys(rest);
  if (names.length === 0) return { userId };
  const attributes: Attributes = Object.fromEntries(
    names.flatMap((name): [string, Json][] => {
      const value = jsonOf(rest[name], [name], attributeLimits.depth);
      return value === undefined ? [] : [[name, value]];
    }),
  );
  const [issue, ...others] = attributeIssues(attributes, []);
  if (issue !== undefined) throw new ValidationError([issue, ...others]);
  return { userId, attributes };
}

/** @param depth how many levels of lists and objects are left; it also ends the walk in an object that contains itself. */
function jsonOf(value: unknown, path: readonly string[], depth: number): Json | undefined {
  if (value === undefined || value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (value instanceof Date && !Number.isNaN(value.getTime())) return value.toISOString();
  if (typeof value !== 'object' || value instanceof Date || !(Array.isArray(value) || isPlainObject(value))) {
    throw new ValidationError([{ path, message: expected(value) }]);
  }
  if (depth === 0) {
    const message = `Expected at most ${attributeLimits.depth} levels of lists and objects, one in another.`;
    throw new ValidationError([{ path, message }]);
  }
  if (Array.isArray(value)) {
    return Array.from(value, (item, index) => jsonOf(item, [...path, String(index)], depth - 1) ?? null);
  }
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, item]): [string, Json][] => {
      const json = jsonOf(item, [...path, name], depth - 1);
      return json === undefined ? [] : [[name, json]];
    }),
  );
}

function expected(value: unknown): string {
  const found = value instanceof Date ? 'a Date that is not valid' : foundName(value);
  return `Expected a text, a finite number, a boolean, a valid Date, a list or a plain object, found ${found}.`;
}

function foundName(value: unknown): string {
  if (typeof value === 'object') return `an object of the class ${value?.constructor?.name || 'without a name'}`;
  return typeof value === 'number' ? String(value) : `a ${typeof value}`;
}
