import { describe, expect, it, vi } from 'vitest';
import type { Json } from '../src/feature-types.js';
import { answer, flush, Page, snapshotOf, updateOf } from './support/page.js';

describe('answers', () => {
  it('stay the same objects until they change, and listeners hear of the changed ones once', async () => {
    const page = new Page();
    const client = await page.open();
    const heard: unknown[] = [];
    client.onChange(keys => heard.push(keys));
    const stopA = client.onKey('a', () => heard.push('a'));
    client.onKey('b', () => heard.push('b'));
    const stream = await page.lastRequest.stream();
    await stream.update(updateOf({ a: true, b: false }));
    expect(heard.splice(0)).toEqual([['a', 'b'], 'a', 'b']);
    const [all, a] = [client.all(), client.evaluate('a')];
    await stream.update(updateOf({ a: true }, { snapshot: false, revision: 2 }));
    expect(client.all()).toBe(all);
    expect(heard).toEqual([]);
    await stream.update(updateOf({ b: true }, { snapshot: false, revision: 3 }));
    expect(heard.splice(0)).toEqual([['b'], 'b']);
    expect(client.all()).not.toBe(all);
    expect(client.evaluate('a')).toBe(a);
    stopA();
    await stream.update(updateOf({}, { snapshot: false, removed: ['a'] }));
    expect(heard.splice(0)).toEqual([['a']]);
    expect(client.evaluate('a')).toBeUndefined();
    await stream.end();
    await page.pass(500);
    await (await page.lastRequest.stream()).update(updateOf({ c: true, b: true }));
    expect(heard).toEqual([['c']]);
    client.close();
  });

  it('go on being told when a listener throws, ends another or closes the client', async () => {
    const page = new Page();
    const client = await page.open();
    const heard: string[] = [];
    client.onChange(() => {
      stop();
      throw new Error('of a listener');
    });
    const stop = client.onChange(() => heard.push('ended'));
    client.onChange(() => heard.push('third'));
    client.onKey('a', () => client.close());
    client.onStatus(() => heard.push(client.status));
    const stream = await page.lastRequest.stream();
    await stream.update(updateOf({ a: true }));
    expect(heard).toEqual(['third', 'closed']);
    expect(page.uncaught).toEqual([new Error('of a listener')]);
    expect(client.isEnabled('a')).toBe(true);
  });

  it('of flags with the names of inherited properties are like any other', async () => {
    const page = new Page();
    const client = await page.open();
    for (const key of ['__proto__', 'constructor', 'toString']) {
      expect([client.evaluate(key), client.isEnabled(key), client.value(key, 'none')]).toEqual([
        undefined,
        false,
        'none',
      ]);
    }
    const features = ['__proto__', 'constructor', 'toString'].map(key => ({ key, ...answer(true) }));
    await (await page.lastRequest.stream()).update(updateOf({}, { features }));
    for (const { key } of features) expect(client.isEnabled(key)).toBe(true);
    client.close();
    const again = await page.open();
    expect(Object.keys(again.all()).sort()).toEqual(['__proto__', 'constructor', 'toString']);
    expect(again.isEnabled('__proto__')).toBe(true);
    again.close();
  });

  it('for keys without a flag count as absent', async () => {
    const page = new Page();
    const client = await page.open({ keys: ['a', 'gone'] });
    expect(page.lastRequest.body.variables['keys']).toEqual(['a', 'gone']);
    const gone = { key: 'gone', enabled: false, value: null, variant: null, reason: 'FLAG_NOT_FOUND' };
    const stream = await page.lastRequest.stream();
    await stream.update(updateOf({ a: true }, { features: [...updateOf({ a: true }).features, gone] }));
    expect(client.evaluate('gone')).toBeUndefined();
    expect(client.isEnabled('gone', true)).toBe(true);
    await stream.update({ snapshot: false, features: [{ ...gone, key: 'a' }] });
    expect(client.evaluate('a')).toBeUndefined();
    client.close();
  });

  const values: readonly [Json, Json, boolean][] = [
    [true, false, true],
    ['red', 'blue', true],
    [0, 5, true],
    [{ a: 1 }, {}, true],
    [[1], [], true],
    [null, 'blue', false],
    ['red', 5, false],
    [[1], {}, false],
    [{ a: 1 }, [], false],
  ];
  it.each(values)('have the value %j where the page falls back to %j: %s', async (value, fallback, isTaken) => {
    const page = new Page();
    const client = await page.open();
    const features = [{ ...answer(true), key: 'theme', value }];
    await (await page.lastRequest.stream()).update(updateOf({}, { features }));
    for (let time = 0; time < 2; time += 1) {
      expect(client.value('theme', fallback as never)).toEqual(isTaken ? value : fallback);
    }
    await flush();
    const isMismatch = !isTaken && value !== null;
    expect(page.errors.map(({ code }) => code)).toEqual(isMismatch ? ['TYPE_MISMATCH'] : []);
    if (isMismatch) expect(page.errors[0]?.message).toContain('"theme"');
    client.close();
  });

  it('come through broken chunks, unusual separators and text in other scripts', async () => {
    const page = new Page();
    const client = await page.open();
    const value = 'ü 日本 \u2028 \u0085 \n\ndata: x';
    const features = [{ ...answer(true), key: 'text', value }];
    const text = `:\n\nevent: next\ndata: ${JSON.stringify({ data: { viewerFeatures: updateOf({}, { features }) } })}\n\n`;
    const stream = await page.lastRequest.stream();
    for (const character of text) await stream.send(character);
    expect(client.value('text', '')).toBe(value);
    client.close();
  });
});

describe('the storage', () => {
  const throwing = () => {
    throw new Error('forbidden');
  };
  const faults = {
    'forbids reading': (page: Page) => Object.assign(page.localStorage, { getItem: throwing }),
    'forbids writing, as one that is full': (page: Page) => Object.assign(page.localStorage, { setItem: throwing }),
    'cannot be looked at': (page: Page) => Object.defineProperty(page, 'localStorage', { get: throwing }),
    'holds nonsense': (page: Page) => Object.assign(page.localStorage, { getItem: () => 'nonsense' }),
    'holds another form': (page: Page) => Object.assign(page.localStorage, { getItem: () => '{"flags":[]}' }),
    'holds a revision that no server has': (page: Page) =>
      Object.assign(page.localStorage, { getItem: () => JSON.stringify(snapshotOf('', {}, -1)) }),
    'holds the answers of another': (page: Page) =>
      Object.assign(page.localStorage, { getItem: () => JSON.stringify(snapshotOf('bob', { a: true })) }),
  };

  it.each(Object.entries(faults))('that %s is told once, and the client goes on', async (_name, spoil) => {
    const page = new Page();
    spoil(page);
    const client = await page.open();
    expect(client.source).toBe('default');
    const stream = await page.lastRequest.stream();
    await stream.update(updateOf({ a: true }));
    await stream.update(updateOf({ a: false }));
    expect(client.status).toBe('live');
    expect(page.errors.map(({ code }) => code)).toEqual(['STORAGE_FAILED']);
    expect(page.lastRequest.headers['x-halyard-device']).toMatch(/^[\w-]{8,64}$/);
    client.close();
  });

  it('keeps one device for all clients, unless the page states one or wants none', async () => {
    const page = new Page();
    const devices: unknown[] = [];
    for (const deviceId of [undefined, undefined, 'my-own-device', false] as const) {
      const client = await page.open({ deviceId });
      devices.push(page.lastRequest.headers['x-halyard-device']);
      client.close();
    }
    expect(devices).toEqual([page.stored.get('halyard:device'), devices[0], 'my-own-device', undefined]);
    const client = await page.open({ storage: null });
    expect(page.lastRequest.headers['x-halyard-device']).toMatch(/^[\w-]{8,64}$/);
    client.close();
  });
});

describe('the environment', () => {
  it('may lack everything that belongs to a page', async () => {
    const page = new Page();
    const bare = {
      setTimeout: page.setTimeout,
      clearTimeout: page.clearTimeout,
      queueMicrotask,
      fetch: page.fetch,
      Date,
      Math,
      crypto,
    };
    const hostile = Object.defineProperties(bare, {
      document: { get: throwingGetter },
      navigator: { get: throwingGetter },
      localStorage: { get: throwingGetter },
    });
    const { createClientIn } = await import('../src/client.js');
    const client = createClientIn(hostile, { url: '/flags' });
    await flush();
    expect(page.lastRequest.url).toBe('/flags/graphql');
    await (await page.lastRequest.stream()).update(updateOf({ a: true }));
    expect(client.isEnabled('a')).toBe(true);
    await page.lastRequest.breakOff();
    client.close();
    expect(page.timers).toBe(0);
  });

  it.each([
    ['https://flags.example.com', 'https://flags.example.com/graphql'],
    ['https://flags.example.com/', 'https://flags.example.com/graphql'],
    ['https://flags.example.com/graphql', 'https://flags.example.com/graphql'],
    ['https://example.com/flags/graphql/', 'https://example.com/flags/graphql'],
    ['', '/graphql'],
  ])('is asked at %s as %s', async (url, asked) => {
    const page = new Page();
    const client = await page.open({ url });
    expect(page.lastRequest.url).toBe(asked);
    client.close();
  });

  it('is not touched when the package is loaded', async () => {
    const spies = [vi.spyOn(globalThis, 'setTimeout'), vi.spyOn(globalThis, 'fetch')];
    vi.resetModules();
    await import('../src/index.js');
    await import('../src/ws.js');
    await import('../src/share.js');
    for (const spy of spies) {
      expect(spy).not.toHaveBeenCalled();
      spy.mockRestore();
    }
  });
});

function throwingGetter(): never {
  throw new Error('forbidden');
}
