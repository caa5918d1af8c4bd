import { after, type Environment } from './environment.js';
import { HalyardError } from './error.js';
import { badResponse, errorOf, liveOperation, plainOperation, type Result, updateOf } from './operations.js';
import type { Transport } from './types.js';

/** Milliseconds until a stream that was accepted must have brought a byte: the server sends one at once. */
const firstByteTimeout = 10_000;
/** Milliseconds until a stream must have been accepted or refused. */
const responseTimeout = 20_000;
/** Milliseconds between two plain queries. */
const pollInterval = 20_000;
/** After so many plain queries a stream is tried again: ten minutes. */
const pollsInARow = 30;

interface RefusedError extends HalyardError {
  /** Milliseconds before which the server wants no new attempt. */
  readonly retryAfter?: number;
}

/**
 * Server-sent events over `fetch`, so that the token travels in a header and a refusal can be read. If a stream brings no byte, a proxy holds it
 * back, or the environment cannot read a body in parts: then a plain query asks again and again, and a stream is tried later.
 */
export function eventStream(environment: Environment): Transport {
  /** How many plain queries are asked before a stream is tried. Streams that follow know that the one before was held back. */
  let pollsLeft = 0;

  return (request, listener) => {
    const { url, token, device } = request;
    let abort = new AbortController();
    let isClosed = false;
    let lastRevision = request.sinceRevision;
    let stopTimer = () => {};

    const post = async (operation: object, accept: string): Promise<Response> => {
      const response = await environment.fetch(url, {
        method: 'POST',
        headers: {
          accept,
          'content-type': 'application/json',
          ...(token && { authorization: `Bearer ${token}` }),
          ...(device && { 'x-halyard-device': device }),
        },
        body: JSON.stringify(operation),
        signal: abort.signal,
      });
      listener.onAlive();
      if (response.ok) return response;
      const { errors }: Result = await response.json().catch(() => ({}));
      throw Object.assign(errorOf(errors, `HTTP_${response.status}`), {
        retryAfter: retryAfterOf(response, environment),
      });
    };

    /** Resolves if the stream brings no byte in time. */
    const stream = async (): Promise<void> => {
      const giveUp = () => abort.abort();
      stopTimer = after(environment, responseTimeout, giveUp);
      try {
        const { headers, body } = await post(liveOperation(request), 'text/event-stream');
        stopTimer();
        const type = headers.get('content-type');
        if (!type?.startsWith('text/event-stream')) throw badResponse(`is ${type}, not text/event-stream`);
        if (body) {
          stopTimer = after(environment, firstByteTimeout, giveUp);
          await read(body.getReader());
        }
      } catch (error) {
        stopTimer();
        if (!abort.signal.aborted) throw error;
      }
    };

    const read = async (reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> => {
      const decoder = new TextDecoder();
      let rest = '';
      for (;;) {
        const { done, value } = await reader.read();
        if (done) throw new HalyardError('STREAM_ENDED', 'The server ended the stream.');
        stopTimer();
        listener.onAlive();
        // Lines end with LF, CR LF or CR: a proxy may write them anew.
        const events = (rest + decoder.decode(value, { stream: true })).split(/\n\n|\r\n\r\n|\r\r/);
        rest = events.pop() as string;
        for (const event of events) {
          const lines = event.split(/[\r\n]+/).filter(line => line.startsWith('data:'));
          const data = lines.map(line => line.slice(5)).join('');
          // Signs of life and the event that completes a stream have none.
          if (data.trim() && !isClosed) listener.onUpdate(updateOf(JSON.parse(data)));
        }
      }
    };

    const run = async (): Promise<void> => {
      for (;;) {
        const wasTried = !pollsLeft;
        if (wasTried) {
          await stream();
          if (isClosed) return;
          abort = new AbortController();
        }
        const response = await post(plainOperation(request), 'application/json');
        const update = updateOf(await response.json());
        if (isClosed) return;
        if (wasTried) {
          // Only now is it known that the server itself is well.
          pollsLeft = pollsInARow;
          listener.onFault(
            new HalyardError('STREAM_BLOCKED', 'Streams bring nothing: does a proxy buffer them? Polling.'),
          );
        }
        pollsLeft -= 1;
        // Begun before the update is told: a listener may close the stream, and ends this as well.
        const pause = new Promise<void>(resolve => {
          stopTimer = after(environment, pollInterval, resolve);
        });
        // A node that lags behind has older answers. If the next ones are as old, the server has gone back in time.
        if (!(update.revision < lastRevision)) listener.onUpdate(update);
        lastRevision = update.revision;
        await pause;
      }
    };

    run().catch((error: RefusedError) => {
      abort.abort();
      if (isClosed) return;
      listener.onEnd(
        error instanceof HalyardError
          ? error
          : new HalyardError('NETWORK_ERROR', `${url} cannot be reached or read.`, error),
        error.retryAfter,
      );
    });

    return () => {
      isClosed = true;
      stopTimer();
      abort.abort();
    };
  };
}

/** In milliseconds, from seconds or a date. 0 where there is none. */
function retryAfterOf({ headers }: Response, environment: Environment): number {
  const value = headers.get('retry-after') as string;
  return Number(value) * 1_000 || Date.parse(value) - environment.Date.now() || 0;
}
