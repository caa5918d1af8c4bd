import { createSourceEventStream, type ExecutionArgs, type ExecutionResult, execute, type GraphQLError } from 'graphql';
import { isAsyncIterable } from 'graphql-yoga';
import { type EndableOptions, EndableStream } from '../../streams/endable.js';
import type { AskedQuestions } from './kept-answers.js';
import type { KnownOperation } from './known-operation.js';
import { maskError, reportTo } from './mask-error.js';
import type { OperationObserver, OperationWatch } from './observers.js';
import type { OperationOrigin } from './origin.js';
import { SharedResults } from './shared-results.js';
import { type KeptBytes, memberErrors } from './variables.js';

export interface OperationRunnerOptions {
  readonly observers: readonly OperationObserver[];
  /** Lets go of what is kept for a context of resolvers, until they need it again. */
  readonly release: (context: object) => void;
  /** Why this caller may not run this operation; null: it may. */
  readonly refusal: (operation: KnownOperation, origin: OperationOrigin) => GraphQLError | null;
}

/** A member of the context of resolvers that the server knows. */
export interface WithQuestions {
  /** Absent: nobody counts. */
  readonly questions?: AskedQuestions;
}

/** The objects that resolvers see beside the {@link OperationOrigin}. */
export type OperationContext = object | WithQuestions;

/** An operation that has been found valid, with the arguments that graphql executes it from. */
export interface PreparedOperation extends ExecutionArgs {
  readonly operation: KnownOperation;
  /** Bytes that it keeps while it is open; 0 unless it is a subscription. */
  readonly kept: KeptBytes;
  readonly contextValue: OperationOrigin & WithQuestions;
}

export const nothingKept: KeptBytes = Object.freeze({ document: 0, variables: 0 });

/** A subscription that is open. */
export type ResultStream = EndableStream<unknown, ExecutionResult>;

/** Runs valid operations. Every entry point uses it, so observation and masking are the same everywhere. */
export interface OperationRunner {
  /** Never rejects. */
  execute(prepared: PreparedOperation): Promise<ExecutionResult>;
  /** An answer without errors was given again: it counts like any other. */
  repeat(operation: KnownOperation, origin: OperationOrigin): void;
  /** Never rejects. The stream executes when it is read, and throws the masked errors of its source. */
  subscribe(prepared: PreparedOperation): Promise<ResultStream | ExecutionResult>;
}

/** Executes with graphql's own functions, and no hooks in between: they took a fifth of the time of a small query. */
export function createOperationRunner({ observers, release, refusal }: OperationRunnerOptions): OperationRunner {
  const shared = new SharedResults();

  function begin({ operation, contextValue }: PreparedOperation): readonly OperationWatch[] {
    return observers.flatMap(observer => observer.onBegun(operation, contextValue) ?? []);
  }

  async function executed(prepared: PreparedOperation): Promise<ExecutionResult> {
    try {
      return await execute(prepared);
    } finally {
      release(prepared.contextValue);
    }
  }

  function finish(
    result: ExecutionResult,
    prepared: PreparedOperation,
    watches: readonly OperationWatch[],
  ): ExecutionResult {
    const answer = withMaskedErrors(result, prepared);
    for (const watch of watches) watch.onAnswered(answer);
    return answer;
  }

  return {
    async execute(prepared) {
      const watches = begin(prepared);
      const refused = refusal(prepared.operation, prepared.contextValue) ?? memberErrors(prepared.variableValues);
      if (refused !== null) return finish({ errors: [refused] }, prepared, watches);
      try {
        return finish(await executed(prepared), prepared, watches);
      } catch (error) {
        return finish({ errors: [masked(error, prepared)] }, prepared, watches);
      }
    },

    repeat(operation, origin) {
      for (const observer of observers) observer.onRepeated(operation, origin);
    },

    async subscribe(prepared) {
      const watches = begin(prepared);
      const refused = refusal(prepared.operation, prepared.contextValue) ?? memberErrors(prepared.variableValues);
      if (refused !== null) return finish({ errors: [refused] }, prepared, watches);
      let source: AsyncIterable<unknown> | ExecutionResult;
      try {
        source = await createSourceEventStream(prepared);
      } catch (error) {
        source = { errors: [masked(error, prepared)] };
      } finally {
        // What is kept for the opening, such as what the caller may do, need not be kept as long as the stream.
        release(prepared.contextValue);
      }
      if (!isAsyncIterable(source)) return finish(source, prepared, watches);
      const stream: ResultStream = new EndableStream(source, new EventResults(prepared, shared, executed));
      for (const watch of watches) stream.whenEnded(watch.onOpened());
      return stream;
    },
  };
}

/** The results of the events of a subscription. An object, because the functions of a literal take more memory for each stream. */
class EventResults implements EndableOptions<unknown, ExecutionResult> {
  readonly #prepared: PreparedOperation;
  readonly #shared: SharedResults;
  readonly #execute: (prepared: PreparedOperation) => Promise<ExecutionResult>;

  constructor(
    prepared: PreparedOperation,
    shared: SharedResults,
    execute: (prepared: PreparedOperation) => Promise<ExecutionResult>,
  ) {
    this.#prepared = prepared;
    this.#shared = shared;
    this.#execute = execute;
  }

  map(event: unknown): ExecutionResult | Promise<ExecutionResult> {
    return this.#shared.resultOf(this.#prepared.operation, event, () => this.#run(event));
  }

  mapError(error: unknown): GraphQLError {
    return masked(error, this.#prepared);
  }

  async #run(rootValue: unknown): Promise<ExecutionResult> {
    return withMaskedErrors(await this.#execute({ ...this.#prepared, rootValue }), this.#prepared);
  }
}

function withMaskedErrors(result: ExecutionResult, prepared: PreparedOperation): ExecutionResult {
  if (result.errors === undefined) return result;
  return { ...result, errors: result.errors.map(error => masked(error, prepared)) };
}

const masked = (error: unknown, { contextValue }: PreparedOperation) =>
  // The log of a request is made when there is something to report.
  maskError(error, cause => reportTo(contextValue.log)(cause));
