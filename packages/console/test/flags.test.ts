import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { hasBrowser, launchBrowser } from '../../../test/support/browser.js';
import { openPGlite } from '../../../test/support/pglite.js';
import { startTestServer, type TestServer } from '../../../test/support/server.js';
import { until } from '../../../test/support/wait.js';
import { seriousFaults } from './support/axe.js';
import { type ConsoleOptions, openConsole } from './support/page.js';

const patience = 30_000;
/** A page that is zoomed to 200 % has half of the pixels. */
const views = [
  ['at 1280 px', 1280, 860],
  ['zoomed to 200 %', 640, 430],
  ['at 390 px', 390, 844],
] as const;

describe.skipIf(!hasBrowser)('the list of flags in a real browser', { timeout: 3 * patience }, () => {
  let browser: Browser;
  let server: TestServer;
  /** What pages wrote to the console of the browser, threw, or asked other hosts for. */
  let complaints: string[];
  let pages: Page[];

  beforeAll(async () => {
    browser = await launchBrowser();
  }, 3 * patience);
  afterAll(() => browser?.close());
  beforeEach(async () => {
    complaints = [];
    pages = [];
    server = await startTestServer({ HALYARD_ENVIRONMENT: 'staging:#7c3aed' });
  }, 3 * patience);
  afterEach(async () => {
    await Promise.all(pages.map(page => page.context().close()));
    await server?.close();
    expect(complaints).toEqual([]);
  });

  async function open(path: string, options: Omit<ConsoleOptions, 'path'> = {}): Promise<Page> {
    const page = await openConsole(browser, server, { ...options, path });
    pages.push(page);
    page.on('pageerror', error => complaints.push(error.message));
    page.on('console', message => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('request', request => {
      if (new URL(request.url()).host !== new URL(server.url).host) complaints.push(request.url());
    });
    return page;
  }

  const create = (key: string, more: object = {}) =>
    server.service.management.createFlag({ key, name: `The ${key}`, enabled: true, ...more });
  const enabledOf = (key: string) => server.service.management.updateFlag({ key }).then(({ value }) => value.enabled);
  const names = (page: Page) => page.locator('[data-link]').allTextContents();

  it('finds flags on the server, and keeps the search in the address over reload, back and forward', async () => {
    for (const key of ['alpha', 'beta', 'gamma']) await create(key, { tags: key === 'gamma' ? ['web'] : [] });
    const page = await open('/');
    await page.getByRole('link', { name: 'The alpha' }).waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('bet');
    await until(async () => (await names(page)).join() === 'The beta', 'one flag is found');
    expect(new URL(page.url()).search).toBe('?search=bet');
    await page.reload();
    await until(async () => (await names(page)).join() === 'The beta', 'it is found again');
    await page.getByRole('link', { name: 'The beta' }).click();
    await page.getByRole('heading', { name: 'The beta' }).waitFor();
    await page.goBack();
    await until(async () => (await names(page)).join() === 'The beta', 'the search is back');
    await page.getByRole('button', { name: 'Clear filters' }).click();
    await until(async () => (await names(page)).length === 3, 'all are there');
    await page.getByLabel('Tag').selectOption('web');
    await until(async () => (await names(page)).join() === 'The gamma', 'one has the tag');
    await page.getByRole('searchbox').fill('nothing has this');
    await page.getByText('No flag matches.').waitFor();
  });

  it('switches a flag, shows it in another browser without a reload, and takes it back', async () => {
    await create('alpha');
    const [one, other] = [await open('/'), await open('/', { userId: 'okta|other' })];
    const switchOf = (page: Page) => page.getByRole('switch', { name: 'The alpha' });
    await switchOf(other).waitFor();
    await switchOf(one).click();
    await until(
      () =>
        switchOf(other)
          .isChecked()
          .then(isOn => !isOn),
      'the other browser shows it off',
    );
    await until(
      () =>
        switchOf(one)
          .isChecked()
          .then(isOn => !isOn),
      'it is off',
    );
    await one.getByText('The alpha is off.').waitFor();
    await one.getByRole('button', { name: 'Undo' }).click();
    await until(() => switchOf(other).isChecked(), 'the other browser shows it on again');
    expect(await enabledOf('alpha')).toBe(true);
    await create('beta');
    await other.getByRole('link', { name: 'The beta' }).waitFor();
  });

  it('shows who has a flag now, as viewers come', async () => {
    await create('alpha');
    await create('beta', { enabled: false });
    const page = await open('/');
    const viewers = Array.from({ length: 3 }, (_, i) => server.service.subscribe({ userId: `user-${i}` }));
    for (const viewer of viewers) {
      await viewer.next();
      void viewer.next();
    }
    await page.getByTitle('On for 3 of 3 viewers').waitFor();
    await page.getByTitle('On for 0 of 3 viewers').waitFor();
    await viewers[0]?.return?.();
    await page.getByTitle('On for 2 of 2 viewers').waitFor();
    await Promise.all(viewers.map(viewer => viewer.return?.()));
  });

  it('shows every flag of a long list once, also when one is made that moves all pages', async () => {
    const keys = Array.from({ length: 120 }, (_, i) => `flag-${String(i).padStart(3, '0')}`);
    for (const key of keys) await create(key);
    const page = await open('/');
    const rows = page.locator('[data-index]');
    await until(async () => {
      await page.mouse.wheel(0, 5_000);
      return (await rows.count()) === 120;
    }, 'all pages are there');
    await create('aaa');
    const refresh = page.getByRole('button', { name: '1 changed, refresh order' });
    await refresh.waitFor();
    expect(await names(page)).toEqual(keys.map(key => `The ${key}`));
    await refresh.click();
    await until(async () => (await rows.count()) === 121, 'none is missing');
    expect(new Set(await names(page)).size).toBe(121);
    await server.service.management.deleteFlag({ key: 'flag-060' });
    await refresh.click();
    await until(async () => (await rows.count()) === 120, 'one is gone');
    expect(new Set(await names(page)).size).toBe(120);
  });

  it('changes several flags at once, with one undo', async () => {
    for (const key of ['alpha', 'beta', 'gamma']) await create(key);
    const page = await open('/');
    await page.getByRole('link', { name: 'The alpha' }).focus();
    await page.keyboard.press('x');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Shift+X');
    const bar = page.getByRole('region', { name: 'Selected flags' });
    await bar.getByText('3 flags selected').waitFor();
    await bar.getByRole('button', { name: 'Switch off' }).click();
    await until(async () => !(await enabledOf('gamma')), 'they are off');
    await page.getByRole('button', { name: 'Undo' }).click();
    await until(
      async () => (await Promise.all(['alpha', 'beta', 'gamma'].map(enabledOf))).every(Boolean),
      'they are on again',
    );
    await bar.getByLabel('Tag to add').fill('spring');
    await bar.getByRole('button', { name: 'Add', exact: true }).click();
    await page.getByText('3 flags tagged spring.').waitFor();
  });

  it('asks for the name of a protected server, and says who gains and loses', async () => {
    await server.close();
    server = await startTestServer({ HALYARD_ENVIRONMENT: 'live', HALYARD_PROTECTED: 'true' });
    await create('alpha');
    const page = await open('/');
    await page.getByRole('switch', { name: 'The alpha' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('0 viewers gain it, 0 lose it').waitFor();
    expect(await dialog.getByRole('button', { name: 'Save' }).isDisabled()).toBe(true);
    await dialog.getByLabel('Type live to confirm').fill('live');
    await page.keyboard.press('Enter');
    await until(async () => !(await enabledOf('alpha')), 'it is off');
  });

  it('creates a flag, and says at the field what is wrong', async () => {
    await create('alpha');
    const page = await open('/');
    await page.getByRole('heading', { name: 'Flags' }).waitFor();
    await page.keyboard.press('n');
    await page.getByLabel('Name', { exact: true }).fill('Alpha');
    await page.keyboard.press('Enter');
    await until(
      async () => (await page.getByLabel('Key', { exact: true }).getAttribute('aria-invalid')) === 'true',
      'the key is taken',
    );
    await page.getByLabel('Name', { exact: true }).fill('Größere Schrift');
    expect(await page.getByLabel('Key', { exact: true }).inputValue()).toBe('grossere_schrift');
    await page.getByLabel('Key', { exact: true }).fill('-');
    await page.getByRole('button', { name: 'Create' }).click();
    await page.getByText(/letters, digits/).waitFor();
    await page.getByLabel('Key', { exact: true }).fill('large_type');
    await page.getByRole('button', { name: 'Create' }).click();
    await page.getByRole('heading', { name: 'Größere Schrift' }).waitFor();
    expect(new URL(page.url()).pathname).toBe('/console/flags/large_type');
  });

  it('a reader sees everything, and nothing that changes it', async () => {
    await create('alpha');
    const page = await open('/', { role: 'reader' });
    await page.getByRole('link', { name: 'The alpha' }).waitFor();
    expect(await page.getByRole('switch').count()).toBe(0);
    expect(await page.getByRole('button', { name: 'New flag' }).count()).toBe(0);
    await page.getByText('Reader: sees everything, changes nothing').waitFor();
  });

  it('goes back to the sign-in with the reason when the credential is refused, and takes another one', async () => {
    const page = await open('/', { role: 'user' });
    await page.getByText('The console is for admins and readers').waitFor();
    expect(await page.evaluate(() => sessionStorage.getItem('halyard.credential'))).toBeNull();
    await page.getByLabel('Token or API key').fill('no token');
    await page.keyboard.press('Enter');
    await page.getByText('has no blanks').waitFor();
    expect(await seriousFaults(page)).toEqual([]);
    await page.getByLabel('Token or API key').fill((await server.token('admin')) as string);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { name: 'Flags' }).waitFor();
  });

  it('ends a refused session without an error that nobody caught', async () => {
    const page = await open('/');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Token or API key').fill('no.token.atall');
    await page.keyboard.press('Enter');
    await page.getByText('not a well-formed').waitFor();
    await page.waitForTimeout(300);
    complaints = complaints.filter(text => !/status of 401|WebSocket/.test(text));
  });

  it('says why the server refuses a search', async () => {
    await create('alpha');
    const page = await open('/');
    await page.getByRole('link', { name: 'The alpha' }).waitFor();
    await page.goto(`${server.url}/console/?search=%00`);
    await page.getByText('This could not be read.').waitFor();
    await page.getByText('search:').waitFor();
    complaints = complaints.filter(text => !/status of 400/.test(text));
  });

  it('gives the focus back when a dialog is cancelled', async () => {
    const page = await open('/');
    await page.getByRole('button', { name: 'New flag' }).first().click();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(await page.evaluate(() => document.activeElement?.textContent)).toContain('New flag');
  });

  it('keeps what it shows while the server is away, and goes on without a click', async () => {
    const database = await openPGlite();
    await server.close();
    const env = { HALYARD_ENVIRONMENT: 'staging', AUTH_JWT_SECRET: 'the secret of the tests of 32 bytes or more' };
    const closing = database.close.bind(database);
    Object.assign(database, { close: async () => {} });
    server = await startTestServer(env, { database });
    await create('alpha');
    const page = await open('/');
    await page.getByRole('link', { name: 'The alpha' }).waitFor();
    const { port } = server;
    await server.close();
    await page.getByText(/Showing what was true at/).waitFor();
    await page.getByRole('link', { name: 'The alpha' }).waitFor();
    expect(await seriousFaults(page)).toEqual([]);
    server = await startTestServer({ ...env, PORT: String(port) }, { database });
    await create('beta');
    await page.getByRole('link', { name: 'The beta' }).waitFor();
    expect(await page.getByText(/Showing what was true at/).count()).toBe(0);
    // Chromium reports each attempt that found no server.
    complaints = complaints.filter(text => !/ERR_CONNECTION_REFUSED|WebSocket/.test(text));
    await page.context().close();
    await server.close();
    await closing();
  });

  it('stored text never becomes markup', async () => {
    const nasty = '<img src=x onerror="document.title=1"><script>document.title=2</script>';
    await create('alpha', { name: nasty.slice(0, 90), tags: ['<b>tag</b>'], owner: '<i>owner</i>' });
    const page = await open('/');
    await page.getByRole('link', { name: '<img src=x' }).waitFor();
    expect(await page.locator('main img, main script').count()).toBe(0);
    expect(await page.title()).toBe('Flags · staging · Halyard');
  });

  it.each(['light', 'dark'] as const)('has no serious fault of accessibility on any screen, %s', async colorScheme => {
    await create('alpha', {
      percentage: 40,
      conditions: { attributes: { plan: ['pro', 'team'] } },
      rules: [{ id: 'staff', when: { groups: ['staff'] } }],
    });
    await create('beta', {
      type: 'STRING',
      enabled: false,
      variants: [
        { key: 'a', value: 'a', weight: 1 },
        { key: 'b', value: 'b', weight: 2 },
      ],
      offVariant: 'a',
    });
    await server.service.management.addToGroup({ group: 'staff', userIds: ['ann'] });
    await server.service.management.setOverride({ flagKey: 'alpha', userId: 'ann', enabled: false });
    const screens = [
      '/',
      '/flags/alpha',
      '/flags/beta',
      '/users',
      '/users/ann',
      '/groups',
      '/groups/staff',
      '/why?user=ann&flag=alpha',
      '/history',
      '/usage',
      '/keys',
    ];
    const page = await open('/', { colorScheme, reducedMotion: 'reduce' });
    const found: string[] = [];
    for (const path of screens) {
      await page.goto(`${server.url}/console${path}`);
      await page.getByRole('heading', { level: 1 }).waitFor();
      await page.waitForLoadState('networkidle').catch(() => {});
      expect(await page.title(), path).toMatch(/^.+ · staging · Halyard$/);
      found.push(...(await seriousFaults(page)).map(fault => `${path} ${fault}`));
      for (const [view, width, height] of views) {
        await page.setViewportSize({ width, height });
        const isWide = await page.evaluate(
          () => document.documentElement.scrollWidth > document.documentElement.clientWidth,
        );
        if (isWide) found.push(`${path} scrolls sideways ${view}`);
      }
      await page.setViewportSize({ width: 1280, height: 860 });
    }
    expect(found).toEqual([]);
  });
});
