import { GraphQLError, type GraphQLFormattedError, Kind } from 'graphql';
import type { Logger } from 'pino';
import { toUnavailable } from '../../backends/errors.js';
import { FeatureError } from '../../core/errors.js';
import { maxEchoLength, shortened } from '../../core/text.js';
import { locate } from './document.js';

/** The message for callers in place of a failure that they could not have caused. */
export const unexpectedMessage = 'Unexpected error.';

/** Reports to a log the failures that callers do not see. */
export function reportTo(log: Logger): (cause: unknown) => void {
  return cause => log.error({ err: cause }, 'An operation failed unexpectedly.');
}

/**
 * The one door through which errors leave, on every entry point. What a caller can cause and should expect
 * passes with its `extensions.code`; anything else is reported and comes out as `INTERNAL_SERVER_ERROR`, without details.
 *
 * A masked error stays as it is when it is masked again: Yoga masks errors that the runner has masked already.
 *
 * @param report told of each failure that is hidden from the caller.
 * @param beforeExecution nothing was executed: the answer has no data and may carry an HTTP status of its own.
 */
export function maskError(error: unknown, report: (cause: unknown) => void, beforeExecution = false): GraphQLError {
  if (error instanceof GraphQLError && masked.has(error)) return error;
  const answer = presented(maskAnew(error, report, beforeExecution));
  masked.add(answer);
  return answer;
}

/** An error as callers are to see it: with its place in the document, and no longer than anybody reads. */
export function presented(error: GraphQLError): GraphQLError {
  const own = error.originalError instanceof FeatureError;
  // The messages of graphql repeat the caller's text, however long.
  if (!own && error.message.length > maxEchoLength) error.message = shortened(error.message);
  return locate(error);
}

const masked = new WeakSet<GraphQLError>();

function maskAnew(error: unknown, report: (cause: unknown) => void, beforeExecution: boolean): GraphQLError {
  const outer = error instanceof GraphQLError ? error : null;
  const thrown = rootCause(error);
  const cause = toUnavailable(thrown) ?? thrown;
  if (cause instanceof FeatureError) {
    const { code, path } = cause;
    const http = beforeExecution && code === 'UNAVAILABLE' ? { http: { status: 503 } } : {};
    return place(outer, cause.message, { code, ...(path === null ? {} : { path }), ...http }, cause);
  }
  // Errors of resolvers have a path. Without a path, the message is graphql's own.
  const own = outer !== null && outer.path === undefined ? outer : cause;
  const extensions = own instanceof GraphQLError ? extensionsOf(own) : null;
  if (extensions !== null) return place(outer, (own as GraphQLError).message, extensions);
  if (outer !== null && cause instanceof GraphQLError && typeof outer.extensions['code'] === 'string') return outer;
  report(cause);
  // Yoga reads `unexpected` for the status of an answer without data, and keeps it to itself.
  return place(outer, unexpectedMessage, { code: 'INTERNAL_SERVER_ERROR', unexpected: true });
}

/** Errors as they go over the wire, without the extensions that only Yoga reads. */
export function formatErrors(errors: readonly GraphQLError[]): GraphQLFormattedError[] {
  return errors.map(error => {
    const { http, unexpected, ...extensions } = error.extensions;
    return { ...error.toJSON(), extensions };
  });
}

/** A result that Yoga writes as it is here: left to itself it would make each error anew, and look for its place again. */
export function asWritten<Result extends { readonly errors?: readonly GraphQLError[] }>(result: Result): Result {
  const { errors, ...rest } = result;
  if (errors === undefined) return result;
  return { ...result, stringify: () => JSON.stringify({ ...rest, errors: formatErrors(errors) }) };
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

const spec = { spec: true, status: 400 };

/** The code of an error that graphql itself threw, known by the beginning of its message; null if it is not known. */
function extensionsOf(error: GraphQLError): object | null {
  const { message } = error;
  if (message.startsWith('Syntax Error: ')) return { code: 'GRAPHQL_PARSE_FAILED', http: spec };
  if (message.startsWith('Too many errors processing variables')) return { code: 'BAD_USER_INPUT', http: spec };
  const path = message.startsWith('Variable "$') ? variablePath(error) : argumentPath(message);
  return path === null ? null : { code: 'BAD_USER_INPUT', path: path.map(part => shortened(part)), http: spec };
}

/**
 * Where in a variable the fault is: `Variable "$input" got invalid value 1 at "input.ids[1]"; <why>` is
 * `['input', 'ids', '1']`. The value stands between, as the caller sent it, so the message is read from its end.
 */
function variablePath({ message, nodes, originalError }: GraphQLError): string[] | null {
  const [node] = nodes ?? [];
  const variable = node?.kind === Kind.VARIABLE_DEFINITION ? node.variable : node;
  if (variable?.kind !== Kind.VARIABLE) return null;
  const name = variable.name.value;
  const why = originalError?.message;
  const end = why !== undefined && message.endsWith(`"; ${why}`) ? message.length - why.length - 3 : -1;
  const start = end === -1 ? -1 : message.lastIndexOf(` at "${name}`, end);
  if (start === -1) return [name];
  const below = message
    .slice(start + ` at "${name}`.length, end)
    .replaceAll(']', '')
    .replaceAll('[', '.');
  return [name, ...below.split('.').filter(part => part !== '')];
}

function argumentPath(message: string): string[] | null {
  const start = 'Argument "'.length;
  return message.startsWith('Argument "') ? [message.slice(start, message.indexOf('"', start))] : null;
}
