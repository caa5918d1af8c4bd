import type { ComplexityErrorKind } from '@pothos/plugin-complexity';
import { GraphQLError } from 'graphql';
import type { Issue } from '../core/errors.js';

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
export function badUserInput({ path, message }: Issue): GraphQLError {
  return codedError('BAD_USER_INPUT', `${path.join('.')}: ${message}`, { path });
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
