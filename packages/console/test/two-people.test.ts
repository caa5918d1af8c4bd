import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { hasBrowser, launchBrowser } from '../../../test/support/browser.js';
import { startTestServer, type TestServer } from '../../../test/support/server.js';
import { until } from '../../../test/support/wait.js';
import { seriousFaults } from './support/axe.js';
import { openConsole } from './support/page.js';

const patience = 30_000;

describe.skipIf(!hasBrowser)('two people on one flag', { timeout: 3 * patience }, () => {
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

  const rollout = (page: Page) => page.getByRole('textbox', { name: 'Rollout in percent' });
  const save = (page: Page) => page.locator('#draft').getByRole('button', { name: /^Save/ });
  async function both(key: string): Promise<readonly [Page, Page]> {
    await server.service.management.createFlag({ key, name: key, enabled: true, percentage: 10, tags: ['web'] });
    const path = `/flags/${key}`;
    return [
      await openConsole(browser, server, { path }),
      await openConsole(browser, server, { path, userId: 'okta|t.ops' }),
    ];
  }
  const stored = (key: string) => server.service.management.updateFlag({ key }).then(({ value }) => value);

  it('a flag that is deleted while the other edits it says so, shows what was typed, and has it again when it is back', async () => {
    const [mine] = await both('deleted');
    await rollout(mine).fill('60');
    await mine.getByLabel('Owner').fill('growth');
    await server.service.management.deleteFlag({ key: 'deleted' });
    await mine.getByRole('heading', { name: 'deleted was deleted.' }).waitFor();
    const typed = mine.getByLabel('Unsaved changes');
    expect(await typed.innerText()).toMatch(/percentage\s+10 → 60\s+owner\s+nothing → growth/);
    expect(await seriousFaults(mine)).toEqual([]);
    await mine.getByRole('link', { name: 'Bring it back in the history' }).click();
    await mine.getByText('deleted the flag').waitFor();
    await mine
      .getByRole('button', { name: /^(Undo|Revert)/ })
      .first()
      .click();
    await until(async () => (await stored('deleted').catch(() => null)) !== null, 'the flag is back');
    await mine.goBack();
    await until(async () => (await rollout(mine).inputValue()) === '60', 'the draft is back');
    await save(mine).click();
    await mine.getByText('Saved 2 changes.').waitFor();
    expect(await stored('deleted')).toMatchObject({ percentage: 60, owner: 'growth' });
  });

  it('who saves second is told that nothing was saved, by whom it was changed, and can save over it', async () => {
    const [mine, theirs] = await both('second');
    let release = () => {};
    const released = new Promise<void>(resolve => {
      release = resolve;
    });
    await mine.route('**/graphql', async route => {
      if (route.request().postData()?.includes('mutation UpdateFlag')) await released;
      await route.continue();
    });
    await rollout(mine).fill('60');
    await save(mine).click();
    await rollout(theirs).fill('30');
    await save(theirs).click();
    await theirs.getByText('Saved 1 change.').waitFor();
    release();
    await mine.locator('#draft').getByText('Somebody else saved first, so this was not saved.').waitFor();
    await mine.getByText('okta|t.ops saved 1 field.').waitFor();
    expect((await stored('second')).percentage).toBe(30);
    await mine.getByRole('button', { name: 'Compare' }).click();
    await rollout(mine).fill('70');
    await mine.getByRole('group', { name: 'percentage' }).getByText('70', { exact: true }).waitFor();
    await save(mine).click();
    await until(async () => (await rollout(theirs).inputValue()) === '70', 'the other form shows it');
    expect(await mine.getByText('Somebody else saved first').count()).toBe(0);
  });

  it('a new name and new tags appear in the open form under what the other has changed', async () => {
    const [mine, theirs] = await both('renamed');
    await rollout(mine).fill('60');
    await theirs.getByRole('textbox', { name: 'Name' }).fill('Another name');
    await theirs.getByLabel('Tags, with commas').fill('mobile, web');
    await save(theirs).click();
    await mine.getByRole('heading', { name: 'Another name' }).waitFor();
    await mine.getByText('okta|t.ops saved 2 fields. Your change is kept.').waitFor();
    expect(await mine.getByLabel('Tags, with commas').inputValue()).toBe('mobile, web');
    expect(await mine.getByRole('button', { name: 'Compare' }).count()).toBe(0);
    await save(mine).click();
    await until(async () => (await stored('renamed')).percentage === 60, 'it is saved');
    expect(await stored('renamed')).toMatchObject({ name: 'Another name', tags: ['mobile', 'web'] });
  });
});
