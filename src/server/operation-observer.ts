import type { ExecutionArgs, ExecutionResult } from 'graphql';
import { GraphQLError } from 'graphql';
import type { OperationOrigin } from './operation-origin.js';

/** An operation that is about to run. */
export type Operation = Pick<ExecutionArgs, 'document' | 'operationName'> & { readonly contextValue: OperationOrigin };

/** What follows one operation. Outcomes are `ok` or the codes of errors. */
export interface OperationWatch {
  /** It has been answered, or a subscription was refused. */
  answered(result: ExecutionResult): void;
  /** A subscription has been opened; what is returned is called once, when it has ended. */
  opened(): () => void;
}

/** Told of every operation, whatever way in it came. */
export interface OperationObserver {
  /** It was refused before it ran: it could not be read, or is not valid. */
  refused(errors: readonly unknown[], origin: OperationOrigin): void;
  /** Null where this operation is none of its business. */
  began(operation: Operation): OperationWatch | null;
  /** An answer without errors was given again, and nothing executed for it. */
  repeated(operation: Operation): void;
}

/** The code of an error as callers see it. */
export function codeOf(error: unknown): string {
  const code = error instanceof GraphQLError ? error.extensions['code'] : undefined;
  return typeof code === 'string' ? code : 'unknown';
}
