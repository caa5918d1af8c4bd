import { type FlagShape, isList, isObject, type Json } from './shapes.js';

/** A test of one attribute. Operators that only negate another are written as that one, negated; `eq` is an `in` of one value. */
export interface AttributeTest {
  readonly kind: 'attribute';
  readonly name: string;
  readonly operator: string;
  readonly operand: Json;
  readonly ignoreCase: boolean;
  readonly isNegated: boolean;
}

export interface Membership {
  readonly kind: 'groups';
  readonly groups: readonly string[];
  readonly isNegated: boolean;
}

/** Conditions that have none of the known forms. They match nobody, negated or not. */
export interface Unreadable {
  readonly kind: 'unreadable';
}

export type Atom = AttributeTest | Membership | Unreadable;

/** Whom conditions match, with `not` moved down to the atoms. */
export type Who = Atom | { readonly kind: 'all' | 'any'; readonly parts: readonly Who[] };

/** One step that gives an answer: a rule, or what follows all rules. */
export interface Clause {
  /** Null: everyone else. */
  readonly rule: string | null;
  readonly on: boolean;
  /** The share for whom it decides, above 0. */
  readonly percentage: number;
  /** Null: everybody. */
  readonly who: Who | null;
  /** Whether callers without anything to hash are passed over. */
  readonly needsUnit: boolean;
}

/** What decides who gets a flag, without overrides: the first clause that decides wins, and everybody else is off. */
export interface Audience {
  readonly enabled: boolean;
  readonly clauses: readonly Clause[];
  readonly bucketBy: string | null;
}

/** The clauses of a flag, without those that never change an answer. */
export function audienceOf(flag: FlagShape): Audience {
  const clauses: Clause[] = [];
  for (const { id, when, percentage, on } of flag.rules) {
    if (percentage === 0) continue;
    clauses.push({ rule: id, on, percentage, who: whoOf(when), needsUnit: percentage < 100 });
    if (isForAll(clauses.at(-1))) break;
  }
  if (flag.percentage > 0 && !isForAll(clauses.at(-1))) {
    const { percentage } = flag;
    const isSplit = flag.type !== 'BOOLEAN' && flag.variants.filter(({ weight }) => weight > 0).length > 1;
    const needsUnit = percentage < 100 || isSplit;
    clauses.push({ rule: null, on: true, percentage, who: whoOf(flag.conditions), needsUnit });
  }
  while (clauses.at(-1)?.on === false) clauses.pop();
  return { enabled: flag.enabled, clauses, bucketBy: flag.bucketBy ?? null };
}

const isForAll = (clause: Clause | undefined) =>
  clause !== undefined && clause.rule !== null && clause.who === null && !clause.needsUnit;

/** Null: everybody. */
export function whoOf(conditions: Json, isNegated = false): Who | null {
  if (!isObject(conditions)) return unreadable;
  const names = Object.keys(conditions);
  if (names.some(name => !['attributes', 'groups', 'all', 'any', 'not'].includes(name))) return unreadable;
  const { not, all, any, attributes = {}, groups = [] } = conditions;
  if (not !== undefined) return names.length === 1 ? (whoOf(not, !isNegated) ?? unreadable) : unreadable;
  if (all !== undefined || any !== undefined) {
    const list = all ?? any;
    if (names.length > 1 || !isList(list) || list.length === 0) return unreadable;
    const parts = list.map(part => whoOf(part, isNegated) ?? unreadable);
    return combined((all !== undefined) !== isNegated ? 'all' : 'any', parts);
  }
  if (!isObject(attributes) || !isList(groups)) return unreadable;
  const tests = Object.entries(attributes).flatMap(([name, wish]) => testsOf(name, wish, isNegated));
  const named = groups.filter(group => typeof group === 'string');
  const halves: Who[] = [];
  if (tests.length > 0) halves.push(combined(isNegated ? 'any' : 'all', tests));
  if (named.length > 0) halves.push({ kind: 'groups', groups: named, isNegated });
  return halves.length === 0 ? null : combined(isNegated ? 'all' : 'any', halves);
}

const unreadable: Unreadable = { kind: 'unreadable' };

/** Operators that match exactly where another does not. */
const complements: { readonly [operator: string]: string } = { neq: 'eq', not_in: 'in', not_contains: 'contains' };

function testsOf(name: string, wish: Json, isNegated: boolean): Who[] {
  if (!isObject(wish)) return [testOf(name, isList(wish) ? 'in' : 'eq', wish, false, isNegated)];
  const operators = Object.entries(wish).filter(([operator]) => operator !== 'ignore_case');
  const ignoreCase = wish['ignore_case'] === true;
  return operators.length === 0
    ? [unreadable]
    : operators.map(([operator, operand]) => testOf(name, operator, operand, ignoreCase, isNegated));
}

function testOf(
  name: string,
  operator: string,
  operand: Json,
  ignoresCase: boolean,
  isNegated: boolean,
): AttributeTest {
  const isComplement = Object.hasOwn(complements, operator);
  const plain = isComplement ? (complements[operator] as string) : operator;
  const test = { kind: 'attribute', name, ignoreCase: ignoresCase && plain !== 'exists' } as const;
  if (plain === 'exists')
    return { ...test, operator: plain, operand: true, isNegated: isNegated !== (operand === false) };
  const isEqual = plain === 'eq';
  return {
    ...test,
    operator: isEqual ? 'in' : plain,
    operand: isEqual ? [operand] : operand,
    isNegated: isNegated !== isComplement,
  };
}

function combined(kind: 'all' | 'any', parts: readonly Who[]): Who {
  const flat = parts.flatMap(part => (part.kind === kind ? part.parts : [part]));
  return flat.length === 1 ? (flat[0] as Who) : { kind, parts: flat };
}

export function isAtom(who: Who): who is Atom {
  return who.kind !== 'all' && who.kind !== 'any';
}

export function countAtoms(who: Who): number {
  return isAtom(who) ? 1 : who.parts.reduce((sum, part) => sum + countAtoms(part), 0);
}
