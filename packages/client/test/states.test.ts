import { describe, expect, it } from 'vitest';
import type { Client } from '../src/types.js';
import { Page, type PageStream, updateOf } from './support/page.js';

interface Scene {
  readonly page: Page;
  readonly client: Client;
  readonly stream: PageStream;
}

/** One row of the table of states: from a live client, what happens, what is seen, and what comes next. */
interface Row {
  readonly name: string;
  act(scene: Scene): Promise<unknown>;
  /** Attempts that the act itself has made. Default 0. */
  readonly asked?: number;
  readonly status: Client['status'];
  readonly errors: readonly string[];
  /** Milliseconds until a new attempt, at the longest of the jitter; null: none by itself. */
  readonly next: number | null;
}

const rows: readonly Row[] = [
  {
    name: 'the server ends the stream, because it restarts or the token has expired',
    act: ({ stream }) => stream.end(),
    status: 'stale',
    errors: [],
    next: 500,
  },
  {
    name: 'the stream breaks',
    act: ({ stream }) => stream.breakOff(),
    status: 'stale',
    errors: ['NETWORK_ERROR'],
    next: 500,
  },
  {
    name: 'the server ends the subscription with an error',
    act: ({ stream }) =>
      stream.send(
        'event: next\ndata: {"errors":[{"message":"No.","extensions":{"code":"UNAUTHENTICATED"}}]}\n\nevent: complete\ndata:\n\n',
      ),
    status: 'stale',
    errors: ['UNAUTHENTICATED'],
    next: 500,
  },
  {
    name: 'a proxy sends something else',
    act: ({ stream }) => stream.send('event: next\ndata: <html>\n\n'),
    status: 'stale',
    errors: ['NETWORK_ERROR'],
    next: 500,
  },
  {
    name: 'an update has no features',
    act: ({ stream }) => stream.send('event: next\ndata: {"data":null}\n\n'),
    status: 'stale',
    errors: ['BAD_RESPONSE'],
    next: 500,
  },
  {
    name: 'an update has an answer without a switch',
    act: ({ stream }) => stream.update({ features: [{ key: 'a', value: true }] as never, revision: 8 }),
    status: 'stale',
    errors: ['BAD_RESPONSE'],
    next: 500,
  },
  {
    name: 'an update has a revision that the server would refuse',
    act: ({ stream }) => stream.update({ revision: 'x' as never }),
    status: 'stale',
    errors: ['BAD_RESPONSE'],
    next: 500,
  },
  {
    name: 'nothing comes for 45 seconds',
    act: ({ page }) => page.pass(50_000),
    status: 'stale',
    errors: ['STREAM_SILENT'],
    next: 500,
  },
  {
    name: 'signs of life come',
    act: async ({ page, stream }) => {
      for (let round = 0; round < 10; round += 1) {
        await page.pass(12_000);
        await stream.send(':\n\n');
      }
    },
    status: 'live',
    errors: [],
    next: null,
  },
  {
    name: 'the computer sleeps for an hour',
    act: async ({ page }) => {
      page.now += 3_600_000;
      await page.pass(5_000);
    },
    status: 'stale',
    errors: [],
    next: 500,
  },
  {
    name: 'the clock is set back by an hour',
    act: async ({ page, stream }) => {
      page.now -= 3_600_000;
      await page.pass(40_000);
      await stream.send(':\n\n');
      await page.pass(40_000);
    },
    status: 'live',
    errors: [],
    next: null,
  },
  {
    name: 'the tab is hidden for a moment',
    act: async ({ page }) => {
      await page.hide(true);
      await page.pass(29_000);
      await page.hide(false);
      await page.pass(2_000);
    },
    status: 'live',
    errors: [],
    next: null,
  },
  {
    name: 'the tab is hidden for long',
    act: async ({ page }) => {
      await page.hide(true);
      await page.pass(30_000);
    },
    status: 'stale',
    errors: [],
    next: null,
  },
  {
    name: 'the tab is hidden for long, and shown',
    act: async ({ page }) => {
      await page.hide(true);
      await page.pass(40_000);
      await page.hide(false);
    },
    status: 'stale',
    errors: [],
    next: 0,
  },
  {
    name: 'the network goes',
    act: ({ page }) => page.goOnline(false),
    status: 'stale',
    errors: [],
    next: 30_000,
  },
  {
    name: 'the network goes and comes back',
    act: async ({ page }) => {
      await page.goOnline(false);
      await page.pass(5_000);
      await page.goOnline(true);
    },
    status: 'stale',
    errors: [],
    next: 500,
  },
  {
    name: 'the network goes and comes back before the server wants an attempt',
    act: async ({ page, stream }) => {
      await stream.end();
      await page.pass(500);
      await page.lastRequest.answer({}, { status: 429, headers: { 'retry-after': '60' } });
      await page.pass(5_000);
      await page.goOnline(false);
      await page.pass(5_000);
      await page.goOnline(true);
      await page.pass(5_000);
    },
    asked: 1,
    status: 'stale',
    errors: ['HTTP_429'],
    next: 45_500,
  },
  {
    name: 'the tab is hidden and shown before the server wants an attempt',
    act: async ({ page, stream }) => {
      await stream.end();
      await page.pass(500);
      await page.lastRequest.answer({}, { status: 429, headers: { 'retry-after': '60' } });
      await page.hide(true);
      await page.pass(40_000);
      await page.hide(false);
    },
    asked: 1,
    status: 'stale',
    errors: ['HTTP_429'],
    next: 20_000,
  },
  {
    name: 'the clock is set back by a year before the server wants an attempt',
    act: async ({ page, stream }) => {
      await stream.end();
      await page.pass(500);
      await page.lastRequest.answer({}, { status: 429, headers: { 'retry-after': '60' } });
      page.now -= 31_536_000_000;
      await page.goOnline(true);
    },
    asked: 1,
    status: 'stale',
    errors: ['HTTP_429'],
    next: 300_500,
  },
  {
    name: 'the network goes while the tab is hidden for long',
    act: async ({ page }) => {
      await page.hide(true);
      await page.pass(40_000);
      await page.goOnline(false);
      await page.goOnline(true);
    },
    status: 'stale',
    errors: [],
    next: null,
  },
  {
    name: 'the user is identified again',
    act: async ({ client }) => void client.identify(),
    status: 'connecting',
    errors: [],
    next: 0,
  },
  {
    name: 'the client is closed',
    act: async ({ client }) => client.close(),
    status: 'closed',
    errors: [],
    next: null,
  },
];

describe('a live client', () => {
  it.each(rows)('is $status when $name', async ({ act, asked = 0, status, errors, next }) => {
    const scene = await live();
    const { page, client } = scene;
    const before = page.requests.length + asked;
    await act(scene);
    await page.pass(0);
    expect(client.status).toBe(status);
    expect(page.errors.map(({ code }) => code)).toEqual(errors);
    expect(client.isEnabled('a')).toBe(true);
    if (status !== 'live') expect(page.requests[before - 1]?.isAborted).toBe(true);
    if (next === null) {
      const open = page.requests.length;
      if (status !== 'live') await page.pass(600_000);
      expect(page.requests.length).toBe(open);
    } else {
      if (next > 0) {
        await page.pass(next * 0.99);
        expect(page.requests.length).toBe(before);
        await page.pass(next * 0.01);
      }
      expect(page.requests.length).toBe(before + 1);
      const again = await page.lastRequest.stream();
      await again.update(updateOf({ a: false }, { revision: 0 }));
      // A restored database has a lower revision.
      expect(client.status).toBe('live');
      expect(client.isEnabled('a')).toBe(false);
      expect(client.snapshot().revision).toBe(0);
    }
    client.close();
    expect([page.timers, page.listeners]).toEqual([0, 0]);
  });
});

describe('a client that connects', () => {
  const refusals = [
    [
      'a token is refused',
      401,
      {},
      { errors: [{ message: 'No.', extensions: { code: 'UNAUTHENTICATED' } }] },
      'UNAUTHENTICATED',
      500,
    ],
    [
      'the server is full',
      429,
      { 'retry-after': '20' },
      { errors: [{ message: 'Full.', extensions: { code: 'TOO_MANY_CONNECTIONS' } }] },
      'TOO_MANY_CONNECTIONS',
      20_500,
    ],
    [
      'a wait ends at a date',
      429,
      { 'retry-after': new Date(1_700_000_020_000).toUTCString() },
      {},
      'HTTP_429',
      20_500,
    ],
    ['a wait is too long', 503, { 'retry-after': '99999' }, {}, 'HTTP_503', 300_500],
    ['a wait is nonsense', 503, { 'retry-after': 'soon' }, {}, 'HTTP_503', 500],
    ['a gateway has no server', 503, {}, '<html>', 'HTTP_503', 500],
    ['another program answers', 200, { 'content-type': 'text/html' }, '<html>', 'BAD_RESPONSE', 500],
  ] as const;

  it.each(refusals)('tries again when %s', async (_name, status, headers, body, code, next) => {
    const page = new Page();
    const client = await page.open();
    await page.lastRequest.answer(body, { status, headers });
    expect(client.status).toBe('connecting');
    expect(page.errors.map(error => error.code)).toEqual([code]);
    await page.pass(next - 10);
    expect(page.requests.length).toBe(1);
    await page.pass(10);
    expect(page.requests.length).toBe(2);
    client.close();
  });

  it('waits longer after each failure, at most 30 seconds, until an update comes', async () => {
    const page = new Page();
    const client = await page.open();
    const waits: number[] = [];
    for (let round = 0; round < 9; round += 1) {
      await page.lastRequest.breakOff();
      const [asked, start] = [page.requests.length, page.now];
      while (page.requests.length === asked) await page.pass(100);
      waits.push(page.now - start);
    }
    expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
    const stream = await page.lastRequest.stream();
    await stream.send(':\n\n');
    await stream.breakOff();
    await page.pass(29_000);
    expect(page.requests.length).toBe(10);
    await page.pass(1_000);
    await (await page.lastRequest.stream()).update(updateOf({ a: true }));
    expect(client.status).toBe('live');
    client.close();
  });

  it('asks less and less often where each stream is cut at once, until one has served for some seconds', async () => {
    const page = new Page();
    const client = await page.open();
    const waits: number[] = [];
    const cut = async (after: number) => {
      const stream = await page.lastRequest.stream();
      await stream.update(updateOf({ a: true }));
      expect(client.status).toBe('live');
      await page.pass(after);
      await stream.end();
      const [asked, start] = [page.requests.length, page.now];
      while (page.requests.length === asked) await page.pass(100);
      waits.push(page.now - start);
    };
    for (const after of [0, 100, 2_000, 1, 6_000, 0]) await cut(after);
    expect(waits).toEqual([500, 1_000, 2_000, 4_000, 500, 1_000]);
    client.close();
  });

  it('gives a stream up that brings signs of life and no update for 45 seconds', async () => {
    const page = new Page();
    const client = await page.open();
    const stream = await page.lastRequest.stream();
    for (let round = 0; round < 6; round += 1) {
      await stream.send(':\n\n');
      await page.pass(8_000);
    }
    await stream.send(':\n\n');
    expect(page.errors).toEqual([]);
    await page.pass(5_000);
    expect(page.errors.map(({ code }) => code)).toEqual(['STREAM_SILENT']);
    await page.pass(500);
    expect(page.requests.length).toBe(2);
    // A late first update counts as a sign of life.
    const slow = await page.lastRequest.stream();
    await slow.send(':\n\n');
    await page.pass(44_000);
    await slow.update(updateOf({ a: true }));
    await page.pass(44_000);
    expect(client.status).toBe('live');
    client.close();
  });

  it.each(['\n', '\r\n', '\r'])('reads events whose lines end with %j, in whatever pieces they come', async end => {
    const page = new Page();
    const client = await page.open();
    const stream = await page.lastRequest.stream();
    const text = (on: boolean, revision: number, snapshot: boolean) =>
      [
        ':',
        '',
        'event: next',
        `data:${JSON.stringify({ data: { viewerFeatures: updateOf({ 'a\u2028b': on }, { revision, snapshot }) } })}`,
        'id: 1',
        '',
        '',
      ].join(end);
    await stream.send(text(true, 1, true));
    expect([client.isEnabled('a\u2028b'), client.snapshot().revision]).toEqual([true, 1]);
    for (const character of text(false, 2, false)) await stream.send(character);
    // An event of several lines of data is one text, with spaces or without.
    expect([client.isEnabled('a\u2028b'), client.snapshot().revision]).toEqual([false, 2]);
    await stream.send(text(true, 3, false).replace('"snapshot"', `${end}data: "snapshot"`));
    await stream.send(['event: complete', 'data:', '', 'event: complete', 'data: ', '', ''].join(end));
    expect([page.errors, client.isEnabled('a\u2028b')]).toEqual([[], true]);
    client.close();
  });

  it('goes on when token() throws, rejects or hangs', async () => {
    const page = new Page();
    const answers: (() => string | Promise<string>)[] = [
      () => {
        throw new Error('thrown');
      },
      () => Promise.reject(new Error('rejected')),
      () => new Promise(() => {}),
      () => 'token',
    ];
    const client = await page.open({ token: () => answers.shift()?.() ?? null });
    await page.pass(500);
    await page.pass(1_000);
    await page.pass(30_000);
    await page.pass(2_000);
    expect(page.errors.map(({ code }) => code)).toEqual(['TOKEN_FAILED', 'TOKEN_FAILED', 'TOKEN_FAILED']);
    expect(page.requests.map(({ headers }) => headers['authorization'])).toEqual(['Bearer token']);
    client.close();
  });

  it('asks plain queries where a proxy holds streams back, says so once, and tries a stream later', async () => {
    const page = new Page();
    const client = await page.open();
    await page.lastRequest.stream();
    await page.pass(10_000);
    expect(page.requests[0]?.isAborted).toBe(true);
    expect(page.requests.length).toBe(2);
    expect(page.errors).toEqual([]);
    const features = (enabled: boolean) => updateOf({ a: enabled }).features;
    await page.lastRequest.answer({ data: { viewer: { revision: 3, features: features(true) } } });
    expect(client.status).toBe('live');
    expect(client.isEnabled('a')).toBe(true);
    expect(page.errors.map(({ code }) => code)).toEqual(['STREAM_BLOCKED']);
    // A node that lags behind answers.
    await page.pass(20_000);
    await page.lastRequest.answer({ data: { viewer: { revision: 2, features: features(false) } } });
    expect(client.isEnabled('a')).toBe(true);
    // The server has gone back in time.
    await page.pass(20_000);
    await page.lastRequest.answer({ data: { viewer: { revision: 2, features: features(false) } } });
    expect(client.isEnabled('a')).toBe(false);
    for (let round = 0; round < 27; round += 1) {
      await page.pass(20_000);
      await page.lastRequest.answer({ data: { viewer: { revision: 4, features: features(true) } } });
    }
    expect(client.status).toBe('live');
    await page.pass(20_000);
    expect(page.lastRequest.body.query).toMatch(/^subscription/);
    const stream = await page.lastRequest.stream();
    await stream.update(updateOf({ a: false }, { revision: 5 }));
    expect(client.isEnabled('a')).toBe(false);
    expect(page.errors.length).toBe(1);
    client.close();
    expect([page.timers, page.listeners]).toEqual([0, 0]);
  });

  it('asks plain queries where bodies cannot be read in parts', async () => {
    const page = new Page();
    const fetch = page.fetch;
    page.fetch = async (url, init) => {
      const response = await fetch(url, init);
      return response.headers.get('content-type') === 'text/event-stream'
        ? ({ ok: true, status: 200, headers: response.headers, body: null } as unknown as Response)
        : response;
    };
    const client = await page.open();
    await page.lastRequest.stream();
    expect(page.requests.length).toBe(2);
    await page.lastRequest.answer({ data: { viewer: { revision: 3, features: updateOf({ a: true }).features } } });
    expect(client.isEnabled('a')).toBe(true);
    client.close();
  });

  it('does nothing if it is closed in the same breath, or while token() is pending', async () => {
    const page = new Page();
    const [token, resolve] = deferred<string>();
    const client = await page.open({ token: () => token });
    client.close();
    resolve('late');
    const closed = page.open();
    (await closed).close();
    await page.pass(100_000);
    expect(page.requests.filter(({ isAborted }) => !isAborted)).toEqual([]);
    await client.ready();
    await client.identify({ subject: 'bob' });
    expect(client.status).toBe('closed');
  });

  it('leaves nothing behind if a listener closes it while it identifies another user in a hidden tab', async () => {
    const page = new Page();
    const client = await page.open();
    await page.hide(true);
    client.onStatus(() => client.close());
    await (await page.lastRequest.stream()).update(updateOf({ a: true }));
    expect([page.timers, page.listeners]).toEqual([0, 0]);

    const other = await page.open();
    await (await page.lastRequest.stream()).update(updateOf({ a: true }));
    other.onStatus(() => other.close());
    await other.identify({ clear: false });
    expect(other.status).toBe('closed');
    expect([page.timers, page.listeners]).toEqual([0, 0]);
  });

  it('leaves nothing behind if a listener closes it at the answer to a plain query', async () => {
    const page = new Page();
    const client = await page.open();
    client.onChange(() => client.close());
    await page.lastRequest.stream();
    await page.pass(10_000);
    await page.lastRequest.answer({ data: { viewer: { revision: 3, features: updateOf({ a: true }).features } } });
    expect(client.status).toBe('closed');
    expect([page.timers, page.listeners]).toEqual([0, 0]);
  });

  it('never connects without a transport', async () => {
    const page = new Page();
    const client = await page.open({ transport: null });
    await client.identify({ subject: 'bob' });
    await page.hide(true);
    await page.pass(60_000);
    await page.hide(false);
    expect(page.requests).toEqual([]);
    expect([page.timers, page.listeners]).toEqual([0, 0]);
    client.close();
  });

  it('closes after its first answers if the tab is opened in the background', async () => {
    const page = new Page();
    page.document.visibilityState = 'hidden';
    const client = await page.open();
    const stream = await page.lastRequest.stream();
    await stream.update(updateOf({ a: true }));
    expect(client.status).toBe('live');
    await page.pass(30_000);
    expect(client.status).toBe('stale');
    client.close();
  });
});

async function live(): Promise<Scene> {
  const page = new Page();
  const client = await page.open();
  expect(client.status).toBe('connecting');
  const stream = await page.lastRequest.stream();
  await stream.update(updateOf({ a: true }, { revision: 7 }));
  expect(client.status).toBe('live');
  return { page, client, stream };
}

function deferred<Value>(): [Promise<Value>, (value: Value) => void] {
  let resolve: (value: Value) => void = () => {};
  return [
    new Promise<Value>(done => {
      resolve = done;
    }),
    value => resolve(value),
  ];
}
