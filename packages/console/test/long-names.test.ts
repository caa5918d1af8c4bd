import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { hasBrowser, launchBrowser } from '../../../test/support/browser.js';
import { startTestServer, type TestServer } from '../../../test/support/server.js';
import { openConsole } from './support/page.js';

const patience = 30_000;
const longKey = 'a_very_long_key_'.repeat(7).slice(0, 100);
const group = 'group_'.repeat(16);
const longUser = 'u'.repeat(120);
const rightToLeft = 'בדיקה של תשלום (checkout) לכל הלקוחות החדשים והוותיקים בכל הארצות';

describe.skipIf(!hasBrowser)('names of any length and direction', { timeout: 3 * patience }, () => {
  let browser: Browser;
  let server: TestServer;

  beforeAll(async () => {
    [browser, server] = await Promise.all([
      launchBrowser(),
      startTestServer({ HALYARD_ENVIRONMENT: 'production-of-the-west' }),
    ]);
    const { management } = server.service;
    await management.createFlag({
      key: longKey,
      name: 'N'.repeat(100),
      enabled: true,
      owner: 'o'.repeat(60),
      tags: ['t'.repeat(40)],
      type: 'STRING',
      offVariant: `variant_${'v'.repeat(30)}0`,
      variants: Array.from({ length: 9 }, (_, i) => ({
        key: `variant_${'v'.repeat(30)}${i}`,
        value: 'x'.repeat(120),
        weight: i,
      })),
      rules: Array.from({ length: 20 }, (_, i) => ({ id: `rule_${'r'.repeat(40)}${i}`, when: { groups: [group] } })),
    });
    await management.createFlag({ key: 'rtl', name: rightToLeft, enabled: true });
    await management.setOverride({ flagKey: longKey, userId: longUser, enabled: true, reason: 'Because '.repeat(30) });
    await management.addToGroup({ group, userIds: ['ann', longUser] });
    await management.addToGroup({ group: 'beta', userIds: ['ann'] });
    await management.setUserAttributes({
      userId: 'ann',
      attributes: { plan: 'pro', ['attribute_'.repeat(9)]: 'v'.repeat(90) },
    });
    await management.createApiKey({ name: 'k'.repeat(90), role: 'READER' });
  }, 3 * patience);
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });
  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
  });

  const screens = [
    ['/', 'Flags'],
    [`/flags/${longKey}`, 'N'.repeat(100)],
    [`/why?user=ann&flag=${longKey}`, 'Override'],
    ['/history', 'History'],
    ['/users', 'Users'],
    ['/users/ann', 'Attributes'],
    ['/groups', 'Groups'],
    [`/groups/${group}`, 'Members'],
    ['/keys', 'Keys'],
    ['/usage', 'Usage'],
  ] as const;

  it.each([
    ['a telephone', 390, 844],
    ['a window at 200 %', 640, 430],
    ['a wide window', 1280, 860],
  ])('are never wider than %s, and each link to them can be seen', async (_name, width, height) => {
    const page = await openConsole(browser, server, { path: '/', viewport: { width, height } });
    for (const [path, heading] of screens) {
      await page.goto(`${server.url}/console${path}`);
      await page.getByRole('heading', { name: heading, exact: true }).first().waitFor();
      await page.waitForLoadState('networkidle');
      const { overflow, narrow, tall } = await page.evaluate(() => ({
        overflow: Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth),
        narrow: [...document.querySelectorAll<HTMLElement>('main a, main dt, main dd')]
          .filter(
            one =>
              (one.textContent ?? '').length > 2 && one.checkVisibility() && one.getBoundingClientRect().width < 12,
          )
          .map(one => one.textContent),
        // One letter a line.
        tall: [...document.querySelectorAll<HTMLElement>('main :is(a, dt, dd, span, p)')]
          .filter(one => one.children.length === 0 && one.textContent !== '' && one.checkVisibility())
          .map(one => ({ text: one.textContent, ...one.getBoundingClientRect().toJSON() }))
          .filter(({ width, height }) => width > 1 && width < 40 && height > 60)
          .map(({ text }) => text),
      }));
      expect({ path, overflow, narrow, tall }).toEqual({ path, overflow: 0, narrow: [], tall: [] });
    }
  });

  it('begin where their language begins, also where they are cut off', async () => {
    const page = await openConsole(browser, server, { path: '/', viewport: { width: 390, height: 844 } });
    const link = page.getByRole('link', { name: rightToLeft });
    await link.waitFor();
    const { direction, isCut } = await link.evaluate(element => ({
      direction: getComputedStyle(element).direction,
      isCut: element.scrollWidth > element.clientWidth,
    }));
    expect({ direction, isCut }).toEqual({ direction: 'rtl', isCut: true });
    await link.click();
    const title = page.getByRole('heading', { name: rightToLeft });
    await title.waitFor();
    expect(await title.evaluate(element => getComputedStyle(element).direction)).toBe('rtl');
  });
});
