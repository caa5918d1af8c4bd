import type { OperationLabels, ServerMetrics } from '../metrics/server-metrics.js';
import { codeOf, type OperationObserver } from './observer.js';

const unread: OperationLabels = { kind: 'unknown', field: 'none' };

/** Counts operations by root field and outcome. */
export function createOperationMetrics(metrics: ServerMetrics): OperationObserver {
  return {
    repeated: ({ labels }) => metrics.repeated(labels),
    refused: errors => metrics.operated(unread, codeOf(errors[0])),
    began({ labels }) {
      const startedAt = performance.now();
      return {
        answered({ errors }) {
          const outcome = errors === undefined || errors.length === 0 ? 'ok' : codeOf(errors[0]);
          const seconds = labels.kind === 'subscription' ? undefined : (performance.now() - startedAt) / 1_000;
          metrics.operated(labels, outcome, seconds);
        },
        opened() {
          metrics.operated(labels, 'ok');
          return metrics.subscribed(labels);
        },
      };
    },
  };
}
