import { type ExecutionResult, GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { Documents } from './documents.js';
import type { FindOperation } from './known-operation.js';
import { asWritten, maskError, reportTo } from './mask-error.js';
import type { OperationOrigin } from './origin.js';
import { nothingKept, type OperationRunner } from './runner.js';
import { declaredVariables, maxCoercionErrors } from './variables.js';

/** The parameters of a request, which Yoga does not read again; or the error for those that cannot be read. */
export interface YogaParams {
  readonly asked: unknown;
}

export interface OperationHooks {
  readonly documents: Documents;
  readonly findOperation: FindOperation;
  readonly runner: OperationRunner;
  /** Tells the observers of an operation that was refused before it ran. */
  readonly refuse: (errors: readonly GraphQLError[], origin: OperationOrigin) => void;
  readonly hideSuggestions: boolean;
}

/** Has Yoga read, judge and run operations as every other entry point does. */
export function useOperations(hooks: OperationHooks): Plugin<OperationOrigin & YogaParams> {
  const { documents, findOperation, runner, refuse, hideSuggestions } = hooks;
  return {
    onPluginInit({ registerContextErrorHandler }) {
      registerContextErrorHandler(({ context, error, setError }) => {
        const { log } = context as Readonly<Record<string, unknown>> & OperationOrigin;
        setError(maskError(error, reportTo(log), true));
      });
    },
    onRequestParse({ serverContext, setRequestParser }) {
      setRequestParser(() => {
        const { asked } = serverContext as unknown as YogaParams;
        if (asked instanceof GraphQLError) throw asked;
        return asked as never;
      });
    },
    onParse: ({ context, setParseFn }) => {
      setParseFn(source => documents.parse(String(source)));
      return ({ result }) => {
        if (result instanceof Error) refuse([maskError(result, reportTo(context.log), true)], context);
      };
    },
    onValidate: ({ context, setValidationFn }) => {
      setValidationFn((_schema, document) => documents.validate(document));
      return ({ valid, result }) => {
        if (!valid) refuse(result as GraphQLError[], context);
      };
    },
    onExecute: ({ setExecuteFn }) =>
      setExecuteFn(args => {
        const operation = findOperation(args.document, args.operationName);
        // Yoga has refused a name that no operation of the document has.
        if (operation === null) return { errors: [new GraphQLError('There is no such operation.')] };
        return runner.execute({
          ...args,
          contextValue: args.contextValue as OperationOrigin,
          operation,
          kept: nothingKept,
          variableValues: declaredVariables(operation, args.variableValues ?? null),
          options: { maxCoercionErrors },
          hideSuggestions,
        });
      }),
    onResultProcess({ result, setResult }) {
      if ('errors' in result) setResult(asWritten(result as ExecutionResult));
    },
    // Subscriptions are streams of ours, which Yoga never gets to see.
    onSubscribe: ({ setResultAndStopExecution }) =>
      setResultAndStopExecution({ errors: [new GraphQLError('Subscriptions are not answered here.')] }),
  };
}
