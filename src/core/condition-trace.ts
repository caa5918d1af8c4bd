import type { Targeted } from './attribute-reader.js';
import { type AttributeCondition, type Condition, type GroupCondition, testedValue } from './condition-tree.js';
import { attributeWords, each, expectation, oneOf, valueWords } from './wording.js';

/** What one condition found. */
export interface ConditionOutcome {
  /**
   * Where the condition is: field names and list indexes from the conditions down, such as `['attributes', 'plan']`. In the step RULES the
   * id of the rule comes first.
   */
  readonly path: readonly string[];
  /** Whether the condition is met. A `not` around it is taken into account: in `{"not": {"groups": ["vip"]}}` it is met by everybody outside. */
  readonly matched: boolean;
  /** What the condition expects, in words. Null: nothing can be said. */
  readonly expected: string | null;
  /** What was found, with at most 200 characters of a value. Null: the attribute is missing, or the user is in no group. */
  readonly actual: string | null;
}

/** One operator or one list of groups, with the result of its own test. */
export interface Leaf {
  readonly condition: AttributeCondition | GroupCondition;
  readonly isNegated: boolean;
  readonly matched: boolean;
}

/** Conditions with the results of all their tests. */
export interface ConditionTrace {
  readonly matched: boolean;
  /** Every test, in the order of the conditions. */
  readonly leaves: readonly Leaf[];
  /** The tests that account for the result. */
  readonly decisive: readonly Leaf[];
}

/** Runs every test of compiled conditions, also those that an evaluation has no need to ask. */
export function traceCondition(condition: Condition, subject: Targeted, isNegated = false): ConditionTrace {
  switch (condition.kind) {
    case 'not':
      return traceCondition(condition.part, subject, !isNegated);
    case 'groups':
      return traced({ condition, isNegated, matched: condition.matches(subject) !== isNegated });
    case 'attributes': {
      const parts = condition.parts.map(part => {
        const { tested } = part;
        return traced({ condition: part, isNegated, matched: tested.test(testedValue(tested, subject)) !== isNegated });
      });
      return combined(parts, !isNegated);
    }
    default: {
      const parts = condition.parts.map(part => traceCondition(part, subject, isNegated));
      // "not all" is "any not".
      return combined(parts, (condition.kind === 'all') !== isNegated);
    }
  }
}

function traced(leaf: Leaf): ConditionTrace {
  return { matched: leaf.matched, leaves: [leaf], decisive: [leaf] };
}

function combined(parts: readonly ConditionTrace[], needsAll: boolean): ConditionTrace {
  const matched = needsAll ? parts.every(part => part.matched) : parts.some(part => part.matched);
  const leaves = parts.flatMap(part => part.leaves);
  const deciding = parts.filter(part => part.matched === matched);
  // One match of several is enough: the first, as in an evaluation.
  const told = matched && !needsAll ? deciding.slice(0, 1) : deciding;
  return { matched, leaves, decisive: told.flatMap(part => part.decisive) };
}

/**
 * What these tests found.
 * @param pathOf the path to tell, from the path in the flag.
 */
export function outcomesOf(
  leaves: readonly Leaf[],
  subject: Targeted,
  pathOf: (path: readonly string[]) => string[],
): ConditionOutcome[] {
  return leaves.map(leaf => ({
    path: pathOf(leaf.condition.path),
    matched: leaf.matched,
    expected: expectedBy(leaf),
    actual: foundBy(leaf, subject),
  }));
}

/** What a test found, as a clause: `plan is "free", expected "pro" or "team"`. */
export function clauseOf(leaf: Leaf, subject: Targeted): string {
  const { condition, isNegated, matched } = leaf;
  if ('groups' in condition) return groupClause(condition, isNegated, subject);
  const found = foundBy(leaf, subject);
  const clause = `${attributeWords(condition.tested.name)} is ${found ?? 'missing'}`;
  return matched ? clause : `${clause}, expected ${expectedBy(leaf)}`;
}

function groupClause({ groups }: GroupCondition, isNegated: boolean, subject: Targeted): string {
  const shared = groups.filter(name => subject.groups.has(name));
  const expected = memberOf(groups, isNegated);
  if (shared.length > 0) {
    const isIn = `the user is in ${shared.length === 1 ? 'the group' : 'the groups'} ${each(shared)}`;
    return isNegated ? `${isIn}, expected ${expected}` : isIn;
  }
  const isOutside =
    subject.userId === null
      ? 'an anonymous caller is in no group'
      : groups.length === 1
        ? `the user is not in the group ${each(groups)}`
        : `the user is in none of the groups ${each(groups)}`;
  return subject.userId === null && !isNegated ? `${isOutside}, expected ${expected}` : isOutside;
}

function expectedBy({ condition, isNegated }: Leaf): string {
  if ('groups' in condition) return memberOf(condition.groups, isNegated);
  return expectation(condition.operator, condition.operand, condition.ignoreCase, isNegated);
}

function foundBy({ condition }: Leaf, subject: Targeted): string | null {
  if ('groups' in condition) {
    return subject.groups.size === 0 ? null : `member of ${each([...subject.groups].sort())}`;
  }
  const value = testedValue(condition.tested, subject);
  return value === undefined ? null : valueWords(value);
}

const memberOf = (groups: readonly string[], isNegated: boolean) =>
  `${isNegated ? 'no' : 'a'} member of ${oneOf(groups)}`;
