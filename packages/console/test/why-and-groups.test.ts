import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { hasBrowser, launchBrowser } from '../../../test/support/browser.js';
import { startTestServer, type TestServer } from '../../../test/support/server.js';
import { until } from '../../../test/support/wait.js';
import { openConsole } from './support/page.js';

describe.skipIf(!hasBrowser)('why, users and groups', () => {
  let browser: Browser;
  let server: TestServer;

  beforeAll(async () => {
    [browser, server] = await Promise.all([launchBrowser(), startTestServer()]);
    const { management } = server.service;
    await management.createFlag({
      key: 'pricing',
      name: 'Pricing',
      enabled: true,
      conditions: { attributes: { plan: 'pro' } },
      rules: [{ id: 'staff', when: { groups: ['staff'] } }],
    });
    await management.setUserAttributes({ userId: '100%|ann', attributes: { plan: 'free' } });
  });

  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
  });

  it('a user’s answer is explained, tried with other attributes, and overridden', async () => {
    const page = await openConsole(browser, server, { path: '/why' });
    await page.getByLabel('User id').fill('100%|ann');
    await page.getByRole('combobox', { name: 'Flag' }).fill('pricing');
    await page.getByRole('button', { name: 'Explain' }).click();
    await page.getByText('100%|ann does not get Pricing. The conditions of everyone else are not met.').waitFor();
    expect(await page.locator('tr', { hasText: 'plan' }).last().innerText()).toMatch(/"pro"\s+"free"\s+differs/);

    await page.getByRole('button', { name: 'Try other attributes' }).click();
    await page.getByLabel('Attributes as JSON').fill('{"plan": "pro"}');
    await page.getByRole('button', { name: 'Try', exact: true }).click();
    await page.getByText('100%|ann gets Pricing. The conditions are met.').waitFor();
    await page.reload();
    await page.getByText('These are tried, not stored.').waitFor();
    await page.getByRole('button', { name: 'Use what is stored' }).click();

    await page.getByText('does not get Pricing').waitFor();
    await page.getByRole('button', { name: 'Turn on for this user' }).click();
    await page.getByText('100%|ann gets Pricing. An override of this user says so').waitFor();
    await page.getByRole('button', { name: 'Remove' }).click();
    await page.getByText('does not get Pricing').waitFor();
  });

  it('what a user’s clients receive appears while it is watched', async () => {
    const page = await openConsole(browser, server, { path: '/why?user=bob&flag=pricing' });
    await page.getByRole('switch', { name: /Watch/ }).click();
    await page.getByText('Nothing has changed yet.').waitFor();
    await server.service.management.addToGroup({ group: 'staff', userIds: ['bob'] });
    await page.locator('[aria-labelledby=h-watch] li', { hasText: 'pricing' }).getByText('On').waitFor();
    await page.getByText('bob gets Pricing. The rule staff turns it on.').waitFor();
  });

  it('many ids are added to a group', async () => {
    const page = await openConsole(browser, server, { path: '/groups' });
    await page.getByLabel('Name of a group').fill('beta');
    await page.getByRole('button', { name: 'Open' }).click();
    const ids = Array.from({ length: 1_200 }, (_, number) => `u${number}`).join(', ');
    await page.getByLabel('User ids, one a line').fill(ids);
    await page.getByRole('button', { name: 'Add 1,200 users' }).click();
    await page.getByText('Added 1,200 users to beta.').waitFor();
    await page.getByText('1,200 members').waitFor();
    await page
      .getByRole('link', { name: /^u\d+$/ })
      .first()
      .click();
    await page.getByRole('heading', { name: /^u\d+$/ }).waitFor();
    await page.getByRole('link', { name: 'beta' }).waitFor();
  });

  it.each(['ann@example.com', 'a/b', 'a%2Fb', '%41', 'a+b&c=d#e?f', '<b>é😀</b>'])(
    'the id %s is the same on each screen, and after a reload',
    async userId => {
      const page = await openConsole(browser, server, { path: '/users' });
      await page.getByRole('searchbox').pressSequentially(userId);
      expect(await page.getByRole('searchbox').inputValue()).toBe(userId);
      await page.getByRole('button', { name: 'Open this id' }).click();
      const heading = page.getByRole('heading', { level: 1, name: userId, exact: true });
      await heading.waitFor();
      await page.reload();
      await heading.waitFor();
      await page.getByRole('main').getByRole('link', { name: 'Why' }).click();
      await page.getByText(`${userId} does not get Pricing.`).waitFor();
      expect(await page.getByLabel('User id').inputValue()).toBe(userId);
      await page.goBack();
      await heading.waitFor();
    },
  );

  it('attributes in the address that are no object are not tried', async () => {
    const page = await openConsole(browser, server, { path: '/why?user=carl&flag=pricing&with=[1]' });
    await page.getByText('carl does not get Pricing.').waitFor();
  });

  it('a user with more overrides than are listed is told so, and a cancelled edit leaves no fault', async () => {
    const { management } = server.service;
    for (let number = 0; number < 51; number += 1) {
      await management.createFlag({ key: `many-${number}`, name: `Many ${number}` });
      await management.setOverride({ flagKey: `many-${number}`, userId: 'much', enabled: true });
    }
    const page = await openConsole(browser, server, { path: '/users/much' });
    await page.getByText('The first 50 of 51 overrides.').waitFor();
    await page.getByRole('button', { name: 'Edit' }).click();
    await page.getByLabel('Attributes as JSON').fill('[');
    await page.getByRole('button', { name: 'Save attributes' }).click();
    await page.getByText('Write an object').waitFor();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('button', { name: 'Edit' }).click();
    expect(await page.getByText('Write an object').count()).toBe(0);
  });

  it('a later page of a group that has become empty does not say that the group has no member', async () => {
    const { management } = server.service;
    const userIds = Array.from({ length: 120 }, (_, number) => `m${String(number).padStart(3, '0')}`);
    await management.addToGroup({ group: 'pages', userIds });
    const page = await openConsole(browser, server, { path: '/groups/pages' });
    await page.getByRole('button', { name: 'Next page' }).click();
    await page.getByRole('button', { name: 'First page' }).waitFor();
    const members = page.getByRole('button', { name: /^Remove / });
    await until(async () => (await members.count()) === 20, 'the page is there');
    const names = await members.evaluateAll(all => all.map(one => one.getAttribute('aria-label')?.slice(7) ?? ''));
    await management.removeFromGroup({ group: 'pages', userIds: names });
    await until(async () => (await members.count()) === 0, 'nobody is on it');
    expect(await page.getByText('No member yet.').count()).toBe(0);
    await page.getByRole('button', { name: 'First page' }).click();
    await until(async () => (await members.count()) === 100, 'the others are there');
  });

  it('users are found by the beginning of their id', async () => {
    const page = await openConsole(browser, server, { path: '/users' });
    await page.getByRole('searchbox').fill('100%');
    await page.getByRole('link', { name: '100%|ann' }).click();
    await page.getByText('plan', { exact: true }).waitFor();
    await page.getByText('conditions not met').waitFor();
  });
});
