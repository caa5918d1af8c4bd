import { type AttributeReader, ownAttribute, type Targeted } from './attribute-reader.js';
import type { Json } from './json.js';
import type { AttributeTest, OperatorName } from './operators.js';

/** Compiled conditions. Pure; never throws; reads own properties of attributes only. */
export type Predicate = (subject: Targeted) => boolean;

/**
 * Compiled conditions with their structure. Evaluations call the predicates alone; an explanation walks the parts, which have the
 * same tests.
 */
export type Condition = CombinedCondition | NegatedCondition | GroupCondition | AttributesCondition;

/** Conditions of which all, or any, must match. */
export interface CombinedCondition {
  readonly kind: 'all' | 'any';
  readonly matches: Predicate;
  /** At least one. */
  readonly parts: readonly Condition[];
}

export interface NegatedCondition {
  readonly kind: 'not';
  readonly matches: Predicate;
  readonly part: Condition;
}

/** A list of groups, one of which the user must be in. */
export interface GroupCondition {
  readonly kind: 'groups';
  readonly matches: Predicate;
  /** Where it is in the input, such as `['conditions', 'groups']`. */
  readonly path: readonly string[];
  readonly groups: readonly string[];
}

/** Operators on attributes, all of which must match. */
export interface AttributesCondition {
  readonly kind: 'attributes';
  readonly matches: Predicate;
  /** At least one. */
  readonly parts: readonly AttributeCondition[];
}

/** One operator on one attribute. */
export interface AttributeCondition {
  readonly path: readonly string[];
  readonly operator: OperatorName;
  /** Valid for the operator. */
  readonly operand: Json;
  readonly ignoreCase: boolean;
  readonly tested: NamedTest;
}

export interface NamedTest {
  readonly name: string;
  /** Null: the attribute of that name at the top level. */
  readonly read: AttributeReader | null;
  readonly test: AttributeTest;
}

/** The attribute that is tested. Undefined: missing. */
export function testedValue({ name, read }: NamedTest, subject: Targeted): Json | undefined {
  return read === null ? ownAttribute(subject.attributes, name) : read(subject);
}

export function allAttributes(parts: readonly AttributeCondition[]): Condition {
  const tests = parts.map(({ tested }) => tested);
  const matches: Predicate = subject => {
    const { attributes } = subject;
    for (const { name, read, test } of tests) {
      if (!test(read === null ? ownAttribute(attributes, name) : read(subject))) return false;
    }
    return true;
  };
  return { kind: 'attributes', matches, parts };
}

export function anyGroup(groups: readonly string[], path: readonly string[]): Condition {
  // Not `some`, which would make a function for each evaluation.
  const matches: Predicate = subject => {
    const memberOf = subject.groups;
    if (memberOf.size === 0) return false;
    for (const name of groups) if (memberOf.has(name)) return true;
    return false;
  };
  return { kind: 'groups', matches, path, groups };
}

export function allOf(parts: readonly Condition[]): Condition {
  return combined('all', parts, tests => subject => {
    for (const test of tests) if (!test(subject)) return false;
    return true;
  });
}

export function anyOf(parts: readonly Condition[]): Condition {
  return combined('any', parts, tests => subject => {
    for (const test of tests) if (test(subject)) return true;
    return false;
  });
}

export function not(part: Condition): Condition {
  const negated = part.matches;
  return { kind: 'not', matches: subject => !negated(subject), part };
}

function combined(
  kind: 'all' | 'any',
  parts: readonly Condition[],
  matchesOf: (tests: readonly Predicate[]) => Predicate,
): Condition {
  const [only, ...others] = parts;
  if (only !== undefined && others.length === 0) return only;
  return { kind, matches: matchesOf(parts.map(({ matches }) => matches)), parts };
}
