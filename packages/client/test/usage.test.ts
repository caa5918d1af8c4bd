import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createClient } from '../src/index.js';
import type { Client } from '../src/types.js';
import { reportUsage } from '../src/usage.js';
import { flush, snapshotOf } from './support/page.js';

interface Sent {
  readonly url: string;
  readonly authorization: string | undefined;
  readonly keys: readonly string[];
}

let sent: Sent[];
let token: string | null;
let flags: Client;
let hide: () => void;
let listeners: number;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  sent = [];
  token = 'secret';
  listeners = 0;
  const page = { visibilityState: 'visible' };
  vi.stubGlobal('document', page);
  let onVisibility = () => {};
  vi.stubGlobal('addEventListener', (_name: string, listener: () => void) => {
    onVisibility = listener;
    listeners += 1;
  });
  vi.stubGlobal('removeEventListener', () => {
    listeners -= 1;
  });
  hide = () => {
    page.visibilityState = 'hidden';
    onVisibility();
  };
  vi.stubGlobal('fetch', async (url: string, { headers, body }: RequestInit) => {
    const { authorization } = headers as Record<string, string>;
    sent.push({ url, authorization, keys: JSON.parse(String(body)).variables.keys });
    throw new TypeError('fetch failed');
  });
  const states = Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`k${n}`, true]));
  const bootstrap = snapshotOf('ann', { a: true, b: false, ...states });
  const client = createClient({ url: 'https://flags.example.com', transport: null, storage: null, bootstrap });
  flags = reportUsage(client, { url: 'https://flags.example.com/', token: () => token });
});

afterEach(() => {
  flags.close();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const pass = async (milliseconds: number) => {
  vi.advanceTimersByTime(milliseconds);
  await flush();
};

it('reports each flag that the page has read, once a minute and together', async () => {
  expect(flags.isEnabled('a')).toBe(true);
  expect(flags.value('b', true)).toBe(false);
  expect(flags.evaluate('a')).toMatchObject({ enabled: true });
  await pass(59_999);
  expect(sent).toEqual([]);
  await pass(1);
  expect(sent).toEqual([
    { url: 'https://flags.example.com/graphql', authorization: 'Bearer secret', keys: ['a', 'b'] },
  ]);
  await pass(120_000);
  expect(sent).toHaveLength(1);
  flags.isEnabled('b');
  await pass(60_000);
  expect(sent[1]?.keys).toEqual(['b']);
});

it('reports when the tab is hidden, and when the client is closed', async () => {
  flags.isEnabled('a');
  hide();
  await flush();
  expect(sent.map(({ keys }) => keys)).toEqual([['a']]);
  flags.isEnabled('b');
  flags.close();
  await flush();
  expect(sent.map(({ keys }) => keys)).toEqual([['a'], ['b']]);
  expect(flags.status).toBe('closed');
  expect([vi.getTimerCount(), listeners]).toEqual([0, 0]);
});

it('reports no map, no fallback, and nothing while nobody is signed in', async () => {
  flags.all();
  flags.snapshot();
  expect(flags.isEnabled('no-such-flag', true)).toBe(true);
  await pass(60_000);
  token = null;
  flags.isEnabled('a');
  await pass(60_000);
  expect(sent).toEqual([]);
});

it('sends no more keys at once than the server takes', async () => {
  for (let n = 0; n < 300; n++) flags.isEnabled(`k${n}`);
  await pass(60_000);
  expect(sent.map(({ keys }) => keys.length)).toEqual([250, 50]);
});

it('is otherwise the client that it was given', () => {
  expect(flags.source).toBe('bootstrap');
  expect(flags.bootstrap?.subject).toBe('ann');
  expect(Object.keys(flags.all())).toHaveLength(302);
});
