import type { RE2JS } from 're2js';
import { parseInstant } from './instant.js';
import type { Json } from './json.js';
import { isInNetwork, type Network, parseAddress } from './network.js';
import {
  type Bound,
  bound,
  networks,
  type Operand,
  parseVersion,
  pattern,
  type Report,
  type Scalar,
  scalar,
  scalars,
  searchedTexts,
  type Truth,
  texts,
  truth,
  type Version,
  version,
} from './operands.js';
import { isFound } from './pattern.js';
import type { SearchBudget } from './search-budget.js';
import { foldCase, keepingLast } from './text.js';

/** A test of one attribute's value; `undefined` when the user has no such attribute. */
export type AttributeTest = (value: Json | undefined) => boolean;

/** Most elements of a list that operators look at which compare more than whole values. They match no longer list. */
export const maxListElements = 100;
/** Most text in a list, in UTF-16 code units, that operators read: `matches`, and those on dates, versions and addresses. */
export const maxListText = 1_000;

/** What an operator is compiled with. */
export interface Compilation {
  /** Whether texts that differ in case alone are equal. True only for operators that compare case. */
  readonly ignoreCase: boolean;
  readonly budget: SearchBudget;
  readonly report: Report;
  /** Reports what is refused only when it is written: what is stored goes on. */
  readonly reportWritten: Report;
}

/** The meaning of an operator. Strict on JSON types; a missing attribute matches only where the description says so. */
export interface Operator {
  /** For people, completing "The attribute …". docs/evaluation.md lists the same. */
  readonly description: string;
  /** The expected operand, completing "takes …". */
  readonly operand: string;
  /** The operator of which this one is the exact complement: this one matches if that one does not. Null: none. */
  readonly complementOf: string | null;
  /** Whether `"ignore_case": true` changes what it compares. */
  readonly comparesCase: boolean;
  /** Checks the operand, spends its cost, and makes the test. Null if the operand has faults; `report` then got them. Never throws. */
  readonly compile: (operand: unknown, compilation: Compilation) => AttributeTest | null;
}

/** Every operator. An entry holds everything about its operator. */
export const operators = {
  eq: comparesCase(operator('equals the operand', scalar, equals)),
  neq: comparesCase(complement('eq', 'does not equal the operand, or is missing', scalar, equals)),
  in: comparesCase(operator('equals one of the operands', scalars, isOneOf)),
  not_in: comparesCase(complement('in', 'equals none of the operands, or is missing', scalars, isOneOf)),
  lt: operator(
    'is a lower number or an earlier instant',
    bound,
    order((value, limit) => value < limit),
  ),
  lte: operator(
    'is a lower number or an earlier instant, or the same',
    bound,
    order((value, limit) => value <= limit),
  ),
  gt: operator(
    'is a higher number or a later instant',
    bound,
    order((value, limit) => value > limit),
  ),
  gte: operator(
    'is a higher number or a later instant, or the same',
    bound,
    order((value, limit) => value >= limit),
  ),
  contains: comparesCase(
    operator('is a text with any of these in it, or a list with any of these as an element', searchedTexts, contains),
  ),
  not_contains: comparesCase(complement('contains', 'is no such text or list, or is missing', searchedTexts, contains)),
  starts_with: comparesCase(operator('is a text that starts with any of these', texts, startsWith)),
  ends_with: comparesCase(operator('is a text that ends with any of these', texts, endsWith)),
  matches: operator('is a text in which the pattern is found', pattern, matches),
  exists: operator('is there (`true`) or is missing (`false`)', truth, exists),
  semver_eq: operator(
    'is the same version',
    version,
    versionOrder(order => order === 0),
  ),
  semver_lt: operator(
    'is an earlier version',
    version,
    versionOrder(order => order < 0),
  ),
  semver_lte: operator(
    'is an earlier version or the same',
    version,
    versionOrder(order => order <= 0),
  ),
  semver_gt: operator(
    'is a later version',
    version,
    versionOrder(order => order > 0),
  ),
  semver_gte: operator(
    'is a later version or the same',
    version,
    versionOrder(order => order >= 0),
  ),
  in_cidr: operator('is an IP address in any of these ranges', networks, inNetworks),
} as const satisfies Record<string, Operator>;

export type OperatorName = keyof typeof operators;

/** The operator of that name; null if there is none. Inherited names such as `constructor` do not count. */
export function findOperator(name: string): Operator | null {
  return Object.hasOwn(operators, name) ? operators[name as OperatorName] : null;
}

type MakeTest<T> = (operand: T, compilation: Compilation) => AttributeTest;

function operator<T>(description: string, operand: Operand<T>, makeTest: MakeTest<T>): Operator {
  return {
    description,
    operand: operand.words,
    complementOf: null,
    comparesCase: false,
    compile: (value, compilation) => {
      const read = operand.read(value, compilation.report, compilation.budget);
      return read === null ? null : makeTest(read, compilation);
    },
  };
}

function complement<T>(of: string, description: string, operand: Operand<T>, makeTest: MakeTest<T>): Operator {
  const negated: MakeTest<T> = (wanted, compilation) => {
    const test = makeTest(wanted, compilation);
    return value => !test(value);
  };
  return { ...operator(description, operand, negated), complementOf: of };
}

function comparesCase(one: Operator): Operator {
  return { ...one, comparesCase: true };
}

function equals(wanted: Scalar, { ignoreCase }: Compilation): AttributeTest {
  if (ignoreCase) return isOneOfFolded([wanted]);
  return value => value === wanted || (Array.isArray(value) && value.includes(wanted));
}

function isOneOf(wanted: readonly Scalar[], { ignoreCase }: Compilation): AttributeTest {
  if (ignoreCase) return isOneOfFolded(wanted);
  const values: ReadonlySet<unknown> = new Set(wanted);
  return value => values.has(value) || (Array.isArray(value) && value.some(element => values.has(element)));
}

function isOneOfFolded(wanted: readonly Scalar[]): AttributeTest {
  const folded = wanted.map(one => (typeof one === 'string' ? foldCase(one) : one));
  const values: ReadonlySet<unknown> = new Set(folded);
  const longest = longestOf(folded);
  // A longer text is not folded: folding never makes it shorter, so it equals none of these.
  return anyOf(value => values.has(typeof value === 'string' && value.length <= longest ? foldCase(value) : value));
}

/** Longer texts are no dates, versions or addresses, or rare ones. */
const keptLength = 64;
const instantOf = keepingLast(parseInstant, keptLength);
const versionOf = keepingLast(parseVersion, keptLength);
const addressOf = keepingLast(parseAddress, keptLength);

function order(holds: (value: number, limit: number) => boolean): MakeTest<Bound> {
  return ({ type, value: limit }, compilation) => {
    if (type === 'number') {
      const inList = anyOf(value => typeof value === 'number' && holds(value, limit));
      return value => (typeof value === 'number' ? holds(value, limit) : inList(value));
    }
    // Other texts give NaN, for which every comparison is false.
    return anyRead(value => typeof value === 'string' && holds(instantOf(value), limit), compilation);
  };
}

function contains(wanted: readonly string[], { ignoreCase }: Compilation): AttributeTest {
  if (ignoreCase) {
    const texts = wanted.map(foldCase);
    const isElement = isOneOfFolded(wanted);
    return value => {
      if (typeof value !== 'string') return Array.isArray(value) && isElement(value);
      const folded = foldCase(value);
      return texts.some(text => folded.includes(text));
    };
  }
  return value => (typeof value === 'string' || Array.isArray(value)) && wanted.some(text => value.includes(text));
}

function startsWith(wanted: readonly string[], { ignoreCase }: Compilation): AttributeTest {
  if (!ignoreCase) return anyText(value => wanted.some(text => value.startsWith(text)));
  const texts = wanted.map(foldCase);
  const longest = longestOf(texts);
  return anyText(value => {
    const start = foldCase(value.slice(0, longest));
    return texts.some(text => start.startsWith(text));
  });
}

function endsWith(wanted: readonly string[], { ignoreCase }: Compilation): AttributeTest {
  if (!ignoreCase) return anyText(value => wanted.some(text => value.endsWith(text)));
  const texts = wanted.map(foldCase);
  const longest = longestOf(texts);
  return anyText(value => {
    const end = foldCase(value.slice(-longest));
    return texts.some(text => end.endsWith(text));
  });
}

function matches(wanted: RE2JS): AttributeTest {
  // The limits of patterns bound the cost of short lists too.
  return anyOfShort(value => typeof value === 'string' && isFound(wanted, value));
}

function exists({ value: wanted }: Truth): AttributeTest {
  return value => (value !== undefined) === wanted;
}

function versionOrder(holds: (order: number) => boolean): MakeTest<Version> {
  return (limit, compilation) =>
    anyRead(value => {
      const version = typeof value === 'string' ? versionOf(value) : null;
      return version !== null && holds(version.compare(limit));
    }, compilation);
}

function inNetworks(wanted: readonly Network[], compilation: Compilation): AttributeTest {
  return anyRead(value => {
    const address = typeof value === 'string' ? addressOf(value) : null;
    return address !== null && wanted.some(network => isInNetwork(address, network));
  }, compilation);
}

/** The test of a value, or of any element of a list. */
function anyOf(test: AttributeTest): AttributeTest {
  return value => {
    // Most values are no lists, and this is the cheapest way to see it.
    if (typeof value !== 'object') return test(value);
    return Array.isArray(value) && value.length <= maxListElements && value.some(element => test(element));
  };
}

/** Like {@link anyOf}, for tests of texts alone. */
function anyText(test: (text: string) => boolean): AttributeTest {
  const inList = anyOf(value => typeof value === 'string' && test(value));
  return value => (typeof value === 'string' ? test(value) : inList(value));
}

/** Like {@link anyOf}, for tests whose cost grows with the text. */
function anyOfShort(test: AttributeTest): AttributeTest {
  return value => {
    if (typeof value !== 'object') return test(value);
    return Array.isArray(value) && isShort(value) && value.some(element => test(element));
  };
}

/**
 * Like {@link anyOfShort}, for tests that read dates, versions or addresses. Stored conditions may have more of them than may be
 * written: those do not look into lists.
 */
function anyRead(test: AttributeTest, { budget, reportWritten }: Compilation): AttributeTest {
  return budget.spend('readings', 1, reportWritten) ? anyOfShort(test) : test;
}

function isShort(list: readonly Json[]): boolean {
  if (list.length > maxListElements) return false;
  let length = 0;
  for (const element of list) if (typeof element === 'string') length += element.length;
  return length <= maxListText;
}

/** The length of the longest text, in UTF-16 code units. */
function longestOf(values: readonly Scalar[]): number {
  return values.reduce<number>((most, one) => (typeof one === 'string' ? Math.max(most, one.length) : most), 0);
}
