import type { RE2JS } from 're2js';
import type SemVer from 'semver/classes/semver.js';
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
  version,
} from './operands.js';
import { isFound } from './pattern.js';
import type { SearchBudget } from './search-budget.js';

/** A test of one attribute's value; `undefined` when the user has no such attribute. */
export type AttributeTest = (value: Json | undefined) => boolean;

/** The meaning of an operator. Strict on JSON types; a missing attribute matches only where the description says so. */
export interface Operator {
  /** For people, completing "The attribute …". docs/evaluation.md lists the same. */
  readonly description: string;
  /** The expected operand, completing "takes …". */
  readonly operand: string;
  /** The operator of which this one is the exact complement: this one matches if that one does not. Null: none. */
  readonly complementOf: string | null;
  /** Checks the operand, spends its cost, and makes the test. Null if the operand has faults; `report` then got them. Never throws. */
  readonly compile: (operand: unknown, report: Report, budget: SearchBudget) => AttributeTest | null;
}

/** Every operator. An entry holds everything about its operator. */
export const operators = {
  eq: operator('equals the operand; of a list, any element does', scalar, equals),
  neq: complement('eq', 'does not equal the operand, or is missing', scalar, equals),
  in: operator('equals one of the operands; of a list, any element does', scalars, isOneOf),
  not_in: complement('in', 'equals none of the operands, or is missing', scalars, isOneOf),
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
  contains: operator(
    'is a text with any of these in it, or a list with any of these as an element',
    searchedTexts,
    contains,
  ),
  not_contains: complement('contains', 'is no such text or list, or is missing', searchedTexts, contains),
  starts_with: operator('is a text that starts with any of these', texts, startsWith),
  ends_with: operator('is a text that ends with any of these', texts, endsWith),
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

function operator<T>(description: string, operand: Operand<T>, makeTest: (operand: T) => AttributeTest): Operator {
  return {
    description,
    operand: operand.words,
    complementOf: null,
    compile: (value, report, budget) => {
      const read = operand.read(value, report, budget);
      return read === null ? null : makeTest(read);
    },
  };
}

function complement<T>(
  of: string,
  description: string,
  operand: Operand<T>,
  makeTest: (operand: T) => AttributeTest,
): Operator {
  const negated = (wanted: T): AttributeTest => {
    const test = makeTest(wanted);
    return value => !test(value);
  };
  return { ...operator(description, operand, negated), complementOf: of };
}

function equals(wanted: Scalar): AttributeTest {
  return value => value === wanted || (Array.isArray(value) && value.includes(wanted));
}

function isOneOf(wanted: readonly Scalar[]): AttributeTest {
  const values: ReadonlySet<unknown> = new Set(wanted);
  return value => values.has(value) || (Array.isArray(value) && value.some(element => values.has(element)));
}

function order(holds: (value: number, limit: number) => boolean): (limit: Bound) => AttributeTest {
  return ({ type, value: limit }) =>
    type === 'number'
      ? value => typeof value === 'number' && holds(value, limit)
      : // Other texts give NaN, for which every comparison is false.
        value => typeof value === 'string' && holds(parseInstant(value), limit);
}

function contains(wanted: readonly string[]): AttributeTest {
  return value => (typeof value === 'string' || Array.isArray(value)) && wanted.some(text => value.includes(text));
}

function startsWith(wanted: readonly string[]): AttributeTest {
  return value => typeof value === 'string' && wanted.some(text => value.startsWith(text));
}

function endsWith(wanted: readonly string[]): AttributeTest {
  return value => typeof value === 'string' && wanted.some(text => value.endsWith(text));
}

function matches(wanted: RE2JS): AttributeTest {
  return value => typeof value === 'string' && isFound(wanted, value);
}

function exists({ value: wanted }: Truth): AttributeTest {
  return value => (value !== undefined) === wanted;
}

function versionOrder(holds: (order: number) => boolean): (limit: SemVer) => AttributeTest {
  return limit => value => {
    const version = parseVersion(value);
    return version !== null && holds(version.compare(limit));
  };
}

function inNetworks(wanted: readonly Network[]): AttributeTest {
  return value => {
    const address = typeof value === 'string' ? parseAddress(value) : null;
    return address !== null && wanted.some(network => isInNetwork(address, network));
  };
}
