import type { ComplexityErrorKind } from '@pothos/plugin-complexity';
import { GraphQLError } from 'graphql';
import type { Caller } from '../auth/caller.js';
import { type Issue, shortIssue } from '../core/errors.js';
import { isLongerThan, isStorable, unstorableText } from '../core/text.js';

/** `extensions.code` of the top-level errors that callers should expect. */
export type ErrorCode = 'UNAUTHENTICATED' | 'FORBIDDEN' | 'BAD_USER_INPUT' | 'UNAVAILABLE' | 'INTERNAL_SERVER_ERROR';

function codedError(code: ErrorCode, message: string, extensions: object = {}): GraphQLError {
  return new GraphQLError(message, { extensions: { code, ...extensions } });
}

/** The caller has no token and this needs one. */
export const unauthenticated = () =>
  codedError(
    'UNAUTHENTICATED',
    'The request has no token, and this field needs one. Send the header "Authorization: Bearer <token>".',
  );

/** The caller has a token or an API key whose role may not use this. */
export const forbidden = ({ role, apiKey }: Pick<Caller, 'role' | 'apiKey'>) =>
  codedError(
    'FORBIDDEN',
    `The role of this ${apiKey === undefined ? 'token' : 'API key'} is "${role.toLowerCase()}", which may not use this field. Use a token with a role that the description of the field names.`,
  );

/** An argument of a query or a subscription is wrong. `extensions.path` leads to it, beginning with the argument's name. */
export function badUserInput(issue: Issue): GraphQLError {
  const { path, message } = shortIssue(issue);
  return codedError('BAD_USER_INPUT', `${path.join('.')}: ${message}`, { path });
}

/**
 * Returns a text that a query compares with stored text.
 * @param characters how many (code points) a stored text has at most, or a search may have.
 * @throws GraphQLError `BAD_USER_INPUT` for a text that is longer, or that no database can hold.
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

/** The message for a cursor of another list, or one that a client made up. */
export const foreignCursor =
  'This cursor does not belong to this list. Expected a cursor that the same list returned: leave it out to start from the beginning.';

const remedies: Record<ComplexityErrorKind, string> = {
  Complexity: 'Ask for fewer fields or smaller pages.',
  Depth: 'Nest fewer fields.',
  Breadth: 'Select fewer fields.',
};

/** The operation costs more than `costLimits` allow. */
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
    `The ${kind.toLowerCase()} of this operation is ${found}; at most ${limit} is allowed. ${remedies[kind]}`,
  );
}
