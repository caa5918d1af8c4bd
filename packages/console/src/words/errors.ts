import { plural } from './numbers.js';

export interface IssueShape {
  readonly path: readonly string[];
  readonly message: string;
}

/** What a typed error of the API tells. */
export interface ErrorShape {
  readonly code: string;
  readonly message: string;
  readonly issues?: readonly IssueShape[];
}

/** Where an issue is, as people call the place: `rule staff, rollout`. Null: it is about the whole input. */
export function placeWords(
  path: readonly string[],
  ruleIds: readonly string[],
  variantKeys: readonly string[],
): string | null {
  const [field, index, ...rest] = path;
  if (field === undefined) return null;
  if (field === 'rules' && index !== undefined) return joined(`rule ${nameAt(ruleIds, index)}`, rest);
  if (field === 'variants' && index !== undefined) return joined(`variant ${nameAt(variantKeys, index)}`, rest);
  const place = places[field] ?? field;
  return index === undefined ? place : joined(place, [index, ...rest]);
}

const places: { readonly [field: string]: string } = {
  percentage: 'rollout',
  conditions: 'everyone else',
  offVariant: 'variant when off',
  bucketBy: 'bucketing',
  expectedUntil: 'expected end',
  when: 'condition',
};

/** The list has names; an error counts from 0. */
const nameAt = (names: readonly string[], index: string) => names[Number(index)] ?? index;

function joined(place: string, rest: readonly string[]): string {
  const told = rest
    .filter(part => !['attributes', 'when'].includes(part))
    .map(part => (/^\d+$/.test(part) ? `number ${Number(part) + 1}` : (places[part] ?? part)));
  return [place, ...told].join(', ');
}

/** One line for an error that has no field on the screen. */
export function errorText(
  error: ErrorShape,
  ruleIds: readonly string[] = [],
  variantKeys: readonly string[] = [],
): string {
  const [first, ...more] = error.issues ?? [];
  if (first === undefined) return error.message;
  const place = placeWords(first.path, ruleIds, variantKeys);
  const text = place === null ? first.message : `${place.charAt(0).toUpperCase()}${place.slice(1)}: ${first.message}`;
  return more.length === 0 ? text : `${text} And ${plural(more.length, 'more fault')}.`;
}

/** What is told of a change whose answer was lost: it may have been made. */
export const noAnswer = 'The server did not answer. It may have saved this or not: look, and try again if not.';

/** A rollout that is out of range: what was given, and what is expected. */
export function rolloutFault(value: number, decimals: 0 | 2): string | null {
  if (Number.isNaN(value)) return 'Write a number from 0 to 100.';
  if (value > 100) return `${value} is too high. A rollout is 0 to 100.`;
  if (value < 0) return `${value} is too low. A rollout is 0 to 100.`;
  const factor = 10 ** decimals;
  if (Math.round(value * factor) / factor === value) return null;
  return decimals === 0
    ? `${value} has decimals. This rollout is a whole number.`
    : `${value} has more than two decimals.`;
}
