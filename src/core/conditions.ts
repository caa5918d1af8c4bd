import { type Issue, shortIssue } from './errors.js';
import { isPlainObject, type Json } from './json.js';
import type { Report } from './operands.js';
import { type AttributeTest, findOperator, operators } from './operators.js';
import { SearchBudget } from './search-budget.js';
import { isName } from './text.js';

/** A user's attributes. Read own keys only; `null` counts as missing. */
export type Attributes = { readonly [name: string]: Json };

/** Compiled conditions. Pure; never throws; reads own properties of `attributes` only. */
export type Predicate = (attributes: Attributes, groups: ReadonlySet<string>) => boolean;

/** Most operators in one flag's conditions; a plain value, a list and a `groups` list count as one each. */
export const maxLeaves = 1_000;
/** How deep conditions may be nested: `{"not": {"groups": ["a"]}}` is two deep. */
export const maxDepth = 8;
/** The most faults that are collected. */
export const maxIssues = 1_000;

/** The result of reading conditions once. */
interface ReadConditions {
  /** Every fault; the conditions are valid when there is none. */
  readonly issues: readonly Issue[];
  /** Null: there are no conditions, and everybody is targeted. The predicate of invalid conditions matches nobody. */
  readonly predicate: Predicate | null;
  /** Every group that the conditions name, also under `not` and in conditions with faults elsewhere. */
  readonly groups: ReadonlySet<string>;
}

/** The faults of conditions, with paths that start with `conditions`. Empty when the conditions are valid. */
export function validateConditions(value: unknown): Issue[] {
  return [...readConditions(value).issues];
}

/** Checks and compiles conditions. Accepts any value, never throws, and stops at the limits above. */
export function readConditions(value: unknown): ReadConditions {
  const reader = new Reader();
  const predicate = reader.form(value, ['conditions'], 1);
  const { issues, groups } = reader;
  return { issues, groups, predicate: issues.length === 0 ? predicate : nobody };
}

type Path = readonly string[];

const nobody: Predicate = () => false;
const example = 'such as {"attributes": {"tier": ["premium"]}} or {"groups": ["beta"]}';

/** Reads conditions once. Each method returns a predicate, or null when its part is empty or has faults. */
class Reader {
  readonly issues: Issue[] = [];
  readonly groups = new Set<string>();
  readonly #budget = new SearchBudget();
  #leaves = 0;

  form(value: unknown, path: Path, depth: number): Predicate | null {
    if (!isPlainObject(value)) return this.#fault(path, `Expected an object ${example}.`);
    if (depth > maxDepth) return this.#fault(path, `Conditions may be nested at most ${maxDepth} deep.`);
    const names = Object.keys(value);
    const used = new Set(names.map(formOf).filter(form => form !== null));
    if (used.size > 1) {
      this.#fault(path, `Use one of ${[...used].join(', ')} in one object; nest them with "all" or "any".`);
    }
    const parts: Predicate[] = [];
    for (const name of names) {
      if (this.#isFull) break;
      const part = this.#part(name, value[name], [...path, name], depth);
      if (part !== null) parts.push(part);
    }
    return parts.length === 0 ? null : anyOf(parts);
  }

  #part(name: string, value: unknown, path: Path, depth: number): Predicate | null {
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
        return negated && ((attributes, groups) => !negated(attributes, groups));
      }
      default:
        return this.#fault(
          path,
          'Conditions have "attributes", "groups", "all", "any" or "not"; the name of an attribute goes inside "attributes".',
        );
    }
  }

  #list(value: unknown, path: Path, depth: number): Predicate[] {
    if (!Array.isArray(value) || value.length === 0) {
      this.#fault(path, `Expected a list of at least one object ${example}.`);
      return [];
    }
    const parts: Predicate[] = [];
    for (const [index, element] of value.entries()) {
      if (this.#isFull) break;
      const part = this.#nested(element, [...path, String(index)], depth);
      if (part !== null) parts.push(part);
    }
    return parts;
  }

  /** Reads conditions inside others. They must not be empty: empty conditions would silently match everybody. */
  #nested(value: unknown, path: Path, depth: number): Predicate | null {
    const faultsBefore = this.issues.length;
    const predicate = this.form(value, path, depth + 1);
    if (predicate === null && this.issues.length === faultsBefore) {
      this.#fault(path, `Expected conditions that are not empty, ${example}.`);
    }
    return predicate;
  }

  #groups(value: unknown, path: Path): Predicate | null {
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
    return (_attributes, groups) => groups.size !== 0 && named.some(name => groups.has(name));
  }

  #attributes(value: unknown, path: Path): Predicate | null {
    if (!isPlainObject(value))
      return this.#fault(path, 'Expected an object such as {"tier": ["premium"], "age": {"gte": 18}}.');
    const tests: NamedTest[] = [];
    for (const name of Object.keys(value)) {
      if (this.#isFull) break;
      const at = [...path, name];
      if (!isName(name)) this.#fault(at, 'The name of an attribute has 1 to 100 characters.');
      for (const test of this.#expectation(value[name], at)) tests.push({ name, test });
    }
    return tests.length === 0 ? null : attributesPass(tests);
  }

  /** A plain value means `eq`, a list means `in`, an object names its operators. */
  #expectation(value: unknown, path: Path): AttributeTest[] {
    if (Array.isArray(value)) return this.#test('in', value, path);
    if (!isPlainObject(value)) return this.#test('eq', value, path);
    const names = Object.keys(value);
    if (names.length === 0) this.#fault(path, 'Expected at least one operator such as {"gte": 18}.');
    return names.flatMap(name => (this.#isFull ? [] : this.#test(name, value[name], [...path, name])));
  }

  #test(name: string, operand: unknown, path: Path): AttributeTest[] {
    this.#countLeaf();
    const operator = findOperator(name);
    if (operator === null) {
      this.#fault(path, `There is no such operator. The operators are ${Object.keys(operators).join(', ')}.`);
      return [];
    }
    const report: Report = (message, ...below) => this.#fault([...path, ...below], message);
    const test = operator.compile(operand, report, this.#budget);
    return test === null ? [] : [test];
  }

  get #isFull(): boolean {
    return this.#leaves > maxLeaves || this.issues.length >= maxIssues;
  }

  #countLeaf(): void {
    this.#leaves += 1;
    if (this.#leaves === maxLeaves + 1) {
      this.#fault(['conditions'], 'Conditions may have at most 1,000 operators. For many users, use a group.');
    }
  }

  #fault(path: Path, message: string): null {
    if (this.issues.length < maxIssues) this.issues.push(shortIssue({ path, message }));
    return null;
  }
}

/** `attributes` and `groups` are two halves of one form; null for an unknown name. */
function formOf(name: string): string | null {
  if (name === 'attributes' || name === 'groups') return '"attributes" with "groups"';
  return name === 'all' || name === 'any' || name === 'not' ? `"${name}"` : null;
}

interface NamedTest {
  readonly name: string;
  readonly test: AttributeTest;
}

function attributesPass(tests: readonly NamedTest[]): Predicate {
  return attributes => {
    for (const { name, test } of tests) if (!test(readAttribute(attributes, name))) return false;
    return true;
  };
}

/** Own properties only: an attribute is never a method or `__proto__` that the object inherits. */
function readAttribute(attributes: Attributes, name: string): Json | undefined {
  return Object.hasOwn(attributes, name) ? (attributes[name] ?? undefined) : undefined;
}

function allOf(parts: readonly Predicate[]): Predicate {
  const [only, ...others] = parts;
  if (only !== undefined && others.length === 0) return only;
  return (attributes, groups) => {
    for (const part of parts) if (!part(attributes, groups)) return false;
    return true;
  };
}

function anyOf(parts: readonly Predicate[]): Predicate {
  const [only, ...others] = parts;
  if (only !== undefined && others.length === 0) return only;
  return (attributes, groups) => {
    for (const part of parts) if (part(attributes, groups)) return true;
    return false;
  };
}
