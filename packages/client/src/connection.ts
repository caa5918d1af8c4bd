import { after, type Environment, isHidden, isOnline, listenTo } from './environment.js';
import { HalyardError } from './error.js';
import { badResponse } from './operations.js';
import type { Status, StreamRequest, Transport, Update } from './types.js';

/**
 * What a connection does, why, and what comes next.
 *
 * | phase     | status     | why                                                                     | what next |
 * |-----------|------------|-------------------------------------------------------------------------|-----------|
 * | `asking`  | connecting | `token()` was called                                                    | a token or null: `opening`; it throws, rejects, or takes 30 s: `waiting` |
 * | `opening` | connecting | a stream was asked for                                                  | first update: `live`; refused, ended or broken, or 45 s without a byte: `waiting` |
 * | `live`    | live       | updates come; or plain queries are answered where a proxy blocks streams | ended (token expired, server restarts) or broken, 45 s without a byte, the computer has slept: `waiting` |
 * | `waiting` | connecting | the attempt before failed, or its stream is over                        | after a random part of 0.5 s x 2^failures, at most 30 s, and after what the server asked for: `asking`; the network is back: `asking` within 0.5 s |
 * | `hidden`  | connecting | the tab has been hidden for `hiddenAfter`                               | shown: `asking` |
 * | `offline` | connecting | the browser says that there is no network                               | the network is back: `asking` within 0.5 s; 30 s later: `asking`, because browsers err |
 * | `closed`  | closed     | `close()`                                                               | nothing |
 *
 * `identify` leads from each phase but `closed` to `asking`. Hidden for long: from each but `closed` to `hidden`. No network: to `offline`.
 * A status is `connecting` until the first update for the present user; from then on `stale` stands in its place.
 */
export type Phase = 'asking' | 'opening' | 'live' | 'waiting' | 'hidden' | 'offline' | 'closed';

const tokenTimeout = 30_000;
const silenceTimeout = 45_000;
/** Milliseconds between two looks at a stream, and how late one may be: more means that the computer has slept, or that its clock was set. */
const lookInterval = 5_000;
const maxLateness = 10_000;
const firstDelay = 500;
const maxDelay = 30_000;

/** How to open a stream, what to ask for, and what reads an update: it returns what applies it and tells of the phase, or throws. */
export type PreparedStream = readonly [
  transport: Transport,
  request: StreamRequest,
  read: (update: Update) => () => void,
];

export interface Connection {
  readonly status: Status;
  /** Ends what there is, and forgets that there was an update. Nothing of it is heard any more. Call `connect` then. */
  reset(): void;
  /** Connects with a token of the moment. Nothing happens after `close`. */
  connect(): void;
  close(): void;
}

/**
 * @param prepare called with each token. Listeners of the client may hear of it, and end the connection.
 * @param onPhase called after each change of the phase, except by `reset` and an update.
 */
export function createConnection(
  environment: Environment,
  hiddenAfter: number,
  askToken: () => string | null | Promise<string | null>,
  prepare: (token: string | null) => PreparedStream,
  onPhase: () => void,
  onError: (error: HalyardError, once?: string) => void,
): Connection {
  let phase: Phase = 'waiting';
  let wasLive = false;
  /** Attempts since the last update. */
  let failures = 0;
  /** Ends what the present phase has begun. */
  let leave = () => {};
  let forgetHiding = () => {};
  let stopListening = () => {};

  const enter = (next: Phase, end: () => void): void => {
    leave();
    leave = end;
    phase = next;
    onPhase();
  };

  const retryWithin = (milliseconds: number, atLeast = 0) =>
    after(environment, atLeast + environment.Math.random() * milliseconds, connect);

  const fail = (error: HalyardError | null, retryAfter?: number): void => {
    if (error) onError(error);
    if (isOnline(environment)) {
      const longest = Math.min(maxDelay, firstDelay * 2 ** failures);
      failures += 1;
      enter('waiting', retryWithin(longest, retryAfter));
    } else loseNetwork();
  };
  const loseNetwork = () => enter('offline', after(environment, maxDelay, connect));

  function connect(): void {
    if (phase === 'closed') return;
    let isOver = false;
    const stopTimer = after(environment, tokenTimeout, () =>
      fail(new HalyardError('TOKEN_FAILED', 'token() took over 30 s.')),
    );
    enter('asking', () => {
      isOver = true;
      stopTimer();
    });
    // What token() throws is a rejection as well. A client that is closed at once asks nothing.
    Promise.resolve()
      .then(() => (isOver ? null : askToken()))
      .then(
        token => {
          if (isOver) return;
          const prepared = prepare(token);
          if (!isOver) open(prepared);
        },
        cause => isOver || fail(new HalyardError('TOKEN_FAILED', 'token() failed.', cause)),
      );
  }

  function open([transport, request, read]: PreparedStream): void {
    let isOver = false;
    let quiet = 0;
    let lastLook = environment.Date.now();
    let close = () => {};
    const end = (error: HalyardError | null, retryAfter?: number): void => {
      if (!isOver) fail(error, retryAfter);
    };
    const look = () => {
      const now = environment.Date.now();
      const late = now - lastLook - lookInterval;
      lastLook = now;
      quiet += lookInterval;
      if (quiet > silenceTimeout) end(new HalyardError('STREAM_SILENT', 'Nothing came for 45 s.'));
      // Timers of hidden tabs are late anyway.
      else if (late > maxLateness && !isHidden(environment)) end(null);
      else stopTimer = after(environment, lookInterval, look);
    };
    let stopTimer = after(environment, lookInterval, look);
    enter('opening', () => {
      isOver = true;
      stopTimer();
      close();
    });
    if (isOver) return;
    close = transport(request, {
      onAlive() {
        quiet = 0;
      },
      onUpdate(update) {
        if (isOver) return;
        let apply: () => void;
        try {
          if (phase !== 'live' && !update.snapshot) throw new TypeError('no snapshot');
          apply = read(update);
        } catch (cause) {
          end(badResponse('is no update', cause));
          return;
        }
        failures = 0;
        wasLive = true;
        phase = 'live';
        apply();
      },
      onFault(error) {
        if (!isOver) onError(error, error.code);
      },
      // A stream that has served ends so when the token expires and when the server restarts.
      onEnd: (error, retryAfter) => end(phase === 'live' && error.code === 'STREAM_ENDED' ? null : error, retryAfter),
    });
    // It may have ended in the call.
    if (isOver) close();
  }

  const hide = (): void => {
    forgetHiding();
    if (isHidden(environment)) forgetHiding = after(environment, hiddenAfter, () => enter('hidden', () => {}));
    else if (phase === 'hidden') connect();
  };

  const hear = ({ type }: { readonly type: string }): void => {
    if (type === 'visibilitychange') hide();
    else if (phase === 'hidden') return;
    else if (type === 'offline') loseNetwork();
    else if (phase === 'waiting' || phase === 'offline') enter('waiting', retryWithin(firstDelay));
  };

  return {
    get status() {
      if (phase === 'live' || phase === 'closed') return phase;
      return wasLive ? 'stale' : 'connecting';
    },
    reset() {
      leave();
      leave = () => {};
      wasLive = false;
      failures = 0;
      if (phase !== 'closed') phase = 'waiting';
    },
    connect() {
      if (phase === 'closed') return;
      stopListening();
      stopListening = listenTo(environment, hear);
      hide();
      connect();
    },
    close() {
      stopListening();
      forgetHiding();
      enter('closed', () => {});
    },
  };
}
