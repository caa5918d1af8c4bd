import type { Json } from './json.js';
import type { OperatorName } from './operators.js';
import { bounded, maxNameLength, shortened } from './text.js';

/** Most characters that an explanation repeats of one value, in UTF-16 code units. */
export const longestTold = 200;

const plainName = bounded(/^[\w$.-]+$/, maxNameLength);

/** A text in quotes and escaped, at most {@link longestTold} long. */
export function quoted(text: string): string {
  // Shortened before too: escaping a long text would cost more than all the rest.
  return shortened(JSON.stringify(shortened(text, longestTold - 2)), longestTold);
}

/** The name of an attribute, as the subject of a sentence. */
export function attributeWords(name: string): string {
  if (name === '$id') return 'the user id';
  if (name === '$targetingKey') return 'the targeting key';
  return plainName.test(name) ? name : quoted(name);
}

/** A value that was found in an attribute. It may be any object of a program. Never throws. */
export function valueWords(value: Json): string {
  if (typeof value === 'string') return quoted(value);
  if (typeof value !== 'object' || value === null) return String(value);
  if (!Array.isArray(value)) return 'an object';
  const { told, more } = fitting(value, element => (Array.isArray(element) ? 'a list' : valueWords(element)));
  return more === 0 ? `[${told.join(', ')}]` : `[${[...told, `${count(more)} more`].join(', ')}]`;
}

/** Names or values, one of which is enough: `"pro" or "team"`. */
export function oneOf(values: readonly Json[]): string {
  return joined(values, 'or');
}

/** Names or values that belong together: `"beta" and "vip"`. */
export function each(values: readonly Json[]): string {
  return joined(values, 'and');
}

/** The time in ISO 8601. @param time milliseconds since the epoch. Never throws. */
export function timeWords(time: number): string {
  return Math.abs(time) <= 8.64e15 ? new Date(time).toISOString() : 'a time beyond the year 275760';
}

/** A number with its thousands separated. */
export function count(number: number): string {
  return number.toLocaleString('en');
}

/** Clauses as one sentence, with a capital and a full stop. */
export function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

/** The first items, and how many more there are. */
export function firstOf(items: readonly string[], most: number, separator = '; '): string {
  const more = items.length - most;
  const told = items.slice(0, most).join(separator);
  return more > 0 ? `${told}${separator}and ${count(more)} more` : told;
}

/** What an operator expects of an attribute, as the object of "expected …". */
export function expectation(operator: OperatorName, operand: Json, ignoreCase: boolean, isNegated: boolean): string {
  const phrase = isNegated ? (negations[operator] ?? anythingBut(expectations[operator])) : expectations[operator];
  return `${phrase(operand)}${ignoreCase ? ' in upper or lower case' : ''}`;
}

type Phrase = (operand: Json) => string;

const anythingBut =
  (phrase: Phrase): Phrase =>
  operand =>
    `anything but ${phrase(operand)}`;

const values: Phrase = operand => oneOf(Array.isArray(operand) ? operand : [operand]);
/** Numbers and dates have different words. Dates, versions and addresses are clearer without quotes. */
const bound =
  (number: string, time: string): Phrase =>
  operand =>
    typeof operand === 'number' ? `a number ${number} ${operand}` : `a time ${time} ${operand}`;
const partOfText: Phrase = operand => `a text or a list with ${values(operand)} in it`;
const plain: Phrase = operand =>
  shortened(Array.isArray(operand) ? operand.slice(0, 20).join(' or ') : String(operand));

const expectations: { readonly [name in OperatorName]: Phrase } = {
  eq: values,
  neq: anythingBut(values),
  in: values,
  not_in: anythingBut(values),
  lt: bound('below', 'before'),
  lte: bound('of at most', 'not after'),
  gt: bound('above', 'after'),
  gte: bound('of at least', 'not before'),
  contains: partOfText,
  not_contains: anythingBut(partOfText),
  starts_with: operand => `a text that starts with ${values(operand)}`,
  ends_with: operand => `a text that ends with ${values(operand)}`,
  matches: operand => `a text in which the pattern ${quoted(String(operand))} is found`,
  exists: operand => (operand === true ? 'any value' : 'no value'),
  semver_eq: operand => `the version ${plain(operand)}`,
  semver_lt: operand => `a version before ${plain(operand)}`,
  semver_lte: operand => `the version ${plain(operand)} or an earlier one`,
  semver_gt: operand => `a version after ${plain(operand)}`,
  semver_gte: operand => `the version ${plain(operand)} or a later one`,
  in_cidr: operand => `an IP address in ${plain(operand)}`,
};

/** Where "anything but" in front would be two negations. */
const negations: { readonly [name in OperatorName]?: Phrase } = {
  neq: expectations.eq,
  not_in: expectations.in,
  not_contains: expectations.contains,
  exists: operand => expectations.exists(operand !== true),
};

function joined(list: readonly Json[], word: 'or' | 'and'): string {
  const { told, more } = fitting(list, valueWords);
  const items = more === 0 ? told : [...told, `${count(more)} ${more === 1 ? 'other' : 'others'}`];
  return items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} ${word} ${items.at(-1)}`;
}

/** The words of the first elements, as many as {@link longestTold} has room for. */
function fitting(list: readonly Json[], wordsOf: (element: Json) => string): { told: string[]; more: number } {
  const told: string[] = [];
  let length = 0;
  for (const element of list) {
    const words = wordsOf(element);
    length += words.length + 2;
    if (told.length > 0 && length > longestTold) break;
    told.push(words);
  }
  return { told, more: list.length - told.length };
}
