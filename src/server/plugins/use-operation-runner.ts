import type { Plugin } from 'graphql-yoga';
import { maskError, reportTo } from '../mask-error.js';
import type { OperationObserver } from '../operation-observer.js';
import type { OperationOrigin } from '../operation-origin.js';
import type { OperationRunner } from '../operation-runner.js';

/** Has Yoga run operations as every other way in does, and tells the observers what it refused before. */
export function useOperationRunner(
  runner: OperationRunner,
  observers: readonly OperationObserver[],
): Plugin<OperationOrigin> {
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
    onValidate: ({ context }) => {
      return ({ valid, result }) => {
        if (!valid) refused(result, context);
      };
    },
    onExecute: ({ setExecuteFn }) => setExecuteFn(runner.execute),
    onSubscribe: ({ setSubscribeFn }) => setSubscribeFn(runner.subscribe),
  };
}
