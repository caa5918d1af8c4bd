import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { hasBrowser, launchBrowser } from '../../../test/support/browser.js';
import { startTestServer, type TestServer } from '../../../test/support/server.js';
import { until } from '../../../test/support/wait.js';
import { seriousFaults } from './support/axe.js';
import { openConsole } from './support/page.js';

const patience = 30_000;

describe.skipIf(!hasBrowser)('many flags at once', { timeout: 3 * patience }, () => {
  let browser: Browser;
  let server: TestServer;

  beforeAll(async () => {
    [browser, server] = await Promise.all([launchBrowser(), startTestServer()]);
  }, 3 * patience);
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });
  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
  });

  /** Flags whose names begin with a word, and the list of them. */
  async function openList(word: string, size: number): Promise<{ page: Page; keys: readonly string[] }> {
    const keys = Array.from({ length: size }, (_, number) => `${word}_${String(number).padStart(3, '0')}`);
    const definitions = keys.map(key => ({ key, name: key, enabled: false, tags: ['old'] }));
    await server.service.management.applyDefinitions({ definitions });
    const page = await openConsole(browser, server, { path: `/?search=${word}_&tag=old` });
    page.setDefaultTimeout(patience);
    return { page, keys };
  }
  const stored = async (keys: readonly string[]) =>
    (await server.service.management.updateFlags({ flags: keys.map(key => ({ key })) })).value;
  const bar = (page: Page) => page.getByRole('region', { name: 'Selected flags' });
  async function selectAll(page: Page, size: number): Promise<void> {
    await page.getByRole('checkbox', { name: 'Select all flags' }).click();
    await bar(page)
      .getByText(`${size} flags selected`, { exact: size <= 500 })
      .waitFor();
  }
  const act = (page: Page, name: string) => bar(page).getByRole('button', { name }).click();
  /** Holds what the page sends back from the server, until the result is called. */
  async function hold(page: Page, operation: string): Promise<() => void> {
    let release = () => {};
    const released = new Promise<void>(resolve => {
      release = resolve;
    });
    await page.route('**/graphql', async route => {
      if (route.request().postData()?.includes(operation)) await released;
      await route.continue();
    });
    return release;
  }

  it('all 300 that match a filter are selected with one click, changed, tagged, and each change is taken back with one undo', async () => {
    const { page, keys } = await openList('all', 300);
    const box = page.getByRole('checkbox', { name: 'Select all flags' });
    await page.getByRole('checkbox', { name: 'Select all_001' }).check();
    expect(await box.evaluate((one: HTMLInputElement) => one.indeterminate)).toBe(true);
    await selectAll(page, 300);
    expect(await box.isChecked()).toBe(true);
    expect(await seriousFaults(page)).toEqual([]);
    await act(page, 'Switch on');
    await page.getByText('300 flags switched on.').waitFor();
    expect((await stored(keys)).filter(({ enabled }) => enabled).length).toBe(300);
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByText('Taken back.').waitFor();
    expect((await stored(keys)).filter(({ enabled }) => enabled).length).toBe(0);
    await bar(page).getByLabel('Tag to add').fill('spring');
    await page.keyboard.press('Enter');
    await page.getByText('300 flags tagged spring.').waitFor();
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByText('Taken back.').waitFor();
    expect((await stored(keys)).every(({ tags }) => tags.join() === 'old')).toBe(true);
    await box.click();
    await bar(page).waitFor({ state: 'detached' });
  });

  it('more flags than can be changed at once are said to be too many', async () => {
    const { page } = await openList('most', 501);
    await selectAll(page, 501);
    await bar(page).getByText('At most 500 can be changed at once.').waitFor();
    expect(await bar(page).getByRole('button', { name: 'Switch on' }).isDisabled()).toBe(true);
    await page.getByRole('checkbox', { name: 'Select most_000' }).uncheck();
    await act(page, 'Switch on');
    await page.getByText('500 flags switched on.').waitFor();
  });

  it('a flag that was deleted meanwhile is named and not selected any more, and the others can be changed', async () => {
    const { page, keys } = await openList('gone', 60);
    await selectAll(page, 60);
    const release = await hold(page, 'mutation UpdateFlags');
    await act(page, 'Switch on');
    await server.service.management.deleteFlag({ key: 'gone_030' });
    release();
    await page.getByRole('alert').getByText('The flag gone_030 was deleted meanwhile. Nothing was changed.').waitFor();
    await bar(page).getByText('59 flags selected', { exact: true }).waitFor();
    await act(page, 'Switch on');
    await page.getByText('59 flags switched on.').waitFor();
    const others = keys.filter(key => key !== 'gone_030');
    expect((await stored(others)).every(({ enabled }) => enabled)).toBe(true);
    expect((await page.getByRole('alert').allInnerTexts()).join('')).toBe('');
  });

  it('a tag is added to the tags that somebody else has set meanwhile', async () => {
    const { page, keys } = await openList('tags', 60);
    await selectAll(page, 60);
    const release = await hold(page, 'mutation UpdateFlags');
    await bar(page).getByLabel('Tag to add').fill('spring');
    await page.keyboard.press('Enter');
    await server.service.management.updateFlag({ key: 'tags_030', tags: ['theirs'] });
    release();
    await page.getByText('60 flags tagged spring.').waitFor();
    const tags = (await stored(keys)).map(flag => [...flag.tags].sort().join());
    expect(new Set(tags)).toEqual(new Set(['old,spring', 'spring,theirs']));
    expect(tags[30]).toBe('spring,theirs');
  });

  it('an undo that others are in the way of names their flags, takes nothing back, and says how to go on', async () => {
    const { page, keys } = await openList('undo', 60);
    await selectAll(page, 60);
    await act(page, 'Switch on');
    await page.getByText('60 flags switched on.').waitFor();
    await server.service.management.updateFlag({ key: 'undo_010', enabled: false });
    await server.service.management.updateFlag({ key: 'undo_011', name: 'undo_renamed' });
    await page.getByRole('button', { name: 'Undo' }).click();
    const alert = page.getByRole('alert').filter({ hasText: 'undo_010, undo_011 were changed again since.' });
    await alert.getByText('Nothing was taken back').waitFor();
    expect((await stored(keys)).filter(({ enabled }) => enabled).length).toBe(59);
  });

  it('a tag that is refused stays in its field', async () => {
    const { page } = await openList('refused', 2);
    await selectAll(page, 2);
    const field = bar(page).getByLabel('Tag to add');
    await page.route('**/graphql', async route => {
      if (route.request().postData()?.includes('mutation UpdateFlags')) await route.abort();
      else await route.continue();
    });
    await field.fill('spring');
    await page.keyboard.press('Enter');
    await page.getByText('The server did not answer.').waitFor();
    expect(await field.inputValue()).toBe('spring');
    await page.unroute('**/graphql');
    await field.press('Enter');
    await page.getByText('2 flags tagged spring.').waitFor();
    await until(async () => (await field.inputValue()) === '', 'the field is free');
  });
});
