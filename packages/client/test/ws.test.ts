import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { StreamRequest, Update } from '../src/types.js';
import { webSocketTransport } from '../src/ws.js';
import { updateOf } from './support/page.js';

/** The client's end of a socket; a test plays the server. */
class FakeSocket {
  static last: FakeSocket;
  readonly sent: Record<string, unknown>[] = [];
  closedWith: number | undefined;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onerror: (() => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  constructor(
    readonly url: string,
    readonly protocol: string,
  ) {
    FakeSocket.last = this;
  }
  send(data: string): void {
    this.sent.push(JSON.parse(data));
  }
  close(code: number): void {
    this.closedWith = code;
  }
  receive(message: object): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}

function open(request: Partial<StreamRequest> = {}) {
  const heard: { updates: Update[]; ends: string[]; signs: number } = { updates: [], ends: [], signs: 0 };
  const all = {
    url: 'https://flags.example.com/graphql',
    token: 'secret',
    device: 'device-1',
    keys: null,
    sinceRevision: 3,
    isRenewed: false,
    ...request,
  };
  const close = webSocketTransport({ WebSocket: FakeSocket as never })(all, {
    onAlive() {
      heard.signs += 1;
    },
    onUpdate: update => heard.updates.push(update),
    onFault() {},
    onEnd: ({ code }) => heard.ends.push(code),
  });
  return { heard, close, socket: FakeSocket.last };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

describe('the transport over a WebSocket', () => {
  it('introduces itself, subscribes, and hands updates on', () => {
    const { heard, close, socket } = open();
    expect([socket.url, socket.protocol]).toEqual(['wss://flags.example.com/graphql', 'graphql-transport-ws']);
    socket.onopen?.();
    expect(socket.sent).toEqual([
      { type: 'connection_init', payload: { Authorization: 'Bearer secret', device: 'device-1' } },
    ]);
    socket.receive({ type: 'connection_ack' });
    expect(socket.sent[1]).toMatchObject({ id: '1', type: 'subscribe', payload: { variables: { since: 3 } } });
    const update = updateOf({ a: true });
    socket.receive({ id: '1', type: 'next', payload: { data: { viewerFeatures: update } } });
    expect(heard.updates).toEqual([update]);
    close();
    expect(socket.closedWith).toBe(1000);
    socket.onclose?.({ code: 1000, reason: '' });
    socket.receive({ id: '1', type: 'next', payload: { data: { viewerFeatures: update } } });
    expect([heard.updates.length, heard.ends]).toEqual([1, []]);
  });

  it('presents nothing where there is neither a token nor a device', () => {
    const { close, socket } = open({ token: null, device: null });
    socket.onopen?.();
    expect(socket.sent).toEqual([{ type: 'connection_init', payload: {} }]);
    close();
  });

  it('answers pings, and sends some, so that signs of life come', () => {
    const { heard, close, socket } = open();
    socket.receive({ type: 'connection_ack' });
    socket.receive({ type: 'ping' });
    expect(socket.sent.at(-1)).toEqual({ type: 'pong' });
    vi.advanceTimersByTime(12_000);
    expect(socket.sent.at(-1)).toEqual({ type: 'ping' });
    const before = heard.signs;
    socket.receive({ type: 'pong' });
    expect(heard.signs).toBe(before + 1);
    close();
  });

  it('gives up when the server does not acknowledge within 10 seconds', () => {
    const { heard, socket } = open();
    socket.onopen?.();
    vi.advanceTimersByTime(9_999);
    expect(heard.ends).toEqual([]);
    vi.advanceTimersByTime(1);
    expect([heard.ends, socket.closedWith]).toEqual([['NETWORK_ERROR'], 1000]);
  });

  it.each([
    [4401, 'UNAUTHENTICATED'],
    [4403, 'UNAUTHENTICATED'],
    [4400, 'BAD_USER_INPUT'],
    [4429, 'TOO_MANY_REQUESTS'],
    [1013, 'TOO_MANY_REQUESTS'],
    [1001, 'STREAM_ENDED'],
    [1012, 'STREAM_ENDED'],
    [1006, 'SOCKET_CLOSED'],
  ])('tells a close with %i as %s', (code, expected) => {
    const { heard, socket } = open();
    socket.onclose?.({ code, reason: '' });
    expect(heard.ends).toEqual([expected]);
  });

  it('takes the end of a token for the usual end of a socket that has served', () => {
    const { heard, socket } = open();
    socket.receive({ type: 'connection_ack' });
    socket.onclose?.({ code: 4403, reason: 'The token has expired.' });
    expect(heard.ends).toEqual(['STREAM_ENDED']);
  });

  it.each([
    [{ type: 'error', id: '1', payload: [{ message: 'No.', extensions: { code: 'FORBIDDEN' } }] }, 'FORBIDDEN'],
    [{ type: 'next', id: '1', payload: { errors: [{ message: 'No.' }] } }, 'SERVER_ERROR'],
    [{ type: 'complete', id: '1' }, 'STREAM_ENDED'],
    [[], undefined],
  ])('ends after %j with %s', (message, code) => {
    const { heard, close, socket } = open();
    socket.receive(message);
    expect(heard.ends).toEqual(code === undefined ? [] : [code]);
    close();
  });

  it('ends after a message that is not JSON', () => {
    const { heard, socket } = open();
    socket.onmessage?.({ data: 'nonsense' });
    expect(heard.ends).toEqual(['BAD_RESPONSE']);
  });

  it('says that there is no WebSocket, or no address, after it was opened', async () => {
    vi.stubGlobal('WebSocket', undefined);
    const ends: unknown[] = [];
    const listener = { onAlive() {}, onUpdate() {}, onFault() {}, onEnd: (error: Error) => ends.push(error.cause) };
    const request = { token: null, device: null, keys: null, sinceRevision: 0, isRenewed: false };
    webSocketTransport()({ ...request, url: 'https://flags.example.com/graphql' }, listener);
    webSocketTransport({ WebSocket: FakeSocket as never })({ ...request, url: '/graphql' }, listener);
    expect(ends).toEqual([]);
    await Promise.resolve();
    expect(ends).toEqual([expect.any(TypeError), expect.any(TypeError)]);
    vi.unstubAllGlobals();
  });
});
