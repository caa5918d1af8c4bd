import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { hasBrowser, launchBrowser } from '../../../test/support/browser.js';
import { startTestServer, type TestServer } from '../../../test/support/server.js';
import { until } from '../../../test/support/wait.js';
import { openConsole } from './support/page.js';

const patience = 30_000;

describe.skipIf(!hasBrowser)('the focus, when what had it goes away', { timeout: 3 * patience }, () => {
  let browser: Browser;
  let server: TestServer;

  beforeAll(async () => {
    [browser, server] = await Promise.all([launchBrowser(), startTestServer({ HALYARD_ENVIRONMENT: 'staging' })]);
  }, 3 * patience);
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });
  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
  });

  const open = (path: string) => openConsole(browser, server, { path });
  const create = (key: string, more: object = {}) =>
    server.service.management.createFlag({ key, name: key, enabled: true, ...more });
  const override = (flagKey: string, userId: string) =>
    server.service.management.setOverride({ flagKey, userId, enabled: true });

  /** What has the focus: its name, or `body` where nothing has it. */
  const focused = (page: Page) =>
    page.evaluate(() => {
      const element = document.activeElement;
      if (element === null || element === document.body) return 'body';
      const labels = (element as HTMLInputElement).labels ?? [];
      return element.id === 'main'
        ? 'main'
        : (element.getAttribute('aria-label') ?? labels[0]?.textContent ?? element.textContent ?? '').trim();
    });
  const focusIs = (page: Page, name: string | RegExp) =>
    until(async () => {
      const at = await focused(page);
      return typeof name === 'string' ? at === name : name.test(at);
    }, `${name} has the focus`).catch(async (error: Error) => {
      throw new Error(`${error.message} It is on: ${await focused(page)}`);
    });
  const press = async (page: Page, role: 'button' | 'link' | 'switch', name: string | RegExp) => {
    await page
      .getByRole(role, { name, exact: typeof name === 'string' })
      .first()
      .focus();
    await page.keyboard.press('Enter');
  };

  it('goes to the next override when one is removed, and to what follows after the last', async () => {
    await create('overridden');
    for (const user of ['ann', 'bob']) await override('overridden', user);
    const page = await open('/flags/overridden');
    await press(page, 'button', 'Remove the override of ann');
    await page.getByText('Removed the override of ann.').waitFor();
    await focusIs(page, 'Remove the override of bob');
    await page.keyboard.press('Enter');
    await page.getByText('Removed the override of bob.').waitFor();
    await until(async () => !['body', 'Remove the override of bob'].includes(await focused(page)), 'it went on');
  });

  it('goes back to the button of a form that was sent or closed', async () => {
    await create('form');
    const page = await open('/flags/form');
    const overrides = page.locator('#overrides');
    await overrides.getByRole('button', { name: 'Override', exact: true }).focus();
    await page.keyboard.press('Enter');
    await focusIs(page, 'User id');
    await page.keyboard.press('Escape');
    await focusIs(page, 'Override');
    expect(await overrides.getByLabel('User id').count()).toBe(0);
    await page.keyboard.press('Enter');
    await focusIs(page, 'User id');
    await page.keyboard.type('ann');
    await page.keyboard.press('Enter');
    await page.getByText('Set the override of ann.').waitFor();
    await focusIs(page, 'Override');
  });

  it('goes to the next rule when one is deleted, and stays with a rule whose editor is closed', async () => {
    const rules = ['a', 'b', 'c'].map(id => ({ id, when: { groups: [id] } }));
    await create('ruled', { rules });
    const page = await open('/flags/ruled');
    await press(page, 'button', /^Rule a/);
    await press(page, 'button', 'Delete');
    await focusIs(page, /^Rule b/);
    await page.keyboard.press('Enter');
    await press(page, 'button', 'Edit');
    await press(page, 'button', 'Done');
    await focusIs(page, /^Rule b/);
    await page.locator('#rules').getByRole('button', { name: 'Rule', exact: true }).focus();
    await page.keyboard.press('Enter');
    await press(page, 'button', 'Delete rule');
    await until(async () => (await page.locator('#rules ol > li').count()) === 3, 'two rules and the rest are left');
    await until(async () => (await focused(page)) !== 'body', 'something has the focus');
  });

  it('is on the page after a save, its Undo, and the Dismiss of its receipt', async () => {
    await create('saved', { percentage: 10 });
    const page = await open('/flags/saved');
    await page.getByRole('textbox', { name: 'Rollout in percent' }).fill('20');
    await page.getByLabel('Note').focus();
    await page.keyboard.type('why not');
    await page.keyboard.press('Control+Enter');
    await page.getByText('Saved 1 change.').waitFor();
    await page.getByLabel('Note').waitFor({ state: 'detached' });
    await until(async () => (await focused(page)) !== 'body', 'something has the focus');
    await page.getByRole('textbox', { name: 'Rollout in percent' }).fill('50');
    await press(page, 'button', /^Save 1 change/);
    await page.getByRole('button', { name: /^Save/ }).first().waitFor({ state: 'detached' });
    await until(async () => (await focused(page)) !== 'body', 'something has the focus');
    const switched = page.getByRole('switch', { name: 'saved' });
    await switched.focus();
    await page.keyboard.press('Space');
    await page.getByRole('status').getByText('Switched off.').waitFor();
    await press(page, 'button', 'Undo');
    await page.getByText('Taken back.').waitFor();
    await focusIs(page, 'saved');
    await press(page, 'button', 'Dismiss');
    await focusIs(page, 'saved');
  });

  it('goes to the next member of a group when one is removed', async () => {
    await server.service.management.addToGroup({ group: 'crew', userIds: ['m1', 'm2', 'm3'] });
    const page = await open('/groups/crew');
    await press(page, 'button', 'Remove m2');
    await page.getByText('Removed m2 from crew.').waitFor();
    await focusIs(page, /^(Remove )?m[13]$/);
    await page.getByLabel('User ids, one a line').fill('m4');
    await press(page, 'button', 'Add 1 user');
    await page.getByRole('link', { name: 'm4' }).waitFor();
    await focusIs(page, 'User ids, one a line');
  });

  it('stays on the row of the history whose change is taken back', async () => {
    await create('undone');
    const page = await open('/history?flag=undone');
    await press(page, 'button', 'Undo');
    await page.getByText('Taken back.').waitFor();
    await until(async () => (await focused(page)) !== 'body', 'something has the focus');
  });

  it('stays where the override of one user is set and removed', async () => {
    await create('asked');
    const page = await open('/why?user=ann&flag=asked');
    await press(page, 'button', 'Turn on for this user');
    await page.getByText('Turned on for ann.').waitFor();
    await focusIs(page, 'Turn on for this user');
    await press(page, 'button', 'Remove');
    await page.getByRole('button', { name: 'Remove', exact: true }).waitFor({ state: 'detached' });
    await focusIs(page, /^Answer/);
  });

  it('goes back to Edit when the attributes of a user are saved', async () => {
    const page = await open('/users/ann');
    await press(page, 'button', 'Edit');
    await focusIs(page, 'Attributes as JSON');
    await page.keyboard.press('Control+A');
    await page.keyboard.type('{"plan": "pro"}');
    await press(page, 'button', 'Save attributes');
    await page.getByText('Saved the attributes of ann.').waitFor();
    await focusIs(page, 'Edit');
  });

  it('is on the screen that a key or a link leads to', async () => {
    await create('linked');
    const page = await open('/');
    await page.getByRole('link', { name: 'linked' }).waitFor();
    for (const [key, title] of Object.entries({
      u: 'Users',
      w: 'Why',
      h: 'History',
      s: 'Usage',
      k: 'Keys',
      f: 'Flags',
    })) {
      await page.keyboard.press('g');
      await page.keyboard.press(key);
      await page.getByRole('heading', { name: title, exact: true }).first().waitFor();
      await focusIs(page, 'main');
    }
    await press(page, 'link', 'linked');
    await page.getByRole('heading', { name: 'linked' }).waitFor();
    await focusIs(page, 'main');
    await page.goBack();
    await page.getByRole('heading', { name: 'Flags', exact: true }).waitFor();
    await until(async () => (await focused(page)) !== 'body', 'something has the focus');
  });
});
