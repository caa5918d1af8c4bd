import { type ExecutionResult, getOperationAST } from 'graphql';
import { codeOf, type OperationObserver } from './operation-observer.js';

/**
 * Writes one line an operation: its name, what came of it, how long it took. A mutation's is at level info, any other's at
 * debug, as queries come by the thousand.
 */
export const operationLog: OperationObserver = {
  refused(errors, { log }) {
    if (log.isLevelEnabled('debug')) log.debug({ outcome: outcomeOf(errors) }, 'operation refused');
  },
  began({ document, operationName, contextValue: { log, caller } }) {
    const node = getOperationAST(document, operationName);
    const level = node?.operation === 'mutation' ? 'info' : 'debug';
    if (!log.isLevelEnabled(level)) return null;
    const startedAt = performance.now();
    const write = ({ errors }: ExecutionResult) => {
      const duration = Math.round((performance.now() - startedAt) * 100) / 100;
      const outcome = errors === undefined ? 'ok' : outcomeOf(errors);
      const name = node?.name?.value ?? null;
      log[level]({ operation: node?.operation, name, role: caller.role, outcome, duration }, 'operation');
    };
    return { answered: write, opened: () => () => write({}) };
  },
};

const outcomeOf = (errors: readonly unknown[]) => [...new Set(errors.map(codeOf))].join(' ');
