import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasBrowser, launchBrowser } from '../../../test/support/browser.js';
import { startTestServer, type TestServer } from '../../../test/support/server.js';
import { openConsole } from './support/page.js';

const patience = 30_000;

describe.skipIf(!hasBrowser)('a round with the Tab key', { timeout: 3 * patience }, () => {
  let browser: Browser;
  let server: TestServer;

  beforeAll(async () => {
    [browser, server] = await Promise.all([launchBrowser(), startTestServer({ HALYARD_ENVIRONMENT: 'staging' })]);
    const { management } = server.service;
    await management.createFlag({
      key: 'round',
      name: 'Round',
      enabled: true,
      type: 'STRING',
      offVariant: 'a',
      variants: ['a', 'b'].map(key => ({ key, value: key, weight: 1 })),
      rules: ['one', 'two'].map(id => ({ id, when: { groups: [id] } })),
    });
    await management.setOverride({ flagKey: 'round', userId: 'ann', enabled: true });
    await management.setUserAttributes({ userId: 'ann', attributes: { plan: 'pro' } });
    await management.addToGroup({ group: 'crew', userIds: ['ann'] });
    await management.createApiKey({ name: 'ci', role: 'READER' });
  }, 3 * patience);
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  it.each([
    ['Flags', '/'],
    ['Round', '/flags/round'],
    ['Why', '/why?user=ann&flag=round'],
    ['History', '/history'],
    ['Users', '/users'],
    ['ann', '/users/ann'],
    ['Groups', '/groups'],
    ['crew', '/groups/crew'],
    ['Keys', '/keys'],
    ['Usage', '/usage?flag=round'],
    ['Nothing is at this address.', '/nowhere'],
  ])('comes to each control of the screen %s, and each shows the focus', async (heading, path) => {
    const page = await openConsole(browser, server, { path });
    await page.getByRole('heading', { name: heading, exact: true }).first().waitFor();
    await page.waitForLoadState('networkidle');
    /** The controls that a person sees. Of buttons of which one is chosen, the Tab key comes to one alone; so it does in a grid. */
    const controls = () =>
      page.evaluate(() => {
        const all = document.querySelectorAll<HTMLElement>('a[href], button, input, select, textarea, summary');
        return [...all]
          .filter(one => one.checkVisibility() && one.closest('[popover], dialog') === null)
          .filter(one => !one.matches(':disabled') && one.closest('[role=grid]') === null)
          .filter(one => one.getBoundingClientRect().width > 1)
          .filter(one => one.dataset['seen'] === undefined)
          .map(one => `${one.localName} ${one.getAttribute('aria-label') ?? one.textContent ?? ''}`);
      });
    const withoutRing: string[] = [];
    for (let step = 0; step < 150; step += 1) {
      await page.keyboard.press('Tab');
      const at = await page.evaluate(() => {
        const one = document.activeElement as HTMLElement;
        if (one === document.body) return 'end';
        const { boxShadow, outlineStyle } = getComputedStyle(one);
        const rings = [one.parentElement as Element, one.closest('[role=row]') ?? one].map(
          at => getComputedStyle(at).boxShadow,
        );
        rings.push(boxShadow, getComputedStyle(one, '::after').boxShadow);
        // The ring of a slider is around its thumb, which scripts cannot look at.
        const isShown =
          one.matches('input[type=range]') || outlineStyle !== 'none' || rings.some(ring => ring !== 'none');
        // A field with a time has several parts, and the Tab key comes to each.
        const isSame = one.dataset['seen'] === 'now';
        const wasSeen = !isSame && one.dataset['seen'] !== undefined;
        for (const before of document.querySelectorAll<HTMLElement>('[data-seen=now]')) before.dataset['seen'] = '';
        one.dataset['seen'] = 'now';
        const { top, bottom, width } = one.getBoundingClientRect();
        const isInView = width <= 1 || (bottom > 0 && top < innerHeight);
        return wasSeen
          ? 'again'
          : isShown && isInView
            ? 'shown'
            : `${one.localName} ${one.getAttribute('aria-label') ?? one.textContent}`;
      });
      if (at === 'end' || at === 'again') break;
      if (at !== 'shown') withoutRing.push(at);
    }
    expect(withoutRing).toEqual([]);
    expect(await controls()).toEqual([]);
    await page.context().close();
  });
});
