import type { StorageLike } from './types.js';

/**
 * The globals that the client uses. Those of a page may be missing, and `document`, `localStorage` and `navigator` may throw when they are
 * looked at. Tests have globals of their own, with a clock of its own.
 */
export interface Environment {
  readonly Date: Pick<DateConstructor, 'now' | 'parse'>;
  readonly Math: Pick<Math, 'random'>;
  setTimeout(act: () => void, milliseconds: number): unknown;
  clearTimeout(timer: never): void;
  fetch(url: string, init: RequestInit): Promise<Response>;
  readonly crypto?: { getRandomValues(bytes: Uint8Array<ArrayBuffer>): Uint8Array };
  readonly document?: { readonly visibilityState?: string };
  readonly localStorage?: StorageLike;
  readonly navigator?: { readonly onLine?: boolean };
  addEventListener?(name: string, listener: (event: { readonly type: string }) => void): void;
  removeEventListener?(name: string, listener: (event: { readonly type: string }) => void): void;
  queueMicrotask(act: () => void): void;
}

/** The longest time of a timer in milliseconds; a longer one would run out at once. */
const maxDelay = 2 ** 31 - 1;

/** Calls `act` after so many milliseconds; returns the function that prevents it. */
export function after(environment: Environment, milliseconds: number, act: () => void): () => void {
  const timer = environment.setTimeout(act, Math.min(milliseconds, maxDelay)) as never;
  return () => environment.clearTimeout(timer);
}

export const isHidden = (environment: Environment): boolean =>
  lookAt(() => environment.document?.visibilityState) === 'hidden';

/** False: there is certainly no network. */
export const isOnline = (environment: Environment): boolean => lookAt(() => environment.navigator?.onLine) !== false;

/** Calls `listener` when the tab is hidden or shown, and when the network comes or goes; returns the function that ends it. */
export function listenTo(environment: Environment, listener: (event: { readonly type: string }) => void): () => void {
  // What happens to the document is heard here too.
  const names = ['visibilitychange', 'online', 'offline'];
  for (const name of names) environment.addEventListener?.(name, listener);
  return () => {
    for (const name of names) environment.removeEventListener?.(name, listener);
  };
}

function lookAt<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
