import { isIP } from 'node:net';
import semver from 'semver';
import type { Json, JsonObject } from '../../src/core/json.js';

/**
 * What valid conditions mean, written a second time from the text alone: slow, naive, sharing no code with src/core.
 * The properties compare the two.
 */
export function referenceMatches(conditions: JsonObject, attributes: JsonObject, groups: readonly string[]): boolean {
  if ('not' in conditions) return !referenceMatches(conditions['not'] as JsonObject, attributes, groups);
  if ('all' in conditions)
    return (conditions['all'] as JsonObject[]).every(c => referenceMatches(c, attributes, groups));
  if ('any' in conditions)
    return (conditions['any'] as JsonObject[]).some(c => referenceMatches(c, attributes, groups));
  const wanted = Object.entries(conditions['attributes'] ?? {}) as [string, Json][];
  const named = (conditions['groups'] ?? []) as string[];
  if (wanted.length === 0 && named.length === 0) return true;
  const user = new Map(Object.entries(attributes));
  const byAttributes = wanted.length > 0 && wanted.every(([name, wish]) => meets(user.get(name) ?? null, wish));
  return byAttributes || named.some(name => groups.includes(name));
}

function meets(value: Json, wish: Json): boolean {
  if (Array.isArray(wish)) return holds('in', value, wish);
  if (typeof wish !== 'object') return holds('eq', value, wish);
  return Object.entries(wish as JsonObject).every(([operator, operand]) => holds(operator, value, operand));
}

function holds(operator: string, value: Json, operand: Json): boolean {
  switch (operator) {
    case 'neq':
      return !holds('eq', value, operand);
    case 'not_in':
      return !holds('in', value, operand);
    case 'not_contains':
      return !holds('contains', value, operand);
    case 'exists':
      return (value !== null) === operand;
  }
  if (value === null) return false;
  const operands = (Array.isArray(operand) ? operand : [operand]) as Json[];
  if (operator === 'eq' || operator === 'in') {
    const values = (Array.isArray(value) ? value : [value]) as Json[];
    return values.some(one => operands.some(other => typeof one === typeof other && one === other));
  }
  if (operator === 'contains' && Array.isArray(value)) return operands.some(one => value.some(other => other === one));
  if (operator === 'lt' || operator === 'lte' || operator === 'gt' || operator === 'gte') {
    if (typeof value !== typeof operand) return false;
    const [a, b] = typeof value === 'number' ? [value, operand as number] : [instant(value), instant(operand)];
    return { lt: a < b, lte: a <= b, gt: a > b, gte: a >= b }[operator];
  }
  if (typeof value !== 'string') return false;
  const texts = operands as string[];
  switch (operator) {
    case 'contains':
      return texts.some(text => value.split(text).length > 1);
    case 'starts_with':
      return texts.some(text => value.slice(0, text.length) === text);
    case 'ends_with':
      return texts.some(text => value.slice(Math.max(0, value.length - text.length)) === text);
    case 'matches':
      return new RegExp(operand as string, 'u').test(value);
    case 'in_cidr':
      return texts.some(range => isInside(value, range));
  }
  if (semver.valid(value) === null) return false;
  const order = semver.compare(value, operand as string);
  return {
    semver_eq: order === 0,
    semver_lt: order < 0,
    semver_lte: order <= 0,
    semver_gt: order > 0,
    semver_gte: order >= 0,
  }[operator] as boolean;
}

/** By `Date`, which takes a day that does not exist for one of the next month: so the day must come back out. */
function instant(value: Json): number {
  const text = String(value);
  if (!/^\d{4}-\d\d-\d\d($|T\d\d:\d\d)/.test(text)) return Number.NaN;
  const day = new Date(`${text.slice(0, 10)}T00:00:00Z`);
  if (Number.isNaN(day.getTime()) || day.toISOString().slice(0, 10) !== text.slice(0, 10)) return Number.NaN;
  const hasOffset = text.length === 10 || /(Z|[+-]\d\d:\d\d)$/.test(text.slice(10));
  return Date.parse(hasOffset ? text : `${text}Z`);
}

function isInside(address: string, range: string): boolean {
  const [base = '', prefix] = range.split('/');
  const [a, b] = [bits(address), bits(base)];
  return a !== null && b !== null && a.length === b.length && a.slice(0, Number(prefix)) === b.slice(0, Number(prefix));
}

/** The address as a text of 32 or 128 binary digits. */
function bits(address: string): string | null {
  if (isIP(address) === 4)
    return address
      .split('.')
      .map(part => Number(part).toString(2).padStart(8, '0'))
      .join('');
  if (isIP(address) !== 6) return null;
  const [left = '', right] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const parts = (text: string | undefined) => (text ? text.split(':') : []);
  const missing = right === undefined ? 0 : 8 - parts(left).length - parts(right).length;
  const all = [...parts(left), ...new Array<string>(missing).fill('0'), ...parts(right)];
  const binary = all.map(part => Number.parseInt(part, 16).toString(2).padStart(16, '0')).join('');
  const mapped = `${'0'.repeat(80)}${'1'.repeat(16)}`;
  return binary.startsWith(mapped) ? binary.slice(96) : binary;
}
