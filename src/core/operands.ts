import type { RE2JS } from 're2js';
import parseSemver from 'semver/functions/parse.js';
import { parseInstant } from './instant.js';
import { inexactNumber, isExact } from './json.js';
import { type Network, parseNetwork } from './network.js';
import { compilePattern } from './pattern.js';
import type { SearchBudget } from './search-budget.js';
import { bounded, isStorable, unstorableText } from './text.js';

/** Reports a fault. `path` leads from the operand to its faulty part. */
export type Report = (message: string, ...path: string[]) => void;

/** A kind of operand: its form in JSON, and the function that reads it. */
export interface Operand<T> {
  /** For people, completing "takes …". */
  readonly words: string;
  /** The operand ready for use, or null if it has faults; `report` then got them. Never throws. */
  readonly read: (value: unknown, report: Report, budget: SearchBudget) => T | null;
}

export type Scalar = string | number | boolean;

/** A bound to compare with: a number, or an instant in milliseconds since the epoch. */
export interface Bound {
  readonly type: 'number' | 'instant';
  readonly value: number;
}

/** A boolean in a box, so that null can stand for a faulty operand. */
export interface Truth {
  readonly value: boolean;
}

/** Longest text to search for in other texts, in UTF-16 code units: a search for a longer one can be slow. */
export const maxSearchedLength = 200;
/** Longest version, in UTF-16 code units: the limit of the library. */
const maxVersionLength = 256;

export const scalar: Operand<Scalar> = {
  words: 'a string, number or boolean',
  read: (value, report) => readScalar(value, report),
};

export const scalars: Operand<readonly Scalar[]> = {
  words: 'a list of strings, numbers or booleans',
  read: (value, report) => {
    if (!Array.isArray(value)) return fault(report, 'Expected a list such as ["premium", "enterprise"].');
    return readEach(value, report, readScalar);
  },
};

export const texts: Operand<readonly string[]> = {
  words: 'a string or a list of strings',
  read: (value, report) => oneOrEach(value, report, readText),
};

/** Texts to search for in other texts, which costs more than a comparison. */
export const searchedTexts: Operand<readonly string[]> = {
  words: texts.words,
  read: (value, report, budget) => {
    if (!budget.spend('searchedTexts', Array.isArray(value) ? value.length : 1, report)) return null;
    return oneOrEach(value, report, readSearchedText);
  },
};

export const bound: Operand<Bound> = {
  words: 'a number, or an ISO 8601 date or instant',
  read: (value, report) => {
    if (typeof value === 'number') {
      return isExact(value) ? { type: 'number', value } : fault(report, inexactNumber);
    }
    const instant = typeof value === 'string' ? parseInstant(value) : Number.NaN;
    if (!Number.isNaN(instant)) return { type: 'instant', value: instant };
    return fault(report, 'Expected a number, or a date that exists such as "2024-01-31" or "2024-01-31T09:30:00Z".');
  },
};

export const pattern: Operand<RE2JS> = {
  words: 'an RE2 pattern',
  read: (value, report, budget) => {
    if (typeof value !== 'string' || value === '')
      return fault(report, 'Expected an RE2 pattern such as "@example\\\\.com$".');
    if (!isStorable(value)) return fault(report, unstorableText);
    return compilePattern(value, budget, report);
  },
};

export const truth: Operand<Truth> = {
  words: '`true` or `false`',
  read: (value, report) => (typeof value === 'boolean' ? { value } : fault(report, 'Expected true or false.')),
};

/** A semantic version. Its type is ours, because the library has none of its own, and the package's types lead here. */
export interface Version {
  /** Negative, 0 or positive: this version comes before, with or after the other. */
  compare(other: string | Version): number;
}

export const version: Operand<Version> = {
  words: 'a semantic version',
  read: (value, report) =>
    parseVersion(value) ??
    fault(report, 'Expected a semantic version of one to three numbers such as "17.4", "2.1.0" or "2.1.0-rc.1".'),
};

export const networks: Operand<readonly Network[]> = {
  words: 'a CIDR range, an IP address, or a list of them',
  read: (value, report) => oneOrEach(value, report, readNetwork),
};

/** One to three numbers, and the beginning of what follows them. */
const versionStart = bounded(
  /^(v?(?:0|[1-9]\d*)(\.(?:0|[1-9]\d*))?(\.(?:0|[1-9]\d*))?)(?:$|\+|(-)([A-Za-z])?)/,
  maxVersionLength,
);

/** Reads a semantic version, with or without a leading `v`. Numbers that are left out are 0. Null for anything else. */
export function parseVersion(value: unknown): Version | null {
  if (typeof value !== 'string' || value.length > maxVersionLength) return null;
  const text = value.trim();
  // Looked at first: the library throws an error inside for most of what is no version, which costs more than all the rest.
  const start = versionStart.exec(text);
  if (start === null) return null;
  const [, numbers = '', minor, patch, hyphen, letter] = start;
  if (patch !== undefined) return parseSemver(text);
  // A pre-release begins with a letter here, so that a date is no version.
  if (hyphen !== undefined && letter === undefined) return null;
  return parseSemver(`${numbers}${minor === undefined ? '.0.0' : '.0'}${text.slice(numbers.length)}`);
}

function readScalar(value: unknown, report: Report): Scalar | null {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number') return isExact(value) ? value : fault(report, inexactNumber);
  if (typeof value === 'string') return isStorable(value) ? value : fault(report, unstorableText);
  if (value === null) return fault(report, 'null counts as missing: say {"exists": false} instead.');
  return fault(report, 'Expected a string, number or boolean.');
}

function readText(value: unknown, report: Report): string | null {
  if (typeof value !== 'string') return fault(report, 'Expected a string.');
  if (value === '') return fault(report, 'Expected a string that is not empty: every text has the empty one in it.');
  return isStorable(value) ? value : fault(report, unstorableText);
}

function readSearchedText(value: unknown, report: Report): string | null {
  if (typeof value === 'string' && value.length > maxSearchedLength) {
    return fault(report, `Expected a text of at most ${maxSearchedLength} characters, found ${value.length}.`);
  }
  return readText(value, report);
}

function readNetwork(value: unknown, report: Report): Network | null {
  const network = typeof value === 'string' ? parseNetwork(value) : null;
  return (
    network ??
    fault(
      report,
      'Expected a CIDR range such as "10.0.0.0/8" or "2001:db8::/32", or an IP address such as "192.0.2.7".',
    )
  );
}

type Read<T> = (value: unknown, report: Report) => T | null;

function oneOrEach<T>(value: unknown, report: Report, read: Read<T>): readonly T[] | null {
  if (Array.isArray(value)) return readEach(value, report, read);
  const one = read(value, report);
  return one === null ? null : [one];
}

function readEach<T>(list: readonly unknown[], report: Report, read: Read<T>): readonly T[] | null {
  if (list.length === 0) return fault(report, 'Expected at least one value in the list.');
  const values: T[] = [];
  // Not `forEach`, which passes over gaps.
  for (const [index, element] of list.entries()) {
    const value = read(element, (message, ...path) => report(message, String(index), ...path));
    if (value !== null) values.push(value);
  }
  return values.length === list.length ? values : null;
}

function fault(report: Report, message: string): null {
  report(message);
  return null;
}
