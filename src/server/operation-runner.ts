import { createSourceEventStream, type ExecutionArgs, type ExecutionResult, execute, GraphQLError } from 'graphql';
import { isAsyncIterable } from 'graphql-yoga';
import { pulled } from '../features/pulled.js';
import { maskError, reportTo } from './mask-error.js';
import type { Operation, OperationObserver, OperationWatch } from './operation-observer.js';
import { SharedResults } from './shared-results.js';

export interface OperationRunnerOptions {
  readonly observers: readonly OperationObserver[];
  /** Whether messages about unknown names propose known ones. */
  readonly suggestions: boolean;
}

/** Runs operations that have been found valid. Every way in uses it: what is observed and masked here is so everywhere. */
export interface OperationRunner {
  execute(args: ExecutionArgs): ExecutionResult | Promise<ExecutionResult>;
  /** An answer without errors was given again: it counts like any other. */
  repeated(operation: Operation): void;
  /** The stream executes when it is read, and throws what its source throws, masked. */
  subscribe(args: ExecutionArgs): Promise<AsyncIterableIterator<ExecutionResult> | ExecutionResult>;
}

/**
 * Executes with graphql's own functions, and nothing in between: hooks around each step are what small operations would
 * otherwise spend most of their time in.
 */
export function createOperationRunner({ observers, suggestions }: OperationRunnerOptions): OperationRunner {
  const shared = new SharedResults();

  function begin(operation: Operation): readonly OperationWatch[] {
    return observers.flatMap(observer => observer.began(operation) ?? []);
  }

  function finish(result: ExecutionResult, args: ExecutionArgs, watches: readonly OperationWatch[]): ExecutionResult {
    const answer = result.errors === undefined ? result : withoutSecrets(result, result.errors, args);
    for (const watch of watches) watch.answered(answer);
    return answer;
  }

  function withoutSecrets(
    result: ExecutionResult,
    errors: readonly GraphQLError[],
    args: ExecutionArgs,
  ): ExecutionResult {
    const report = reportTo((args as Operation).contextValue.log);
    return { ...result, errors: errors.map(error => maskError(suggestions ? error : withoutProposal(error), report)) };
  }

  return {
    execute(args) {
      const watches = begin(args as Operation);
      const result = execute(args);
      return result instanceof Promise
        ? result.then(settled => finish(settled, args, watches))
        : finish(result as ExecutionResult, args, watches);
    },

    repeated(operation) {
      for (const observer of observers) observer.repeated(operation);
    },

    async subscribe(args) {
      const watches = begin(args as Operation);
      const source = await createSourceEventStream(args);
      if (!isAsyncIterable(source)) return finish(source, args, watches);
      const events = source[Symbol.asyncIterator]();
      const ends = watches.map(watch => watch.opened());
      const end = () => {
        for (const ended of ends.splice(0)) ended();
      };
      return pulled<ExecutionResult>(
        async () => {
          try {
            const event = await events.next();
            if (event.done) {
              end();
              return { done: true, value: undefined };
            }
            const run = () => execute({ ...args, rootValue: event.value });
            const result = await shared.resultOf(args, event.value, run);
            return {
              done: false,
              value: result.errors === undefined ? result : withoutSecrets(result, result.errors, args),
            };
          } catch (error) {
            end();
            throw maskError(error, reportTo((args as Operation).contextValue.log));
          }
        },
        () => {
          end();
          // Whoever reads has their end already: how the source takes it concerns nobody.
          events.return?.().catch(() => {});
        },
      );
    },
  };
}

const proposal = / Did you mean [^?]*\?/;

/** Rules have no say in what graphql proposes for the value of a variable, so it is taken out again. */
function withoutProposal(error: GraphQLError): GraphQLError {
  const { message, nodes, path } = error;
  if (path !== undefined || !message.startsWith('Variable "') || !proposal.test(message)) return error;
  return new GraphQLError(message.replace(proposal, ''), nodes === undefined ? {} : { nodes });
}
