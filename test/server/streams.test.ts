import { connect } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Deadlines } from '../../src/server/http/deadlines.js';
import { sseClient } from '../support/clients.js';
import { until } from '../support/wait.js';
import { startTestServer, type TestServer, token } from './harness.js';

describe('server-sent events', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ limits: { pingInterval: 300 } });
  });
  afterAll(() => server.close());

  it('carry a subscription, uncompressed and unbuffered', async () => {
    await using stream = await sseClient(server.url, 'subscription { tick }');
    expect(stream.status).toBe(200);
    expect(stream.headers.get('content-type')).toMatch(/^text\/event-stream/);
    expect(stream.headers.get('x-accel-buffering')).toBe('no');
    expect(stream.headers.get('cache-control')).toContain('no-transform');
    expect(stream.headers.has('content-encoding')).toBe(false);
    expect(stream.headers.get('access-control-allow-origin')).toBe('*');
    const first = (await stream.next()).data.tick;
    server.ticker.tick();
    expect(await stream.next()).toEqual({ data: { tick: first + 1 } });
  });

  it('are kept alive by pings', async () => {
    await using stream = await sseClient(server.url, 'subscription { tick }');
    await stream.next();
    await until(() => (stream.raw.match(/^:$/gm)?.length ?? 0) >= 2, 'two pings have come');
  });

  it('come by GET too, as an EventSource asks', async () => {
    const response = await fetch(`${server.url}/graphql?query=${encodeURIComponent('subscription { tick }')}`, {
      headers: { accept: 'text/event-stream' },
    });
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    await response.body?.cancel();
  });

  it('are let go of as soon as the reader leaves, though nothing is sent', async () => {
    await until(() => server.ticker.listeners === 0, 'those of earlier tests are let go of');
    const streams = await Promise.all(Array.from({ length: 5 }, () => sseClient(server.url, 'subscription { tick }')));
    for (const stream of streams) await stream.next();
    expect(server.ticker.listeners).toBe(5);
    await Promise.all(streams.map(stream => stream.stop()));
    await until(() => server.ticker.listeners === 0, 'all are let go of');
  });

  it('end when the token does, in a way that clients come back from', async () => {
    // Within the tolerance for clocks a token still counts: this one ends in one to two seconds.
    await until(() => server.ticker.listeners === 0, 'those of earlier tests are let go of');
    const stream = await sseClient(server.url, 'subscription { tick }', {
      token: await token({ expiresInSeconds: -3 }),
    });
    await stream.next();
    expect(server.ticker.listeners).toBe(1);
    await stream.ended;
    expect(stream.raw.match(/^event: \w+$/gm)).toEqual(['event: next']);
    expect(server.ticker.listeners).toBe(0);
  });

  it('stop reading their source while the client reads nothing', async () => {
    let made = 0;
    await using other = await startTestServer({ createContext: () => ({ onMade: () => (made += 1) }) });
    const body = JSON.stringify({ query: 'subscription { flood(size: 50000) }' });
    const socket = connect(other.port, '127.0.0.1');
    socket.pause();
    socket.write(
      `POST /graphql HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await until(() => made > 10, 'the flood begins');
    let last = -1;
    await until(async () => {
      const steady = made === last;
      last = made;
      await new Promise(resolve => setTimeout(resolve, 200));
      return steady;
    }, 'the flood stands still');
    expect(made * 50_000).toBeLessThan(50_000_000);
    socket.destroy();
  });
});

describe('a deadline', () => {
  let deadlines: Deadlines;
  beforeEach(() => {
    vi.useFakeTimers();
    deadlines = new Deadlines();
  });
  afterEach(() => {
    deadlines.stop();
    vi.useRealTimers();
  });

  it('comes at its instant, neither before nor never', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), wait => {
        const act = vi.fn();
        deadlines.add(Date.now() + wait, act);
        vi.advanceTimersByTime(wait - 1);
        expect(act).not.toHaveBeenCalled();
        vi.advanceTimersByTime(1);
        expect(act).toHaveBeenCalledOnce();
      }),
    );
  });

  it('that thousands have in common is not acted on where it is cancelled meanwhile', async () => {
    const cancels: (() => void)[] = [];
    const acted: number[] = [];
    for (let number = 0; number < 50; number += 1) {
      const act = () => {
        acted.push(number);
        // The last ones are cancelled by the first, and each takes a while.
        if (number === 0) for (const cancel of cancels.slice(40)) cancel();
        vi.advanceTimersByTime(1);
      };
      cancels.push(deadlines.add(Date.now() + 100, act));
    }
    vi.advanceTimersByTime(200);
    while (deadlines.size > 0) await nextTurn();
    expect(acted).toEqual(Array.from({ length: 40 }, (_, number) => number));
  });

  it('comes at its instant beside others, in whatever order they were added', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: 1, maxLength: 20 }), waits => {
        const start = Date.now();
        const came: number[] = [];
        for (const wait of waits) deadlines.add(start + wait, () => came.push(Date.now() - start));
        vi.advanceTimersByTime(5_000);
        expect(came).toEqual(waits.sort((a, b) => a - b));
        expect(deadlines.size).toBe(0);
      }),
    );
  });

  it('comes where a timer of Node would overflow, and not before', () => {
    const act = vi.fn();
    deadlines.add(Date.now() + 2 ** 32, act);
    vi.advanceTimersByTime(10_000);
    expect(act).not.toHaveBeenCalled();
    vi.setSystemTime(Date.now() + 2 ** 32);
    vi.advanceTimersByTime(1_000);
    expect(act).toHaveBeenCalledOnce();
  });

  it('comes within a second of a clock that is set past it, or a machine that slept', () => {
    const act = vi.fn();
    deadlines.add(Date.now() + 3_600_000, act);
    vi.advanceTimersByTime(5_500);
    vi.setSystemTime(Date.now() + 3_600_000);
    vi.advanceTimersByTime(1_000);
    expect(act).toHaveBeenCalledOnce();
  });

  it('that is past comes at once, one that is null never', () => {
    const past = vi.fn();
    const never = vi.fn();
    deadlines.add(Date.now() - 1, past);
    deadlines.add(null, never);
    expect(past).not.toHaveBeenCalled();
    vi.advanceTimersByTime(0);
    expect(past).toHaveBeenCalledOnce();
    vi.advanceTimersByTime(10 ** 7);
    expect(never).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('does not come when it is cancelled, also after a first stretch', () => {
    const act = vi.fn();
    const cancel = deadlines.add(Date.now() + 10_000, act);
    vi.advanceTimersByTime(5_000);
    cancel();
    vi.advanceTimersByTime(20_000);
    expect(act).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });
});
