import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { hasBrowser, launchBrowser } from '../../../test/support/browser.js';
import { httpClient } from '../../../test/support/clients.js';
import { startTestServer, type TestServer } from '../../../test/support/server.js';
import { until } from '../../../test/support/wait.js';
import { openConsole } from './support/page.js';

const patience = 30_000;

describe.skipIf(!hasBrowser)('times in the zone of the reader', { timeout: 3 * patience }, () => {
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

  const open = (path: string, timezoneId: string, role: 'admin' | 'reader' = 'admin') =>
    openConsole(browser, server, { path, timezoneId, role });
  const create = (key: string, more: object = {}) =>
    server.service.management.createFlag({ key, name: key, enabled: true, ...more });

  async function ask<T>(query: string): Promise<T> {
    const { body } = await httpClient(server.url, await server.token('admin')).query(query);
    return (body as { data: T }).data;
  }
  const expiryOf = async (flag: string, user: string) => {
    const query = `{ flag(key: "${flag}") { overrides(first: 50) { nodes { expiresAt user { userId } } } } }`;
    const { flag: found } = await ask<{
      flag: { overrides: { nodes: { expiresAt: string | null; user: { userId: string } }[] } };
    }>(query);
    return found.overrides.nodes.find(one => one.user.userId === user)?.expiresAt;
  };
  const expectedUntil = async (key: string) =>
    (await ask<{ flag: { expectedUntil: string | null } }>(`{ flag(key: "${key}") { expectedUntil } }`)).flag
      .expectedUntil;
  const instant = (time: string | null | undefined) => new Date(time ?? Number.NaN).toISOString();

  async function override(page: Page, user: string, ends: string): Promise<void> {
    const section = page.locator('#overrides');
    await section.getByRole('button', { name: 'Override', exact: true }).click();
    await section.getByLabel('User id').fill(user);
    await section.getByLabel('Ends').fill(ends);
    await section.getByRole('button', { name: 'Set override' }).click();
    await section.getByText(user).waitFor();
  }

  it.each([
    ['Asia/Kolkata', '2031-03-04T10:30', '2031-03-04T05:00:00.000Z', /4 March 2031.*10:30:00.*(IST|GMT\+5:30)/],
    // The clock goes from 02:00 to 03:00: before, in the hour that there is not, and after.
    ['Europe/Berlin', '2031-03-30T01:59', '2031-03-30T00:59:00.000Z', /30 March 2031.*01:59:00.*(CET|GMT\+1)$/],
    ['Europe/Berlin', '2031-03-30T02:30', '2031-03-30T01:30:00.000Z', /30 March 2031.*03:30:00.*(CEST|GMT\+2)$/],
    ['Europe/Berlin', '2031-03-30T03:00', '2031-03-30T01:00:00.000Z', /30 March 2031.*03:00:00.*(CEST|GMT\+2)$/],
    // It goes back from 03:00 to 02:00: the hour that comes twice is the first of both.
    ['Europe/Berlin', '2031-10-26T02:30', '2031-10-26T00:30:00.000Z', /26 October 2031.*02:30:00.*(CEST|GMT\+2)$/],
    ['Europe/Berlin', '2031-10-26T03:00', '2031-10-26T02:00:00.000Z', /26 October 2031.*03:00:00.*(CET|GMT\+1)$/],
    ['America/New_York', '2031-12-31T23:59', '2032-01-01T04:59:00.000Z', /31 December 2031.*23:59:00.*(EST|GMT-5)$/],
  ])(
    'an override that ends in %s at %s ends at %s, and says so under the pointer',
    async (zone, typed, stored, shown) => {
      const key = `ends_${stored.replace(/\D/g, '')}`;
      await create(key);
      const page = await open(`/flags/${key}`, zone);
      await override(page, 'ann', typed);
      expect(instant(await expiryOf(key, 'ann'))).toBe(stored);
      const time = page.locator('#overrides time');
      expect(instant(await time.getAttribute('datetime'))).toBe(stored);
      expect(await time.getAttribute('title')).toMatch(shown);
      for (const path of ['/users/ann', `/why?user=ann&flag=${key}`]) {
        await page.goto(`${server.url}/console${path}`);
        await page
          .locator(`time[datetime="${await expiryOf(key, 'ann')}"]`)
          .first()
          .waitFor();
      }
      await page.goto(`${server.url}/console/history?flag=${key}`);
      const [date = '', clock = ''] = [
        typed.slice(8, 10),
        stored.endsWith('01:30:00.000Z') ? '03:30' : typed.slice(11),
      ];
      await page
        .locator('ins')
        .filter({ hasText: new RegExp(`${Number(date)} \\w+ 20.*${clock}`) })
        .waitFor();
    },
  );

  it('a time of which only a part is written sets no override, which would never end', async () => {
    await create('half');
    const page = await open('/why?user=ann&flag=half', 'Asia/Kolkata');
    const ends = page.getByLabel('Ends');
    await ends.focus();
    await page.keyboard.type('0403');
    expect(await ends.evaluate((field: HTMLInputElement) => field.validity.badInput)).toBe(true);
    await page.getByRole('button', { name: 'Turn on for this user' }).click();
    await ends.fill('2031-03-04T10:30');
    await page.getByRole('button', { name: 'Turn on for this user' }).click();
    await until(async () => (await expiryOf('half', 'ann')) != null, 'the override is set');
    expect(instant(await expiryOf('half', 'ann'))).toBe('2031-03-04T05:00:00.000Z');
    const { changes } = await ask<{ changes: { nodes: { kind: string }[] } }>(
      '{ changes(filter: { flagKey: "half" }) { nodes { kind } } }',
    );
    expect(changes.nodes.map(({ kind }) => kind)).toEqual(['OVERRIDE_SET', 'FLAG_CREATED']);
  });

  it.each([
    ['America/New_York', '2031-03-09', '2031-03-09T05:00:00.000Z'],
    ['Asia/Kolkata', '2031-03-09', '2031-03-08T18:30:00.000Z'],
    ['Europe/Berlin', '2031-03-30', '2031-03-29T23:00:00.000Z'],
  ])('the expected end of a flag is the same day for all in %s, whoever reads it', async (zone, day, stored) => {
    const key = `until_${zone.toLowerCase().replace(/\W/g, '_')}`;
    await create(key);
    const page = await open(`/flags/${key}`, zone);
    await page.getByLabel('Expected until').fill(day);
    await page.keyboard.press('Control+Enter');
    await until(async () => (await expectedUntil(key)) !== null, 'it is saved');
    expect(instant(await expectedUntil(key))).toBe(stored);
    await page.reload();
    expect(await page.getByLabel('Expected until').inputValue()).toBe(day);
    await page
      .locator('ins')
      .filter({ hasText: new RegExp(`^${Number(day.slice(8))} Mar 2031`) })
      .waitFor();
    const reader = await open(`/flags/${key}`, zone, 'reader');
    const shown = reader.locator('#details time');
    expect(await shown.innerText()).toBe(`${Number(day.slice(8))} Mar 2031`);
    expect(await shown.getAttribute('title')).toMatch(/00:00:00/);
  });

  it('a text to paste elsewhere has the date and the zone of its time', async () => {
    await create('pasted');
    const page = await open('/why?user=ann&flag=pasted', 'Asia/Kolkata');
    await page.getByText(/Revision \d+, \d+ \w+ \d{4} at [\d:.]+ (IST|GMT\+5:30)\./).waitFor();
  });

  it('what was changed is told with the clock of the reader', async () => {
    await create('told');
    const [kolkata, berlin] = await Promise.all(
      ['Asia/Kolkata', 'Europe/Berlin'].map(async zone => {
        const page = await open('/history?flag=told', zone);
        return page.locator('main time').first().getAttribute('title');
      }),
    );
    expect(kolkata).toMatch(/(IST|GMT\+5:30)$/);
    expect(berlin).toMatch(/(CES?T|GMT\+[12])$/);
  });
});
