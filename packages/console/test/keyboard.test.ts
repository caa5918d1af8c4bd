import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasBrowser, launchBrowser } from '../../../test/support/browser.js';
import { startTestServer, type TestServer } from '../../../test/support/server.js';
import { until } from '../../../test/support/wait.js';
import { openConsole } from './support/page.js';

const patience = 30_000;

describe.skipIf(!hasBrowser)('with the keyboard alone', { timeout: 3 * patience }, () => {
  let browser: Browser;
  let server: TestServer;

  beforeAll(async () => {
    [browser, server] = await Promise.all([launchBrowser(), startTestServer({ HALYARD_ENVIRONMENT: 'staging' })]);
  }, 3 * patience);
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  const flag = () => server.service.management.updateFlag({ key: 'new_checkout' }).then(({ value }) => value);

  /** The name of what has the focus, as a reader of screens says it, and whether it is seen to have it. */
  const focused = (page: Page) =>
    page.evaluate(() => {
      const element = document.activeElement as HTMLElement;
      const labels = (element as HTMLInputElement).labels ?? [];
      const name = element.getAttribute('aria-label') ?? labels[0]?.textContent ?? element.textContent ?? '';
      const { boxShadow, outlineStyle } = getComputedStyle(element);
      const around = element.parentElement === null ? '' : getComputedStyle(element.parentElement).boxShadow;
      // The ring of a slider is around its thumb, which scripts cannot look at.
      const isSlider = element.matches('input[type=range]');
      const isVisible = isSlider || outlineStyle !== 'none' || [boxShadow, around].some(shadow => shadow !== 'none');
      return { name: name.trim(), isVisible };
    });

  /** Goes on from element to element until one has this name, which is seen to have the focus. */
  async function tabTo(page: Page, name: string | RegExp, key = 'Tab'): Promise<void> {
    const passed: string[] = [];
    for (let step = 0; step < 80; step += 1) {
      await page.keyboard.press(key);
      const at = await focused(page);
      passed.push(at.name);
      const isIt = typeof name === 'string' ? at.name === name : name.test(at.name);
      if (!isIt) continue;
      expect(at.isVisible, `the focus on ${at.name} is visible`).toBe(true);
      return;
    }
    throw new Error(`No ${key} leads to ${name}. It led to: ${passed.join(', ')}`);
  }

  it('a flag with a rule is made, rolled out, explained, and taken back', async () => {
    const page = await openConsole(browser, server, { path: '/' });
    await page.getByRole('heading', { name: 'Flags' }).waitFor();
    await page.keyboard.press('n');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.type('New checkout');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'New checkout' }).waitFor();

    await tabTo(page, 'Rule');
    await page.keyboard.press('Enter');
    await tabTo(page, 'Attribute');
    await page.keyboard.type('plan');
    await tabTo(page, 'Values of plan');
    await page.keyboard.type('pro,');
    await tabTo(page, 'Done');
    await page.keyboard.press('Enter');
    await tabTo(page, /Rollout in percent/);
    const before = await page.evaluate(() => (document.activeElement as HTMLInputElement).value);
    expect(before).toBe('100');
    for (let step = 0; step < 5; step += 1) await page.keyboard.press('Shift+ArrowLeft');
    await page.keyboard.press('Control+Enter');
    await until(async () => (await flag()).rules.length === 1, 'the rule is saved');
    expect(await flag()).toMatchObject({ percentage: 50, enabled: false });

    await page.evaluate(() => (document.activeElement as HTMLElement).blur());
    await tabTo(page, 'New checkout', 'Shift+Tab');
    await page.keyboard.press('Space');
    await until(async () => (await flag()).enabled, 'it is on');

    await page.keyboard.press('g');
    await page.keyboard.press('w');
    await page.getByRole('heading', { name: 'Why', exact: true }).waitFor();
    await tabTo(page, 'User id');
    await page.keyboard.type('ann');
    await tabTo(page, /^Flag(New|$)/);
    await page.keyboard.type('new_checkout');
    await page.keyboard.press('Enter');
    await page.getByText('Text to paste').waitFor();
    expect(await page.locator('main').textContent()).toMatch(/bucket/);

    await page.evaluate(() => (document.activeElement as HTMLElement).blur());
    await page.keyboard.press('g');
    await page.keyboard.press('h');
    await page.getByRole('heading', { name: 'History', exact: true }).waitFor();
    await page
      .getByText(/switched/)
      .first()
      .waitFor();
    await tabTo(page, 'Undo');
    await page.keyboard.press('Enter');
    await until(async () => !(await flag()).enabled, 'the last change is taken back');
    await page.context().close();
  });
});
