import type { ExecutionResult } from 'graphql';
import { handleStreamOrSingleExecutionResult, type Plugin } from 'graphql-yoga';
import type { Logger } from 'pino';
import { maskError } from '../mask-error.js';
import type { OperationOrigin } from '../operation-origin.js';

/** Reports to a log what callers do not get to see. */
export function reportTo(log: Logger): (cause: unknown) => void {
  return cause => log.error({ err: cause }, 'An operation failed unexpectedly.');
}

/** Sends every error of an operation through {@link maskError}: of the context, of resolvers, of a stream. */
export function useErrorMasking(): Plugin<OperationOrigin> {
  const maskResult = (log: Logger) => {
    const report = reportTo(log);
    return ({ result, setResult }: { result: ExecutionResult; setResult(result: ExecutionResult): void }) => {
      if (result.errors === undefined) return;
      setResult({ ...result, errors: result.errors.map(error => maskError(error, report)) });
    };
  };
  return {
    onPluginInit({ registerContextErrorHandler }) {
      registerContextErrorHandler(({ context, error, setError }) => {
        const { log } = context as Readonly<Record<string, unknown>> & OperationOrigin;
        setError(maskError(error, reportTo(log), true));
      });
    },
    onExecute({ args }) {
      const mask = maskResult(args.contextValue.log);
      return { onExecuteDone: payload => handleStreamOrSingleExecutionResult(payload, mask) };
    },
    onSubscribe({ args }) {
      const { log } = args.contextValue;
      const mask = maskResult(log);
      return {
        onSubscribeResult: payload => handleStreamOrSingleExecutionResult(payload, mask),
        onSubscribeError: ({ error, setError }) => setError(maskError(error, reportTo(log))),
      };
    },
  };
}
