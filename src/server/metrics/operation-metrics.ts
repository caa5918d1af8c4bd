import { type DocumentNode, getOperationAST, Kind } from 'graphql';
import { codeOf, type OperationObserver } from '../operation-observer.js';
import type { OperationLabels, ServerMetrics } from './server-metrics.js';

const unread: OperationLabels = { kind: 'unknown', field: 'none' };

/** Counts operations by root field and outcome. */
export function createOperationMetrics(metrics: ServerMetrics): OperationObserver {
  const byName = new Map<string, OperationLabels>();
  // Documents are kept parsed, and looking for the root field would cost more than counting.
  const known = new WeakMap<DocumentNode, { operationName: string | null; labels: OperationLabels }>();

  function labelsOf(document: DocumentNode, operationName: string | null): OperationLabels {
    const last = known.get(document);
    if (last?.operationName === operationName) return last.labels;
    const read = readLabels(document, operationName);
    const name = `${read.kind} ${read.field}`;
    // One object for each root field there is: what is counted by object is bounded by the schema.
    const labels = byName.get(name) ?? read;
    byName.set(name, labels);
    known.set(document, { operationName, labels });
    return labels;
  }

  return {
    repeated: ({ document, operationName }) => metrics.repeated(labelsOf(document, operationName ?? null)),
    refused: errors => metrics.operated(unread, codeOf(errors[0])),
    began({ document, operationName }) {
      const labels = labelsOf(document, operationName ?? null);
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

/** The document is valid, so the names of its root fields are those of the schema. */
function readLabels(document: DocumentNode, operationName: string | null): OperationLabels {
  const operation = getOperationAST(document, operationName);
  if (operation == null) return unread;
  const names = new Set(
    operation.selectionSet.selections.map(node => (node.kind === Kind.FIELD ? node.name.value : null)),
  );
  const [name] = names;
  // What is selected through a fragment counts as several: nobody who watches a server asks so.
  return { kind: operation.operation, field: names.size === 1 && name != null ? name : 'several' };
}
