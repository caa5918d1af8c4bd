import type { ExecutionResult } from 'graphql';
import type { Logger } from 'pino';
import { shortened } from '../../core/text.js';
import type { KnownOperation } from './known-operation.js';
import { codeOf, type OperationObserver, type OperationWatch } from './observer.js';
import type { OperationOrigin } from './origin.js';

/**
 * Writes one line an operation: its name, its outcome, its duration. A mutation's is at level info, any other's at
 * debug, as queries come by the thousand.
 */
export function createOperationLog(serverLog: Logger): OperationObserver {
  function onBegun({ kind, name }: KnownOperation, origin: OperationOrigin): OperationWatch | null {
    const level = kind === 'mutation' ? 'info' : 'debug';
    // The log of a request is made when it is first asked for.
    if (!serverLog.isLevelEnabled(level)) return null;
    const { log, caller } = origin;
    const startedAt = performance.now();
    const write = ({ errors }: ExecutionResult) => {
      const duration = Math.round((performance.now() - startedAt) * 100) / 100;
      const outcome = errors === undefined ? 'ok' : outcomeOf(errors);
      log[level](
        { operation: kind, name: name === null ? null : shortened(name), role: caller.role, outcome, duration },
        'An operation was answered.',
      );
    };
    return { onAnswered: write, onOpened: () => () => write({}) };
  }

  return {
    onRefused(errors, origin) {
      if (serverLog.isLevelEnabled('debug'))
        origin.log.debug({ outcome: outcomeOf(errors) }, 'An operation was refused.');
    },
    onBegun,
    onRepeated: (operation, origin) => onBegun(operation, origin)?.onAnswered({}),
  };
}

const outcomeOf = (errors: readonly unknown[]) => [...new Set(errors.map(codeOf))].join(' ');
