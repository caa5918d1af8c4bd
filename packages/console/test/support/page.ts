import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import type { TestRole, TestServer } from '../../../../test/support/server.js';

export interface ConsoleOptions extends BrowserContextOptions {
  readonly role?: TestRole;
  readonly userId?: string;
  /** Below `/console`. */
  readonly path: string;
}

/** A tab of its own with the console, signed in. */
export async function openConsole(browser: Browser, server: TestServer, options: ConsoleOptions): Promise<Page> {
  const { role = 'admin', userId = 'okta|m.admin', path, ...context } = options;
  const token = (await server.token(role, { userId })) ?? '';
  const page = await (await browser.newContext({ locale: 'en-GB', ...context })).newPage();
  page.setDefaultTimeout(15_000);
  await page.addInitScript(credential => sessionStorage.setItem('halyard.credential', credential), token);
  await page.goto(`${server.url}/console${path}`);
  return page;
}
