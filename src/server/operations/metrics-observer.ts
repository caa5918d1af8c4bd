import type { OperationLabels, ServerMetrics } from '../metrics/server-metrics.js';
import { codeOf, type OperationObserver } from './observer.js';

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
