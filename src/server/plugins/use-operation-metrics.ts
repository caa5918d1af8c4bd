import { type DocumentNode, type ExecutionResult, GraphQLError, getOperationAST, Kind } from 'graphql';
import { isAsyncIterable, type Plugin } from 'graphql-yoga';
import type { OperationLabels, ServerMetrics } from '../metrics/server-metrics.js';

const unread: OperationLabels = { kind: 'unknown', field: 'none' };

/** Counts operations, whatever way in they came. */
export function useOperationMetrics(metrics: ServerMetrics): Plugin {
  // Documents are kept parsed, and looking for the root field would cost more than counting.
  const known = new WeakMap<DocumentNode, { operationName: string | null; labels: OperationLabels }>();

  function labelsOf(document: DocumentNode, operationName: string | null): OperationLabels {
    const last = known.get(document);
    if (last?.operationName === operationName) return last.labels;
    const labels = readLabels(document, operationName);
    known.set(document, { operationName, labels });
    return labels;
  }

  return {
    onParse: () => {
      return ({ result }) => {
        if (result instanceof Error) metrics.operated(unread, 'GRAPHQL_PARSE_FAILED');
      };
    },
    onValidate: () => {
      return ({ valid, result }) => {
        if (!valid) metrics.operated(unread, codeOf(result[0]));
      };
    },
    onExecute({ args }) {
      const labels = labelsOf(args.document, args.operationName ?? null);
      const startedAt = performance.now();
      return {
        onExecuteDone({ result }) {
          const outcome = isAsyncIterable(result) ? 'ok' : outcomeOf(result);
          metrics.operated(labels, outcome, (performance.now() - startedAt) / 1_000);
        },
      };
    },
    onSubscribe({ args }) {
      const labels = labelsOf(args.document, args.operationName ?? null);
      let end = () => {};
      return {
        onSubscribeResult({ result }) {
          metrics.operated(labels, isAsyncIterable(result) ? 'ok' : outcomeOf(result));
          if (!isAsyncIterable(result)) return;
          end = metrics.subscribed(labels);
          return { onEnd: () => end() };
        },
        onSubscribeError: () => end(),
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

function outcomeOf({ errors }: ExecutionResult): string {
  return errors === undefined || errors.length === 0 ? 'ok' : codeOf(errors[0]);
}

/** The codes are the server's own: few, and none that a caller could choose. */
function codeOf(error: unknown): string {
  const code = error instanceof GraphQLError ? error.extensions['code'] : undefined;
  return typeof code === 'string' ? code : 'unknown';
}
