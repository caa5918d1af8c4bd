import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { codeLife, makeCode } from '../../../src/auth/sign-in-codes.js';
import { hasBrowser, launchBrowser } from '../../../test/support/browser.js';
import { notClosing, openPGlite } from '../../../test/support/pglite.js';
import { startTestServer, type TestServer } from '../../../test/support/server.js';
import { openConsole } from './support/page.js';

const patience = 30_000;

describe.skipIf(!hasBrowser)('signing in with the code of `halyard console`', { timeout: 3 * patience }, () => {
  const secret = randomBytes(32).toString('hex');
  let browser: Browser;
  let server: TestServer;

  beforeAll(async () => {
    [browser, server] = await Promise.all([
      launchBrowser(),
      startTestServer({ AUTH_JWT_SECRET: secret, HALYARD_ENVIRONMENT: 'staging' }),
    ]);
  }, 3 * patience);
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });
  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
  });

  const newCode = () => makeCode(new TextEncoder().encode(secret), { userId: 'cli:kim', expiresInSeconds: 600 });

  async function oldCode(): Promise<string> {
    const now = Date.now;
    Date.now = () => now() - 2 * codeLife * 1_000;
    try {
      return await newCode();
    } finally {
      Date.now = now;
    }
  }

  async function open(address: string, context?: BrowserContext): Promise<Page> {
    const page = await (context ?? (await browser.newContext({ locale: 'en-GB' }))).newPage();
    page.setDefaultTimeout(15_000);
    await page.goto(address);
    return page;
  }
  const at = (path: string) => `${server.url}/console${path}`;
  const flags = (page: Page) => page.getByRole('heading', { name: 'Flags' });
  const signIn = (page: Page) => page.getByRole('heading', { name: 'Sign in to Halyard' });
  /** What the browser keeps of where this tab has been, and what pages of it can read. */
  const kept = (page: Page) =>
    page.evaluate(() => JSON.stringify([location.href, history.state, { ...localStorage }, document.cookie]));

  it('takes one code in one of two tabs that are opened at once, and tells the other what to do', async () => {
    const code = await newCode();
    const context = await browser.newContext();
    const pages = await Promise.all([1, 2].map(() => open(at(`/#code=${code}`), context)));
    await Promise.all(pages.map(page => flags(page).or(signIn(page)).waitFor()));
    const isIn = await Promise.all(pages.map(page => flags(page).isVisible()));
    expect(isIn.filter(Boolean)).toHaveLength(1);
    const other = pages[isIn.indexOf(false)] as Page;
    await other.getByRole('alert').getByText('used before').waitFor();
    expect(await other.getByRole('alert').innerText()).toContain('Run "halyard console" again.');
    for (const page of pages) expect(await kept(page)).not.toContain(code);
  });

  it('stays signed in after a reload and on the way back, and the code is in no entry of the history', async () => {
    const code = await newCode();
    const page = await open('about:blank');
    await page.goto(at(`/history#code=${code}`));
    await page.getByRole('heading', { name: 'History' }).waitFor();
    expect(page.url()).toBe(at('/history'));
    await page.reload();
    await page.getByRole('heading', { name: 'History' }).waitFor();
    await page.getByRole('navigation', { name: 'Screens' }).first().getByRole('link', { name: 'Flags' }).click();
    await flags(page).waitFor();
    await page.goBack();
    await page.getByRole('heading', { name: 'History' }).waitFor();
    expect(await kept(page)).not.toContain(code);
    await page.goBack();
    expect(page.url()).toBe('about:blank');
    await page.goForward();
    await page.getByRole('heading', { name: 'History' }).waitFor();
    expect(await kept(page)).not.toContain(code);
  });

  it.each<[string, () => Promise<string> | string]>([
    ['that has expired', oldCode],
    ['that is empty', () => ''],
    ['of garbage', () => '%E0%A4%A<script>alert(1)</script>'],
    ['that is far too long', () => 'x'.repeat(5_000)],
    ['that a person has cut off', async () => (await newCode()).slice(0, -5)],
  ])('a code %s leaves the address, and the message says what to do', async (_name, make) => {
    const page = await open(at(`/#code=${await make()}`));
    await signIn(page).waitFor();
    const said = await page.getByRole('alert').innerText();
    expect(said).toContain('Run "halyard console" again.');
    expect(said).toContain('code');
    expect(said).not.toMatch(/body|[{}]/);
    expect(page.url()).toBe(at('/'));
  });

  it.each([
    ['opened', (page: Page, address: string) => page.goto('about:blank').then(() => page.goto(address))],
    ['pasted into the open console', (page: Page, address: string) => page.goto(address)],
  ])('a bad code that is %s leaves a session as it is, and says so', async (_name, go) => {
    const page = await openConsole(browser, server, { path: '/', userId: 'okta|m.admin' });
    await flags(page).waitFor();
    const before = await page.evaluate(() => sessionStorage.getItem('halyard.credential'));
    await go(page, at('/#code=bad'));
    const notice = page.getByRole('alert').filter({ hasText: 'The code is not valid' });
    await notice.getByText('You are still signed in as before.').waitFor();
    expect(await page.evaluate(() => sessionStorage.getItem('halyard.credential'))).toBe(before);
    expect(page.url()).toBe(at('/'));
    await page.getByRole('complementary').getByText('okta|m.admin').first().waitFor();
    await notice.getByRole('button', { name: 'Dismiss' }).focus();
    await page.keyboard.press('Enter');
    await notice.waitFor({ state: 'detached' });
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('main');
  });

  it('a good code signs in as its user, in place of who was signed in before', async () => {
    // Not by openConsole, which would sign its user in at each load.
    const page = await open(at('/'));
    await page.getByLabel('Token or API key').fill((await server.token('reader', { userId: 'desk' })) ?? '');
    await page.keyboard.press('Enter');
    await page.getByText('desk').first().waitFor();
    await page.goto(at(`/#code=${await newCode()}`));
    await page.getByText('cli:kim').first().waitFor();
    await page.reload();
    await page.getByText('cli:kim').first().waitFor();
    expect(page.url()).toBe(at('/'));
  });

  it('has the focus in the field, also after a credential was refused and after signing out', async () => {
    const page = await open(at('/'));
    const field = page.getByLabel('Token or API key');
    const hasFocus = () => field.evaluate(element => element === document.activeElement);
    await signIn(page).waitFor();
    expect(await hasFocus()).toBe(true);
    await page.keyboard.type('no.token.atall');
    await page.keyboard.press('Enter');
    await page.getByText('not a well-formed').waitFor();
    expect(await hasFocus()).toBe(true);
    await page.keyboard.type((await server.token('admin')) ?? '');
    await page.keyboard.press('Enter');
    await flags(page).waitFor();
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('main');
    await page.getByRole('button', { name: 'Sign out' }).focus();
    await page.keyboard.press('Enter');
    await signIn(page).waitFor();
    expect(await hasFocus()).toBe(true);
  });

  it('a code counts once, before or after a restart of the server, and one that is opened between says what to do', async () => {
    await using database = await disposable(openPGlite());
    const env = { AUTH_JWT_SECRET: secret, PORT: String(await freePort()) };
    const start = () => startTestServer(env, { database: notClosing(database.value) });
    const first = await start();
    const [used, lost, unused] = await Promise.all(
      [1, 2, 3].map(async () => `${first.url}/console/#code=${await newCode()}`),
    );
    const page = await open(used as string);
    await flags(page).waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await first.close();
    await page.goto(lost as string);
    await page.getByRole('alert').getByText('The server did not answer. Run "halyard console" again.').waitFor();
    expect(page.url()).toBe(`${first.url}/console/`);
    await using _second = await start();
    await page.goto(used as string);
    await page.getByRole('alert').getByText('used before').waitFor();
    await page.goto(unused as string);
    await flags(page).waitFor();
  });
});

/** Something that is closed at the end of its block. */
async function disposable<T extends { close(): Promise<unknown> }>(opening: Promise<T>) {
  const value = await opening;
  return { value, [Symbol.asyncDispose]: async () => void (await value.close()) };
}

/** A port that nothing listens on. */
async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>(resolve => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as { port: number };
  await new Promise(resolve => probe.close(resolve));
  return port;
}
