import { PothosValidationError } from '@pothos/core';
import type { ComplexityErrorKind } from '@pothos/plugin-complexity';
import { GraphQLError } from 'graphql';
import { toUnavailable } from '../backends/errors.js';
import { type FeatureError, type Issue, shortIssue, ValidationError } from '../core/errors.js';
import { isLongerThan, isStorable, unstorableText } from '../core/text.js';
import { Prisma } from '../generated/prisma/client.js';

/** `extensions.code` of the top-level errors that callers should expect. */
export type ErrorCode = 'UNAUTHENTICATED' | 'FORBIDDEN' | 'BAD_USER_INPUT' | 'UNAVAILABLE' | 'INTERNAL_SERVER_ERROR';

function codedError(code: ErrorCode, message: string, extensions: object = {}): GraphQLError {
  return new GraphQLError(message, { extensions: { code, ...extensions } });
}

/** The caller has no token and this needs one. */
export const unauthenticated = () =>
  codedError('UNAUTHENTICATED', 'This needs a token: send the header "Authorization: Bearer <token>".');

/** The caller's role does not reach. */
export const forbidden = () => codedError('FORBIDDEN', 'The role of this token may not do this.');

/** An argument of a query or a subscription is wrong. `extensions.path` names it, from the field's arguments down. */
export function badUserInput(issue: Issue): GraphQLError {
  const { path, message } = shortIssue(issue);
  return codedError('BAD_USER_INPUT', `${path.join('.')}: ${message}`, { path });
}

/**
 * A text that is compared with what is stored.
 * @param characters how many (code points) a stored text has at most, or a search may have.
 * @throws GraphQLError `BAD_USER_INPUT` for one that is longer, or that no database can hold.
 */
export function storable<Text extends string | null | undefined>(
  text: Text,
  path: readonly string[],
  characters: number,
): Text {
  if (typeof text !== 'string') return text;
  if (isLongerThan(text, characters))
    throw badUserInput({ path, message: `Expected at most ${characters} characters.` });
  if (!isStorable(text)) throw badUserInput({ path, message: unstorableText });
  return text;
}

export function tooCostly(
  kind: ComplexityErrorKind,
  {
    complexity,
    depth,
    breadth,
    ...limits
  }: Record<'complexity' | 'depth' | 'breadth', number> & {
    maxComplexity?: number;
    maxDepth?: number;
    maxBreadth?: number;
  },
): GraphQLError {
  const [found, limit] = {
    Complexity: [complexity, limits.maxComplexity],
    Depth: [depth, limits.maxDepth],
    Breadth: [breadth, limits.maxBreadth],
  }[kind];
  return codedError(
    'BAD_USER_INPUT',
    `The ${kind.toLowerCase()} of this operation is ${found}; at most ${limit} is allowed.`,
  );
}

/** What Prisma answers to a value that no column can have: invalid, out of range, inconsistent. */
const impossibleValue = new Set(['P2007', 'P2020', 'P2023']);

/**
 * What a library threw in an admin's read, as what it means to the caller: the database is away, or a cursor was made up.
 * Everything else in such a read has been checked by then. Null: it is none of these.
 */
export function readFailure(error: unknown): FeatureError | null {
  return isCursorFault(error)
    ? new ValidationError([{ path: ['after'], message: 'This is no cursor of this list.' }])
    : toUnavailable(error);
}

function isCursorFault(error: unknown): boolean {
  if (error instanceof PothosValidationError || error instanceof Prisma.PrismaClientValidationError) return true;
  if (error instanceof Prisma.PrismaClientKnownRequestError) return impossibleValue.has(error.code);
  return (
    error instanceof Prisma.PrismaClientUnknownRequestError &&
    error.message.includes('Could not convert argument value')
  );
}
