import type { ExecutionResult } from 'graphql';
import { isPromise } from '../../streams/pulled.js';
import type { KnownOperation } from './known-operation.js';

/**
 * Results of events that many subscribers of one operation get: a flag turned on for all is one event for thousands, and
 * its result is the same for all. Results of shareable operations are shared among subscribers of the same document.
 * Events are told apart by identity.
 */
export class SharedResults {
  readonly #results = new WeakMap<object, WeakMap<KnownOperation, ExecutionResult | Promise<ExecutionResult>>>();

  /** The known result of this event for the same operation, or a new one. Results with errors are not shared. */
  resultOf(
    operation: KnownOperation,
    event: unknown,
    execute: () => Promise<ExecutionResult>,
  ): ExecutionResult | Promise<ExecutionResult> {
    if (!operation.isShareable || typeof event !== 'object' || event === null) return execute();
    const known = this.#results.get(event)?.get(operation);
    if (known === undefined) return this.#make(operation, event, execute);
    // Hundreds may get an event before its first result is made.
    return isPromise(known) ? afterFirst(known, execute) : known;
  }

  async #make(
    operation: KnownOperation,
    event: object,
    execute: () => Promise<ExecutionResult>,
  ): Promise<ExecutionResult> {
    const results = this.#results.get(event) ?? new WeakMap();
    this.#results.set(event, results);
    const making = execute();
    results.set(operation, making);
    try {
      const result = await making;
      if (result.errors === undefined) results.set(operation, result);
      else results.delete(operation);
      return result;
    } catch (error) {
      results.delete(operation);
      throw error;
    }
  }
}

async function afterFirst(
  first: Promise<ExecutionResult>,
  execute: () => Promise<ExecutionResult>,
): Promise<ExecutionResult> {
  try {
    const result = await first;
    if (result.errors === undefined) return result;
  } catch {
    // It is not shared either.
  }
  return execute();
}
