import { GraphQLError, type GraphQLFormattedError } from 'graphql';
import type { Logger } from 'pino';
import { FeatureError } from '../core/errors.js';
import { readFailure } from '../graphql/errors.js';

/** What callers read in place of a failure that they could not have caused. */
export const unexpectedMessage = 'Unexpected error.';

/** Reports to a log what callers do not get to see. */
export function reportTo(log: Logger): (cause: unknown) => void {
  return cause => log.error({ err: cause }, 'An operation failed unexpectedly.');
}

/**
 * The one door through which errors leave, whatever way in the operation came. What a caller can cause and should expect
 * passes with its `extensions.code`; anything else is reported and comes out as `INTERNAL_SERVER_ERROR`, without details.
 *
 * What it returns it leaves as it is when given it again: Yoga masks once more what the runner of operations has masked.
 *
 * @param report told of each failure that is hidden from the caller.
 * @param beforeExecution nothing was executed: the answer has no data and may carry an HTTP status of its own.
 */
export function maskError(error: unknown, report: (cause: unknown) => void, beforeExecution = false): GraphQLError {
  if (error instanceof GraphQLError && masked.has(error)) return error;
  const answer = maskAnew(error, report, beforeExecution);
  masked.add(answer);
  return answer;
}

const masked = new WeakSet<GraphQLError>();

function maskAnew(error: unknown, report: (cause: unknown) => void, beforeExecution: boolean): GraphQLError {
  const outer = error instanceof GraphQLError ? error : null;
  const thrown = rootCause(error);
  const cause = readFailure(thrown) ?? thrown;
  if (cause instanceof FeatureError) {
    const { code, path } = cause;
    const http = beforeExecution && code === 'UNAVAILABLE' ? { http: { status: 503 } } : {};
    return place(outer, cause.message, { code, ...(path === null ? {} : { path }), ...http }, cause);
  }
  // Errors of resolvers have a path. Without one the message is graphql's own, whatever made a scalar refuse its value.
  const own = outer !== null && outer.path === undefined ? outer : cause;
  if (own instanceof GraphQLError) {
    const extensions = extensionsByMessage(own.message);
    if (extensions !== null) return place(outer, own.message, extensions);
  }
  if (outer !== null && cause instanceof GraphQLError && typeof outer.extensions['code'] === 'string') return outer;
  report(cause);
  // Yoga reads `unexpected` for the status of an answer without data, and keeps it to itself.
  return place(outer, unexpectedMessage, { code: 'INTERNAL_SERVER_ERROR', unexpected: true });
}

/** Errors as they go over the wire, without what only Yoga reads. */
export function formatErrors(errors: readonly GraphQLError[]): GraphQLFormattedError[] {
  return errors.map(error => {
    const { http, unexpected, ...extensions } = error.extensions;
    return { ...error.toJSON(), extensions };
  });
}

function rootCause(error: unknown): unknown {
  let cause = error;
  while (cause instanceof GraphQLError && cause.originalError != null) cause = cause.originalError;
  return cause;
}

function place(outer: GraphQLError | null, message: string, extensions: object, originalError?: Error): GraphQLError {
  return new GraphQLError(message, {
    ...where(outer),
    extensions: { ...extensions },
    ...(originalError === undefined ? {} : { originalError }),
  });
}

function where(error: GraphQLError | null) {
  const { nodes = null, source = null, positions = null, path = null } = error ?? {};
  return { nodes, source, positions, path };
}

/**
 * What graphql throws itself carries no code of ours and is known by its message alone. A value that cannot be coerced is named by
 * the path in the message: `Variable "$input" got invalid value 1 at "input.userId"; ...` is `['input', 'userId']`.
 */
function extensionsByMessage(message: string): object | null {
  const http = { spec: true, status: 400 };
  if (message.startsWith('Syntax Error: ')) return { code: 'GRAPHQL_PARSE_FAILED', http };
  const name = /^(?:Variable "\$|Argument ")(\w+)"/.exec(message)?.[1];
  if (name === undefined) return null;
  const within = new RegExp(` at "${name}([.[][^"]*)"; `).exec(message)?.[1] ?? '';
  const path = [name, ...within.split(/[.[\]]+/).filter(part => part !== '')];
  return { code: 'BAD_USER_INPUT', path, http };
}
