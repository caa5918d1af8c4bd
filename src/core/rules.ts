import type { Condition } from './condition-tree.js';
import { readConditions } from './conditions.js';
import type { Issue } from './errors.js';
import type { FlagRule } from './flag.js';
import { isPlainObject, typeName } from './json.js';
import type { SearchBudget } from './search-budget.js';
import { bounded } from './text.js';
import { foundNumber, foundText, shareIssues, unknownFields, valueLimits } from './variants.js';

const maxRuleIdLength = 50;
const ruleIdPattern = bounded(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, maxRuleIdLength);
/** Most operators in all rules of one flag together. */
export const maxRuleLeaves = 5_000;

/** The fields of a rule that have defaults. `when` has none: a rule that is left empty would match everybody. */
export const ruleDefaults: Omit<FlagRule, 'id' | 'when'> = { percentage: 100, on: true, serve: [] };

const fields: readonly (keyof FlagRule)[] = ['id', 'when', 'percentage', 'on', 'serve'];

export interface ReadRules {
  /** Every fault; the rules may be written when there is none. */
  readonly issues: readonly Issue[];
  /** The faults that also stop rules that are stored already; see `readConditions`. */
  readonly faults: readonly Issue[];
  /** One for each rule. Null: it matches everybody. */
  readonly conditions: readonly (Condition | null)[];
  /** Every group that the rules name. */
  readonly groups: ReadonlySet<string>;
}

/**
 * Checks rules and compiles their conditions. Accepts any value, and never throws.
 * @param budget shared with the conditions of the flag.
 */
export function readRules(value: unknown, budget: SearchBudget): ReadRules {
  const issues: Issue[] = [];
  const faults: Issue[] = [];
  const conditions: (Condition | null)[] = [];
  const groups = new Set<string>();
  const refuse = (...found: Issue[]) => {
    for (const issue of found) {
      issues.push(issue);
      faults.push(issue);
    }
  };
  const result = { issues, faults, conditions, groups };
  if (!Array.isArray(value)) {
    refuse({ path: ['rules'], message: 'Expected a list such as [{"when": {"groups": ["staff"]}, "on": true}].' });
    return result;
  }
  if (value.length > valueLimits.rules) {
    refuse({ path: ['rules'], message: `Expected at most ${valueLimits.rules} rules, found ${value.length}.` });
    return result;
  }
  const ids = new Set<string>();
  let leaves = 0;
  for (const [index, rule] of value.entries()) {
    const path = ['rules', String(index)];
    if (!isPlainObject(rule)) {
      refuse({ path, message: `Expected an object with ${fields.join(', ')}, found ${typeName(rule)}.` });
      continue;
    }
    refuse(...unknownFields(rule, fields, path), ...ruleFieldIssues(rule, path));
    const { id } = rule;
    if (typeof id === 'string') {
      if (ids.has(id)) refuse({ path: [...path, 'id'], message: 'Another rule of the flag has this id already.' });
      ids.add(id);
    }
    if (rule['when'] === undefined) {
      refuse({ path: [...path, 'when'], message: 'Expected conditions, found undefined; {} matches everybody.' });
      continue;
    }
    const when = readConditions(rule['when'], [...path, 'when'], budget);
    issues.push(...when.issues);
    faults.push(...when.faults);
    for (const group of when.groups) groups.add(group);
    leaves += when.leaves;
    if (leaves > maxRuleLeaves) {
      refuse({
        path: ['rules'],
        message: `The rules of one flag may have at most ${maxRuleLeaves} operators together.`,
      });
      break;
    }
    conditions.push(when.condition);
  }
  return result;
}

function ruleFieldIssues({ id, percentage, on, serve }: { readonly [name: string]: unknown }, path: string[]): Issue[] {
  const issues: Issue[] = [];
  if (typeof id !== 'string' || !ruleIdPattern.test(id)) {
    issues.push({
      path: [...path, 'id'],
      message: `Expected 1 to ${maxRuleIdLength} letters, digits, ".", "_" or "-", beginning with a letter or a digit, found ${foundText(id)}.`,
    });
  }
  if (typeof percentage !== 'number' || !(percentage >= 0 && percentage <= 100)) {
    issues.push({
      path: [...path, 'percentage'],
      message: `Expected a number from 0 to 100, found ${foundNumber(percentage)}.`,
    });
  } else if (!hasTwoDecimals(percentage)) {
    issues.push({
      path: [...path, 'percentage'],
      message: `Expected at most two decimals, such as 12.25, found ${percentage}.`,
    });
  }
  if (typeof on !== 'boolean')
    issues.push({ path: [...path, 'on'], message: `Expected true or false, found ${typeName(on)}.` });
  issues.push(...shareIssues(serve, [...path, 'serve']));
  if (on === false && Array.isArray(serve) && serve.length > 0) {
    issues.push({
      path: [...path, 'serve'],
      message: 'A rule that turns the flag off gives everybody the off variant: leave "serve" out.',
    });
  }
  return issues;
}

/** Whether a number is the nearest one to a decimal with at most two places. */
const hasTwoDecimals = (percentage: number) => Math.round(percentage * 100) / 100 === percentage;
