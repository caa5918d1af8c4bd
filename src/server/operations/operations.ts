import { type DocumentNode, type ExecutionResult, GraphQLError, type GraphQLSchema, getOperationAST } from 'graphql';
import { createYoga, type GraphQLParams, type YogaServerInstance } from 'graphql-yoga';
import type { Logger } from 'pino';
import type { Caller } from '../../auth/caller.js';
import type { ServerMetrics } from '../metrics/server-metrics.js';
import type { DocumentLimits } from './document-limits.js';
import { createDocuments } from './documents.js';
import { createOperationFinder, type KnownOperation } from './known-operation.js';
import { maskError, reportTo } from './mask-error.js';
import { createOperationLog, createOperationMetrics } from './observers.js';
import { ContextOrigin, type OperationOrigin } from './origin.js';
import {
  createOperationRunner,
  nothingKept,
  type OperationContext,
  type PreparedOperation,
  type ResultStream,
} from './runner.js';
import { useOperations, type YogaParams } from './use-operations.js';
import { bytesToKeep, declaredVariables, maxCoercionErrors } from './variables.js';

export interface OperationLimits extends DocumentLimits {
  /** The largest body of a request, in bytes; a larger one is answered 413. */
  readonly maxBodySize: number;
  /** Bytes of document and variables that one subscription may keep, as `documentBytes` and `jsonBytes` count them. */
  readonly keptPerSubscription: number;
}

export interface OperationsOptions {
  readonly schema: GraphQLSchema;
  /** Makes the context of resolvers; called once an operation. */
  readonly createContext: (caller: Caller, origin: OperationOrigin) => OperationContext | Promise<OperationContext>;
  /** Lets go of what the schema keeps for a context; called when an operation is over. Absent: it keeps nothing. */
  readonly releaseContext?: ((context: object) => void) | undefined;
  /** The version stamp of the answers of fields marked as `repeatable`. Absent: no answer is given again. */
  readonly stampOf?: ((caller: Caller) => object | null) | undefined;
  /** Whether those answers may differ from device to device. Absent: they may. */
  readonly dependsOnDevice?: ((caller: Caller) => boolean) | undefined;
  readonly log: Logger;
  readonly limits: OperationLimits;
  /** Whether messages about unknown names propose known ones. */
  readonly suggestions: boolean;
  /** Whether callers without a token may ask for the schema. */
  readonly anonymousIntrospection: boolean;
  readonly metrics: ServerMetrics | null;
}

/** The one place where operations are parsed, validated, limited, executed, logged and masked. Every entry point uses it. */
export interface Operations {
  /** Answers queries and mutations over HTTP. */
  readonly yoga: YogaServerInstance<OperationOrigin & YogaParams, object>;
  /** Does everything up to the execution. Faults of the operation come back as errors; never rejects. */
  prepare(params: GraphQLParams, origin: OperationOrigin): Promise<PreparedOperation | readonly GraphQLError[]>;
  /** Whether this asks for a subscription, as far as it can be read. */
  isSubscription(params: GraphQLParams): boolean;
  /** Whether this document is known to be valid: {@link prepare} finds nothing wrong with it. */
  isKnown(query: string): boolean;
  /** Repeatable answers to this caller are unchanged while this returns the same object. Null: not known. */
  stampOf(caller: Caller): object | null;
  /** Whether repeatable answers to this caller may differ from device to device; false only while the stamp stays the same. */
  dependsOnDevice(caller: Caller): boolean;
  /** A repeatable answer was given again without executing it. */
  repeat(operation: KnownOperation, origin: OperationOrigin): void;
  /** Never rejects. */
  execute(prepared: PreparedOperation): Promise<ExecutionResult>;
  /** Never rejects; the stream may. */
  subscribe(prepared: PreparedOperation): Promise<ResultStream | ExecutionResult>;
}

export function createOperations(options: OperationsOptions): Operations {
  const { schema, createContext, limits, suggestions, metrics } = options;
  const documents = createDocuments({ schema, limits, suggestions });
  const findOperation = createOperationFinder(schema);
  const observers = [createOperationLog(options.log), ...(metrics === null ? [] : [createOperationMetrics(metrics)])];
  const runner = createOperationRunner({
    observers,
    release: options.releaseContext ?? (() => {}),
    refusal: ({ introspects }, { caller }) =>
      introspects && !options.anonymousIntrospection && caller.role === 'ANONYMOUS' ? noIntrospection() : null,
  });
  const hideSuggestions = !suggestions;
  const refuse = (errors: readonly GraphQLError[], origin: OperationOrigin): readonly GraphQLError[] => {
    for (const observer of observers) observer.onRefused(errors, origin);
    return errors;
  };
  const yoga = createYoga<OperationOrigin & YogaParams, object>({
    schema,
    context: origin => createContext(origin.caller, origin),
    plugins: [useOperations({ documents, findOperation, runner, refuse, hideSuggestions })],
    // Errors that no plugin saw, such as those of an unreadable body.
    maskedErrors: { maskError: error => maskError(error, reportTo(options.log), true) },
    // `Documents` keeps parsed and valid documents.
    parserAndValidationCache: false,
    maxRequestBodySize: limits.maxBodySize,
    logging: false,
    // The HTTP server does these, for every path and every entry point.
    cors: false,
    graphiql: false,
    landingPage: false,
    multipart: false,
  });

  /** The document if it may run; the observers are told of one that may not. */
  function read(text: string, origin: OperationOrigin): DocumentNode | readonly GraphQLError[] {
    try {
      const document = documents.parse(text);
      const errors = documents.validate(document);
      return errors.length === 0 ? document : refuse(errors, origin);
    } catch (error) {
      return refuse([maskError(error, reportTo(origin.log), true)], origin);
    }
  }

  async function prepare(
    params: GraphQLParams,
    origin: OperationOrigin,
  ): Promise<PreparedOperation | readonly GraphQLError[]> {
    const document = read(params.query ?? '', origin);
    if (!('kind' in document)) return document;
    const operation = findOperation(document, params.operationName);
    if (operation === null) return [unknownOperation()];
    const declared = declaredVariables(operation, params.variables ?? null);
    const kept =
      operation.kind === 'subscription' ? bytesToKeep(document, declared, limits.keptPerSubscription) : nothingKept;
    const context = await createContext(origin.caller, origin);
    return {
      schema,
      document,
      operation,
      operationName: operation.name,
      variableValues: declared,
      kept,
      hideSuggestions,
      options: { maxCoercionErrors },
      contextValue: Object.assign(new ContextOrigin(origin), context),
    };
  }

  return {
    yoga,
    async prepare(params, origin) {
      try {
        return await prepare(params, origin);
      } catch (error) {
        return [maskError(error, reportTo(origin.log), true)];
      }
    },
    isSubscription({ query = '', operationName }) {
      // The keyword spares most requests a look at their document.
      if (!query.includes('subscription')) return false;
      try {
        // Nothing more is found out of a document that has not been judged.
        return getOperationAST(documents.parse(query), operationName)?.operation === 'subscription';
      } catch {
        return false;
      }
    },
    isKnown: documents.isKnown,
    stampOf: caller => options.stampOf?.(caller) ?? null,
    dependsOnDevice: caller => options.dependsOnDevice?.(caller) ?? true,
    repeat: runner.repeat,
    execute: runner.execute,
    subscribe: runner.subscribe,
  };
}

const unknownOperation = () =>
  new GraphQLError('Could not determine what operation to execute.', {
    extensions: { code: 'OPERATION_RESOLUTION_FAILURE', http: { status: 400 } },
  });

const noIntrospection = () =>
  new GraphQLError('The schema is shown to callers with a token: send the header "Authorization: Bearer <token>".', {
    extensions: { code: 'UNAUTHENTICATED' },
  });
