import { type DocumentNode, type ExecutionResult, GraphQLError, getOperationAST } from 'graphql';
import { isAsyncIterable, type Plugin } from 'graphql-yoga';
import type { Logger } from 'pino';
import type { OperationOrigin } from '../operation-origin.js';

/**
 * Writes one line an operation: its name, what came of it, how long it took. A mutation's is at level info, any other's at
 * debug, as queries come by the thousand.
 */
export function useOperationLog(): Plugin<OperationOrigin> {
  return {
    onParse: ({ context }) => {
      const { log } = context;
      if (!log.isLevelEnabled('debug')) return;
      return ({ result }) => {
        if (result instanceof Error) log.debug({ outcome: 'GRAPHQL_PARSE_FAILED' }, 'operation refused');
      };
    },
    onValidate: ({ context }) => {
      const { log } = context;
      if (!log.isLevelEnabled('debug')) return;
      return ({ valid, result }) => {
        if (!valid) log.debug({ outcome: codesOf(result) }, 'operation refused');
      };
    },
    onExecute({ args }) {
      const write = lineOf(args);
      return write && { onExecuteDone: ({ result }) => write(isAsyncIterable(result) ? null : result) };
    },
    onSubscribe({ args }) {
      const write = lineOf(args);
      if (write === undefined) return;
      return {
        onSubscribeResult: ({ result }) => {
          if (isAsyncIterable(result)) return { onEnd: () => write(null) };
          write(result);
          return;
        },
      };
    },
  };
}

type Line = (result: ExecutionResult | null) => void;

interface Operation {
  readonly document: DocumentNode;
  readonly operationName?: string | null | undefined;
  readonly contextValue: { readonly log: Logger; readonly caller: { readonly role: string } };
}

function lineOf({ document, operationName, contextValue: { log, caller } }: Operation): Line | undefined {
  const node = getOperationAST(document, operationName);
  const level = node?.operation === 'mutation' ? 'info' : 'debug';
  if (!log.isLevelEnabled(level)) return undefined;
  const startedAt = performance.now();
  return result => {
    const duration = Math.round((performance.now() - startedAt) * 100) / 100;
    const outcome = result?.errors === undefined ? 'ok' : codesOf(result.errors);
    const name = node?.name?.value ?? null;
    log[level]({ operation: node?.operation, name, role: caller.role, outcome, duration }, 'operation');
  };
}

function codesOf(errors: readonly unknown[]): string {
  const codes = errors.map(error => (error instanceof GraphQLError ? String(error.extensions['code']) : 'unknown'));
  return [...new Set(codes)].join(' ');
}
