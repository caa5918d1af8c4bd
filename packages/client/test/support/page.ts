import { setMaxListeners } from 'node:events';
import { createClientIn } from '../../src/client.js';
import type { Environment } from '../../src/environment.js';
import type { HalyardError } from '../../src/error.js';
import type { Client, Options, Snapshot, StorageLike, Update } from '../../src/types.js';

/** One request of a page: a test decides its answer. */
export interface PageRequest {
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly body: { readonly query: string; readonly variables: Record<string, unknown> };
  readonly isAborted: boolean;
  answer(body: unknown, init?: ResponseInit): Promise<void>;
  /** Answers with a stream of events. */
  stream(): Promise<PageStream>;
  breakOff(): Promise<void>;
}

export interface PageStream {
  send(text: string): Promise<void>;
  update(update: Partial<Update>): Promise<void>;
  end(): Promise<void>;
  breakOff(): Promise<void>;
}

/** The globals of a page whose clock, network, tab and storage a test decides. */
export class Page implements Environment {
  now = 1_700_000_000_000;
  /** What `Math.random` gives. */
  randomNumber = 0.999;
  readonly requests: PageRequest[] = [];
  readonly stored = new Map<string, string>();
  readonly uncaught: unknown[] = [];
  readonly errors: HalyardError[] = [];
  readonly navigator = { onLine: true };
  readonly document = { visibilityState: 'visible' };
  readonly crypto = { getRandomValues: (bytes: Uint8Array<ArrayBuffer>) => bytes.map((_, index) => index * 7) };
  readonly Date = { now: () => this.now, parse: Date.parse };
  readonly Math = { random: () => this.randomNumber };
  localStorage: StorageLike = {
    getItem: key => this.stored.get(key) ?? null,
    setItem: (key, value) => void this.stored.set(key, value),
    removeItem: key => void this.stored.delete(key),
  };
  readonly #timers = new Map<number, { readonly at: number; readonly act: () => void }>();
  readonly #listeners = new Map<string, Set<(event: { readonly type: string }) => void>>();
  #lastTimer = 0;
  /** The time of timers: setting the clock does not change it. */
  #elapsed = 0;

  get timers(): number {
    return this.#timers.size;
  }

  get listeners(): number {
    return [...this.#listeners.values()].reduce((sum, { size }) => sum + size, 0);
  }

  get lastRequest(): PageRequest {
    const request = this.requests.at(-1);
    if (request === undefined) throw new Error('Nothing was asked.');
    return request;
  }

  setTimeout = (act: () => void, milliseconds: number): unknown => {
    this.#lastTimer += 1;
    this.#timers.set(this.#lastTimer, { at: this.#elapsed + milliseconds, act });
    return this.#lastTimer;
  };

  clearTimeout = (timer: never): void => void this.#timers.delete(timer);

  addEventListener = (name: string, listener: (event: { readonly type: string }) => void): void => {
    const same = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, same.add(listener));
  };

  removeEventListener = (name: string, listener: (event: { readonly type: string }) => void): void =>
    void this.#listeners.get(name)?.delete(listener);

  queueMicrotask = (act: () => void): void =>
    queueMicrotask(() => {
      try {
        act();
      } catch (error) {
        this.uncaught.push(error);
      }
    });

  fetch = (url: string, init: RequestInit): Promise<Response> =>
    new Promise((resolve, reject) => {
      const signal = init.signal as AbortSignal;
      const abort = () => reject(signal.reason);
      if (signal.aborted) return abort();
      setMaxListeners(0, signal);
      signal.addEventListener('abort', abort);
      this.requests.push({
        url,
        headers: init.headers as Record<string, string>,
        body: JSON.parse(String(init.body)),
        get isAborted() {
          return signal.aborted;
        },
        answer(body, answer) {
          resolve(new Response(JSON.stringify(body), answer));
          return flush();
        },
        async stream() {
          const stream = eventStreamOf(signal);
          resolve(new Response(stream.body, { headers: { 'content-type': 'text/event-stream' } }));
          await flush();
          return stream;
        },
        breakOff() {
          reject(new TypeError('fetch failed'));
          return flush();
        },
      });
    });

  /** A client in this page. */
  async open(options: Partial<Options> = {}): Promise<Client> {
    const client = createClientIn(this, {
      url: 'https://flags.example.com',
      onError: error => this.errors.push(error),
      ...options,
    });
    await flush();
    return client;
  }

  /** Lets time pass, timer by timer. */
  async pass(milliseconds: number): Promise<void> {
    const end = this.#elapsed + milliseconds;
    for (;;) {
      const next = [...this.#timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
      if (next === undefined) break;
      const [timer, { at, act }] = next;
      this.#timers.delete(timer);
      this.now += at - this.#elapsed;
      this.#elapsed = at;
      act();
      await flush();
    }
    this.now += end - this.#elapsed;
    this.#elapsed = end;
    await flush();
  }

  async hide(isHidden: boolean): Promise<void> {
    this.document.visibilityState = isHidden ? 'hidden' : 'visible';
    await this.#dispatch('visibilitychange');
  }

  async goOnline(isOnline: boolean): Promise<void> {
    this.navigator.onLine = isOnline;
    await this.#dispatch(isOnline ? 'online' : 'offline');
  }

  async #dispatch(type: string): Promise<void> {
    for (const listener of [...(this.#listeners.get(type) ?? [])]) listener({ type });
    await flush();
  }
}

function eventStreamOf(signal: AbortSignal): PageStream & { readonly body: ReadableStream } {
  let controller: ReadableStreamDefaultController;
  const body = new ReadableStream({
    start(made) {
      controller = made;
    },
  });
  const attempt = async (act: () => void) => {
    if (!signal.aborted) act();
    await flush();
  };
  signal.addEventListener('abort', () => controller.error(signal.reason));
  const send = (text: string) => attempt(() => controller.enqueue(new TextEncoder().encode(text)));
  return {
    body,
    send,
    update: update =>
      send(`event: next\ndata: ${JSON.stringify({ data: { viewerFeatures: { ...updateOf({}), ...update } } })}\n\n`),
    end: () => attempt(() => controller.close()),
    breakOff: () => attempt(() => controller.error(new TypeError('terminated'))),
  };
}

/** An update that turns flags on or off. */
export function updateOf(flags: Record<string, boolean>, rest: Partial<Update> = {}): Update {
  const features = Object.entries(flags).map(([key, enabled]) => ({ key, ...answer(enabled) }));
  return { revision: 1, snapshot: true, removed: [], features, ...rest };
}

export const answer = (enabled: boolean) => ({
  enabled,
  value: enabled,
  variant: enabled ? 'on' : 'off',
  reason: 'ENABLED',
});

export function snapshotOf(subject: string | null, flags: Record<string, boolean>, revision = 1): Snapshot {
  const answers = Object.fromEntries(Object.entries(flags).map(([key, enabled]) => [key, answer(enabled)]));
  return { subject, revision, answers };
}

/** Lets everything that is due now run. */
export async function flush(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise(resolve => setImmediate(resolve));
}
