import { type ExecutionResult, GraphQLError } from 'graphql';
import type { Logger } from 'pino';
import { shortened } from '../../core/text.js';
import type { OperationLabels, ServerMetrics } from '../metrics/server-metrics.js';
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
function codeOf(error: unknown): string {
  const code = error instanceof GraphQLError ? error.extensions['code'] : undefined;
  return typeof code === 'string' ? code : 'unknown';
}

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
        {
          operation: kind,
          name: name === null ? null : shortened(name),
          role: caller.role,
          ...(caller.apiKey === undefined ? {} : { apiKey: caller.apiKey.name }),
          outcome,
          duration,
        },
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

const unread: OperationLabels = { kind: 'unknown', field: 'none' };

/** Counts operations by root field and outcome. */
export function createOperationMetrics(metrics: ServerMetrics): OperationObserver {
  return {
    onRepeated: ({ labels }) => metrics.countRepeated(labels),
    onRefused: errors => metrics.countOperation(unread, codeOf(errors[0])),
    onBegun({ labels }) {
      const startedAt = performance.now();
      return {
        onAnswered({ errors }) {
          const outcome = errors === undefined || errors.length === 0 ? 'ok' : codeOf(errors[0]);
          const seconds = labels.kind === 'subscription' ? undefined : (performance.now() - startedAt) / 1_000;
          metrics.countOperation(labels, outcome, seconds);
        },
        onOpened() {
          metrics.countOperation(labels, 'ok');
          return metrics.countSubscription(labels);
        },
      };
    },
  };
}
