import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { hasBrowser, launchBrowser } from '../../../test/support/browser.js';
import { httpClient } from '../../../test/support/clients.js';
import { startTestServer, type TestServer } from '../../../test/support/server.js';
import { until } from '../../../test/support/wait.js';
import { seriousFaults } from './support/axe.js';
import { openConsole } from './support/page.js';

const patience = 30_000;

describe.skipIf(!hasBrowser)('the console under the hands of its reader', { timeout: 3 * patience }, () => {
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
  const stored = (key: string) => server.service.management.updateFlag({ key }).then(({ value }) => value);
  const names = (page: Page) => page.locator('[data-link]').allTextContents();
  const focused = (page: Page) =>
    page.evaluate(() => {
      const element = document.activeElement as HTMLElement;
      return element.getAttribute('aria-label') ?? element.textContent;
    });

  describe('the list', () => {
    it('keeps its order when flags are made, renamed and deleted elsewhere, says how many, and refreshes when asked', async () => {
      for (const key of ['order_b', 'order_d', 'order_f']) await create(key);
      const page = await open('/?search=order_');
      await page.getByRole('link', { name: 'order_f' }).waitFor();
      await create('order_a');
      const refresh = page.getByRole('button', { name: /changed, refresh order/ });
      await page.getByRole('button', { name: '1 changed, refresh order' }).waitFor();
      expect(await names(page)).toEqual(['order_b', 'order_d', 'order_f']);
      await server.service.management.deleteFlag({ key: 'order_d' });
      await page.getByRole('button', { name: '2 changed, refresh order' }).waitFor();
      await page.getByRole('row', { name: 'order_d' }).getByText('Gone').waitFor();
      await server.service.management.updateFlag({ key: 'order_f', name: 'order_0' });
      await page.getByRole('button', { name: '3 changed, refresh order' }).waitFor();
      expect(await names(page)).toEqual(['order_b', 'order_d', 'order_0']);
      expect(await seriousFaults(page)).toEqual([]);
      await refresh.focus();
      await page.keyboard.press('Enter');
      await until(async () => (await names(page)).join() === 'order_0,order_a,order_b', 'the order is new');
      expect(await refresh.count()).toBe(0);
      expect((await names(page)).includes((await focused(page)) ?? ''), 'a row has the focus').toBe(true);
    });

    it('a flag that is switched off stays in the list of those that are on until the order is asked for', async () => {
      for (const key of ['stay_a', 'stay_b']) await create(key);
      const page = await open('/?search=stay_&state=on');
      await page.getByRole('switch', { name: 'stay_a' }).click();
      await page.getByRole('button', { name: '1 changed, refresh order' }).click();
      await until(async () => (await names(page)).join() === 'stay_b', 'it is gone');
    });

    it('tells of a flag that begins to match the filter by a change elsewhere, and moves no row', async () => {
      for (const key of ['match_a', 'match_c']) await create(key, { tags: ['web'] });
      for (const key of ['match_b', 'match_bb', 'match_e']) await create(key, { enabled: false });
      const page = await open('/?search=match_&tag=web&state=on');
      await page.getByText(/^2 of \d+ flags$/).waitFor();
      const change = (key: string, more: object) => server.service.management.updateFlag({ key, ...more });
      await change('match_b', { enabled: true, tags: ['web'] });
      await page.getByRole('button', { name: '1 changed, refresh order' }).waitFor();
      await page.getByText(/^3 of \d+ flags$/).waitFor();
      await change('match_bb', { enabled: true, tags: ['web'] });
      await create('match_0', { tags: ['web'] });
      await page.getByRole('button', { name: '3 changed, refresh order' }).waitFor();
      await page.getByText(/^5 of \d+ flags$/).waitFor();
      expect(await names(page)).toEqual(['match_a', 'match_c']);
      await change('match_b', { enabled: false });
      await page.getByRole('button', { name: '2 changed, refresh order' }).click();
      await until(async () => (await names(page)).join() === 'match_0,match_a,match_bb,match_c', 'the order is new');
      expect(await page.getByRole('button', { name: /changed, refresh order/ }).count()).toBe(0);

      await page.goto(`${server.url}/console/?search=match_&owner=nobody`);
      await page.getByText('No flag matches.').waitFor();
      await change('match_e', { owner: 'nobody' });
      await page.getByRole('link', { name: 'match_e' }).waitFor();
    });

    it('says at which flag and field a change of several is refused', async () => {
      await create('tagged_a');
      await create('tagged_b', { tags: Array.from({ length: 20 }, (_, i) => `tag-${i}`) });
      const page = await open('/?search=tagged_');
      await page.getByRole('checkbox', { name: 'Select tagged_a' }).check();
      await page.getByRole('checkbox', { name: 'Select tagged_b' }).check();
      await page.getByLabel('Tag to add').fill('one more');
      await page.keyboard.press('Enter');
      await page
        .getByRole('alert')
        .filter({ hasText: /^Flag tagged_b, tags: .*20/ })
        .waitFor();
      expect((await stored('tagged_a')).tags).toEqual([]);
    });

    it('keeps the focus in the bar of selected flags, and gives it to the row when the bar goes', async () => {
      for (const key of ['bar_a', 'bar_b']) await create(key);
      const page = await open('/?search=bar_');
      await page.getByRole('link', { name: 'bar_b' }).focus();
      await page.keyboard.press('x');
      const bar = page.getByRole('region', { name: 'Selected flags' });
      await bar.getByRole('button', { name: 'Switch off' }).focus();
      await page.keyboard.press('Enter');
      await page.getByText('1 flag switched off.').waitFor();
      expect(await focused(page)).toBe('Switch off');
      await bar.getByLabel('Tag to add').fill('spring');
      await bar.getByRole('button', { name: 'Add', exact: true }).focus();
      await page.keyboard.press('Enter');
      await page.getByText('1 flag tagged spring.').waitFor();
      expect(await focused(page)).toBe('Tag to add');
      await bar.getByRole('button', { name: 'Clear selection' }).focus();
      await page.keyboard.press('Enter');
      await bar.waitFor({ state: 'detached' });
      expect(await focused(page)).toBe('bar_b');
    });

    it('is asked for before the server has said who the reader is', async () => {
      await create('early_a');
      const page = await open('/keys');
      await page.getByRole('heading', { name: 'Keys' }).waitFor();
      let noteAsked: () => void;
      const asked = new Promise<void>(resolve => {
        noteAsked = resolve;
      });
      await page.route('**/graphql', async route => {
        const body = route.request().postData() ?? '';
        if (body.includes('query FlagList')) noteAsked();
        if (body.includes('query Who')) await asked;
        await route.continue();
      });
      await page.goto(`${server.url}/console/?search=early_`);
      await page.getByRole('link', { name: 'early_a' }).waitFor();
      await create('early_b');
      await page.getByRole('link', { name: 'early_b' }).waitFor();
    });
  });

  describe('a draft', () => {
    it('is discarded with Escape after the reader has said so', async () => {
      await create('escape_a', { percentage: 10 });
      const page = await open('/flags/escape_a');
      const rollout = page.getByRole('textbox', { name: 'Rollout in percent' });
      await rollout.fill('20');
      await page.keyboard.press('Escape');
      const dialog = page.getByRole('dialog', { name: 'Discard 1 change?' });
      await dialog.waitFor();
      expect(await seriousFaults(page)).toEqual([]);
      await page.keyboard.press('Escape');
      await dialog.waitFor({ state: 'detached' });
      expect(await rollout.inputValue()).toBe('20');
      await page.keyboard.press('Escape');
      await dialog.getByRole('button', { name: 'Discard' }).click();
      await until(async () => (await rollout.inputValue()) === '10', 'the field shows what is saved');
      await page.keyboard.press('Escape');
      expect(await page.getByRole('dialog').count()).toBe(0);
    });

    it('is left alone by the Escape that closes a menu', async () => {
      await create('escape_b', { rules: [{ id: 'staff', when: { groups: ['staff'] } }] });
      const page = await open('/flags/escape_b');
      await page.getByLabel('Owner').fill('me');
      await page.getByRole('button', { name: /^Rule staff/ }).click();
      await page.getByRole('button', { name: 'Edit', exact: true }).waitFor();
      await page.keyboard.press('Escape');
      await page.getByRole('button', { name: 'Edit', exact: true }).waitFor({ state: 'hidden' });
      expect(await page.getByRole('dialog').count()).toBe(0);
    });

    it('moves a rule by keyboard, keeps the focus on it, and says where it is', async () => {
      const rules = ['a', 'b', 'c'].map(id => ({ id, when: { groups: [id] } }));
      await create('moving', { rules });
      const page = await open('/flags/moving');
      const menu = page.getByRole('button', { name: /^Rule a/ });
      await menu.focus();
      await page.keyboard.press('Alt+ArrowDown');
      await page.getByRole('status').getByText('Rule a is now 2 of 3.').waitFor();
      await page.keyboard.press('Alt+ArrowDown');
      await page.getByRole('status').getByText('Rule a is now 3 of 3.').waitFor();
      expect(await focused(page)).toMatch(/^Rule a/);
      await page.keyboard.press('Enter');
      await page.getByRole('button', { name: 'Move up' }).focus();
      await page.keyboard.press('Enter');
      await page.getByRole('status').getByText('Rule a is now 2 of 3.').waitFor();
      expect(await focused(page)).toMatch(/^Rule a/);
      await page.keyboard.press('Control+Enter');
      await until(async () => (await stored('moving')).rules.map(({ id }) => id).join() === 'b,a,c', 'it is saved');
    });

    it('divides the users of a rule among variants by weights of the rule', async () => {
      await create('served', {
        type: 'STRING',
        variants: ['red', 'green', 'blue'].map((key, i) => ({ key, value: key, weight: i })),
        offVariant: 'red',
        rules: [{ id: 'staff', when: { groups: ['staff'] }, serve: [{ variant: 'green', weight: 1 }] }],
      });
      const page = await open('/flags/served');
      await page.getByRole('button', { name: /^Rule staff/ }).click();
      await page.locator('#rules').getByRole('button', { name: 'Edit', exact: true }).click();
      const serves = page.getByRole('combobox', { name: 'serves' });
      await serves.selectOption('several, by weight');
      const weight = (key: string) => page.getByRole('textbox', { name: `Weight of ${key} in this rule` });
      expect(await weight('blue').inputValue()).toBe('2');
      await weight('green').fill('1.5');
      await page.locator('#rules').getByText('A weight is a whole number from 0 to 100,000.').waitFor();
      expect(await weight('green').getAttribute('aria-invalid')).toBe('true');
      await weight('green').fill('30');
      await weight('blue').fill('70');
      expect(await seriousFaults(page)).toEqual([]);
      await page.keyboard.press('Control+Enter');
      await until(async () => (await stored('served')).rules[0]?.serve.length === 3, 'it is saved');
      expect((await stored('served')).rules[0]?.serve).toEqual([
        { variant: 'red', weight: 0 },
        { variant: 'green', weight: 30 },
        { variant: 'blue', weight: 70 },
      ]);
    });
  });

  it('the focus goes to the name of a new key, then to its secret, and back to the button', async () => {
    const page = await open('/keys');
    await page.getByRole('button', { name: 'New key' }).click();
    await page.keyboard.type('focus of the build');
    await page.keyboard.press('Enter');
    await page.getByRole('textbox', { name: 'Secret' }).waitFor();
    expect(await focused(page)).toBe('Secret');
    await page.getByRole('button', { name: 'Done' }).click();
    expect(await focused(page)).toContain('New key');
  });

  it('the history of a flag names the API key that changed it, also when the key is revoked', async () => {
    const admin = httpClient(server.url, await server.token('admin'));
    const { body } = await admin.query(
      'mutation { createApiKey(input: { name: "deploys", role: ADMIN }) { ... on CreateApiKeyPayload { secret apiKey { id } } } }',
    );
    const { secret, apiKey } = body.data.createApiKey;
    await httpClient(server.url, secret).query(
      'mutation { createFlag(input: { key: "by_key", name: "By key" }) { __typename } }',
    );
    await admin.query(`mutation { revokeApiKey(input: { id: "${apiKey.id}" }) { __typename } }`);
    const page = await open('/flags/by_key');
    await page.locator('#history').getByText('API key deploys').waitFor();
  });

  it.each(['.', '..'])('the user and the group %j can be opened', async id => {
    await server.service.management.addToGroup({ group: id, userIds: [id] });
    const page = await open('/groups');
    await page.locator('main').getByRole('link', { name: id, exact: true }).click();
    await page.getByRole('heading', { name: id, exact: true }).waitFor();
    await page.locator('main').getByRole('link', { name: id, exact: true }).click();
    await page.waitForURL('**/users?id=*');
    await page.getByRole('heading', { name: id, exact: true }).waitFor();
    await page.reload();
    await page.getByRole('heading', { name: id, exact: true }).waitFor();
  });
});
