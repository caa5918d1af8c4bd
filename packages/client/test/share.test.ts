import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HalyardError } from '../src/error.js';
import { share } from '../src/share.js';
import type { StreamListener, StreamRequest, Transport, Update } from '../src/types.js';
import { updateOf } from './support/page.js';

/** Locks as browsers have them, for all tabs of a test. */
class FakeLocks {
  readonly #queues = new Map<string, Waiting[]>();
  readonly #held = new Map<string, Waiting>();

  request(name: string, { signal, steal }: { signal?: AbortSignal; steal?: boolean }, hold: () => Promise<void>) {
    return new Promise<unknown>((resolve, reject) => {
      const waiting: Waiting = { hold, resolve, reject };
      const queue = this.#queues.get(name) ?? [];
      this.#queues.set(name, queue);
      if (steal) {
        this.#held.get(name)?.reject(new DOMException('stolen', 'AbortError'));
        this.#held.delete(name);
        queue.unshift(waiting);
      } else queue.push(waiting);
      signal?.addEventListener('abort', () => {
        if (!queue.includes(waiting)) return;
        queue.splice(queue.indexOf(waiting), 1);
        reject(signal.reason);
      });
      this.#next(name);
    });
  }

  #next(name: string): void {
    if (this.#held.has(name)) return;
    const next = this.#queues.get(name)?.shift();
    if (next === undefined) return;
    this.#held.set(name, next);
    // The browser asks another process: what tabs say meanwhile comes first.
    settle(5).then(() =>
      next.hold().then(value => {
        next.resolve(value);
        if (this.#held.get(name) !== next) return;
        this.#held.delete(name);
        this.#next(name);
      }),
    );
  }
}

interface Waiting {
  hold(): Promise<void>;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** Channels that deliver in the order in which tabs speak, and do not keep the process alive. */
class FakeChannel {
  static readonly open = new Set<FakeChannel>();
  onmessage: ((event: { data: unknown }) => void) | null = null;
  constructor(readonly name: string) {
    FakeChannel.open.add(this);
  }
  postMessage(data: unknown): void {
    const heard = structuredClone(data);
    for (const other of FakeChannel.open) {
      if (other !== this && other.name === this.name)
        queueMicrotask(() => FakeChannel.open.has(other) && other.onmessage?.({ data: heard }));
    }
  }
  close(): void {
    FakeChannel.open.delete(this);
  }
}

/** One tab: the streams that it opened, and what it heard. */
function tab(slot = 'slot', request: Partial<StreamRequest> = {}) {
  const streams: { request: StreamRequest; listener: StreamListener; isOpen: boolean }[] = [];
  const updates: Update[] = [];
  const ends: string[] = [];
  const transport: Transport = (asked, listener) => {
    const stream = { request: asked, listener, isOpen: true };
    streams.push(stream);
    return () => {
      stream.isOpen = false;
    };
  };
  const all = { url: '', token: null, device: null, keys: null, sinceRevision: 0, isRenewed: false, ...request };
  const faults: string[] = [];
  const close = share()(transport, slot)(all, {
    onAlive() {},
    onUpdate: update => updates.push(update),
    onFault: error => faults.push(error.code),
    onEnd: (error, retryAfter) => ends.push(`${error.code} ${retryAfter}`),
  });
  return {
    streams,
    updates,
    ends,
    faults,
    close,
    get stream() {
      return streams.findLast(({ isOpen }) => isOpen);
    },
  };
}

const settle = async (turns: number) => {
  for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
};
const flush = () => settle(40);

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('navigator', { locks: new FakeLocks() });
  vi.stubGlobal('BroadcastChannel', FakeChannel);
});

afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  expect(FakeChannel.open.size).toBe(0);
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe('tabs that share', () => {
  it('hold one stream, and a tab that is new has all answers at once', async () => {
    const first = tab();
    const second = tab();
    await flush();
    expect([first.stream === undefined, second.stream === undefined]).toEqual([false, true]);
    first.stream?.listener.onUpdate(updateOf({ a: true, b: true }));
    first.stream?.listener.onUpdate(updateOf({ a: false }, { snapshot: false, revision: 2, removed: ['b'] }));
    await flush();
    expect(second.updates).toEqual(first.updates);
    const third = tab();
    await flush();
    expect(third.updates).toEqual([updateOf({ a: false }, { revision: 2 })]);
    for (const { close } of [first, second, third]) close();
  });

  it('hand the stream on when its tab closes or crashes, and nobody notices', async () => {
    const [first, second, third] = [tab(), tab(), tab()];
    await flush();
    first.stream?.listener.onUpdate(updateOf({ a: true }, { revision: 5 }));
    await flush();
    first.close();
    await flush();
    expect(second.stream?.request.sinceRevision).toBe(5);
    expect([third.stream, second.ends, third.ends]).toEqual([undefined, [], []]);
    second.stream?.listener.onUpdate(updateOf({ a: false }, { revision: 6 }));
    await flush();
    expect(third.updates.at(-1)).toEqual(updateOf({ a: false }, { revision: 6 }));
    second.close();
    third.close();
  });

  it('hear of failures, and come back each in its own time', async () => {
    const [first, second] = [tab(), tab()];
    await flush();
    first.stream?.listener.onFault(new HalyardError('STREAM_BLOCKED', ''));
    first.stream?.listener.onEnd(new HalyardError('TOO_MANY_CONNECTIONS', 'Full.'), 5_000);
    await flush();
    expect(first.ends).toEqual(['TOO_MANY_CONNECTIONS 5000']);
    expect(second.ends).toEqual(first.ends);
    expect(second.faults).toEqual(['STREAM_BLOCKED']);
    expect(second.stream).toBeUndefined();
  });

  it('take the stream from a tab that the browser has frozen', async () => {
    const [first, second] = [tab(), tab()];
    await flush();
    const stolen = first.stream;
    stolen?.listener.onUpdate(updateOf({ a: true }));
    await flush();
    await vi.advanceTimersByTimeAsync(29_000);
    stolen?.listener.onAlive();
    await vi.advanceTimersByTimeAsync(29_000);
    expect(second.stream).toBeUndefined();
    await vi.advanceTimersByTimeAsync(11_000);
    expect([second.stream !== undefined, stolen?.isOpen]).toEqual([true, true]);
    second.stream?.listener.onUpdate(updateOf({ a: true }));
    await flush();
    // It finds out when it wakes up, and listens like the others.
    expect(stolen?.isOpen).toBe(false);
    second.stream?.listener.onUpdate(updateOf({ a: false }));
    await flush();
    expect(first.updates.at(-1)).toEqual(updateOf({ a: false }));
    expect(first.ends).toEqual([]);
    first.close();
    second.close();
  });

  it('take the stream over with a token that is new, once it has brought answers', async () => {
    const [first, third] = [tab(), tab()];
    await flush();
    first.stream?.listener.onUpdate(updateOf({ a: true }, { revision: 5 }));
    const second = tab('slot', { token: 'new', isRenewed: true });
    await flush();
    // What the token of before has earned is not heard.
    first.stream?.listener.onUpdate(updateOf({ a: true, b: true }, { revision: 6 }));
    await flush();
    expect([second.updates, second.stream?.request.token]).toEqual([[], 'new']);
    expect(third.updates.at(-1)).toEqual(updateOf({ a: true, b: true }, { revision: 6 }));
    second.stream?.listener.onUpdate(updateOf({ a: false }, { revision: 6 }));
    await flush();
    expect([first.stream, third.stream]).toEqual([undefined, undefined]);
    for (const { updates } of [first, second, third])
      expect(updates.at(-1)).toEqual(updateOf({ a: false }, { revision: 6 }));
    second.stream?.listener.onUpdate(updateOf({ b: true }, { revision: 7, snapshot: false }));
    await flush();
    expect([first.updates.at(-1), third.updates.at(-1)]).toEqual([second.updates.at(-1), second.updates.at(-1)]);
    for (const { streams } of [first, second, third]) expect(streams.length).toBeLessThan(2);
    for (const { close } of [first, second, third]) close();
  });

  it('are not disturbed by a token that is new and is refused', async () => {
    const [first, second] = [tab(), tab()];
    await flush();
    first.stream?.listener.onUpdate(updateOf({ a: true }));
    for (let round = 0; round < 3; round += 1) {
      const refused = tab('slot', { token: 'bad', isRenewed: true });
      await flush();
      refused.stream?.listener.onFault(new HalyardError('STREAM_BLOCKED', ''));
      refused.stream?.listener.onEnd(new HalyardError('UNAUTHENTICATED', ''));
      await flush();
      expect(refused.ends).toEqual(['UNAUTHENTICATED undefined']);
    }
    first.stream?.listener.onUpdate(updateOf({ a: false }));
    await flush();
    expect(second.updates.at(-1)).toEqual(updateOf({ a: false }));
    expect([first, second].map(({ ends, faults, streams }) => [ends, faults, streams.length])).toEqual([
      [[], [], 1],
      [[], [], 0],
    ]);
    first.close();
    second.close();
  });

  it('are not disturbed by a tab that is closed while it takes the stream over', async () => {
    const [first, second] = [tab(), tab()];
    await flush();
    first.stream?.listener.onUpdate(updateOf({ a: true }));
    const renewed = tab('slot', { token: 'new', isRenewed: true });
    await flush();
    renewed.stream?.listener.onUpdate(updateOf({ a: false }));
    renewed.close();
    await flush();
    expect(renewed.stream).toBeUndefined();
    expect([first, second].filter(({ stream }) => stream).length).toBe(1);
    for (const { stream } of [first, second]) stream?.listener.onUpdate(updateOf({ a: true }, { revision: 9 }));
    await flush();
    for (const { updates } of [first, second]) expect(updates.at(-1)?.revision).toBe(9);
    first.close();
    second.close();
  });

  it('of other slots have streams of their own', async () => {
    const [ann, bob] = [tab('ann'), tab('bob')];
    await flush();
    ann.stream?.listener.onUpdate(updateOf({ a: true }));
    await flush();
    expect(bob.stream).toBeDefined();
    expect(bob.updates).toEqual([]);
    ann.close();
    bob.close();
  });

  it.each(['navigator', 'BroadcastChannel'])('have streams of their own without %s', async missing => {
    vi.stubGlobal(missing, undefined);
    const [first, second] = [tab(), tab()];
    await flush();
    expect([first.stream, second.stream]).not.toContain(undefined);
    first.close();
    second.close();
  });

  it('have streams of their own where locks are refused', async () => {
    vi.stubGlobal('navigator', { locks: { request: () => Promise.reject(new DOMException('no', 'SecurityError')) } });
    const only = tab();
    await flush();
    expect(only.stream).toBeDefined();
    await vi.advanceTimersByTimeAsync(300_000);
    expect(only.streams.length).toBe(1);
    only.stream?.listener.onUpdate(updateOf({ a: true }));
    const renewed = tab('slot', { isRenewed: true });
    renewed.stream?.listener.onUpdate(updateOf({ a: false }));
    await flush();
    expect([only.updates, renewed.updates]).toEqual([[updateOf({ a: true })], [updateOf({ a: false })]]);
    expect([only.streams.length, renewed.streams.length]).toEqual([1, 1]);
    renewed.close();
    only.close();
    expect(only.streams.filter(({ isOpen }) => isOpen)).toEqual([]);
  });
});
