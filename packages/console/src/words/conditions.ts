import { isList, isObject, type Json } from './shapes.js';
import { attributeName, listed, valuesOf, valueText } from './values.js';

/** One test as words: `plan`, `is`, `pro or team`. */
export interface ConditionRow {
  /** Leads to the test in the conditions, as the paths of errors do. */
  readonly path: readonly string[];
  /** Levels of `all`, `any` and `not` around it. */
  readonly depth: number;
  /** How it is joined to the row before it; null for the first row. */
  readonly joint: 'and' | 'or' | null;
  /** Whether `not` stands directly around it. */
  readonly isNegated: boolean;
  readonly field: string;
  readonly operator: string;
  readonly values: readonly string[];
}

/** What each operator is called between a field and its values. */
export const operatorWords: { readonly [operator: string]: string } = {
  eq: 'is',
  neq: 'is not',
  in: 'is',
  not_in: 'is not',
  lt: 'is below',
  lte: 'is at most',
  gt: 'is above',
  gte: 'is at least',
  contains: 'contains',
  not_contains: 'does not contain',
  starts_with: 'starts with',
  ends_with: 'ends with',
  matches: 'matches the pattern',
  exists: 'has a value',
  semver_eq: 'is version',
  semver_lt: 'is before version',
  semver_lte: 'is at most version',
  semver_gt: 'is after version',
  semver_gte: 'is at least version',
  in_cidr: 'is in the network',
};

type Place = Pick<ConditionRow, 'path' | 'depth' | 'joint' | 'isNegated'>;

/** A tree of conditions as rows, in the order in which they are written. Conditions that cannot be read have one row. */
export function conditionRows(conditions: Json): readonly ConditionRow[] {
  return rowsOf(conditions, { path: [], depth: 0, joint: null, isNegated: false });
}

function rowsOf(conditions: Json, place: Place): ConditionRow[] {
  if (!isObject(conditions)) return [{ ...place, field: 'Conditions', operator: 'cannot be read', values: [] }];
  const below = (part: Json, joint: Place['joint'], ...path: string[]) =>
    rowsOf(part, { path: [...place.path, ...path], depth: place.depth + 1, joint, isNegated: false });
  return Object.entries(conditions).flatMap(([form, part], index) => {
    const first = index === 0 ? place.joint : 'or';
    if (form === 'not') {
      const path = [...place.path, 'not'];
      return rowsOf(part, { path, depth: place.depth + 1, joint: first, isNegated: !place.isNegated });
    }
    if ((form === 'all' || form === 'any') && isList(part)) {
      const joint = form === 'all' ? 'and' : 'or';
      return part.flatMap((one, at) => below(one, at === 0 ? first : joint, form, String(at)));
    }
    const at = { ...place, joint: first, path: [...place.path, form] };
    if (form === 'groups' && isList(part)) return part.length === 0 ? [] : [groupRow(part, at)];
    if (form === 'attributes' && isObject(part)) return attributeRows(part, at);
    return [{ ...at, field: form, operator: 'is not known', values: [] }];
  });
}

const groupRow = (groups: readonly Json[], place: Place): ConditionRow => ({
  ...place,
  field: 'group',
  operator: 'is',
  values: groups.map(valueText),
});

function attributeRows(attributes: { readonly [name: string]: Json }, place: Place): ConditionRow[] {
  const rows = Object.entries(attributes).flatMap(([name, wish]) => {
    const at = { ...place, path: [...place.path, name] };
    if (!isObject(wish)) return [attributeRow(name, isList(wish) ? 'in' : 'eq', wish, at)];
    return Object.entries(wish)
      .filter(([operator]) => operator !== 'ignore_case')
      .map(([operator, operand]) => attributeRow(name, operator, operand, { ...at, path: [...at.path, operator] }));
  });
  return rows.map((row, index) => (index === 0 ? row : { ...row, joint: 'and' as const }));
}

function attributeRow(name: string, operator: string, operand: Json, place: Place): ConditionRow {
  const row = { ...place, field: attributeName(name) };
  if (operator === 'exists')
    return { ...row, operator: operand === false ? 'has no value' : 'has a value', values: [] };
  const values = valuesOf(operand).map(value => valueText(value));
  return { ...row, operator: operatorWords[operator] ?? operator, values };
}

/** A row as text: `country is DE, AT or CH`. */
export function rowText({ field, operator, values, isNegated }: ConditionRow): string {
  const words = `${field} ${operator}${values.length === 0 ? '' : ` ${listed(values, 'or')}`}`;
  return isNegated ? `not: ${words}` : words;
}

/** Conditions as one line: `plan is pro and (country is DE or group is vip)`. Empty: everybody. */
export function conditionsText(conditions: Json): string {
  return lineOf(conditions).text;
}

/** A part is in brackets where it stands in another form than its own. */
interface Line {
  readonly text: string;
  readonly joint: 'and' | 'or' | null;
}

function lineOf(conditions: Json): Line {
  const { not, all, any, attributes, groups } = isObject(conditions) ? conditions : {};
  if (not !== undefined) {
    const { text } = lineOf(not);
    return { text: `not (${text})`, joint: null };
  }
  if (isList(all)) return joined(all.map(lineOf), 'and');
  if (isList(any)) return joined(any.map(lineOf), 'or');
  const tests = isObject(attributes)
    ? conditionRows({ attributes }).map(row => ({ text: rowText(row), joint: null }))
    : [];
  const members = isList(groups) ? conditionRows({ groups }).map(row => ({ text: rowText(row), joint: null })) : [];
  const halves = [...(tests.length > 0 ? [joined(tests, 'and')] : []), ...members];
  if (halves.length > 0 || (isObject(conditions) && Object.keys(conditions).every(isForm))) return joined(halves, 'or');
  return { text: 'conditions that cannot be read', joint: null };
}

const isForm = (name: string) => name === 'attributes' || name === 'groups';

function joined(lines: readonly Line[], joint: 'and' | 'or'): Line {
  const [only] = lines;
  if (lines.length === 1 && only !== undefined) return only;
  const wrapped = lines.map(line => (line.joint === null || line.joint === joint ? line.text : `(${line.text})`));
  return { text: wrapped.join(` ${joint} `), joint: lines.length > 1 ? joint : null };
}
