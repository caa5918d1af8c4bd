import type { DocumentNode } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { maskError, reportTo } from '../mask-error.js';
import type { OperationObserver } from '../operation-observer.js';
import type { OperationOrigin } from '../operation-origin.js';
import type { OperationRunner } from '../operation-runner.js';

export interface OperationRunnerHooks {
  readonly runner: OperationRunner;
  readonly observers: readonly OperationObserver[];
  /** Told of each document that has passed the rules. */
  readonly accepted: (document: DocumentNode) => void;
}

/** Has Yoga run operations as every other way in does, and tells the observers what it refused before. */
export function useOperationRunner({ runner, observers, accepted }: OperationRunnerHooks): Plugin<OperationOrigin> {
  const refused = (errors: readonly unknown[], origin: OperationOrigin) => {
    for (const observer of observers) observer.refused(errors, origin);
  };
  return {
    onPluginInit({ registerContextErrorHandler }) {
      registerContextErrorHandler(({ context, error, setError }) => {
        const { log } = context as Readonly<Record<string, unknown>> & OperationOrigin;
        setError(maskError(error, reportTo(log), true));
      });
    },
    onParse: ({ context }) => {
      return ({ result }) => {
        if (result instanceof Error) refused([maskError(result, reportTo(context.log), true)], context);
      };
    },
    onValidate: ({ context, params: { documentAST } }) => {
      return ({ valid, result }) => {
        if (valid) accepted(documentAST);
        else refused(result, context);
      };
    },
    onExecute: ({ setExecuteFn }) => setExecuteFn(runner.execute),
    onSubscribe: ({ setSubscribeFn }) => setSubscribeFn(runner.subscribe),
  };
}
