import { operatorWords } from '../words/conditions.js';
import { rolloutFault } from '../words/errors.js';
import { isList, isObject, type Json, type VariantShape } from '../words/shapes.js';
import { valuesOf } from '../words/values.js';
import { type FlagFields, isListName, itemsOf, type Path, startsWith } from './fields.js';

/** A fault at a place of the flag, where rules and variants are named and not counted. */
export interface Issue {
  readonly path: Path;
  readonly message: string;
}

const keyPattern = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$/;
const ruleIdPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$/;
const maxWeight = 100_000;

/** The faults that are certain before the server is asked. */
export function issuesOf(fields: FlagFields, type: string): readonly Issue[] {
  const { name, description, owner, tags } = fields;
  const issues: Issue[] = [...conditionIssues(fields.conditions, ['conditions'])];
  const refuse = (path: Path, message: string | null) => message !== null && issues.push({ path, message });
  if (name.trim() === '') refuse(['name'], 'Write a name.');
  refuse(['name'], tooLong(name, 200));
  refuse(['description'], tooLong(description, 10_000));
  refuse(['owner'], tooLong(owner, 200) ?? blank(owner));
  refuse(['percentage'], rolloutFault(fields.percentage, 0));
  if (tags.length > 20) refuse(['tags'], `${tags.length} tags are too many. A flag has at most 20.`);
  for (const tag of tags) refuse(['tags'], tooLong(tag, 50) ?? blank(tag));
  for (const { id, when, percentage, on, serve } of fields.rules) {
    const path = ['rules', id];
    if (!ruleIdPattern.test(id)) {
      refuse(
        [...path, 'id'],
        'The id of a rule has 1 to 50 letters, digits, ".", "_" or "-", and begins with a letter or a digit.',
      );
    }
    refuse([...path, 'percentage'], rolloutFault(percentage, 2));
    issues.push(...conditionIssues(when, [...path, 'when']));
    if (!on && serve.length > 0) refuse([...path, 'serve'], 'A rule that turns the flag off serves no variant.');
    for (const share of serve) refuse([...path, 'serve'], weightFault(share.weight));
    if (on && serve.length > 0 && !serve.some(({ weight }) => weight > 0))
      refuse([...path, 'serve'], 'One weight must be above 0.');
  }
  if (type !== 'BOOLEAN') issues.push(...variantIssues(fields, type));
  return issues;
}

function variantIssues({ variants, offVariant, rules }: FlagFields, type: string): Issue[] {
  const issues: Issue[] = [];
  const keys = variants.map(({ key }) => key);
  for (const { key, value, weight } of variants) {
    const path = ['variants', key];
    if (!keyPattern.test(key))
      issues.push({ path: [...path, 'key'], message: 'A key has 1 to 100 letters, digits, ".", "_", ":" or "-".' });
    const faults = { value: valueFault(value, type), weight: weightFault(weight) };
    for (const [member, message] of Object.entries(faults))
      if (message !== null) issues.push({ path: [...path, member], message });
  }
  if (!variants.some(({ weight }: VariantShape) => weight > 0))
    issues.push({ path: ['variants'], message: 'One weight must be above 0.' });
  if (!keys.includes(offVariant))
    issues.push({ path: ['offVariant'], message: `The flag has no variant ${offVariant}. Choose another.` });
  for (const { id, serve } of rules) {
    const unknown = serve.find(({ variant }) => !keys.includes(variant));
    if (unknown !== undefined)
      issues.push({
        path: ['rules', id, 'serve'],
        message: `The flag has no variant ${unknown.variant}. Choose another.`,
      });
  }
  return issues;
}

const types: { readonly [type: string]: readonly [string, (value: Json) => boolean] } = {
  STRING: ['a text in quotes', value => typeof value === 'string'],
  NUMBER: ['a number', value => typeof value === 'number'],
  OBJECT: ['an object or a list', value => isObject(value) || isList(value)],
};

function valueFault(value: Json, type: string): string | null {
  const [words, fits] = types[type] ?? ['', () => true];
  return fits(value) ? null : `This flag needs ${words}.`;
}

/** Why a number is no weight; null: it is one. */
export const weightFault = (weight: number) =>
  Number.isInteger(weight) && weight >= 0 && weight <= maxWeight
    ? null
    : 'A weight is a whole number from 0 to 100,000.';

const tooLong = (text: string | null, most: number) =>
  text !== null && [...text].length > most ? `${[...text].length} characters are too many. At most ${most}.` : null;

const blank = (text: string | null) =>
  text !== null && (text === '' || text.trim() !== text) ? 'Leave out blanks at the beginning and at the end.' : null;

function conditionIssues(conditions: Json, path: Path, isInner = false): Issue[] {
  if (!isObject(conditions)) return [{ path, message: 'Conditions are an object, such as {"groups": ["staff"]}.' }];
  const issues: Issue[] = [];
  const { not, all, any, attributes, groups } = conditions;
  if (isInner && Object.keys(conditions).length === 0)
    issues.push({ path, message: 'Choose an attribute or a group.' });
  if (not !== undefined) issues.push(...conditionIssues(not, [...path, 'not'], true));
  for (const [form, list] of Object.entries({ all, any })) {
    if (list === undefined) continue;
    if (!isList(list) || list.length === 0) issues.push({ path: [...path, form], message: 'Add a condition.' });
    else issues.push(...list.flatMap((one, index) => conditionIssues(one, [...path, form, String(index)], true)));
  }
  if (isList(groups) && (groups.length === 0 || groups.includes('')))
    issues.push({ path: [...path, 'groups'], message: 'Name a group.' });
  for (const [name, wish] of isObject(attributes) ? Object.entries(attributes) : []) {
    const at = [...path, 'attributes', name];
    if (name.trim() === '') issues.push({ path: at, message: 'Name an attribute.' });
    if (!isObject(wish)) issues.push(...operandIssues(isList(wish) ? 'in' : 'eq', wish, at));
    else {
      for (const [operator, operand] of Object.entries(wish)) {
        if (operator !== 'ignore_case') issues.push(...operandIssues(operator, operand, [...at, operator]));
      }
    }
  }
  return issues;
}

function operandIssues(operator: string, operand: Json, path: Path): Issue[] {
  if (!Object.hasOwn(operatorWords, operator)) return [{ path, message: `There is no operator ${operator}.` }];
  const values = valuesOf(operand);
  if (values.length === 0) return [{ path, message: 'Write a value.' }];
  if (operator === 'exists' || ['eq', 'neq', 'in', 'not_in'].includes(operator)) return [];
  return values.includes('') ? [{ path, message: 'Write a value.' }] : [];
}

/** Issues of the API, whose paths count rules and variants, with the names of the draft. */
export function namedIssues(issues: readonly Issue[], fields: FlagFields): readonly Issue[] {
  return issues.map(({ path, message }) => {
    const [list, index, ...rest] = path[0] === 'input' ? path.slice(1) : path;
    if (list === undefined || index === undefined || !isListName(list))
      return { path: path[0] === 'input' ? path.slice(1) : path, message };
    const name = [...itemsOf(fields, list).keys()][Number(index)] ?? index;
    return { path: [list, name, ...rest], message };
  });
}

/** The messages at a place and below it. */
export function issuesAt(issues: readonly Issue[], path: Path): readonly string[] {
  return issues.filter(issue => startsWith(issue.path, path)).map(({ message }) => message);
}
