import { setTimeout as wait } from 'node:timers/promises';
import type { FeatureKey } from '../core/feature-key.js';
import { type Stop, stopping } from '../streams/stop.js';
import type { FeaturesUpdate } from './subscriber.js';

/**
 * Told of a user's answers: first of all of them, then of what is different from what it was last told. While the
 * promise that it returns is pending it is not called; then it is told once of all that changed meanwhile.
 */
export type WatchListener = (update: FeaturesUpdate) => unknown;

export interface UpdatesOptions {
  /** Only these flags, in this order; otherwise all. */
  readonly keys?: readonly FeatureKey[] | undefined;
}

export interface WatchOptions extends UpdatesOptions {
  /** Stops the watch when it aborts. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Told what the listener throws or rejects with, and why there are no answers yet (`UnavailableError`, tried again
   * each second). Either way watching goes on. Default: an error in the log; where there is no log, a warning of the process.
   */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** Milliseconds until a watch that has got no answers asks again. */
const retryDelay = 1_000;

/**
 * Calls the listener with each update until stopped, or until the updates end.
 * @param report told of every failure; must not throw.
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
      // Rejects when stopped meanwhile, which leaves nothing to do.
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
