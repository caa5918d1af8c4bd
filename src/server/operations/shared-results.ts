import type { ExecutionResult } from 'graphql';
import type { KnownOperation } from './known-operation.js';

/**
 * Results of events that many subscribers of one operation get: a flag turned on for all is one event for thousands, and
 * what comes of it is one result. Shared are results of operations that are shareable, to those who sent the same document.
 * Events are told apart by identity.
 */
export class SharedResults {
  readonly #results = new WeakMap<object, WeakMap<KnownOperation, ExecutionResult>>();

  /** What `execute` made of this event for the same operation, or makes of it now. Results with errors are not shared. */
  async resultOf(
    operation: KnownOperation,
    event: unknown,
    execute: () => ExecutionResult | PromiseLike<ExecutionResult>,
  ): Promise<ExecutionResult> {
    if (!operation.isShareable || typeof event !== 'object' || event === null) return execute();
    const results = this.#results.get(event) ?? new WeakMap<KnownOperation, ExecutionResult>();
    const known = results.get(operation);
    if (known !== undefined) return known;
    const result = await execute();
    if (result.errors === undefined) {
      results.set(operation, result);
      this.#results.set(event, results);
    }
    return result;
  }
}
