import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasBrowser, launchBrowser } from '../support/browser.js';
import { startTestServer, type TestServer } from '../support/server.js';
import { until } from '../support/wait.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const example = (name: string) => join(root, 'examples', name);

describe.skipIf(!hasBrowser)('the examples of pages, in a real browser', () => {
  let browser: Browser;
  let server: TestServer;

  beforeAll(async () => {
    [browser, server] = await Promise.all([launchBrowser(), startTestServer()]);
  });

  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  async function open(url: string): Promise<{ readonly page: Page; readonly complaints: string[] }> {
    const page = await browser.newPage();
    const complaints: string[] = [];
    page.on('console', message => {
      if (message.type() !== 'info') complaints.push(message.text());
    });
    page.on('pageerror', error => complaints.push(error.message));
    // No page has an icon.
    await page.route('**/favicon.ico', route => route.fulfill({ status: 204 }));
    await page.goto(url);
    return { page, complaints };
  }

  const shows = (page: Page, text: string) =>
    until(async () => (await page.locator('main').textContent()) === text, `the page shows ${text}`);

  it('server-rendering: the first picture has the right answers, and is taken over without a complaint', async () => {
    await server.service.management.createFlag({ key: 'new_dashboard', name: 'New', enabled: true });
    const child = spawn(process.execPath, ['--import', 'tsx', join(example('server-rendering'), 'server.tsx')], {
      cwd: root,
      env: {
        ...process.env,
        PORT: '0',
        HALYARD_URL: server.url,
        TSX_TSCONFIG_PATH: join(example('server-rendering'), 'tsconfig.json'),
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const closed = once(child, 'close');
    try {
      const [line] = await Promise.race([once(child.stdout, 'data'), closed]);
      const url = String(line).trim();
      expect(await (await fetch(url)).text()).toContain('<main>The new dashboard</main>');
      const { page, complaints } = await open(url);
      await shows(page, 'The new dashboard');
      await until(() => server.load.streams === 1, 'the page is live');
      await server.service.management.updateFlag({ key: 'new_dashboard', enabled: false });
      await shows(page, 'The old dashboard');
      expect(complaints).toEqual([]);
      await page.close();
    } finally {
      child.kill();
      await closed;
    }
  });

  /** What Vite builds of an example, at an address of its own that passes the API on. */
  async function built(name: string): Promise<AsyncDisposable & { readonly url: string }> {
    const { build, preview } = await import('vite');
    const outDir = await mkdtemp(join(tmpdir(), 'halyard-vite-'));
    const options = { root: example(name), logLevel: 'silent', build: { outDir } } as const;
    await build(options);
    const proxy = { '/graphql': { target: server.url, ws: true } };
    const pages = await preview({ ...options, preview: { host: '127.0.0.1', port: 0, proxy } });
    return {
      url: pages.resolvedUrls?.local[0] ?? '',
      async [Symbol.asyncDispose]() {
        await pages.close();
        await rm(outDir, { recursive: true, force: true });
      },
    };
  }

  it('react-vite: the page that Vite builds changes when a flag is turned on', async () => {
    await using pages = await built('react-vite');
    const { management } = server.service;
    await management.createFlag({ key: 'banner', name: 'Banner' });
    const { page, complaints } = await open(pages.url);
    await shows(page, 'live');
    await management.updateFlag({ key: 'banner', enabled: true });
    await shows(page, 'Free shipping todaylive');
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('apollo: the page that Vite builds changes when a flag is created, turned on and deleted', async () => {
    const { management } = server.service;
    for (const key of ['new_dashboard', 'banner']) await management.deleteFlag({ key });
    await using pages = await built('apollo');
    const { page, complaints } = await open(pages.url);
    await shows(page, 'On: none');
    await until(() => server.load.streams === 1, 'the page is live');
    await management.createFlag({ key: 'first', name: 'First', enabled: true });
    await shows(page, 'On: first');
    await management.createFlag({ key: 'second', name: 'Second' });
    await management.updateFlag({ key: 'second', enabled: true });
    await shows(page, 'On: first, second');
    await management.deleteFlag({ key: 'first' });
    await shows(page, 'On: second');
    expect(complaints).toEqual([]);
    await page.close();
  });
});
