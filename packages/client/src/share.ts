import { HalyardError } from './error.js';
import type { Share, Update } from './types.js';

/** The part of `navigator.locks` that is used. */
interface Locks {
  request(name: string, options: LockOptions, hold: () => Promise<void>): Promise<unknown>;
}

interface LockOptions {
  readonly signal?: AbortSignal;
  readonly steal?: boolean;
}

interface Channel {
  onmessage: ((event: { readonly data: Message }) => void) | null;
  postMessage(message: Message): void;
  close(): void;
}

interface Globals {
  readonly navigator?: { readonly locks?: Locks };
  readonly BroadcastChannel?: new (name: string) => Channel;
}

/** What tabs tell each other. A failure is told by code and message, as classes do not travel. */
interface Message {
  /** A tab that is new wants all answers; the tab with the stream tells the rest. */
  readonly type: 'join' | 'alive' | 'update' | 'fault' | 'end';
  readonly update?: Update;
  readonly code?: string;
  readonly message?: string;
  readonly retryAfter?: number | undefined;
}

/** Milliseconds without a word after which a tab takes the stream over, before its own watchdog of 45 s; and how far tabs lie apart. */
const silenceTimeout = 30_000;
const silenceSpread = 10_000;

/**
 * Lets one tab hold the stream for all tabs of the site with the same slot, for the option `share`. Whichever tab holds a lock has the stream, and
 * tells the others what comes. They wait for the lock: when the tab closes, crashes, or is hidden for long, the next one has it. A tab that says
 * nothing, because the browser has frozen it, loses the lock. Without Web Locks or `BroadcastChannel` each tab has a stream of its own.
 */
export function share(): Share {
  return (transport, slot) => (request, listener) => {
    const { navigator, BroadcastChannel } = globalThis as Globals;
    const locks = navigator?.locks;
    if (!locks || !BroadcastChannel) return transport(request, listener);
    let channel: Channel;
    try {
      channel = new BroadcastChannel(slot);
    } catch {
      return transport(request, listener);
    }

    let isClosed = false;
    /** Counts the requests for the lock: only the last one matters. */
    let turn = 0;
    let leave = () => {};
    let closeStream: (() => void) | null = null;
    /** All answers, if this tab knows them. */
    let all: Update | undefined;
    let timer: ReturnType<typeof setTimeout>;

    const say = (message: Message) => channel.postMessage(message);
    const close = (): void => {
      isClosed = true;
      clearTimeout(timer);
      closeStream?.();
      leave();
      channel.close();
    };
    const end = (error: HalyardError, retryAfter?: number): void => {
      if (isClosed) return;
      close();
      listener.onEnd(error, retryAfter);
    };
    const hear = (update: Update): void => {
      if (!update.snapshot && !all) return;
      all = merge(all, update);
      listener.onUpdate(update);
    };

    /** Opens the stream; resolves when the lock is given back. */
    const lead = (): Promise<void> =>
      new Promise(resolve => {
        if (isClosed) {
          resolve();
          return;
        }
        leave = resolve;
        clearTimeout(timer);
        const sinceRevision = all?.revision ?? request.sinceRevision;
        closeStream = transport(
          { ...request, sinceRevision },
          {
            onAlive() {
              listener.onAlive();
              say({ type: 'alive' });
            },
            onUpdate(update) {
              say({ type: 'update', update });
              hear(update);
            },
            onFault(error) {
              say({ type: 'fault', code: error.code, message: error.message });
              listener.onFault(error);
            },
            onEnd(error, retryAfter) {
              say({ type: 'end', code: error.code, message: error.message, retryAfter });
              end(error, retryAfter);
            },
          },
        );
      });

    const follow = (steal: boolean): void => {
      turn += 1;
      const mine = turn;
      const abort = new AbortController();
      leave();
      leave = () => abort.abort();
      closeStream = null;
      waitForWord();
      locks.request(slot, steal ? { steal } : { signal: abort.signal }, lead).catch(() => {
        if (isClosed || mine !== turn) return;
        // Another tab has taken the lock over. Or there may be no locks here, such as in a frame without an origin.
        const open = closeStream;
        open?.();
        if (open) follow(false);
        else {
          // Nobody else has a word to say here.
          clearTimeout(timer);
          closeStream = transport(request, listener);
        }
      });
      say({ type: 'join' });
    };
    const waitForWord = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => follow(true), silenceTimeout + Math.random() * silenceSpread);
    };

    channel.onmessage = ({ data: { type, update, code = '', message = '', retryAfter } }) => {
      if (isClosed) return;
      if (type === 'join') {
        if (closeStream && all) say({ type: 'update', update: all });
        return;
      }
      // Two tabs have a stream for a moment when one takes over.
      if (closeStream) return;
      waitForWord();
      listener.onAlive();
      if (update) hear(update);
      else if (type === 'fault') listener.onFault(new HalyardError(code, message));
      else if (type === 'end') end(new HalyardError(code, message), retryAfter);
    };
    follow(request.isRenewed);
    return close;
  };
}

function merge(before: Update | undefined, update: Update): Update {
  if (!before || update.snapshot) return update;
  const gone = new Set([...update.removed, ...update.features.map(({ key }) => key)]);
  const features = [...before.features.filter(({ key }) => !gone.has(key)), ...update.features];
  return { revision: update.revision, snapshot: true, features, removed: [] };
}
