import {
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  GraphQLError,
  type GraphQLSchema,
  getOperationAST,
  Kind,
  type SubscriptionArgs,
} from 'graphql';
import { createYoga, type GraphQLParams, type YogaServerInstance } from 'graphql-yoga';
import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import type { Caller } from '../auth/caller.js';
import type { DocumentLimits } from './document-limits.js';
import { maskError, reportTo } from './mask-error.js';
import { createOperationMetrics } from './metrics/operation-metrics.js';
import type { ServerMetrics } from './metrics/server-metrics.js';
import { createOperationLog } from './operation-log.js';
import type { Operation } from './operation-observer.js';
import type { OperationOrigin } from './operation-origin.js';
import { createOperationRunner } from './operation-runner.js';
import { type OpenStreams, type StreamSlots, useOpenStreams } from './plugins/use-open-streams.js';
import { useOperationRules } from './plugins/use-operation-rules.js';
import { useOperationRunner } from './plugins/use-operation-runner.js';

export interface ExecutorOptions {
  readonly schema: GraphQLSchema;
  /** Makes what resolvers see; called once an operation. */
  readonly createContext: (caller: Caller, origin: OperationOrigin) => object | Promise<object>;
  /** What the answers of fields marked as steady stand on, beside the caller. Absent: nothing that is known. */
  readonly basisOf?: ((caller: Caller) => object | null) | undefined;
  readonly log: Logger;
  readonly limits: DocumentLimits;
  /** In bytes. */
  readonly maxBodySize: number;
  /** Whether messages about unknown names propose known ones. */
  readonly suggestions: boolean;
  readonly openStreams: OpenStreams;
  readonly streamSlots: StreamSlots;
  readonly metrics: ServerMetrics | null;
}

/** The one place where operations are parsed, validated, limited, executed, logged and masked. Every way in uses it. */
export interface Executor {
  /** Answers GraphQL over HTTP. */
  readonly yoga: YogaServerInstance<OperationOrigin, object>;
  /** Everything up to the execution. What is wrong with the operation comes back as errors; never rejects. */
  prepare(params: GraphQLParams, origin: OperationOrigin): Promise<ExecutionArgs | readonly GraphQLError[]>;
  /** Whether this document is known to be valid: {@link prepare} finds nothing wrong with it. */
  isKnown(query: string): boolean;
  /** Whether the answer follows from the variables, the caller and {@link basisOf} alone. */
  isSteady(args: Pick<ExecutionArgs, 'document' | 'operationName'>): boolean;
  /** What steady answers to this caller stand on: as long as it is the same object, so are they. Null: not known. */
  basisOf(caller: Caller): object | null;
  /** A steady answer was given again without executing it. */
  repeated(operation: Operation): void;
  /** Never rejects. */
  execute(args: ExecutionArgs): Promise<ExecutionResult>;
  /** Never rejects; the stream may. */
  subscribe(args: SubscriptionArgs): Promise<AsyncIterable<ExecutionResult> | ExecutionResult>;
}

/**
 * Documents are kept parsed and validated. Bounded by count and by characters, as a hostile client can send a new one
 * each time; what is unusually long is parsed anew.
 */
const keptDocuments = { max: 1_000, maxSize: 500_000, maxEntrySize: 16_000 };

export function createExecutor(options: ExecutorOptions): Executor {
  const { schema, createContext, limits, suggestions, openStreams, streamSlots, metrics } = options;
  const documents = new LRUCache<string, DocumentNode>({
    ...keptDocuments,
    sizeCalculation: (_document, text) => Math.max(1, text.length),
  });
  /** Documents that have passed the rules. */
  const valid = new WeakSet<DocumentNode>();
  const steadyFields = new Set(
    Object.values(schema.getQueryType()?.getFields() ?? {}).flatMap(({ name, extensions }) =>
      extensions['steady'] === true ? [name] : [],
    ),
  );
  const observers = [createOperationLog(options.log), ...(metrics === null ? [] : [createOperationMetrics(metrics)])];
  const runner = createOperationRunner({ observers, suggestions });
  const yoga = createYoga<OperationOrigin, object>({
    schema,
    context: origin => createContext(origin.caller, origin),
    plugins: [
      useOperationRules({ limits, suggestions }),
      useOperationRunner({ runner, observers, accepted: document => valid.add(document) }),
      useOpenStreams(openStreams, streamSlots),
    ],
    // Errors that no plugin saw, such as those of an unreadable body.
    maskedErrors: { maskError: error => maskError(error, reportTo(options.log), true) },
    parserAndValidationCache: {
      documentCache: documents,
      // A failure is cheap to find again, and not worth its text.
      errorCache: { get: () => undefined, set: () => {} },
    },
    maxRequestBodySize: options.maxBodySize,
    logging: false,
    // The HTTP server does these, for every path and every way in.
    cors: false,
    graphiql: false,
    landingPage: false,
    multipart: false,
  });

  return {
    yoga,
    async prepare(params, origin) {
      try {
        let document = documents.get(params.query ?? '');
        if (document === undefined || !valid.has(document)) {
          const { parse, validate } = yoga.getEnveloped({ ...origin, params });
          document = parse(params.query ?? '') as DocumentNode;
          const errors: readonly GraphQLError[] = validate(schema, document);
          if (errors.length > 0) return errors;
        }
        if (!getOperationAST(document, params.operationName)) return [unknownOperation()];
        return {
          schema,
          document,
          contextValue: { ...origin, params, ...(await createContext(origin.caller, origin)) },
          operationName: params.operationName ?? null,
          variableValues: params.variables ?? null,
        };
      } catch (error) {
        return [maskError(error, reportTo(origin.log), true)];
      }
    },
    isKnown(query) {
      const document = documents.peek(query);
      return document !== undefined && valid.has(document);
    },
    isSteady({ document, operationName }) {
      const operation = getOperationAST(document, operationName);
      return (
        operation?.operation === 'query' &&
        operation.selectionSet.selections.every(node => node.kind === Kind.FIELD && steadyFields.has(node.name.value))
      );
    },
    basisOf: caller => options.basisOf?.(caller) ?? null,
    repeated: runner.repeated,
    execute: runner.execute,
    subscribe: runner.subscribe,
  };
}

const unknownOperation = () =>
  new GraphQLError('Could not determine what operation to execute.', {
    extensions: { code: 'OPERATION_RESOLUTION_FAILURE', http: { status: 400 } },
  });
