import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { hasBrowser, launchBrowser } from '../../../test/support/browser.js';
import { httpClient, type WsClient, wsClient } from '../../../test/support/clients.js';
import { startTestServer, type TestServer } from '../../../test/support/server.js';
import { until } from '../../../test/support/wait.js';
import { seriousFaults } from './support/axe.js';
import { type ConsoleOptions, openConsole } from './support/page.js';

interface Stored {
  readonly percentage: number;
  readonly owner: string | null;
  readonly version: number;
  readonly rules: readonly { readonly id: string; readonly when: unknown }[];
}

describe.skipIf(!hasBrowser)('the page of a flag', () => {
  let browser: Browser;
  let server: TestServer;
  let guarded: TestServer;
  const viewers: WsClient[] = [];

  beforeAll(async () => {
    [browser, server, guarded] = await Promise.all([
      launchBrowser(),
      startTestServer(),
      startTestServer({ HALYARD_PROTECTED: 'true', HALYARD_ENVIRONMENT: 'production' }),
    ]);
    for (let number = 0; number < 6; number += 1) {
      const userId = `viewer-${number}`;
      await server.service.management.setUserAttributes({ userId, attributes: { plan: number < 4 ? 'pro' : 'free' } });
      const viewer = wsClient(server.url, { token: (await server.token('user', { userId })) as string });
      viewers.push(viewer);
      await viewer.subscribe('subscription { viewerFeatures { revision } }').next();
    }
  });

  afterAll(async () => {
    await browser?.close();
    for (const viewer of viewers) await viewer.close();
    await server?.close();
    await guarded?.close();
  });

  beforeEach(async () => {
    for (const one of [server, guarded]) {
      await one.service.management.createFlag({
        key: 'pricing',
        name: 'Pricing',
        enabled: true,
        percentage: 0,
        conditions: { attributes: { plan: 'pro' } },
        rules: [
          { id: 'staff', when: { groups: ['staff'] } },
          { id: 'trial', when: { attributes: { plan: 'trial' } }, on: false },
        ],
      });
    }
  });

  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
    for (const one of [server, guarded]) await one.service.management.deleteFlag({ key: 'pricing' });
  });

  const open = (options: Partial<ConsoleOptions> = {}, of = server) =>
    openConsole(browser, of, { path: '/flags/pricing', ...options });
  const rollout = (page: Page) => page.getByRole('textbox', { name: 'Rollout in percent' });
  const save = (page: Page) => page.locator('#draft').getByRole('button', { name: /^Save/ });
  const stored = async (of = server): Promise<Stored> => {
    const client = httpClient(of.url, await of.token('admin'));
    const { body } = await client.query('{ flag(key: "pricing") { percentage owner version rules { id when } } }');
    return body.data.flag;
  };

  it('a rollout is counted before it is saved, handed over, and taken back', async () => {
    const page = await open();
    await page.getByText('On for everyone in group staff.').waitFor();
    await rollout(page).fill('100');
    await page.getByText('viewers gain it').waitFor();
    expect(await page.locator('#draft').innerText()).toContain('+4');
    await page.getByPlaceholder('Why?').fill('Everyone on pro');
    await save(page).click();
    await page.getByText(/Handed to (\d) of \1 viewers on 1 node/).waitFor();
    await page.getByText('Otherwise on for everyone else on plan pro.').waitFor();
    await page.getByText('“Everyone on pro”').waitFor();
    await page.locator('#live').getByText('4', { exact: true }).first().waitFor();

    await page.getByRole('heading', { name: 'Pricing' }).click();
    await page.keyboard.press('Control+z');
    await page.getByText('Taken back.').waitFor();
    await until(async () => (await stored()).percentage === 0, 'the rollout is back');
    await until(async () => (await rollout(page).inputValue()) === '0', 'the field shows it');
  });

  it('a fault is told at its field, and saving waits for it', async () => {
    const page = await open();
    await rollout(page).fill('140');
    await page.getByText('140 is too high. A rollout is 0 to 100.').waitFor();
    expect(await rollout(page).getAttribute('aria-invalid')).toBe('true');
    expect(await seriousFaults(page)).toEqual([]);
    expect(await save(page).isDisabled()).toBe(true);
    await rollout(page).fill('40');
    await until(async () => !(await save(page).isDisabled()), 'it can be saved');
  });

  it('what only the server knows is told at its rule', async () => {
    const page = await open();
    await page.getByRole('button', { name: /^Rule staff/ }).click();
    await page.getByRole('button', { name: 'Edit', exact: true }).click();
    await page.getByRole('button', { name: 'Add condition' }).click();
    await page.getByRole('textbox', { name: 'Attribute' }).fill('email');
    await page.getByLabel('Operator').selectOption('matches');
    await page.getByLabel('Values of email').fill('(');
    await page.keyboard.press('Enter');
    await page
      .locator('#rules')
      .getByText(/Expected an RE2 pattern/)
      .waitFor();
    await page.locator('#draft').getByText('to mend before this can be saved').waitFor();
    expect((await stored()).rules[0]?.when).toEqual({ groups: ['staff'] });
  });

  it('a rule is made, moved and saved', async () => {
    const page = await open();
    await page.getByRole('button', { name: 'Rule', exact: true }).click();
    await page.getByRole('textbox', { name: 'Attribute' }).fill('country');
    await page.getByLabel('Values of country').fill('DE,AT,');
    await page.getByRole('button', { name: 'Remove AT' }).waitFor();
    await page.getByRole('textbox', { name: 'Id' }).fill('dach');
    await page.getByRole('button', { name: 'Done' }).click();
    await page.getByRole('button', { name: /^Rule dach/ }).focus();
    await page.keyboard.press('Alt+ArrowUp');
    await save(page).click();
    await page.getByText('Saved').first().waitFor();
    await until(
      async () => (await stored()).rules.map(({ id }) => id).join() === 'staff,dach,trial',
      'the rule is second',
    );
    expect((await stored()).rules[1]?.when).toEqual({ attributes: { country: ['DE', 'AT'] } });
  });

  it('what another person saves appears, and what both changed is shown with both values', async () => {
    const [mine, theirs] = [await open(), await open({ userId: 'okta|t.ops' })];
    await rollout(mine).fill('60');
    await rollout(theirs).fill('30');
    await theirs.getByLabel('Owner').fill('growth');
    await save(theirs).click();
    await mine.getByText('okta|t.ops saved 2 fields.').waitFor();
    expect(await rollout(mine).inputValue()).toBe('60');
    expect(await mine.getByLabel('Owner').inputValue()).toBe('growth');
    await mine.getByRole('button', { name: 'Compare' }).click();
    await mine.getByRole('button', { name: 'Keep mine' }).waitFor();
    expect(await seriousFaults(mine)).toEqual([]);
    await mine.getByRole('button', { name: 'Keep mine' }).click();
    await save(mine).click();
    await until(async () => (await rollout(theirs).inputValue()) === '60', 'the other tab shows it');
    expect(await stored()).toMatchObject({ percentage: 60, owner: 'growth' });
  });

  it('a draft survives leaving the page, and meets what was saved meanwhile', async () => {
    const page = await open();
    await rollout(page).fill('60');
    await page.getByRole('navigation', { name: 'Path' }).getByRole('link', { name: 'Flags' }).click();
    await page.getByRole('heading', { name: 'Flags' }).waitFor();
    await server.service.management.updateFlag({ key: 'pricing', percentage: 30 });
    await page.getByRole('link', { name: 'Pricing' }).click();
    await until(async () => (await rollout(page).inputValue()) === '60', 'the draft is back');
    await page.getByRole('button', { name: 'Compare' }).click();
    await page.getByRole('button', { name: 'Take theirs' }).click();
    await until(async () => (await rollout(page).inputValue()) === '30', 'theirs is taken');
  });

  it('a protected server asks for its name first', async () => {
    const page = await open({}, guarded);
    await rollout(page).fill('50');
    await save(page).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('viewers gain it').waitFor();
    expect(await seriousFaults(page)).toEqual([]);
    expect(await dialog.getByRole('button', { name: 'Save' }).isDisabled()).toBe(true);
    await dialog.getByRole('textbox').fill('production');
    await dialog.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Saved 1 change.').waitFor();
    expect((await stored(guarded)).percentage).toBe(50);
  });

  it('a confirmation that is cancelled gives the focus back to the save', async () => {
    const page = await open({}, guarded);
    await rollout(page).fill('50');
    await save(page).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Save 1 change');
  });

  it('an override is set and removed', async () => {
    const page = await open();
    await page.getByRole('button', { name: 'Override', exact: true }).click();
    await page.getByLabel('User id').fill('auth0|1');
    await page.getByRole('button', { name: 'Set override' }).click();
    await page.getByText('Set the override of auth0|1.').waitFor();
    await page.locator('#overrides li').getByText('no end').waitFor();
    await page.getByRole('button', { name: 'Remove the override of auth0|1' }).click();
    await page.getByText('No override.').waitFor();
  });

  it('an end that is no time is refused in words', async () => {
    const page = await open();
    await page.getByRole('button', { name: 'Override', exact: true }).click();
    await page.getByLabel('User id').fill('auth0|2');
    const ends = page.getByLabel('Ends');
    expect(await ends.getAttribute('max')).toBe('9999-12-31T23:59');
    await ends.evaluate((field: HTMLInputElement) => field.removeAttribute('max'));
    await ends.fill('20266-12-31T10:00');
    await page.getByRole('button', { name: 'Set override' }).click();
    await page
      .locator('#overrides')
      .getByText(/invalid value "20266-12-31T10:00"/)
      .waitFor();
  });

  it('a save whose answer is lost is not said to have failed', async () => {
    const page = await open();
    await page.route('**/graphql', async route => {
      if (!route.request().postData()?.includes('mutation UpdateFlag')) return route.continue();
      await route.fetch();
      await route.abort();
    });
    await page.getByLabel('Owner').fill('me');
    await save(page).click();
    await page.getByText('It may have saved this or not').waitFor();
    await until(async () => (await stored()).owner === 'me', 'it was saved');
  });

  it('the page leads to how often the flag is asked for, and to its earlier changes', async () => {
    for (let percentage = 1; percentage <= 20; percentage += 1) {
      await server.service.management.updateFlag({ key: 'pricing', percentage });
    }
    const page = await open();
    await page.getByRole('heading', { name: 'Usage' }).waitFor();
    await page.getByRole('link', { name: 'Earlier changes' }).click();
    await page.waitForURL('**/history?flag=pricing');
    await page.getByText('created the flag').first().waitFor();
    await page.goBack();
    await page.getByRole('link', { name: 'By day and reason' }).click();
    await page.waitForURL('**/usage?flag=pricing');
    await page.getByRole('heading', { name: 'Pricing' }).first().waitFor();
  });

  it('a reader sees everything and nothing that does nothing', async () => {
    const page = await open({ role: 'reader' });
    await page.getByText('On for everyone in group staff.').waitFor();
    expect(await page.getByRole('switch').count()).toBe(0);
    expect(await page.getByRole('slider').count()).toBe(0);
    expect(await page.locator('main').getByRole('button').allInnerTexts()).toEqual(['JSON']);
  });
});
