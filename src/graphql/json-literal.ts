import { GraphQLError, Kind, type ValueNode, valueFromASTUntyped } from 'graphql';
import { bounded, shortened } from '../core/text.js';

type Variables = Parameters<typeof valueFromASTUntyped>[1];

/**
 * The value of JSON that is written in a document.
 * @throws GraphQLError for a decimal that JavaScript rounds, with the path to it. Integers that it rounds are refused later,
 *   where those of variables are: both are known by their size.
 */
export function jsonLiteral(node: ValueNode, variables: Variables): unknown {
  checkDecimals(node, []);
  return valueFromASTUntyped(node, variables);
}

function checkDecimals(node: ValueNode, path: readonly string[]): void {
  switch (node.kind) {
    case Kind.FLOAT:
      if (!isKept(node.value)) throw rounded(node, path);
      break;
    case Kind.LIST:
      for (const [index, value] of node.values.entries()) checkDecimals(value, [...path, String(index)]);
      break;
    case Kind.OBJECT:
      for (const { name, value } of node.fields) checkDecimals(value, [...path, name.value]);
      break;
  }
}

const rounded = (node: ValueNode & { readonly value: string }, path: readonly string[]) => {
  const where = path.length === 0 ? '' : `${path.map(part => shortened(part)).join('.')}: `;
  const message = `${where}The number ${shortened(node.value, 60)} is rounded to ${Number(node.value)} when it is read. Write it as text.`;
  return new GraphQLError(message, { nodes: node, extensions: { code: 'BAD_USER_INPUT', path } });
};

/** Longer decimals have digits that no number keeps, or zeros that nobody needs. */
const decimalPattern = bounded(/^-?(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i, 400);

/** Whether JavaScript keeps the value of a decimal, whichever way it is written: `0.10` and `1e-1` are both kept. */
function isKept(text: string): boolean {
  return isSame(decimalOf(text), decimalOf(String(Number(text))));
}

interface Decimal {
  readonly digits: bigint;
  readonly exponent: number;
}

/** The value as digits that do not end in a zero, times a power of ten. */
function decimalOf(text: string): Decimal | null {
  const match = decimalPattern.exec(text);
  if (match === null) return null;
  const [, whole = '', fraction = '', power = '0'] = match;
  let digits = BigInt(whole + fraction);
  let exponent = Number(power) - fraction.length;
  while (digits !== 0n && digits % 10n === 0n) {
    digits /= 10n;
    exponent += 1;
  }
  return { digits, exponent: digits === 0n ? 0 : exponent };
}

function isSame(a: Decimal | null, b: Decimal | null): boolean {
  return a !== null && b !== null && a.digits === b.digits && a.exponent === b.exponent;
}
