import { type ExecutionResult, GraphQLError } from 'graphql';
import { isAsyncIterable, type Plugin } from 'graphql-yoga';
import { endable } from '../../features/endable.js';
import { atDeadline } from '../deadline.js';
import type { OperationOrigin } from '../operation-origin.js';

/** Who may open another stream. */
export interface StreamSlots {
  /** Takes a slot and returns what gives it back; null when there is none left for this address. */
  take(address: string): (() => void) | null;
}

/** The streams of events that are open over HTTP. */
export class OpenStreams {
  readonly #ends = new Set<() => void>();

  get size(): number {
    return this.#ends.size;
  }

  add(end: () => void): void {
    this.#ends.add(end);
  }

  delete(end: () => void): void {
    this.#ends.delete(end);
  }

  /** Completes every stream. */
  endAll(): void {
    for (const end of this.#ends) end();
  }
}

/** A reader that has taken nothing for so long, not even the pings, is let go. In milliseconds. */
const stallTimeout = 60_000;

/** Ends a stream of events over HTTP when its reader leaves or stalls, its token ends, or the server stops. */
export function useOpenStreams(streams: OpenStreams, slots: StreamSlots): Plugin<OperationOrigin> {
  return {
    onSubscribe({ args, setResultAndStopExecution }) {
      const { res, caller, address } = args.contextValue;
      if (res === undefined) return;
      const release = slots.take(address);
      if (release === null) {
        setResultAndStopExecution({ errors: [tooManyConnections()] });
        return;
      }
      // However it goes on, this comes.
      res.once('close', release);
      return {
        onSubscribeResult({ result, setResult }) {
          if (!isAsyncIterable(result)) return;
          const { stream, end } = endable<ExecutionResult>(result, () => {
            cancelDeadline();
            res.off('close', complete);
            streams.delete(complete);
          });
          const complete = () => end();
          const cancelDeadline = atDeadline(caller.expiresAt, () => end({ errors: [tokenExpired()] }));
          res.once('close', complete);
          streams.add(complete);
          setResult(stream);
          if (res.closed || res.destroyed) end();
          // Node counts what the kernel has taken as activity, so this fires for who reads nothing.
          else res.setTimeout(stallTimeout, () => res.destroy());
        },
      };
    },
    onResponse({ response }) {
      if (!response.headers.get('content-type')?.startsWith('text/event-stream')) return;
      response.headers.set('cache-control', 'no-cache, no-transform');
      response.headers.set('x-accel-buffering', 'no');
      response.headers.delete('content-encoding');
    },
  };
}

const tooManyConnections = () =>
  new GraphQLError('This address holds as many connections open as it may.', {
    extensions: { code: 'TOO_MANY_CONNECTIONS', http: { status: 429, headers: { 'retry-after': '5' } } },
  });

const tokenExpired = () => new GraphQLError('The token has expired.', { extensions: { code: 'UNAUTHENTICATED' } });
