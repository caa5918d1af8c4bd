import { randomUUID } from 'node:crypto';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { hasBrowser, launchBrowser } from '../../../test/support/browser.js';
import { httpClient } from '../../../test/support/clients.js';
import { startTestServer, type TestServer } from '../../../test/support/server.js';
import { until } from '../../../test/support/wait.js';
import { seriousFaults } from './support/axe.js';
import { openConsole } from './support/page.js';

const patience = 30_000;

describe.skipIf(!hasBrowser)('2,000 ids that are pasted into a group', { timeout: 3 * patience }, () => {
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

  const ids = Array.from({ length: 2_000 }, (_, number) => (number % 2 === 0 ? randomUUID() : `auth0|user ${number}`));
  const field = (page: Page) => page.getByLabel('User ids, one a line');
  const inField = async (page: Page) => (await field(page).inputValue()).split('\n').filter(id => id !== '');
  const open = (group: string) => openConsole(browser, server, { path: `/groups/${group}` });
  const membersOf = async (group: string): Promise<number> => {
    const client = httpClient(server.url, await server.token('admin'));
    const { body } = await client.query(`{ group(name: "${group}") { memberCount } }`);
    return body.data.group?.memberCount ?? 0;
  };
  /** Does something with each request that adds users, which are counted from 1. */
  async function meet(page: Page, act: (number: number) => Promise<'go on' | 'fail'>): Promise<void> {
    let number = 0;
    await page.route('**/graphql', async route => {
      if (!route.request().postData()?.includes('mutation AddMembers')) return route.continue();
      number += 1;
      if ((await act(number)) === 'fail') await route.abort().catch(() => {});
      else await route.continue().catch(() => {});
    });
  }

  it('are told apart from what is none, and what is none is named and stays in the field', async () => {
    const page = await open('mixed');
    const long = 'x'.repeat(300);
    const parts = ids.map(
      (id, number) => `${number % 3 === 0 ? `"${id}"` : id}${[',', '\t', '\r\n', ';', '\n\n'][number % 5]}`,
    );
    await field(page).fill(`${ids[0]?.toUpperCase()}\n${parts.join('')}${long}\n${ids[4]}, ${ids[5]}, a\u0001b`);
    // Upper and lower case of a UUID are one id to the server alone.
    await page.getByText('2,001 ids, 2 repeated').waitFor();
    await page.getByText('2 texts are no ids, and stay in the field:').waitFor();
    await page.getByText('It has 300 characters. An id has at most 255.').waitFor();
    await page.getByText('It has the character U+0001, which is no text.').waitFor();
    expect(await seriousFaults(page)).toEqual([]);
    await page.getByRole('button', { name: 'Add 2,001 users' }).click();
    await page.getByText('Added 2,000 users to mixed.').waitFor();
    expect(await membersOf('mixed')).toBe(2_000);
    expect(await inField(page)).toEqual([long, 'a\u0001b']);
  });

  it('can be stopped while the server does not answer, and go on from there', async () => {
    const page = await open('stopped');
    let release = () => {};
    // A request that is stopped may still be carried out, as in the next test. This one is not.
    const released = new Promise<'fail'>(resolve => {
      release = () => resolve('fail');
    });
    await meet(page, async number => (number === 2 ? released : 'go on'));
    await field(page).fill(ids.join('\n'));
    await page.getByRole('button', { name: 'Add 2,000 users' }).click();
    await page.getByText('500 of 2,000 added').waitFor();
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByRole('alert').getByText('Stopped. 500 of 2,000 are added. The others are in the field').waitFor();
    expect(await inField(page)).toEqual(ids.slice(500));
    release();
    await page.getByRole('button', { name: 'Add 1,500 users' }).click();
    await page.getByText('Added 1,500 users to stopped.').waitFor();
    expect(await membersOf('stopped')).toBe(2_000);
    expect(await inField(page)).toEqual([]);
  });

  it('stay in the field where the server is lost, also when its answer is, and can be added again', async () => {
    const page = await open('lost');
    await meet(page, async number => {
      if (number !== 2) return 'go on';
      await server.service.management.addToGroup({ group: 'lost', userIds: ids.slice(500, 1_000) });
      return 'fail';
    });
    await field(page).fill(ids.join('\n'));
    await page.getByRole('button', { name: 'Add 2,000 users' }).click();
    await page.getByRole('alert').getByText('The server did not answer. 500 of 2,000 are added.').waitFor();
    expect(await inField(page)).toEqual(ids.slice(500));
    await page.getByRole('button', { name: 'Add 1,500 users' }).click();
    await page.getByText('Added 1,000 users to lost. 500 were members already.').waitFor();
    expect(await membersOf('lost')).toBe(2_000);
  });

  it('are added while their reader is on another screen, and what is left waits there', async () => {
    const page = await open('away');
    let release = () => {};
    const released = new Promise<void>(resolve => {
      release = resolve;
    });
    await meet(page, async number => {
      if (number < 2) return 'go on';
      await released;
      return number < 4 ? 'go on' : 'fail';
    });
    await field(page).fill(ids.join('\n'));
    await page.getByRole('button', { name: 'Add 2,000 users' }).click();
    await page.getByText('500 of 2,000 added').waitFor();
    await page.getByRole('navigation', { name: 'Path' }).getByRole('link', { name: 'Groups' }).click();
    await page.getByRole('heading', { name: 'Groups' }).waitFor();
    release();
    await until(async () => (await membersOf('away')) === 1_500, 'the others are added');
    await page.getByRole('main').getByRole('link', { name: 'away' }).click();
    await page.getByRole('alert').getByText('1,500 of 2,000 are added.').waitFor();
    expect(await inField(page)).toEqual(ids.slice(1_500));
    await page.getByText('1,500 members').waitFor();
  });
});
