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
 * Lets one tab hold the stream for all tabs of the site with the same slot, for the option `share`. Whichever tab holds a lock leads: it has the
 * stream, and tells the others what comes. They wait for the lock: when the tab closes, crashes, or is hidden for long, the next one has it.
 *
 * A tab with a new token, and a tab that hears nothing because the browser has frozen the one that leads, opens a stream of its own. It takes the
 * lock at its first update, not before: a token that is refused disturbs no other tab. Without Web Locks or `BroadcastChannel` each tab
 * has a stream of its own.
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
    /** Whether this tab holds the lock. */
    let leads = false;
    /** Gives the lock back, or ends waiting for it. */
    let leave = () => {};
    let closeStream: (() => void) | null = null;
    /** All answers, if this tab knows them. */
    let all: Update | undefined;
    let timer: ReturnType<typeof setTimeout>;

    const say = (message: Message) => channel.postMessage(message);
    const lead = (message: Message): void => {
      if (leads) say(message);
    };
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

    const open = (takesLock: boolean): void => {
      clearTimeout(timer);
      let takes = takesLock;
      const sinceRevision = all?.revision ?? request.sinceRevision;
      closeStream = transport(
        { ...request, sinceRevision },
        {
          onAlive() {
            listener.onAlive();
            lead({ type: 'alive' });
          },
          onUpdate(update) {
            lead({ type: 'update', update });
            hear(update);
            if (takes && !leads && !isClosed) wait({ steal: true });
            takes = false;
          },
          onFault(error) {
            lead({ type: 'fault', code: error.code, message: error.message });
            listener.onFault(error);
          },
          onEnd(error, retryAfter) {
            lead({ type: 'end', code: error.code, message: error.message, retryAfter });
            end(error, retryAfter);
          },
        },
      );
      // It may have ended in the call.
      if (isClosed) closeStream();
    };

    /** Asks for the lock, and leads while it is this tab's. */
    const wait = (options: LockOptions): void => {
      leave();
      leave = () => {};
      let isHeld = false;
      const hold = () =>
        new Promise<void>(resolve => {
          if (isClosed) return resolve();
          leave = resolve;
          leads = isHeld = true;
          if (!closeStream) open(false);
          else if (all) say({ type: 'update', update: all });
        });
      locks.request(slot, options, hold).catch(() => {
        if (isClosed) return;
        if (isHeld) {
          // Another tab has taken the lock.
          leads = false;
          closeStream?.();
          follow();
          // There may be no locks here, such as in a frame without an origin. Nobody else has a word to say then.
        } else if (!closeStream) open(false);
      });
    };
    const follow = (): void => {
      closeStream = null;
      waitForWord();
      const abort = new AbortController();
      wait({ signal: abort.signal });
      leave = () => abort.abort();
      say({ type: 'join' });
    };
    const waitForWord = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => open(true), silenceTimeout + Math.random() * silenceSpread);
    };

    channel.onmessage = ({ data: { type, update, code = '', message = '', retryAfter } }) => {
      if (isClosed) return;
      if (type === 'join') return all && lead({ type: 'update', update: all });
      // Two tabs have a stream for a moment when one takes over.
      if (closeStream) return;
      waitForWord();
      listener.onAlive();
      if (update) hear(update);
      else if (type === 'fault') listener.onFault(new HalyardError(code, message));
      else if (type === 'end') end(new HalyardError(code, message), retryAfter);
    };
    if (request.isRenewed) open(true);
    else follow();
    return close;
  };
}

function merge(before: Update | undefined, update: Update): Update {
  if (!before || update.snapshot) return update;
  const gone = new Set([...update.removed, ...update.features.map(({ key }) => key)]);
  const features = [...before.features.filter(({ key }) => !gone.has(key)), ...update.features];
  return { revision: update.revision, snapshot: true, features, removed: [] };
}
