import { isList, isObject, type Json, type JsonObject } from '../words/shapes.js';
import { valuesOf } from '../words/values.js';
import type { Path } from './fields.js';

/** JSON with another value at a path. Objects keep the order of their members. */
export function setAt(json: Json | undefined, path: Path, value: Json): Json {
  const [name, ...rest] = path;
  if (name === undefined) return value;
  if (isList(json)) return json.map((one, index) => (String(index) === name ? setAt(one, rest, value) : one));
  const object = isObject(json) ? json : {};
  return { ...object, [name]: setAt(object[name], rest, value) };
}

export function valueIn(json: Json | undefined, path: Path): Json | undefined {
  return path.reduce<Json | undefined>(
    (at, name) => (isObject(at) || isList(at) ? (at as JsonObject)[name] : undefined),
    json,
  );
}

/** Conditions without one part, and without what is empty then: empty forms are refused inside others. */
export function removeAt(json: Json, path: Path): Json {
  return without(json, path) ?? {};
}

/** Null: nothing is left. */
function without(json: Json | undefined, path: Path): Json | null {
  const [name, ...rest] = path;
  if (name === undefined || json === undefined) return null;
  if (isList(json)) {
    const list = json.flatMap((one, index) => {
      const kept = String(index) === name ? without(one, rest) : one;
      return kept === null ? [] : [kept];
    });
    return list.length === 0 ? null : list;
  }
  if (!isObject(json)) return null;
  const kept = without(json[name], rest);
  const entries = Object.entries(json).flatMap(([key, value]) =>
    key !== name ? [[key, value]] : kept === null ? [] : [[key, kept]],
  );
  return entries.filter(([key]) => key !== 'ignore_case').length === 0 ? null : Object.fromEntries(entries);
}

/** The attribute at a path under another name, in its place. Unchanged if the name is taken. */
export function renameAt(json: Json, path: Path, to: string): Json {
  const parent = path.slice(0, -1);
  const object = valueIn(json, parent);
  if (!isObject(object) || Object.hasOwn(object, to)) return json;
  const entries = Object.entries(object).map(([name, value]) => [name === path.at(-1) ? to : name, value]);
  return setAt(json, parent, Object.fromEntries(entries));
}

/** Conditions that a user must meet in addition. */
export function withCondition(conditions: Json, added: JsonObject): Json {
  if (!isObject(conditions) || Object.keys(conditions).length === 0) return added;
  if (isList(conditions['all'])) return { all: [...conditions['all'], added] };
  const [mine, more] = [conditions['attributes'], added['attributes']];
  const isPlain =
    isObject(mine) && isObject(more) && conditions['groups'] === undefined && Object.keys(conditions).length === 1;
  if (isPlain && !Object.keys(more).some(name => Object.hasOwn(mine, name)))
    return { attributes: { ...mine, ...more } };
  return { all: [conditions, added] };
}

/** A part within a form of its own: `not`, or one of several. */
export function wrapAt(conditions: Json, path: Path, form: 'all' | 'any' | 'not'): Json {
  const part = valueIn(conditions, path) ?? {};
  return setAt(conditions, path, form === 'not' ? { not: part } : { [form]: [part] });
}

const listOperators = ['in', 'not_in', 'contains', 'not_contains', 'starts_with', 'ends_with', 'in_cidr'];
const textOperators = ['contains', 'not_contains', 'starts_with', 'ends_with', 'matches', 'in_cidr'];

export const takesList = (operator: string) => listOperators.includes(operator);
const takesText = (name: string, operator: string) =>
  textOperators.includes(operator) || operator.startsWith('semver_') || name.startsWith('$');

/** `007` and an id of 19 digits would not be themselves as numbers. */
const isExact = (digits: string) =>
  !/^-?0\d/.test(digits) &&
  Number.isFinite(Number(digits)) &&
  (/[.e]/i.test(digits) || Number.isSafeInteger(Number(digits)));

/** A value that somebody typed. What looks like a number is one, unless it is in quotes or the operator takes text. */
export function typedValue(text: string, name: string, operator: string): Json {
  const trimmed = text.trim();
  if (/^".*"$/s.test(trimmed)) {
    try {
      return JSON.parse(trimmed) as Json;
    } catch {
      return trimmed;
    }
  }
  if (takesText(name, operator)) return trimmed;
  if (trimmed === 'true' || trimmed === 'false') return trimmed === 'true';
  return trimmed !== '' && /^-?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(trimmed) && isExact(trimmed)
    ? Number(trimmed)
    : trimmed;
}

/** One test of an attribute: its operator and its values. */
export interface Test {
  readonly operator: string;
  readonly values: readonly Json[];
  readonly ignoreCase: boolean;
}

/** The expectation of an attribute as tests. */
export function testsOf(wish: Json): readonly Test[] {
  if (!isObject(wish)) return [{ operator: isList(wish) ? 'in' : 'eq', values: valuesOf(wish), ignoreCase: false }];
  const ignoreCase = wish['ignore_case'] === true;
  return Object.entries(wish)
    .filter(([operator]) => operator !== 'ignore_case')
    .map(([operator, operand]) => ({ operator, values: valuesOf(operand), ignoreCase }));
}

/** Tests as the expectation of an attribute, in its shortest form. */
export function wishOf(tests: readonly Test[]): Json {
  const [only] = tests;
  if (tests.length === 1 && only !== undefined && !only.ignoreCase) {
    if (only.operator === 'eq') return operandOf(only);
    if (only.operator === 'in') return only.values;
  }
  const entries = tests.map(test => [test.operator, operandOf(test)]);
  return Object.fromEntries(tests.some(test => test.ignoreCase) ? [...entries, ['ignore_case', true]] : entries);
}

function operandOf({ operator, values }: Test): Json {
  if (operator === 'exists') return values[0] !== false;
  if (takesList(operator) && (values.length !== 1 || operator === 'in' || operator === 'not_in')) return values;
  return values[0] ?? '';
}
