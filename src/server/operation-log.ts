import { type ExecutionResult, getOperationAST } from 'graphql';
import type { Logger } from 'pino';
import { codeOf, type Operation, type OperationObserver, type OperationWatch } from './operation-observer.js';

/**
 * Writes one line an operation: its name, what came of it, how long it took. A mutation's is at level info, any other's at
 * debug, as queries come by the thousand.
 */
export function createOperationLog(serverLog: Logger): OperationObserver {
  function began({ document, operationName, contextValue }: Operation): OperationWatch | null {
    const node = getOperationAST(document, operationName);
    const level = node?.operation === 'mutation' ? 'info' : 'debug';
    // The log of a request is made when it is first asked for.
    if (!serverLog.isLevelEnabled(level)) return null;
    const { log, caller } = contextValue;
    const startedAt = performance.now();
    const write = ({ errors }: ExecutionResult) => {
      const duration = Math.round((performance.now() - startedAt) * 100) / 100;
      const outcome = errors === undefined ? 'ok' : outcomeOf(errors);
      const name = node?.name?.value ?? null;
      log[level]({ operation: node?.operation, name, role: caller.role, outcome, duration }, 'operation');
    };
    return { answered: write, opened: () => () => write({}) };
  }

  return {
    refused(errors, { log }) {
      if (log.isLevelEnabled('debug')) log.debug({ outcome: outcomeOf(errors) }, 'operation refused');
    },
    began,
    repeated: operation => began(operation)?.answered({}),
  };
}

const outcomeOf = (errors: readonly unknown[]) => [...new Set(errors.map(codeOf))].join(' ');
