import type { Backend } from '../../backends/backend.js';
import { FeatureError, UnavailableError } from '../../core/errors.js';
import { isPromise } from '../../streams/pulled.js';

/** Why a call failed; null: it did not, or in a way that is an answer, such as a flag that exists already. */
export type CallFailure = 'unavailable' | 'unexpected' | null;

/**
 * A backend whose calls are observed.
 * @param onCall told of each that has ended: the method's name, how long it took in seconds, and how it failed.
 */
export function observeBackend(
  backend: Backend,
  onCall: (call: string, seconds: number, failure: CallFailure) => void,
): Backend {
  function observed(call: string, method: (...args: unknown[]) => unknown) {
    return (...args: unknown[]) => {
      const startedAt = performance.now();
      const result = method.apply(backend, args);
      if (!isPromise(result)) return result;
      const end = (failure: CallFailure) => onCall(call, (performance.now() - startedAt) / 1_000, failure);
      return result.then(
        value => {
          end(null);
          return value;
        },
        error => {
          end(failureOf(error));
          throw error;
        },
      );
    };
  }

  const methods = new Map<PropertyKey, unknown>();
  return new Proxy(backend, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      if (!methods.has(name)) methods.set(name, observed(String(name), value as (...args: unknown[]) => unknown));
      return methods.get(name);
    },
  });
}

function failureOf(error: unknown): CallFailure {
  if (error instanceof UnavailableError) return 'unavailable';
  return error instanceof FeatureError ? null : 'unexpected';
}
