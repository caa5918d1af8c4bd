import { isPlainObject, type Json, type JsonObject } from './json.js';

/** One difference between two states of the change log. */
export interface Difference {
  /**
   * Where: the name of a field, and what is below it. Variants are named by their keys, rules by their ids, the shares of a rule by
   * their variants, and attributes by their names: `['rules', 'staff', 'percentage']`. The path of a list of variants, rules or
   * shares itself tells their order: both values are then lists of their names.
   */
  readonly path: readonly string[];
  /** Undefined: there was nothing. */
  readonly before: Json | undefined;
  /** Undefined: there is nothing any more. */
  readonly after: Json | undefined;
}

/** The most differences of one field. If there were more, the field is one difference. */
const mostOfField = 100;
/** Levels below a field that are looked into; what is deeper differs as a whole. */
const deepest = 20;
/** Longest name in a path, in UTF-16 code units. An object with longer names differs as a whole. */
const longestName = 255;

/** Counted by the store itself with every change, so they say nothing about it. */
const counted: ReadonlySet<string> = new Set(['version', 'updatedAt', 'createdById']);
/** A new override has a new time of creation, whatever else is new about it. These are told only if nothing else differs. */
const incidental: ReadonlySet<string> = new Set(['id', 'key', 'createdAt']);

/** How the parts of a value are told apart. */
interface Form {
  /** For a list whose elements have names: the member that holds the name. */
  readonly namedBy?: string;
  /** Whether the objects in lists of one length are compared place by place. */
  readonly byPlace?: boolean;
  /** What stands for nothing. */
  readonly absent?: Json;
  /** The form of a member of an object, or of an element of a list. */
  readonly below: (name: string) => Form;
}

/** Objects by their members; lists as a whole, because the elements of most have no identity. */
const plain: Form = { below: () => plain };
/** The structure of conditions: `all` and `any` are lists of conditions. */
const conditions: Form = { byPlace: true, below: () => conditions };
const shares: Form = { namedBy: 'variant', below: () => plain };
const rule: Form = { below: name => (name === 'when' ? conditions : name === 'serve' ? shares : plain) };

/** The fields that are more than plain values. Fields that are added later need no row. */
const forms: ReadonlyMap<string, Form> = new Map<string, Form>([
  ['attributes', { absent: {}, below: () => plain }],
  ['conditions', conditions],
  ['variants', { namedBy: 'key', below: () => plain }],
  ['rules', { namedBy: 'id', below: () => rule }],
]);

/**
 * What somebody changed: the differences between the states before and after a change. Null is the state of something that does
 * not exist. A field that is null is the same as one that is absent; below a field null is a value. A user without a state has no
 * attributes.
 *
 * There is none for `version`, `updatedAt` and `createdById`. `id`, `key` and `createdAt` are told only if nothing else differs. The
 * order of members, and how a number was written, make no difference.
 *
 * Together the differences hold no value twice, so they are about as large as the states at most. A field has 100 at most.
 */
export function differencesBetween(before: JsonObject | null, after: JsonObject | null): Difference[] {
  const names = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])].filter(
    name => !counted.has(name),
  );
  const differencesOf = (name: string) => {
    const form = forms.get(name) ?? plain;
    const valueIn = (state: JsonObject | null) => ownMember(state, name) ?? form.absent;
    return compare([name], valueIn(before), valueIn(after), form, deepest);
  };
  const told = names.filter(name => !incidental.has(name)).flatMap(differencesOf);
  return told.length > 0 ? told : names.filter(name => incidental.has(name)).flatMap(differencesOf);
}

function compare(
  path: readonly string[],
  before: Json | undefined,
  after: Json | undefined,
  form: Form,
  depth: number,
): readonly Difference[] {
  if (isSame(before, after)) return [];
  const whole = [{ path, before, after }];
  const parts = depth === 0 ? null : partsOf(before, after, form);
  if (parts === null) return whole;
  const told: Difference[] = parts.order === null ? [] : [{ path, ...parts.order }];
  for (const name of parts.names) {
    const below = compare([...path, name], parts.before.get(name), parts.after.get(name), form.below(name), depth - 1);
    told.push(...below);
    if (told.length > mostOfField) return whole;
  }
  return told;
}

/** Two values in parts that have names. */
interface Parts {
  readonly names: Iterable<string>;
  readonly before: ReadonlyMap<string, Json>;
  readonly after: ReadonlyMap<string, Json>;
  /** The names in their orders, if the order after does not follow from the rest. */
  readonly order: { readonly before: readonly string[]; readonly after: readonly string[] } | null;
}

/** Null: the two have no parts with names. */
function partsOf(before: Json | undefined, after: Json | undefined, { namedBy, byPlace }: Form): Parts | null {
  const isListed = Array.isArray(before) && Array.isArray(after);
  const isPlaced = byPlace === true && isListed && before.length === after.length;
  const named = (value: Json | undefined) => {
    if (isPlainObject(value)) return members(value as JsonObject);
    if (!Array.isArray(value)) return null;
    if (isPlaced) return value.every(isPlainObject) ? new Map(Object.entries(value as readonly Json[])) : null;
    return namedBy === undefined ? null : elements(value, namedBy);
  };
  if (!isListed && !(isPlainObject(before) && isPlainObject(after))) return null;
  const [from, to] = [named(before), named(after)];
  if (from === null || to === null) return null;
  const names = new Set([...from.keys(), ...to.keys()]);
  const order = namedBy !== undefined && isListed ? orderOf([...from.keys()], [...to.keys()]) : null;
  return { names, before: from, after: to, order };
}

function members(object: JsonObject): ReadonlyMap<string, Json> | null {
  const entries = Object.entries(object);
  return entries.every(([name]) => name.length <= longestName) ? new Map(entries) : null;
}

/** The elements of a list by their names; null if they have none, or not each its own. */
function elements(list: readonly Json[], namedBy: string): ReadonlyMap<string, Json> | null {
  const byName = new Map<string, Json>();
  for (const element of list) {
    const name = isPlainObject(element) ? ownMember(element as JsonObject, namedBy) : undefined;
    if (typeof name !== 'string' || name.length > longestName || byName.has(name)) return null;
    byName.set(name, element);
  }
  return byName;
}

/** Null if the later order is the earlier one without what was removed, and with what was added at its end. */
function orderOf(before: readonly string[], after: readonly string[]): Parts['order'] {
  const [earlier, later] = [new Set(before), new Set(after)];
  const expected = [...before.filter(name => later.has(name)), ...after.filter(name => !earlier.has(name))];
  return expected.every((name, place) => name === after[place]) ? null : { before, after };
}

/** An own member: a user's attribute may be called `constructor`. */
function ownMember(object: JsonObject | null, name: string): Json | undefined {
  return object !== null && Object.hasOwn(object, name) ? object[name] : undefined;
}

/** Whether two JSON values are equal, in whatever order their members stand. Not recursive: stored JSON may be of any depth. */
function isSame(one: Json | undefined, other: Json | undefined): boolean {
  const pairs: [Json | undefined, Json | undefined][] = [[one, other]];
  for (let pair = pairs.pop(); pair !== undefined; pair = pairs.pop()) {
    const [a, b] = pair;
    if (a === b) continue;
    if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
    const names = Object.keys(a);
    if (Array.isArray(a) !== Array.isArray(b) || names.length !== Object.keys(b).length) return false;
    for (const name of names) {
      if (!Object.hasOwn(b, name)) return false;
      pairs.push([(a as JsonObject)[name], (b as JsonObject)[name]]);
    }
  }
  return true;
}
