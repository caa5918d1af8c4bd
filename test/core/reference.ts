import { isIP } from 'node:net';
import semver from 'semver';
import type { Json, JsonObject } from '../../src/core/json.js';

interface Identity {
  readonly userId?: string | null;
  readonly targetingKey?: string | null;
}

/**
 * What valid conditions mean, written a second time from the text alone: slow, naive, sharing no code with src/core.
 * The properties compare the two.
 */
export function referenceMatches(
  conditions: JsonObject,
  attributes: JsonObject,
  groups: readonly string[],
  identity: Identity = {},
): boolean {
  const again = (part: Json) => referenceMatches(part as JsonObject, attributes, groups, identity);
  if ('not' in conditions) return !again(conditions['not'] as Json);
  if ('all' in conditions) return (conditions['all'] as JsonObject[]).every(again);
  if ('any' in conditions) return (conditions['any'] as JsonObject[]).some(again);
  const wanted = Object.entries(conditions['attributes'] ?? {}) as [string, Json][];
  const named = (conditions['groups'] ?? []) as string[];
  if (wanted.length === 0 && named.length === 0) return true;
  const byAttributes =
    wanted.length > 0 && wanted.every(([name, wish]) => meets(lookUp(name, attributes, identity), wish, name));
  return byAttributes || named.some(name => groups.includes(name));
}

/** The attribute that conditions name so. Null: missing. */
export function lookUp(name: string, attributes: JsonObject, { userId, targetingKey }: Identity = {}): Json {
  if (name === '$id') return userId ?? null;
  if (name === '$targetingKey') return targetingKey ?? userId ?? null;
  const whole = new Map(Object.entries(attributes)).get(name) ?? null;
  const path = name.split('.');
  if (whole !== null || name.startsWith('$') || path.length > 8) return whole;
  let value: Json = attributes;
  for (const one of path) {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return null;
    value = new Map<string, Json>(Object.entries(value)).get(one) ?? null;
  }
  return value;
}

function meets(value: Json, wish: Json, name: string): boolean {
  if (Array.isArray(wish)) return holds('in', value, wish, name);
  if (typeof wish !== 'object') return holds('eq', value, wish, name);
  const { ignore_case: ignoreCase = false, ...operators } = wish as JsonObject;
  return Object.entries(operators).every(([operator, operand]) =>
    ignoreCase === true
      ? holds(operator, withoutCase(withoutLongList(value)), withoutCase(operand), name)
      : holds(operator, value, operand, name),
  );
}

/** Character by character, so that nothing depends on what stands beside. */
function withoutCase(value: Json): Json {
  if (Array.isArray(value)) return value.map(one => (Array.isArray(one) ? one : withoutCase(one)));
  if (typeof value !== 'string') return value;
  return Array.from(value, one => (one === 'ς' ? 'σ' : one.toLowerCase())).join('');
}

/** Where case is ignored, a list of more than 100 elements matches nothing, also whole values. */
const withoutLongList = (value: Json): Json => (Array.isArray(value) && value.length > 100 ? [] : value);

const wholeValues = ['eq', 'in', 'contains'];
const reading = /^(matches|lte?|gte?|semver_\w+|in_cidr)$/;

function holds(operator: string, value: Json, given: Json, name: string): boolean {
  const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
  const canonical = (one: Json) => (typeof one === 'string' && uuid.test(one) ? one.toLowerCase() : one);
  const operand = !name.startsWith('$') ? given : Array.isArray(given) ? given.map(canonical) : canonical(given);
  switch (operator) {
    case 'neq':
      return !holds('eq', value, operand, name);
    case 'not_in':
      return !holds('in', value, operand, name);
    case 'not_contains':
      return !holds('contains', value, operand, name);
    case 'exists':
      return (value !== null) === operand;
  }
  if (value === null) return false;
  const operands = (Array.isArray(operand) ? operand : [operand]) as Json[];
  if (operator === 'contains' && Array.isArray(value)) return operands.some(one => value.some(other => other === one));
  if (Array.isArray(value)) {
    const text = value.reduce<number>((sum, one) => sum + (typeof one === 'string' ? one.length : 0), 0);
    if (!wholeValues.includes(operator) && value.length > 100) return false;
    if (reading.test(operator) && typeof operand !== 'number' && text > 1_000) return false;
    return value.some(one => !Array.isArray(one) && holds(operator, one as Json, operand, name));
  }
  if (operator === 'eq' || operator === 'in') {
    return operands.some(other => typeof value === typeof other && value === other);
  }
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
  const [found, limit] = [threeNumbers(value), threeNumbers(operand as string)];
  if (found === null || limit === null) return false;
  const order = semver.compare(found, limit);
  return {
    semver_eq: order === 0,
    semver_lt: order < 0,
    semver_lte: order <= 0,
    semver_gt: order > 0,
    semver_gte: order >= 0,
  }[operator] as boolean;
}

/** The version with the numbers that are left out. Null for what is no version. */
function threeNumbers(text: string): string | null {
  const one = text.trim();
  const [, numbers = '', rest = ''] = /^v?([\d.]+)(.*)$/s.exec(one) ?? [];
  const count = numbers.split('.').length;
  if (count < 3 && rest !== '' && !/^(\+|-[a-z])/i.test(rest)) return null;
  return semver.valid(`${numbers}${'.0'.repeat(Math.max(0, 3 - count))}${rest}`);
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
  const [base = '', prefix = 128] = range.split('/');
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
