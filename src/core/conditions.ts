import { attributeReader, builtInAttributes, isBuiltIn } from './attribute-reader.js';
import { isReservedName } from './attributes.js';
import {
  type AttributeCondition,
  allAttributes,
  allOf,
  anyGroup,
  anyOf,
  type Condition,
  not,
  type Predicate,
} from './condition-tree.js';
import { type Issue, shortIssue } from './errors.js';
import { isPlainObject, type Json } from './json.js';
import { type AttributeTest, findOperator, type OperatorName, operators } from './operators.js';
import { SearchBudget } from './search-budget.js';
import { isName } from './text.js';
import { canonicalUserId } from './user-id.js';

/** Most operators in one flag's conditions; a plain value, a list and a `groups` list count as one each. */
export const maxLeaves = 1_000;
/** How deep conditions may be nested: `{"not": {"groups": ["a"]}}` is two deep. */
export const maxDepth = 8;
/** The most faults that are collected. */
export const maxIssues = 1_000;

/** The result of reading conditions once. */
interface ReadConditions {
  /** Every fault; the conditions may be written when there is none. */
  readonly issues: readonly Issue[];
  /** The faults that also stop conditions that are stored already. The others are of rules that are younger than what may be stored. */
  readonly faults: readonly Issue[];
  /** Null: there are no conditions, and everybody is targeted. The predicate of conditions with `faults` matches nobody. */
  readonly predicate: Predicate | null;
  /** The same conditions with their structure. Null: there are no conditions, or they have `faults`. */
  readonly condition: Condition | null;
  /** Every group that the conditions name, also under `not` and in conditions with faults elsewhere. */
  readonly groups: ReadonlySet<string>;
  /** How many operators were read. */
  readonly leaves: number;
}

/** The faults of conditions, with paths that start with `conditions`. Empty when the conditions are valid. */
export function validateConditions(value: unknown): Issue[] {
  return [...readConditions(value).issues];
}

/**
 * Checks and compiles conditions. Accepts any value, never throws, and stops at the limits above.
 * @param path of the conditions in the input.
 * @param budget shared by all conditions of a flag.
 */
export function readConditions(
  value: unknown,
  path: Path = ['conditions'],
  budget: SearchBudget = new SearchBudget(),
): ReadConditions {
  const reader = new Reader(path, budget);
  const condition = reader.form(value, path, 1);
  const { issues, faults, groups, leaves } = reader;
  const isValid = faults.length === 0;
  const predicate = isValid ? (condition?.matches ?? null) : nobody;
  return { issues, faults, groups, leaves, predicate, condition: isValid ? condition : null };
}

type Path = readonly string[];

const nobody: Predicate = () => false;
const example = 'such as {"attributes": {"tier": ["premium"]}} or {"groups": ["beta"]}';

/** Reads conditions once. Each method returns a condition, or null when its part is empty or has faults. */
class Reader {
  readonly issues: Issue[] = [];
  readonly faults: Issue[] = [];
  readonly groups = new Set<string>();
  readonly #root: Path;
  readonly #budget: SearchBudget;
  leaves = 0;

  constructor(root: Path, budget: SearchBudget) {
    this.#root = root;
    this.#budget = budget;
  }

  form(value: unknown, path: Path, depth: number): Condition | null {
    if (!isPlainObject(value)) return this.#fault(path, `Expected an object ${example}.`);
    if (depth > maxDepth) return this.#fault(path, `Conditions may be nested at most ${maxDepth} deep.`);
    const names = Object.keys(value);
    const used = new Set(names.map(formOf).filter(form => form !== null));
    if (used.size > 1) {
      this.#fault(path, `Use one of ${[...used].join(', ')} in one object; nest them with "all" or "any".`);
    }
    const parts: Condition[] = [];
    for (const name of names) {
      if (this.#isFull) break;
      const part = this.#part(name, value[name], [...path, name], depth);
      if (part !== null) parts.push(part);
    }
    return parts.length === 0 ? null : anyOf(parts);
  }

  #part(name: string, value: unknown, path: Path, depth: number): Condition | null {
    switch (name) {
      case 'attributes':
        return this.#attributes(value, path);
      case 'groups':
        return this.#groups(value, path);
      case 'all':
      case 'any': {
        const parts = this.#list(value, path, depth);
        return parts.length === 0 ? null : name === 'all' ? allOf(parts) : anyOf(parts);
      }
      case 'not': {
        const negated = this.#nested(value, path, depth);
        return negated && not(negated);
      }
      default:
        return this.#fault(
          path,
          'Conditions have "attributes", "groups", "all", "any" or "not"; the name of an attribute goes inside "attributes".',
        );
    }
  }

  #list(value: unknown, path: Path, depth: number): Condition[] {
    if (!Array.isArray(value) || value.length === 0) {
      this.#fault(path, `Expected a list of at least one object ${example}.`);
      return [];
    }
    const parts: Condition[] = [];
    for (const [index, element] of value.entries()) {
      if (this.#isFull) break;
      const part = this.#nested(element, [...path, String(index)], depth);
      if (part !== null) parts.push(part);
    }
    return parts;
  }

  /** Reads conditions inside others. They must not be empty: empty conditions would silently match everybody. */
  #nested(value: unknown, path: Path, depth: number): Condition | null {
    const faultsBefore = this.faults.length;
    const condition = this.form(value, path, depth + 1);
    if (condition === null && this.faults.length === faultsBefore) {
      this.#fault(path, `Expected conditions that are not empty, ${example}.`);
    }
    return condition;
  }

  #groups(value: unknown, path: Path): Condition | null {
    if (!Array.isArray(value)) return this.#fault(path, 'Expected a list of group names such as ["beta_testers"].');
    if (value.length === 0) return null;
    this.#countLeaf();
    const named: string[] = [];
    for (const [index, name] of value.entries()) {
      if (this.#isFull) break;
      if (typeof name === 'string' && isName(name)) named.push(name);
      else this.#fault([...path, String(index)], 'Expected the name of a group, a string of 1 to 100 characters.');
    }
    for (const name of named) this.groups.add(name);
    return anyGroup(named, path);
  }

  #attributes(value: unknown, path: Path): Condition | null {
    if (!isPlainObject(value))
      return this.#fault(path, 'Expected an object such as {"tier": ["premium"], "age": {"gte": 18}}.');
    const parts: AttributeCondition[] = [];
    for (const name of Object.keys(value)) {
      if (this.#isFull) break;
      const at = [...path, name];
      if (!isName(name)) this.#fault(at, 'The name of an attribute has 1 to 100 characters.');
      if (isReservedName(name) && !isBuiltIn(name)) this.#report(at, unknownBuiltIn);
      const read = attributeReader(name);
      for (const { test, ...rest } of this.#expectation(name, value[name], at)) {
        parts.push({ ...rest, tested: { name, read, test } });
      }
    }
    return parts.length === 0 ? null : allAttributes(parts);
  }

  /** A plain value means `eq`, a list means `in`, an object names its operators. */
  #expectation(attribute: string, value: unknown, path: Path): Expectation[] {
    const test = (name: string, operand: unknown, at: Path, ignoreCase = false) =>
      this.#test(name, isBuiltIn(attribute) ? this.#canonical(name, operand, at) : operand, at, ignoreCase);
    if (Array.isArray(value)) return test('in', value, path);
    if (!isPlainObject(value)) return test('eq', value, path);
    const names = Object.keys(value).filter(name => name !== 'ignore_case');
    if (names.length === 0) this.#fault(path, 'Expected at least one operator such as {"gte": 18}.');
    const ignoreCase = names.length > 0 && this.#ignoreCase(value, names, [...path, 'ignore_case']);
    return names.flatMap(name => (this.#isFull ? [] : test(name, value[name], [...path, name], ignoreCase)));
  }

  /** Reads `ignore_case`, which belongs to the operators beside it. Most expectations have none. */
  #ignoreCase(expectation: { readonly [name: string]: unknown }, names: readonly string[], path: Path): boolean {
    if (!Object.hasOwn(expectation, 'ignore_case')) return false;
    const { ignore_case: given } = expectation;
    if (typeof given !== 'boolean') {
      this.#fault(path, 'Expected true or false.');
      return false;
    }
    if (!given) return false;
    const comparing = names.filter(name => findOperator(name)?.comparesCase);
    // `exists` may stand beside: `{"exists": true, "not_in": ["us"], "ignore_case": true}`.
    const other = names.find(name => name !== 'exists' && findOperator(name)?.comparesCase === false);
    if (other !== undefined) this.#fault(path, other === 'matches' ? patternCase : noCase(other));
    else if (!comparing.some(name => hasText(expectation[name]))) this.#fault(path, nothingToCompare);
    return true;
  }

  /** The operand for a built-in attribute. Those are text, and UUIDs are in lower case. */
  #canonical(name: string, operand: unknown, path: Path): unknown {
    if (name === 'exists') return operand;
    const canonical = (one: unknown, at: Path) => {
      if (typeof one === 'number' || typeof one === 'boolean') this.#report(at, notText);
      return typeof one === 'string' ? canonicalUserId(one) : one;
    };
    // Not `map`, which passes over gaps.
    return Array.isArray(operand)
      ? Array.from(operand, (one: unknown, index) => canonical(one, [...path, String(index)]))
      : canonical(operand, path);
  }

  #test(name: string, operand: unknown, path: Path, ignoreCase: boolean): Expectation[] {
    this.#countLeaf();
    const operator = findOperator(name);
    if (operator === null) {
      this.#fault(path, unknownOperator);
      return [];
    }
    const test = operator.compile(operand, {
      ignoreCase,
      budget: this.#budget,
      report: (message, ...below) => this.#fault([...path, ...below], message),
      reportWritten: (message, ...below) => this.#report([...path, ...below], message),
    });
    // Null unless both are valid.
    return test === null ? [] : [{ path, operator: name as OperatorName, operand: operand as Json, ignoreCase, test }];
  }

  get #isFull(): boolean {
    return this.leaves > maxLeaves || this.faults.length >= maxIssues;
  }

  #countLeaf(): void {
    this.leaves += 1;
    if (this.leaves === maxLeaves + 1) {
      this.#fault(this.#root, 'Conditions may have at most 1,000 operators. For many users, use a group.');
    }
  }

  /** A fault that stops conditions wherever they are found. */
  #fault(path: Path, message: string): null {
    if (this.faults.length < maxIssues) this.faults.push(shortIssue({ path, message }));
    return this.#report(path, message);
  }

  /** A fault when conditions are written. */
  #report(path: Path, message: string): null {
    if (this.issues.length < maxIssues) this.issues.push(shortIssue({ path, message }));
    return null;
  }
}

const caseNames = (Object.keys(operators) as OperatorName[]).filter(name => operators[name].comparesCase).join(', ');

const unknownOperator = `There is no such operator. The operators are ${Object.keys(operators).join(', ')}.`;
const unknownBuiltIn = `Names that begin with "$" are kept for built-in attributes. Those are ${Object.keys(builtInAttributes).join(' and ')}.`;
const notText = 'A built-in attribute is text: write the value as text, such as "1042".';
const patternCase = '"matches" takes no "ignore_case": begin the pattern with "(?i)".';
const nothingToCompare = `"ignore_case" goes beside an operator with a text to compare. Those are ${caseNames}.`;
const noCase = (operator: string) =>
  `"${operator}" compares no texts, so "ignore_case" has no meaning beside it. It goes beside ${caseNames}; combine both with "all".`;

function hasText(operand: unknown): boolean {
  return typeof operand === 'string' || (Array.isArray(operand) && operand.some(one => typeof one === 'string'));
}

/** `attributes` and `groups` are two halves of one form; null for an unknown name. */
function formOf(name: string): string | null {
  if (name === 'attributes' || name === 'groups') return '"attributes" with "groups"';
  return name === 'all' || name === 'any' || name === 'not' ? `"${name}"` : null;
}

/** One operator of an attribute, with its test. */
interface Expectation extends Pick<AttributeCondition, 'path' | 'operator' | 'operand' | 'ignoreCase'> {
  readonly test: AttributeTest;
}
