import type { ExecutionResult } from 'graphql';
import type { KnownOperation } from './known-operation.js';

/**
 * Results of events that many subscribers of one operation get: a flag turned on for all is one event for thousands, and
 * its result is the same for all. Results of shareable operations are shared among subscribers of the same document.
 * Events are told apart by identity.
 */
export class SharedResults {
  readonly #results = new WeakMap<object, WeakMap<KnownOperation, ExecutionResult>>();

  /** The known result of this event for the same operation, or a new one. Results with errors are not shared. */
  resultOf(
    operation: KnownOperation,
    event: unknown,
    execute: () => Promise<ExecutionResult>,
  ): ExecutionResult | Promise<ExecutionResult> {
    if (!operation.isShareable || typeof event !== 'object' || event === null) return execute();
    return this.#results.get(event)?.get(operation) ?? this.#make(operation, event, execute);
  }

  async #make(
    operation: KnownOperation,
    event: object,
    execute: () => Promise<ExecutionResult>,
  ): Promise<ExecutionResult> {
    const result = await execute();
    if (result.errors === undefined) {
      const results = this.#results.get(event) ?? new WeakMap<KnownOperation, ExecutionResult>();
      results.set(operation, result);
      this.#results.set(event, results);
    }
    return result;
  }
}
