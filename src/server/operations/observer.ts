import { type ExecutionResult, GraphQLError } from 'graphql';
import type { KnownOperation } from './known-operation.js';
import type { OperationOrigin } from './origin.js';

/** Follows one operation. Outcomes are `ok` or the codes of errors. */
export interface OperationWatch {
  /** It has been answered, or a subscription was refused. */
  onAnswered(result: ExecutionResult): void;
  /** A subscription has been opened. @returns a function that is called once, when it has ended. */
  onOpened(): () => void;
}

/** Told of every operation, on every entry point. */
export interface OperationObserver {
  /** It was refused before it ran: it could not be read, or is not valid. */
  onRefused(errors: readonly unknown[], origin: OperationOrigin): void;
  /** @returns null if the observer does not follow this operation. */
  onBegun(operation: KnownOperation, origin: OperationOrigin): OperationWatch | null;
  /** An answer without errors was given again, and nothing executed for it. */
  onRepeated(operation: KnownOperation, origin: OperationOrigin): void;
}

/** The code of an error as callers see it. */
export function codeOf(error: unknown): string {
  const code = error instanceof GraphQLError ? error.extensions['code'] : undefined;
  return typeof code === 'string' ? code : 'unknown';
}
