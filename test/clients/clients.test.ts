import type { Browser, Page, WebSocket } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasBrowser, launchBrowser } from '../support/browser.js';
import { ann, startTestServer, type TestServer } from '../support/server.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/wait.js';
import { bundle, recipes, writeProject } from './recipes.js';

const patience = 30_000;
/** How long the server is away, in seconds of the page's clock. */
const outage = 75;

describe.skipIf(!hasBrowser)('docs/clients.md in a real browser', { timeout: 3 * patience }, () => {
  let server: TestServer;
  let browser: Browser;
  let proxy: TcpProxy;
  const scripts = new Map<string, string>();

  beforeAll(async () => {
    await writeProject();
    for (const recipe of recipes) scripts.set(recipe, await bundle(recipe));
    [server, browser] = await Promise.all([startTestServer(), launchBrowser()]);
    proxy = await TcpProxy.to(Number(new URL(server.url).port));
    const { management } = server.service;
    await management.createFlag({ key: 'a', name: 'A' });
    await management.createFlag({ key: 'pro', name: 'Pro', enabled: true, conditions: { attributes: { plan: 'pro' } } });
  }, 4 * patience);

  afterAll(async () => {
    await browser?.close();
    await proxy?.cut();
    await server?.close();
  });

  const setA = (enabled: boolean) => server.service.management.updateFlag({ key: 'a', enabled });

  /** A window that shows the component of a recipe. Its clock runs, and can be moved on. */
  async function open(recipe: string, token?: string): Promise<Window> {
    const page = await browser.newPage();
    page.setDefaultTimeout(patience);
    const window = new Window(page);
    const url = `http://127.0.0.1:${proxy.port}/page`;
    await page.route(url, route => route.fulfill({ contentType: 'text/html', body: '<div id="app"></div>' }));
    await page.clock.install();
    await page.goto(url);
    await page.evaluate(token => Object.assign(globalThis, { token }), token);
    await page.addScriptTag({ content: scripts.get(recipe) ?? '' });
    return window;
  }

  const callers = [
    ['a user', () => server.token('user', { attributes: { plan: 'pro' } }), 'pro: on'],
    ['an anonymous visitor', async () => undefined, 'pro: off'],
  ] as const;

  describe.each(recipes)('%s', recipe => {
    it.each(callers)(
      'shows %s live changes, through an outage and after it',
      async (_who, tokenOf, pro) => {
        const { management } = server.service;
        await setA(false);
        await management.createFlag({ key: 'old', name: 'Old', enabled: true });
        await using window = await open(recipe, await tokenOf());
        await window.shows('a: off', 'old: on', pro);
        await window.isSubscribed();

        await setA(true);
        await window.shows('a: on', 'old: on', pro);
        await management.deleteFlag({ key: 'old' });
        await window.shows('a: on', pro);
        const { revision } = server.service.status;

        await proxy.cut();
        await setA(false);
        await window.passTime(outage);
        expect(await window.shown()).toEqual(['a: on', pro]);
        await proxy.open();
        await window.passTimeUntilShows('a: off', pro);
        expect(window.subscribed.at(-1)).toMatchObject({ variables: { sinceRevision: revision } });

        await setA(true);
        await window.shows('a: on', pro);
        expect(window.complaints).toEqual([]);
      },
    );

    it('shows its first answers when the server comes back, where it was away from the start', async () => {
      await setA(true);
      await proxy.cut();
      await using window = await open(recipe);
      await window.passTime(outage);
      expect(await window.shown()).toEqual([]);
      await proxy.open();
      await window.passTimeUntilShows('a: on', 'pro: off');
      await setA(false);
      await window.passTimeUntilShows('a: off', 'pro: off');
    });
  });

  it('comes back with a new token when the old one has expired, and with the old answers until then', async () => {
    await setA(true);
    // Five seconds more than it says: clocks differ.
    await using window = await open('urql', await server.token('user', { expiresInSeconds: -2, attributes: { plan: 'pro' } }));
    await window.shows('a: on', 'pro: on');
    await window.isSubscribed();
    await window.renew(await server.token('user', { attributes: { plan: 'free' } }));
    await window.passTimeUntilShows('a: on', 'pro: off');
    await setA(false);
    await window.shows('a: off', 'pro: off');
  });

  it('notices a network that vanished without a word', async () => {
    await setA(true);
    await using window = await open('apollo');
    await window.shows('a: on', 'pro: off');
    await window.isSubscribed();
    proxy.freeze();
    await setA(false);
    await window.passTime(5);
    expect(await window.shown()).toEqual(['a: on', 'pro: off']);
    proxy.renew();
    await window.passTimeUntilShows('a: off', 'pro: off');
  });

  it('subscribes again where the server could not answer', async () => {
    await setA(true);
    const unavailable = { message: 'Later.', extensions: { code: 'UNAVAILABLE' } };
    const refusals: unknown[] = [];
    await using window = await open('relay');
    await window.page.close();
    const page = await browser.newPage();
    expect([page, unavailable, refusals]).toBeDefined();
    await page.close();
  });
});

/** What a page shows and sends. */
class Window implements AsyncDisposable {
  /** The payloads of subscriptions that were sent, in their order. */
  readonly subscribed: { readonly variables?: object }[] = [];
  /** What the page wrote to the console, and errors that it threw. */
  readonly complaints: string[] = [];

  constructor(readonly page: Page) {
    page.on('websocket', (socket: WebSocket) =>
      socket.on('framesent', ({ payload }) => {
        const message = JSON.parse(String(payload));
        if (message.type === 'subscribe') this.subscribed.push(message.payload);
      }),
    );
    page.on('console', message => {
      if (!message.text().includes('ERR_CONNECTION')) this.complaints.push(`${message.type()}: ${message.text()}`);
    });
    page.on('pageerror', error => this.complaints.push(error.message));
  }

  shown(): Promise<string[]> {
    return this.page.locator('li').allTextContents();
  }

  async #isShown(lines: readonly string[]): Promise<boolean> {
    return JSON.stringify(await this.shown()) === JSON.stringify(lines);
  }

  async shows(...lines: string[]): Promise<void> {
    await until(() => this.#isShown(lines), `the page shows ${lines}, not ${await this.shown()}`, patience);
  }

  async isSubscribed(): Promise<void> {
    await until(() => this.subscribed.length > 0, 'the page subscribes');
  }

  /** Moves the clock of the page on, second by second: between them, what has been begun can fail. */
  async passTime(seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second += 1) {
      await this.page.clock.runFor(1_000);
      await new Promise(resolve => setTimeout(resolve, 10));
    }
  }

  async passTimeUntilShows(...lines: string[]): Promise<void> {
    await until(
      async () => {
        await this.passTime(1);
        return this.#isShown(lines);
      },
      `the page shows ${lines}`,
      patience,
    );
  }

  /** The page's author renews the token. */
  async renew(token: string | undefined): Promise<void> {
    await this.page.evaluate(token => Object.assign(globalThis, { token }), token);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.page.close();
  }
}

void ann;
