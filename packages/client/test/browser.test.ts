import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { hasBrowser, launchBrowser } from '../../../test/support/browser.js';
import { ann, bob, startTestServer, type TestServer } from '../../../test/support/server.js';
import { until } from '../../../test/support/wait.js';
import { pageScript } from './support/page-script.js';

interface Settings {
  readonly subject?: string;
  readonly token?: string | undefined;
  readonly hiddenAfter?: number;
  readonly shares?: boolean;
}

interface Render {
  readonly user: string;
  readonly whose: string;
  readonly isOn: boolean;
  readonly source: string;
}

describe.skipIf(!hasBrowser)('@halyard/client in a real browser', () => {
  let browser: Browser;
  let script: string;
  let server: TestServer;
  let context: BrowserContext;
  const complaints: string[] = [];

  beforeAll(async () => {
    [browser, script, server] = await Promise.all([launchBrowser(), pageScript('live.tsx'), start()]);
  });

  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  beforeEach(async () => {
    complaints.length = 0;
    await setA(false);
    context = await browser.newContext();
    await context.route('**/page', route =>
      route.fulfill({ contentType: 'text/html', body: '<body><script src="/page.js"></script></body>' }),
    );
    await context.route('**/page.js', route => route.fulfill({ contentType: 'text/javascript', body: script }));
    context.on('console', message => {
      if (message.type() !== 'info') complaints.push(message.text());
    });
    context.on('weberror', ({ error }) => void complaints.push(String(error())));
  });

  afterEach(async () => {
    await context.close();
    await until(() => server.load.streams === 0, 'the server has forgotten the tabs');
  });

  /** A server whose flag `whose` tells whom the answers are for. */
  async function start(env: Record<string, string> = {}): Promise<TestServer> {
    const started = await startTestServer(env);
    const { management } = started.service;
    await management.createFlag({ key: 'a', name: 'A' });
    await management.createFlag({
      key: 'whose',
      name: 'Whose',
      enabled: true,
      type: 'STRING',
      variants: [ann, bob, 'visitor'].map(value => ({ key: value, value, weight: value === 'visitor' ? 1 : 0 })),
      offVariant: 'visitor',
      rules: [ann, bob].map(id => ({
        id,
        when: { attributes: { who: id } },
        percentage: 100,
        on: true,
        serve: [{ variant: id, weight: 1 }],
      })),
    });
    return started;
  }

  const setA = (enabled: boolean) => server.service.management.updateFlag({ key: 'a', enabled });
  const tokenOf = (userId: string) => server.token('user', { userId, attributes: { who: userId } }) as Promise<string>;

  async function open(settings: Settings = {}): Promise<Page> {
    const page = await context.newPage();
    const globals = { settings, token: settings.token };
    await page.addInitScript(globals => Object.assign(globalThis, globals), globals);
    await page.goto(`${server.url}/page`);
    return page;
  }

  const shown = (page: Page) => page.locator('#answer').textContent();
  const status = (page: Page) => page.locator('#status').textContent();
  const shows = (page: Page, text: string) =>
    until(async () => (await shown(page)) === text, `the page shows ${text}`, 20_000);
  const rendersOf = (page: Page) => page.evaluate<Render[]>('renders');

  /** As when the user looks at another tab: headless pages all count as visible. */
  const setVisibility = (page: Page, state: 'hidden' | 'visible') =>
    page.evaluate(`Object.defineProperty(document, 'visibilityState', { value: '${state}', configurable: true });
      document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));`);

  it('shows a flag that an admin turns on, without a reload', async () => {
    const page = await open();
    await shows(page, 'visitor visitor off');
    const response = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${await server.token('admin')}` },
      body: JSON.stringify({ query: 'mutation { updateFlag(input: { key: "a", enabled: true }) { __typename } }' }),
    });
    expect(await response.json()).toEqual({ data: { updateFlag: { __typename: 'UpdateFlagPayload' } } });
    await shows(page, 'visitor visitor on');
    expect(complaints).toEqual([]);
  });

  it('keeps its last answers while the server is away, and catches up when it is back', async () => {
    await setA(true);
    const page = await open();
    await shows(page, 'visitor visitor on');
    await server.close();
    await until(async () => (await status(page)) === 'stale', 'the page has noticed');
    expect(await shown(page)).toBe('visitor visitor on');
    // Its database is a new one, where the flag is off.
    server = await start({ PORT: new URL(server.url).port });
    await shows(page, 'visitor visitor off');
    await until(async () => (await status(page)) === 'live', 'the page is live again');
    // The new server serves before it has its flags, so a live answer may lack them.
    const renders = (await rendersOf(page)).filter(({ source }, index) => index > 1 && source !== 'live');
    expect(renders.filter(({ whose }) => whose === 'nobody')).toEqual([]);
  });

  it('comes back with a new token when the old one has expired', async () => {
    // A token counts for five seconds after its end.
    const expiring = await server.token('user', { expiresInSeconds: 3, attributes: { who: ann } });
    const page = await open({ subject: ann, token: expiring });
    await shows(page, `${ann} ${ann} off`);
    await page.evaluate(token => Object.assign(globalThis, { token }), await tokenOf(bob));
    await shows(page, `${ann} ${bob} off`);
    await setA(true);
    await shows(page, `${ann} ${bob} on`);
  });

  /** Switches users back and forth while a flag changes; resolves with what was ever rendered or seen of another user. */
  async function mixedUp(clear?: boolean): Promise<{ readonly renders: Render[]; readonly seen: string[] }> {
    const page = await open({ subject: ann, token: await tokenOf(ann) });
    await shows(page, `${ann} ${ann} off`);
    for (const [turn, user] of [bob, ann, bob, ann, bob].entries()) {
      const [token] = await Promise.all([tokenOf(user), setA(turn % 2 === 0)]);
      await page.evaluate(([user, token, clear]) => (globalThis as unknown as Login).signIn(user, token, clear), [
        user,
        token,
        clear,
      ] as const);
      // Some of them are identified while the client connects for the one before.
      if (turn % 2 === 0) await shows(page, `${user} ${user} on`);
    }
    const renders = (await rendersOf(page)).filter(({ user, whose }) => whose !== user && whose !== 'nobody');
    const seen = (await page.evaluate<string[]>('seen()')).filter(text => {
      const [user, whose] = text.split(' ');
      return whose !== user && whose !== 'nobody';
    });
    return { renders, seen };
  }

  it('never shows one frame with the answers of another user', async () => {
    expect(await mixedUp()).toEqual({ renders: [], seen: [] });
  });

  it('would be caught if it did', async () => {
    const { renders, seen } = await mixedUp(false);
    expect(renders.length).toBeGreaterThan(0);
    expect(seen.length).toBeGreaterThan(0);
  });

  it('shows stored answers in the first render after a reload', async () => {
    await setA(true);
    const page = await open({ subject: ann, token: await tokenOf(ann) });
    await shows(page, `${ann} ${ann} on`);
    await until(async () => (await status(page)) === 'live', 'the answers are stored');
    let release = () => {};
    const held = new Promise<void>(resolve => {
      release = resolve;
    });
    await page.route('**/graphql', async route => {
      await held;
      await route.continue();
    });
    await page.reload();
    await shows(page, `${ann} ${ann} on`);
    expect((await rendersOf(page))[0]).toEqual({ user: ann, whose: ann, isOn: true, source: 'cache' });
    expect(await status(page)).toBe('connecting');
    release();
    await until(async () => (await status(page)) === 'live', 'the page is live');
    expect(complaints).toEqual([]);
  });

  it('goes on where the storage of the page is full, and says so once', async () => {
    const page = await context.newPage();
    await page.addInitScript(globals => Object.assign(globalThis, globals), {
      settings: { subject: ann },
      token: await tokenOf(ann),
    });
    await page.addInitScript(() => {
      for (let size = 2 ** 22; size >= 1; ) {
        try {
          localStorage.setItem(`full-${size}-${Math.random()}`, 'x'.repeat(size));
        } catch {
          size = Math.floor(size / 2);
        }
      }
    });
    await page.goto(`${server.url}/page`);
    await shows(page, `${ann} ${ann} off`);
    await setA(true);
    await shows(page, `${ann} ${ann} on`);
    expect(await page.evaluate<string[]>('failures')).toEqual(['STORAGE_FAILED']);
    expect(complaints).toEqual([]);
    expect(await page.evaluate(() => Object.keys(localStorage).filter(key => key.startsWith('halyard')))).toEqual([]);
    await page.reload();
    await shows(page, `${ann} ${ann} on`);
  });

  it('eight tabs that share hold one stream, also after its tab was closed', async () => {
    const tabs: Page[] = [];
    for (let tab = 0; tab < 8; tab += 1) tabs.push(await open({ shares: true }));
    await Promise.all(tabs.map(tab => shows(tab, 'visitor visitor off')));
    expect(server.load.streams).toBe(1);
    await setA(true);
    await Promise.all(tabs.map(tab => shows(tab, 'visitor visitor on')));
    await tabs.shift()?.close();
    await setA(false);
    await Promise.all(tabs.map(tab => shows(tab, 'visitor visitor off')));
    // The change may still have come through the stream of the tab that was closed.
    await until(() => server.load.streams === 1, 'another tab holds the one stream');
  });

  it('eight tabs that do not share leave room for other requests, because hidden ones close their streams', async () => {
    const tabs: Page[] = [];
    for (let count = 0; count < 8; count += 1) {
      const before = tabs.at(-1);
      if (before) await setVisibility(before, 'hidden');
      const tab = await open({ hiddenAfter: 10 });
      tabs.push(tab);
      await shows(tab, 'visitor visitor off');
    }
    const [first, last] = [tabs[0] as Page, tabs[7] as Page];
    await until(() => server.load.streams === 1, 'the visible tab alone holds a stream');
    // Over HTTP/1.1 a browser opens six connections to a server.
    expect(await last.evaluate(() => fetch('/health').then(({ ok }) => ok))).toBe(true);
    await setA(true);
    await shows(last, 'visitor visitor on');
    expect(await shown(first)).toBe('visitor visitor off');
    await setVisibility(first, 'visible');
    await shows(first, 'visitor visitor on');
  });
});

interface Login {
  signIn(user: string, token: string, clear?: boolean): void;
}
