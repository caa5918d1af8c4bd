import { UnavailableError } from '../core/errors.js';
import { bounded } from '../core/text.js';

/** COMMIT was sent and got no answer: only the database knows the result of the transaction. */
export class CommitUnansweredError extends Error {
  override readonly name = 'CommitUnansweredError';
}

/** The database, its address or its settings are not valid. The message states the finding and the remedy. */
export class DatabaseSetupError extends Error {
  override readonly name = 'DatabaseSetupError';
}

interface ErrorLike {
  readonly code?: unknown;
  readonly kind?: unknown;
  readonly message?: unknown;
  readonly cause?: unknown;
  readonly meta?: unknown;
}

/** Prefixes of SQLSTATEs of passing failures. See PostgreSQL's documentation, appendix A. */
const passingStates: readonly string[] = [
  '08', // the connection
  '53', // resources: connections, memory, disk
  '57P0', // shutting down, starting up, dropped
  '57014', // the statement took too long
  '55P03', // a lock was not available in time
  '40001', // a conflict with another transaction, in every attempt
  '40P01', // the same, found as a deadlock
  '25006', // a read-only database: a standby, or one whose operator wants no writes
  '28', // a password that was changed, or a role that may not connect any more
  '3D000', // a database that is gone, such as while it is restored
  '55000', // a database that accepts no connections, as then too
  '42501', // a right that an operator has to give
];
/** Prefixes of SQLSTATEs that end the session or refuse to start one. */
const outageStates: readonly string[] = ['08', '57P01', '57P02', '57P03'];

const passingCodes: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  // Prisma's own names: https://www.prisma.io/docs/orm/reference/error-reference
  'P1001',
  'P1002',
  'P1008',
  'P1017',
  'P2024',
  'P2028',
  'P2034',
  'P2037',
  // The code of the guarded pool. Prisma keeps an error's code.
  'UNAVAILABLE',
  // Names that Prisma's PostgreSQL adapter gives to errors of sockets.
  'DatabaseNotReachable',
  'ConnectionClosed',
  'SocketTimeout',
  'TooManyConnections',
]);

/** Prefixes of messages of driver errors without a code. */
const passingMessages: readonly string[] = [
  'timeout expired',
  'timeout exceeded when trying to connect',
  'Connection terminated',
  'Query read timeout',
  'Client has encountered a connection error',
  'Client was closed',
  'Cannot use a pool after calling end',
  'PGlite is clos',
];

/** The Unix socket of a server that is down. Elsewhere the same code means a file that is missing for good. */
const missingSocket = 'connect ENOENT';

const unanswered: readonly string[] = ['timeout exceeded when trying to connect', 'Query read timeout'];
const busyPool: readonly string[] = [
  'timeout exceeded when trying to connect',
  'Cannot use a pool',
  'Client was closed',
];

const late = 'The database did not answer in time.';

/** Messages for people, by SQLSTATE. */
const messages: readonly (readonly [states: readonly string[], message: string])[] = [
  [['57014'], late],
  [['55P03', '40'], 'The database is busy with other changes.'],
  [['53'], 'The database has no room for this now.'],
  [['25006'], 'The database is read-only.'],
  [['42501'], 'The role of the database lacks a right, which an operator has to grant.'],
];

const sqlStatePattern = bounded(/^[0-9A-Z]{5}$/, 5);
/** Prisma's own codes look like SQLSTATEs. */
const prismaCode = bounded(/^P\d{4}$/, 5);

function startsWithAny(text: unknown, beginnings: readonly string[]): boolean {
  return typeof text === 'string' && beginnings.some(beginning => text.startsWith(beginning));
}

/** The error itself, then all its causes. Prisma keeps the driver's error in `meta`. */
function* causes(error: unknown): Generator<ErrorLike> {
  const seen = new Set<unknown>();
  const queue = [error];
  while (queue.length > 0) {
    const current = queue.shift();
    if (typeof current !== 'object' || current === null || seen.has(current)) continue;
    seen.add(current);
    const like = current as ErrorLike;
    yield like;
    queue.push(like.cause);
    if (current instanceof AggregateError) queue.push(...current.errors);
    if (typeof like.meta === 'object' && like.meta !== null) {
      queue.push((like.meta as { driverAdapterError?: unknown }).driverAdapterError);
    }
  }
}

/** Whether a code has the form of a SQLSTATE: five digits and capital letters. */
export function isSqlState(code: string): boolean {
  return sqlStatePattern.test(code);
}

/** The SQLSTATE (five characters) of the server; undefined if the error is not from the server. */
export function sqlState(error: unknown): string | undefined {
  for (const like of causes(error)) {
    const code = (like as { originalCode?: unknown }).originalCode ?? like.code;
    if (typeof code === 'string' && isSqlState(code) && !passingCodes.has(code) && !prismaCode.test(code)) {
      return code;
    }
  }
  return undefined;
}

/**
 * Turns an error of the database layer into an {@link UnavailableError}, with the error as its cause, if it means that the
 * database cannot be reached, does not answer in time, or does not allow the statement to the server. Null for any other error.
 */
export function toUnavailable(error: unknown): UnavailableError | null {
  if (error instanceof UnavailableError) return error;
  if (error instanceof DatabaseSetupError) return null;
  const state = sqlState(error);
  if (state !== undefined) {
    return startsWithAny(state, passingStates)
      ? new UnavailableError(messages.find(([states]) => startsWithAny(state, states))?.[1], { cause: error })
      : null;
  }
  for (const like of causes(error)) {
    if (like instanceof UnavailableError) return like;
    if (isPassing(like))
      return new UnavailableError(startsWithAny(like.message, unanswered) ? late : undefined, { cause: error });
  }
  return null;
}

/**
 * Whether an error of a connection means an outage: the server was not reached, did not answer, or is starting or stopping. An
 * error of a single statement or session is not an outage.
 */
export function isOutage(error: unknown): boolean {
  const state = sqlState(error);
  if (state !== undefined) return startsWithAny(state, outageStates);
  for (const like of causes(error)) if (isPassing(like) && !startsWithAny(like.message, busyPool)) return true;
  return false;
}

function isPassing({ code, kind, message }: ErrorLike): boolean {
  const named = [code, kind].some(name => typeof name === 'string' && passingCodes.has(name));
  return (
    named || startsWithAny(message, passingMessages) || (typeof message === 'string' && message.includes(missingSocket))
  );
}

/** Whether the database is read-only: a standby, or one whose operator wants no writes. */
export function isReadOnly(error: unknown): boolean {
  return sqlState(error) === '25006';
}

/** Whether the disk of the database has no room left. */
export function isDiskFull(error: unknown): boolean {
  return sqlState(error) === '53100';
}

/** Whether the transaction failed because of another one, so that another attempt may succeed. */
export function isContention(error: unknown): boolean {
  const state = sqlState(error);
  if (state !== undefined) return state === '40001' || state === '40P01' || state === '55P03';
  for (const { code } of causes(error)) if (code === 'P2034') return true;
  return false;
}

/** The message and remedy from the triggers of the change log if they cannot write it; null for any other error. */
export function logDamage(error: unknown): string | null {
  return raised(error, 'HLY01', 'The change log cannot be written.');
}

/** The fault, as JSON text, for which `halyard_refuse` ended a transaction; null for any other error. */
export function refusal(error: unknown): string | null {
  return raised(error, 'HLY02', '{}');
}

/** The message of an error that a function of ours raised with this code; null for any other error. */
function raised(error: unknown, state: string, unknown: string): string | null {
  if (sqlState(error) !== state) return null;
  for (const like of causes(error)) {
    const { originalMessage } = like as { originalMessage?: unknown };
    if (typeof originalMessage === 'string') return originalMessage;
  }
  return unknown;
}

/** Whether COMMIT was sent and got no answer. */
export function isCommitUnanswered(error: unknown): boolean {
  for (const like of causes(error)) if (like instanceof CommitUnansweredError) return true;
  return false;
}

/** The fields of a driver's error for the log. A pool attaches the whole client, with its settings, to the errors it emits. */
export function forLog(error: unknown): { readonly message: string; readonly code?: string } {
  const { message, code } = error as ErrorLike;
  return { message: String(message), ...(typeof code === 'string' ? { code } : {}) };
}
