import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSchema } from '../../src/graphql/index.js';
import { hasBrowser, launchBrowser } from '../support/browser.js';
import { startPrefixProxy } from '../support/prefix-proxy.js';
import { startTestServer, type TestServer } from '../support/server.js';

const patience = 30_000;

describe.skipIf(!hasBrowser)('GraphiQL in a real browser', { timeout: 2 * patience }, () => {
  let server: TestServer;
  let browser: Browser;
  let outside: Outside;
  /** What pages wrote to the console, such as violations of the content security policy, and threw. */
  const complaints: string[] = [];

  beforeAll(async () => {
    [server, browser, outside] = await Promise.all([startTestServer(), launchBrowser(), Outside.open()]);
  }, 4 * patience);

  afterAll(async () => {
    await browser?.close();
    await outside?.close();
    await server?.close();
  });

  /** A window of somebody who was never here. */
  async function open(url = server.url): Promise<Page> {
    const { host, origin } = new URL(url);
    const page = await browser.newPage({ proxy: { server: outside.url, bypass: host } });
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'], { origin });
    page.setDefaultTimeout(patience);
    page.on('console', message => complaints.push(`${message.type()}: ${message.text()}`));
    page.on('pageerror', error => complaints.push(error.message));
    await page.goto(`${url}/graphql`);
    await loaded(page);
    return page;
  }

  it('shows the documentation that the schema holds', async () => {
    const schema = createSchema();
    // Code in a description is shown without its marks.
    const shown = (description: string | null | undefined) => (description ?? '').replaceAll('`', '');
    await using page = await open();
    await page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
    const docs = page.getByRole('region', { name: 'Documentation Explorer' });
    await docs.getByText(schema.description?.slice(0, 40) ?? '').waitFor();
    await docs.getByText('Mutation', { exact: true }).click();
    const { updateFlag } = schema.getMutationType()?.getFields() ?? {};
    await docs.getByText(shown(updateFlag?.description), { exact: true }).waitFor();
    await docs.getByText('UpdateFlagInput', { exact: true }).first().click();
    await docs.getByText(shown(schema.getType('UpdateFlagInput')?.description), { exact: true }).waitFor();
  });

  it('runs a mutation with a token from the headers, and a subscription in another window receives it', async () => {
    const headers = JSON.stringify({ Authorization: `Bearer ${await server.token('admin')}` });
    await using watching = await open();
    await write(watching, 'Headers', headers);
    await run(watching, 'Live', 'subscription Live { evaluations(context: {}) { snapshot featureMap } }');
    await answers(watching, '"snapshot": true', '"featureMap": {}');

    await using changing = await open();
    await write(changing, 'Headers', headers);
    await run(
      changing,
      'Create',
      'mutation Create { createFlag(input: { key: "seen", name: "Seen", enabled: true }) { __typename } }',
    );
    await answers(changing, '"__typename": "CreateFlagPayload"');
    await answers(watching, '"snapshot": false', '"seen": true');
  });

  it('offers operations to begin with, which work', async () => {
    await using page = await open();
    await choose(page, 'MyFeatures');
    await answers(page, '"role": "ANONYMOUS"', '"featureMap": {');
    await write(page, 'Headers', JSON.stringify({ Authorization: `Bearer ${await server.token('admin')}` }));
    await choose(page, 'CreateFlag');
    await answers(page, '"key": "new_dashboard"');
    await choose(page, 'Watch');
    await answers(page, '"snapshot": true', '"new_dashboard": true');
    await page.getByRole('button', { name: 'Stop query' }).click();
  });

  it.each([
    ['takes away', {}, true],
    ['leaves', { PATH_PREFIX: '/tools/flags' }, false],
  ])('works below a prefix that a proxy %s', async (_what, env, takesAway) => {
    await using below = await startTestServer(env);
    await using proxy = await startPrefixProxy(below.url, '/tools/flags', takesAway);
    await using page = await open(`${proxy.url}/tools/flags`);
    await choose(page, 'MyFeatures');
    await answers(page, '"role": "ANONYMOUS"');
    await choose(page, 'Watch');
    await answers(page, '"snapshot": true');
  });

  it('is as it was after a reload', async () => {
    await using page = await open();
    await choose(page, 'MyFeatures');
    await answers(page, '"featureMap": {');
    const tabs = () => page.getByRole('tab').allTextContents();
    const before = await tabs();
    await expect.poll(() => stored(page), { timeout: patience }).toContain('MyFeatures');
    await page.reload();
    await loaded(page);
    expect(await tabs()).toEqual(before);
  });

  it('brings everything along: nothing in the page comes from elsewhere', async () => {
    await using page = await open();
    const { urls, styles } = await page.evaluate(() => {
      // biome-ignore lint/suspicious/noExplicitAny: the types of the DOM are not those of this project.
      const { document } = globalThis as any;
      const loading = [...document.querySelectorAll('[src], link[href], object[data]')];
      return {
        urls: loading.map((element): string => element.src ?? element.href ?? element.data),
        styles: [...document.querySelectorAll('style')].map((style): string => style.textContent).join('\n'),
      };
    });
    expect(urls).not.toEqual([]);
    expect(urls.filter(url => !url.startsWith('data:'))).toEqual([]);
    expect(styles).toContain('url(');
    expect(styles.match(/@import[^;]*|url\(\s*["']?(?!data:|#|["'])[^)]*/g)).toBeNull();
  });

  // Last, so that it speaks of all the pages above.
  it('sends requests only to the server, and complained of nothing', async () => {
    expect(outside.requests).toEqual([]);
    expect(complaints).toEqual([]);
  });

  it('would be caught if it sent a request to another host', async () => {
    await using page = await open();
    await page.goto('http://elsewhere.example/').catch(() => {});
    expect(outside.requests).toContain('GET http://elsewhere.example/');
  });
});

/** GraphiQL is there. */
async function loaded(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Execute query' }).waitFor();
}

/** What GraphiQL keeps in the browser for the next visit. */
function stored(page: Page): Promise<string> {
  // biome-ignore lint/suspicious/noExplicitAny: the types of the DOM are not those of this project.
  return page.evaluate(() => String((globalThis as any).localStorage.getItem('graphiql:tabState')));
}

/** Replaces what an editor holds, by pasting: what is typed the editor completes with brackets of its own. */
async function write(page: Page, editor: 'Headers' | 'Operation Editor', text: string): Promise<void> {
  const region = page.getByRole('region', { name: editor });
  await page.evaluate(
    // biome-ignore lint/suspicious/noExplicitAny: the types of the DOM are not those of this project.
    value => (globalThis as any).navigator.clipboard.writeText(value),
    text,
  );
  await region.locator('.monaco-editor').filter({ visible: true }).click();
  await page.keyboard.press('ControlOrMeta+A');
  await page.keyboard.press('ControlOrMeta+V');
  await shows(region.locator('.view-lines').filter({ visible: true }), text);
}

/** Replaces the document with one operation, of this name, and runs it. */
async function run(page: Page, name: string, operation: string): Promise<void> {
  await write(page, 'Operation Editor', operation);
  // The tab takes the name when the document has been parsed; until then it is the old one that would run.
  await page.getByRole('tab', { name, exact: true }).waitFor();
  await page.getByRole('button', { name: 'Execute query' }).click();
}

/** Runs one of several operations. */
async function choose(page: Page, name: string): Promise<void> {
  await page.getByRole('button', { name: 'Execute query' }).click();
  await page.getByRole('menuitem', { name }).click();
}

/** Waits until the result pane shows each of these. */
async function answers(page: Page, ...lines: string[]): Promise<void> {
  const pane = page.getByRole('region', { name: 'Result Window' }).locator('.view-lines');
  for (const line of lines) await shows(pane, line);
}

/** An editor draws its lines in any order, and blanks as ones that do not break. */
async function shows(lines: Locator, text: string): Promise<void> {
  const content = async () => (await lines.textContent())?.replaceAll('\u00a0', ' ');
  await expect.poll(content, { timeout: patience }).toContain(text);
}

/** Everything that is not the server, for the browser: a proxy that writes down what it is asked for, and refuses it. */
class Outside {
  readonly requests: string[] = [];

  private constructor(
    readonly server: Server,
    readonly url: string,
  ) {
    server.on('request', (request, response) => {
      this.requests.push(`${request.method} ${request.url}`);
      response.writeHead(403).end();
    });
    // What is encrypted, sockets included.
    server.on('connect', (request, socket) => {
      this.requests.push(`CONNECT ${request.url}`);
      socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
    });
  }

  static async open(): Promise<Outside> {
    const server = createServer();
    await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
    return new Outside(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise(done => this.server.close(done));
  }
}
