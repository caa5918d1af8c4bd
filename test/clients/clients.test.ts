import type { Browser, Page, WebSocket } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DatabaseBackend } from '../../src/backends/database.js';
import { UnavailableError } from '../../src/core/errors.js';
import { hasBrowser, launchBrowser } from '../support/browser.js';
import { type ControlledBackend, controlled } from '../support/controlled-backend.js';
import { openPGlite } from '../support/pglite.js';
import { ann, startTestServer, type TestServer } from '../support/server.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/wait.js';
import { ClientProject, type Recipe, recipes } from './recipes.js';

const patience = 30_000;
/** How long the server is away, in seconds of the page's clock. */
const outage = 75;

describe.skipIf(!hasBrowser)('docs/clients.md in a real browser', { timeout: 3 * patience }, () => {
  let project: ClientProject;
  let database: ControlledBackend;
  let server: TestServer;
  let browser: Browser;
  let proxy: TcpProxy;
  const scripts = new Map<string, string>();

  beforeAll(async () => {
    const [plain, whole] = await Promise.all([
      ClientProject.write(),
      ClientProject.write('viewer { id features { id key enabled reason } }'),
    ]);
    project = plain;
    await using withViewer = whole;
    for (const recipe of recipes) {
      scripts.set(recipe, await project.pageScript(recipe));
      scripts.set(`${recipe} with viewer`, await withViewer.pageScript(recipe));
    }
    database = controlled(await openPGlite());
    server = await startTestServer({}, { database: database as unknown as DatabaseBackend });
    browser = await launchBrowser();
    proxy = await TcpProxy.to(server.port);
    const { management } = server.service;
    await management.createFlag({ key: 'a', name: 'A' });
    await management.createFlag({
      key: 'pro',
      name: 'Pro',
      enabled: true,
      conditions: { attributes: { plan: 'pro' } },
    });
  }, 10 * patience);

  afterAll(async () => {
    await browser?.close();
    await proxy?.cut();
    await server?.close();
    await project?.[Symbol.asyncDispose]();
  });

  const setA = (enabled: boolean) => server.service.management.updateFlag({ key: 'a', enabled });
  const proToken = () => server.token('user', { attributes: { plan: 'pro' } });

  /** A window that shows the component of a recipe. Its clock runs, and can be moved on. */
  async function open(recipe: Recipe | `${Recipe} with viewer`, token?: string, state?: unknown): Promise<Window> {
    const page = await browser.newPage();
    page.setDefaultTimeout(patience);
    const window = new Window(page);
    const origin = `http://127.0.0.1:${proxy.port}`;
    await page.route(`${origin}/`, route => route.fulfill({ contentType: 'text/html', body: '<div id="app"></div>' }));
    await page.clock.install();
    await page.goto(origin);
    const globals = { server: `${origin}/graphql`, token, state };
    await page.evaluate(globals => Object.assign(globalThis, globals), globals);
    await page.addScriptTag({ content: scripts.get(recipe) ?? '' });
    return window;
  }

  const callers = [
    ['a user', proToken, 'pro: on'],
    ['an anonymous visitor', async () => undefined, 'pro: off'],
  ] as const;

  describe.each(recipes)('%s', recipe => {
    it.each(callers)('shows %s live changes, through an outage and after it', async (_who, tokenOf, pro) => {
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
    });

    it('shows its first answers when the server comes back that was away from the start', async () => {
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

    it('shows a user the own answers after a login, and nobody else’s after a logout', async () => {
      await setA(true);
      await using window = await open(recipe);
      await window.shows('a: on', 'pro: off');
      await window.isSubscribed();
      await window.signIn(ann, await proToken());
      await window.passTimeUntilShows('a: on', 'pro: on');
      await window.isSubscribed(2);
      await setA(false);
      await window.shows('a: off', 'pro: on');
      await window.signIn(null, undefined);
      await window.passTimeUntilShows('a: off', 'pro: off');
      await window.isSubscribed(3);
      await setA(true);
      await window.shows('a: on', 'pro: off');
    });

    it('shows what a server has rendered at once, and then live changes', async () => {
      await setA(true);
      const token = await proToken();
      const state = await project.renderedState(recipe, server.url, token);
      await proxy.cut();
      await using window = await open(recipe, token, state);
      await window.shows('a: on', 'pro: on');
      await setA(false);
      await proxy.open();
      await window.passTimeUntilShows('a: off', 'pro: on');
    });

    it('with the viewer in its updates also shows new flags, and drops those that were deleted during an outage', async () => {
      const { management } = server.service;
      await setA(true);
      await using window = await open(`${recipe} with viewer`);
      await window.shows('a: on', 'pro: off');
      await window.isSubscribed();
      await management.createFlag({ key: 'new', name: 'New', enabled: true });
      await window.shows('a: on', 'new: on', 'pro: off');
      await proxy.cut();
      await management.deleteFlag({ key: 'new' });
      await proxy.open();
      await window.passTimeUntilShows('a: on', 'pro: off');
      expect(window.complaints).toEqual([]);
    });

    it('goes on when the database of the server comes back, which could not even name the user', async () => {
      await setA(true);
      // Nobody has read this user before.
      const token = await server.token('user', { userId: `new ${recipe}`, attributes: { plan: 'pro' } });
      const recover = database.fail('targeting', new UnavailableError());
      await using window = await open(recipe, token);
      await window.passTime(outage);
      expect(await window.shown()).toEqual([]);
      // Relay renders nothing before its first answer, and so does not subscribe.
      if (recipe !== 'relay') expect(window.subscribed.length).toBeGreaterThan(1);
      recover();
      await window.passTimeUntilShows('a: on', 'pro: on');
      await setA(false);
      await window.passTimeUntilShows('a: off', 'pro: on');
    });
  });

  it('comes back with a new token when the old one has expired', async () => {
    await setA(true);
    // Tokens count for five seconds longer than they say.
    const expiring = await server.token('user', { expiresInSeconds: -2, attributes: { plan: 'pro' } });
    await using window = await open('urql', expiring);
    await window.shows('a: on', 'pro: on');
    await window.isSubscribed();
    await window.renewToken(await server.token('user', { attributes: { plan: 'free' } }));
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

  async isSubscribed(times = 1): Promise<void> {
    await until(() => this.subscribed.length >= times, `the page has subscribed ${times} times`, patience);
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

  async renewToken(token: string | undefined): Promise<void> {
    await this.page.evaluate(token => Object.assign(globalThis, { token }), token);
  }

  async signIn(userId: string | null, token: string | undefined): Promise<void> {
    const call = `signIn(${JSON.stringify(userId)}, ${JSON.stringify(token ?? null)})`;
    await this.page.evaluate(call);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.page.close();
  }
}
