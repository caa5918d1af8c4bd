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
/** Milliseconds between two looks at a stream, and by the clock at most: more means that the computer has slept, or that its clock was set. */
const lookInterval = 5_000;
const maxGap = 15_000;
const firstDelay = 500;
const maxDelay = 30_000;
/** The longest wait that a server may ask for. */
const maxRetryAfter = 300_000;

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
  /** Attempts since a stream last served for some seconds. */
  let failures = 0;
  /** The server wants no attempt before. */
  let notBefore = 0;
  /** Ends what the present phase has begun, and names it: a phase is over once this is another function. */
  let leave = () => {};
  let forgetHiding = () => {};
  let stopListening = () => {};

  const leaveFor = (end: () => void): void => {
    const before = leave;
    leave = end;
    before();
  };
  const enter = (next: Phase, end = () => {}): void => {
    leaveFor(end);
    phase = next;
    onPhase();
  };

  /** Connects after so many milliseconds, and not before the server wants it. The clock may have been set back since. */
  const wait = (milliseconds: number, next: Phase = 'waiting'): void => {
    const barred = Math.min(Math.max(notBefore - environment.Date.now(), 0), maxRetryAfter);
    enter(next, after(environment, barred + milliseconds, connect));
  };
  const loseNetwork = () => wait(maxDelay, 'offline');

  const fail = (error: HalyardError | null, retryAfter = 0): void => {
    if (error) onError(error);
    notBefore = environment.Date.now() + retryAfter;
    if (isOnline(environment)) {
      wait(environment.Math.random() * Math.min(maxDelay, firstDelay * 2 ** failures));
      failures += 1;
    } else loseNetwork();
  };

  function connect(): void {
    if (phase === 'closed') return;
    const refuse = (cause?: unknown): void => {
      if (leave === stop) fail(new HalyardError('TOKEN_FAILED', 'token() failed or took over 30 s.', cause));
    };
    const stop = after(environment, tokenTimeout, refuse);
    enter('asking', stop);
    // What token() throws is a rejection as well. A client that is closed at once asks nothing.
    Promise.resolve()
      .then(() => (leave === stop ? askToken() : null))
      .then(token => {
        if (leave !== stop) return;
        const prepared = prepare(token);
        if (leave === stop) open(prepared);
      }, refuse);
  }

  function open([transport, request, read]: PreparedStream): void {
    let quiet = 0;
    let lastLook = environment.Date.now();
    let close = () => {};
    const stop = (): void => {
      stopTimer();
      close();
    };
    const end = (error: HalyardError | null, retryAfter?: number): void => {
      if (leave === stop) fail(error, retryAfter);
    };
    const look = () => {
      const gap = environment.Date.now() - lastLook;
      lastLook += gap;
      quiet += lookInterval;
      // A gateway that cuts each stream after its first update is asked less and less often.
      if (phase === 'live') failures = 0;
      if (quiet > silenceTimeout) end(new HalyardError('STREAM_SILENT', 'Nothing came for 45 s.'));
      // Timers of hidden tabs are late anyway.
      else if (gap > maxGap && !isHidden(environment)) end(null);
      else stopTimer = after(environment, lookInterval, look);
    };
    let stopTimer = after(environment, lookInterval, look);
    enter('opening', stop);
    if (leave !== stop) return;
    close = transport(request, {
      onAlive() {
        // Signs of life without an update are none.
        if (phase === 'live') quiet = 0;
      },
      onUpdate(update) {
        if (leave !== stop) return;
        let apply: () => void;
        try {
          if (phase !== 'live' && !update.snapshot) throw new TypeError('no snapshot');
          apply = read(update);
        } catch (cause) {
          end(badResponse('is no update', cause));
          return;
        }
        quiet = 0;
        wasLive = true;
        phase = 'live';
        apply();
      },
      onFault(error) {
        if (leave === stop) onError(error, error.code);
      },
      // A stream that has served ends so when the token expires and when the server restarts.
      onEnd: (error, retryAfter) => end(phase === 'live' && error.code === 'STREAM_ENDED' ? null : error, retryAfter),
    });
    // It may have ended in the call.
    if (leave !== stop) close();
  }

  const hide = (): void => {
    forgetHiding();
    if (isHidden(environment)) forgetHiding = after(environment, hiddenAfter, () => enter('hidden'));
    else if (phase === 'hidden') wait(0);
  };

  const hear = ({ type }: { readonly type: string }): void => {
    if (type === 'visibilitychange') hide();
    else if (phase !== 'hidden') {
      if (type === 'offline') loseNetwork();
      else if (phase === 'waiting' || phase === 'offline') wait(environment.Math.random() * firstDelay);
    }
  };

  return {
    get status() {
      if (phase === 'live' || phase === 'closed') return phase;
      return wasLive ? 'stale' : 'connecting';
    },
    reset() {
      leaveFor(() => {});
      wasLive = false;
      failures = notBefore = 0;
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
      enter('closed');
    },
  };
}
