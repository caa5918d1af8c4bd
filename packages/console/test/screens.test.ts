import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { hasBrowser, launchBrowser } from '../../../test/support/browser.js';
import { httpClient } from '../../../test/support/clients.js';
import { startTestServer, type TestServer } from '../../../test/support/server.js';
import { until } from '../../../test/support/wait.js';

const patience = 20_000;

describe.skipIf(!hasBrowser)('history, keys and usage in a real browser', { timeout: 3 * patience }, () => {
  let browser: Browser;
  let server: TestServer;
  /** What pages wrote to the console of the browser, and threw. */
  let complaints: string[];

  beforeAll(async () => {
    browser = await launchBrowser();
  }, 3 * patience);
  afterAll(() => browser?.close());
  beforeEach(async () => {
    complaints = [];
    server = await startTestServer({ HALYARD_ENVIRONMENT: 'staging' }, { usageInterval: 50 });
  }, 3 * patience);
  afterEach(async () => {
    await server?.close();
    expect(complaints).toEqual([]);
  });

  async function open(path: string, role: 'admin' | 'reader' = 'admin'): Promise<Page> {
    const page = await browser.newPage();
    page.setDefaultTimeout(patience);
    page.on('console', message => complaints.push(`${message.type()}: ${message.text()}`));
    page.on('pageerror', error => complaints.push(error.message));
    const token = (await server.token(role, { userId: role === 'admin' ? 'kim@example.com' : 'desk' })) as string;
    await page.addInitScript(credential => sessionStorage.setItem('halyard.credential', credential), token);
    await page.goto(`${server.url}/console${path}`);
    return page;
  }

  async function act(query: string, by = 'ops@example.com'): Promise<Record<string, unknown>> {
    const { body } = await httpClient(server.url, await server.token('admin', { userId: by })).query(query);
    expect(body).not.toHaveProperty('errors');
    return (body as { data: Record<string, unknown> }).data;
  }

  const create = (key: string) =>
    act(`mutation { createFlag(input: { key: "${key}", name: "${key}", enabled: true }) { __typename } }`);
  const raise = (key: string, percentage: number, note = '') =>
    act(
      `mutation { updateFlag(input: { key: "${key}", percentage: ${percentage}, note: ${JSON.stringify(note || 'why')} }) { __typename } }`,
    );
  const percentageOf = async (key: string) =>
    ((await act(`{ flag(key: "${key}") { percentage } }`))['flag'] as { percentage: number }).percentage;

  describe('the history', () => {
    it('shows who changed what and why, also while it is open, and takes a change back', async () => {
      await create('checkout');
      await using page = await open('/history');
      await page.getByText('created the flag').waitFor();
      await raise('checkout', 20, '<b>week</b> 2');
      const row = page.getByRole('listitem').filter({ hasText: 'lowered the rollout' });
      await row.getByText('ops@example.com').waitFor();
      await row.getByText('“<b>week</b> 2”').waitFor();
      expect(await row.locator('del').textContent()).toBe('100');
      expect(await row.locator('ins').textContent()).toBe('20');
      await row.getByRole('button', { name: 'Undo' }).click();
      await page.getByRole('status').getByText('Taken back.').waitFor();
      expect(await percentageOf('checkout')).toBe(100);
      await page
        .getByRole('listitem')
        .filter({ hasText: 'kim@example.com' })
        .getByText('100', { exact: true })
        .waitFor();
    });

    it('brings a flag back to any of its changes, and says where that is refused', async () => {
      await create('checkout');
      await raise('checkout', 20);
      await raise('checkout', 30);
      await using page = await open('/history');
      const row = page.getByRole('listitem').filter({ has: page.locator('ins', { hasText: /^20$/ }) });
      await row.getByRole('button', { name: 'Revert to this' }).click();
      await page.getByRole('status').getByText('Brought back revision 2.').waitFor();
      expect(await percentageOf('checkout')).toBe(20);
      await page.getByRole('status').getByRole('button', { name: 'Dismiss' }).click();
      await row.last().getByRole('button', { name: 'Undo' }).click();
      await row.last().getByRole('alert').filter({ hasText: 'checkout' }).waitFor();
    });

    it('takes a batch back as a whole', async () => {
      await create('one');
      await create('two');
      await act(
        'mutation { updateFlags(input: { flags: [{ key: "one", enabled: false }, { key: "two", enabled: false }] }) { __typename } }',
      );
      await using page = await open('/history?kind=flags');
      await page.getByRole('button', { name: 'Undo all 2' }).click();
      await page.getByRole('status').getByText('Taken back, with the rest of its batch.').waitFor();
      const { flags } = (await act('{ flags { nodes { enabled } } }')) as { flags: { nodes: { enabled: boolean }[] } };
      expect(flags.nodes.map(({ enabled }) => enabled)).toEqual([true, true]);
    });

    it('keeps its filters in the address', async () => {
      await create('one');
      await create('two');
      await act('mutation { addToGroup(input: { group: "beta", userIds: ["ann"] }) { __typename } }', 'bob');
      await using page = await open('/history');
      await page.getByRole('searchbox', { name: 'Flag' }).fill('one');
      await page.waitForURL('**/history?flag=one');
      await page.getByRole('link', { name: 'two' }).waitFor({ state: 'detached' });
      await page.reload();
      await page.getByRole('link', { name: 'one' }).waitFor();
      expect(await page.getByRole('searchbox', { name: 'Flag' }).inputValue()).toBe('one');
      await page.getByRole('combobox', { name: 'Kind' }).selectOption('Groups');
      await page.getByText('No change matches.').waitFor();
      await page.getByRole('button', { name: 'Clear filters' }).click();
      await page.getByRole('searchbox', { name: 'By' }).fill('bob');
      await page.waitForURL('**/history?by=bob');
      await page.getByText('added ann to group').waitFor();
      // Until the answer comes, the list shows what it had.
      await until(async () => (await page.locator('time').count()) === 1, 'only the change by bob is shown');
    });

    it('goes back as far as somebody asks for', async () => {
      for (let index = 0; index < 35; index += 1) await create(`flag_${index}`);
      await using page = await open('/history');
      await page.getByRole('link', { name: 'flag_34' }).waitFor();
      expect(await page.getByRole('link', { name: 'flag_0', exact: true }).count()).toBe(0);
      await page.getByRole('button', { name: 'Show earlier changes' }).click();
      await page.getByRole('link', { name: 'flag_0', exact: true }).waitFor();
      // A change that comes meanwhile moves no other out of the list.
      await create('late');
      await page.getByRole('link', { name: 'late' }).waitFor();
      await until(async () => (await page.locator('time').count()) === 36, 'all changes are shown');
    });

    it('offers a reader nothing that a reader cannot do', async () => {
      await create('checkout');
      await using page = await open('/history', 'reader');
      await page.getByText('created the flag').waitFor();
      expect(await page.getByRole('button', { name: /Undo|Revert/ }).count()).toBe(0);
    });
  });

  describe('the keys', () => {
    it('are made with a secret that is shown once and works, and revoked for good', async () => {
      await using page = await open('/keys');
      await page.getByText('There is no API key yet.').waitFor();
      await page.getByRole('button', { name: 'New key' }).click();
      await page.getByRole('textbox', { name: 'Name' }).fill('build server');
      await page.getByRole('radio', { name: /^Reader/ }).check();
      await page.getByRole('button', { name: 'Make key' }).click();
      const secret = await page.getByRole('textbox', { name: 'Secret' }).inputValue();
      expect(secret).toMatch(/^hly_[\w-]{43}$/);
      const asKey = () => httpClient(server.url, secret).query('{ viewer { role } }');
      expect((await asKey()).body).toEqual({ data: { viewer: { role: 'READER' } } });
      await page.getByRole('button', { name: 'Done' }).click();
      expect(await page.content()).not.toContain(secret);
      const row = page.getByRole('row').filter({ hasText: 'build server' });
      await row.getByText(secret.slice(0, 9)).waitFor();
      await row.getByText('kim@example.com').waitFor();
      await row
        .getByText(/^in \d+ days$|\d{4}/)
        .first()
        .waitFor();

      await row.getByRole('button', { name: 'Revoke build server' }).click();
      const dialog = page.getByRole('dialog', { name: 'Revoke build server?' });
      await dialog.getByText('Nobody can take it back.').waitFor();
      await page.keyboard.press('Escape');
      await dialog.waitFor({ state: 'detached' });
      await row.getByRole('button', { name: 'Revoke build server' }).click();
      await dialog.getByRole('button', { name: 'Revoke' }).click();
      await page.getByText('1 revoked key').click();
      await row.getByText(/^Revoked/).waitFor();
      expect((await asKey()).status).toBe(401);
    });

    it('give the focus to the next key when one is revoked, by whomever, and to New key after the last', async () => {
      const ids: string[] = [];
      for (const name of ['one', 'two', 'three']) {
        const { createApiKey } = await act(
          `mutation { createApiKey(input: { name: "${name}", role: READER }) { ... on CreateApiKeyPayload { apiKey { id } } } }`,
        );
        ids.push((createApiKey as { apiKey: { id: string } }).apiKey.id);
      }
      await using page = await open('/keys');
      const focusIs = (text: string) =>
        until(
          async () => (await page.evaluate(() => document.activeElement?.textContent)) === text,
          `the focus is on ${text}`,
        );
      const revoke = async (name: string) => {
        await page.getByRole('button', { name: `Revoke ${name}` }).focus();
        await page.keyboard.press('Enter');
        await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).focus();
        await page.keyboard.press('Enter');
      };
      await revoke('two');
      await page.getByText('1 revoked key').waitFor();
      await focusIs('Revoke one');
      await act(`mutation { revokeApiKey(input: { id: "${ids[0]}" }) { __typename } }`);
      await page.getByText('2 revoked keys').waitFor();
      await focusIs('Revoke three');
      await revoke('three');
      await page.getByText('3 revoked keys').waitFor();
      await focusIs('New key');
    });

    it('say at the field why one is refused', async () => {
      await act('mutation { createApiKey(input: { name: "taken", role: READER }) { __typename } }');
      await using page = await open('/keys');
      await page.getByRole('row').filter({ hasText: 'taken' }).waitFor();
      await page.getByRole('button', { name: 'New key' }).click();
      await page.getByRole('textbox', { name: 'Name' }).fill('taken');
      await page.getByRole('button', { name: 'Make key' }).click();
      await page
        .getByRole('form', { name: 'New key' })
        .getByRole('alert')
        .filter({ hasText: '"taken" exists already' })
        .waitFor();
    });

    it('are shown to readers, who can neither make nor revoke one', async () => {
      await act('mutation { createApiKey(input: { name: "ci", role: ADMIN }) { __typename } }');
      await using page = await open('/keys', 'reader');
      await page.getByRole('row').filter({ hasText: 'ci' }).waitFor();
      expect(await page.getByRole('button', { name: /New key|Revoke/ }).count()).toBe(0);
    });
  });

  describe('the usage', () => {
    it('shows the questions of a flag by day and reason', async () => {
      await create('checkout');
      await raise('checkout', 50);
      const service = httpClient(server.url, await server.token('service'));
      for (const id of ['a', 'b', 'c', 'd', 'e', 'f']) {
        await service.query(`{ evaluate(context: { userId: "${id}" }, keys: ["checkout"]) { enabled } }`);
      }
      await until(async () => {
        const { flag } = (await act('{ flag(key: "checkout") { lastAskedAt } }')) as {
          flag: { lastAskedAt: string | null };
        };
        return flag.lastAskedAt !== null;
      }, 'the questions are written');
      await using page = await open('/usage');
      await page.getByRole('button', { name: /^checkout/ }).click();
      await page.waitForURL('**/usage?flag=checkout');
      await page.getByRole('img', { name: /^6 questions in 30 days, most on .*: 6\.$/ }).waitFor();
      await page
        .getByText(/^(In|Outside) the rollout/)
        .first()
        .waitFor();
      await page.getByRole('button', { name: '7 days' }).click();
      await page.getByRole('img', { name: /^6 questions in 7 days/ }).waitFor();
      await page.goBack();
      await page.getByRole('img', { name: /^6 questions in 30 days/ }).waitFor();
    });

    it('names the flags that are no longer needed, with what to do', async () => {
      await create('checkout');
      await act(
        'mutation { createFlag(input: { key: "old", name: "Old", expectedUntil: "2020-01-01T00:00:00Z" }) { __typename } }',
      );
      await using page = await open('/usage');
      const stale = page.getByRole('region', { name: 'No longer needed' });
      await stale.getByText('1 of 2 flags').waitFor();
      await stale.getByText('Overdue').waitFor();
      await stale.getByText(/remove it, or set a later time/).waitFor();
      await stale.getByRole('link', { name: 'Old' }).click();
      await page.waitForURL('**/flags/old');
    });
  });
});
