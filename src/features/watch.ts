import { setTimeout as wait } from 'node:timers/promises';
import type { FeatureKey } from '../core/feature-key.js';
import { type Stop, stopping } from '../streams/stop.js';
import type { FeaturesUpdate } from './subscriber.js';

/**
 * Gets a user's answers: first all of them, then only the answers that changed since the last call. While the promise that
 * it returned is pending, it is not called. The next call then has all changes since the last one.
 */
export type WatchListener = (update: FeaturesUpdate) => unknown;

export interface UpdatesOptions {
  /** Only these flags, in this order. Default: all flags. */
  readonly keys?: readonly FeatureKey[] | undefined;
}

/** What is known beside the user. */
export interface ForOptions {
  /**
   * The id of the user's device, such as a page or an app makes and keeps: 8 to 64 characters of `A-Z`, `a-z`, `0-9`, `-` and `_`.
   * Rollouts hash it for anonymous users; it changes nothing for others. Null or absent: not known.
   */
  readonly device?: string | null | undefined;
}

export interface WatchOptions extends UpdatesOptions, ForOptions {
  /** Stops the watch when the signal aborts. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Gets the errors of the listener, and the reason why there are no answers yet (`UnavailableError`; the watch tries again
   * each second). The watch continues in both cases. Default: an error in the log, or a warning of the process without a log.
   */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** Milliseconds until a watch without answers tries again. */
const retryDelay = 1_000;

/**
 * Calls the listener with each update until stopped, or until the updates end.
 * @param report gets every failure; must not throw.
 */
export function watchUpdates(
  subscribe: () => AsyncIterableIterator<FeaturesUpdate>,
  listener: WatchListener,
  report: (error: unknown) => void,
  signal?: AbortSignal,
): Stop {
  const stopped = new AbortController();
  let updates: AsyncIterableIterator<FeaturesUpdate> | undefined;

  const follow = async (): Promise<void> => {
    updates = subscribe();
    for await (const update of updates) {
      if (stopped.signal.aborted) return;
      try {
        await listener(update);
      } catch (error) {
        report(error);
      }
    }
  };
  const persist = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      try {
        return await follow();
      } catch (error) {
        report(error);
      }
      // Rejects if the watch stopped meanwhile. Then there is nothing to do.
      await wait(retryDelay, undefined, { ref: false, signal: stopped.signal }).catch(() => {});
    }
  };
  const stop = stopping(() => {
    signal?.removeEventListener('abort', stop);
    stopped.abort();
    void updates?.return?.();
  });
  signal?.addEventListener('abort', stop);
  if (signal?.aborted) stop();
  void persist().finally(stop);
  return stop;
}
