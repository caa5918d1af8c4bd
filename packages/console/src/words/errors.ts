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

/** The names of what an input lists, and an error counts from 0. */
export interface InputNames {
  readonly rules?: readonly string[];
  readonly variants?: readonly string[];
  /** Keys, where several flags are changed at once. */
  readonly flags?: readonly string[];
}

/** Where an issue is, as people call the place: `rule staff, rollout`. Null: it is about the whole input. */
export function placeWords(path: readonly string[], names: InputNames = {}): string | null {
  const [field, index, ...rest] = path;
  if (field === undefined) return null;
  if (field === 'flags' && index !== undefined) {
    const inner = placeWords(rest);
    return `flag ${nameAt(names.flags, index)}${inner === null ? '' : `, ${inner}`}`;
  }
  if (field === 'rules' && index !== undefined) return joined(`rule ${nameAt(names.rules, index)}`, rest);
  if (field === 'variants' && index !== undefined) return joined(`variant ${nameAt(names.variants, index)}`, rest);
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

const nameAt = (names: readonly string[] | undefined, index: string) =>
  names?.[Number(index)] ?? `number ${Number(index) + 1}`;

function joined(place: string, rest: readonly string[]): string {
  const told = rest
    .filter(part => !['attributes', 'when'].includes(part))
    .map(part => (/^\d+$/.test(part) ? `number ${Number(part) + 1}` : (places[part] ?? part)));
  return [place, ...told].join(', ');
}

/** One line for an error that has no field on the screen. */
export function errorText(error: ErrorShape, names: InputNames = {}): string {
  const [first, ...more] = error.issues ?? [];
  if (first === undefined) return error.message;
  const place = placeWords(first.path[0] === 'input' ? first.path.slice(1) : first.path, names);
  const text = place === null ? first.message : `${place.charAt(0).toUpperCase()}${place.slice(1)}: ${first.message}`;
  return more.length === 0 ? text : `${text} And ${plural(more.length, 'more fault')}.`;
}

/** What somebody else has changed meanwhile. */
export interface ConflictShape {
  /** Null: it is about none. */
  readonly flagKey?: string | null;
  readonly message: string;
}

/** Names that a line lists. The others are counted. */
const listed = 3;

/** Why a change of several things was refused, which of them are to blame, and how to go on. */
export function conflictsText(conflicts: readonly ConflictShape[], isUndo: boolean): string {
  const keys = [...new Set(conflicts.flatMap(({ flagKey }) => flagKey ?? []))];
  const [first] = conflicts;
  const others = keys.length > listed ? ` and ${plural(keys.length - listed, 'more flag')}` : '';
  const what =
    keys.length < 2 ? (first?.message ?? '') : `${keys.slice(0, listed).join(', ')}${others} were changed again since.`;
  return isUndo
    ? `${what} Nothing was taken back: it is all or nothing. The history can bring flags back one by one.`
    : `${what} Nothing was changed.`;
}

/** A flag that was to be changed, and was deleted by somebody else. */
export const missingText = (key: string) => `The flag ${key} was deleted meanwhile. Nothing was changed.`;

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
