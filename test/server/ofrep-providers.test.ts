import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { OFREPProvider } from '@openfeature/ofrep-provider';
import { OpenFeature } from '@openfeature/server-sdk';
import type { Page } from 'playwright-core';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DatabaseBackend } from '../../src/backends/database.js';
import { hasBrowser, launchBrowser } from '../support/browser.js';
import { notClosing, openPGlite } from '../support/pglite.js';
import { ann, bob, startTestServer, type TestServer } from '../support/server.js';
import { until } from '../support/wait.js';

const values = (type: string, ...all: unknown[]) => ({
  ...{ type, enabled: true, offVariant: 'v0' },
  variants: all.map((value, n) => ({ key: `v${n}`, value, weight: n === 0 ? 1 : 0 })),
});

const flags = [
  { key: 'on', enabled: true },
  { key: 'flipped', enabled: false },
  { key: 'pro', enabled: true, conditions: { attributes: { plan: 'pro' } } },
  { key: 'text', ...values('STRING', 'x') },
  { key: 'number', ...values('NUMBER', 1.5, 2) },
  { key: 'object', ...values('OBJECT', { a: [1] }) },
];

const secret = '0123456789abcdef0123456789abcdef';
let database: DatabaseBackend;
let server: TestServer;
beforeAll(async () => {
  database = await openPGlite();
  server = await startTestServer({ AUTH_JWT_SECRET: secret }, { database: notClosing(database) });
  for (const flag of flags) await server.service.management.createFlag({ name: flag.key, ...flag } as never);
});
afterAll(async () => {
  await server.close();
  await database.close();
});

const metadata = { halyardReason: 'ENABLED' };

describe('the provider for servers', () => {
  it('gets values, variants, reasons and errors', async () => {
    const token = (await server.token('service')) as string;
    const headers: [string, string][] = [['Authorization', `Bearer ${token}`]];
    await OpenFeature.setProviderAndWait('server', new OFREPProvider({ baseUrl: server.url, headers }));
    const client = OpenFeature.getClient('server');
    const user = { targetingKey: 'ann', plan: 'pro' };
    const fixed = { reason: 'STATIC', variant: 'v0', flagMetadata: metadata };
    expect(await client.getBooleanDetails('on', false, user)).toMatchObject({ ...fixed, value: true, variant: 'on' });
    expect(await client.getStringDetails('text', '', user)).toMatchObject({ ...fixed, value: 'x' });
    expect(await client.getNumberDetails('number', 0, user)).toMatchObject({ ...fixed, value: 1.5 });
    expect(await client.getObjectDetails('object', {}, user)).toMatchObject({ ...fixed, value: { a: [1] } });
    expect(await client.getBooleanDetails('pro', false, user)).toMatchObject({
      value: true,
      reason: 'TARGETING_MATCH',
    });
    expect(await client.getBooleanDetails('pro', true, { targetingKey: 'ann' })).toMatchObject({
      ...{ value: false, reason: 'UNKNOWN' },
      flagMetadata: { halyardReason: 'CONDITIONS_NOT_MET' },
    });
    // A kill switch kills, whatever the code has as a default.
    expect(await client.getBooleanDetails('flipped', true, user)).toMatchObject({ value: false, reason: 'STATIC' });
    expect(await client.getBooleanDetails('nope', true, user)).toMatchObject({
      ...{ value: true, reason: 'ERROR', errorCode: 'FLAG_NOT_FOUND' },
      errorMessage: 'There is no flag with the key "nope".',
    });
    expect(await client.getBooleanDetails('text', true, user)).toMatchObject({
      value: true,
      errorCode: 'TYPE_MISMATCH',
    });
    expect(await client.getBooleanDetails('on', true, { targetingKey: ' ' })).toMatchObject({
      ...{ value: true, errorCode: 'INVALID_CONTEXT' },
      errorMessage: expect.stringContaining('context.targetingKey: '),
    });
    expect(await client.getBooleanDetails('on', false)).toMatchObject({ value: true });
    await OpenFeature.close();
  });
});

/** The page has these. */
interface Window {
  readonly ofrep: {
    readonly OpenFeature: typeof import('@openfeature/web-sdk').OpenFeature;
    readonly OFREPWebProvider: typeof import('@openfeature/ofrep-web-provider').OFREPWebProvider;
  };
  client: import('@openfeature/web-sdk').Client;
  events: { readonly type: string; readonly keys?: readonly string[] }[];
  token: string;
}
declare const window: Window;

describe.skipIf(!hasBrowser)('the provider for the web, in a browser', () => {
  let page: Page;
  const closing: (() => Promise<unknown>)[] = [];
  beforeAll(async () => {
    const entry = fileURLToPath(new URL('../support/ofrep/page.ts', import.meta.url));
    const bundle = await build({
      ...{ configFile: false, logLevel: 'error' },
      build: { write: false, minify: false, lib: { entry, name: 'ofrep', formats: ['iife'] } },
    });
    const [output] = bundle as unknown as [{ output: [{ code: string }] }];
    const script = output.output[0].code;
    const pages = createServer((request, response) => {
      const isScript = request.url === '/page.js';
      response.writeHead(200, { 'content-type': isScript ? 'text/javascript' : 'text/html; charset=utf-8' });
      response.end(isScript ? script : '<!doctype html><script src="/page.js"></script>');
    });
    await new Promise<void>(resolve => pages.listen(0, '127.0.0.1', resolve));
    closing.push(() => new Promise(resolve => pages.close(resolve)));
    const browser = await launchBrowser();
    closing.unshift(() => browser.close());
    page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(pages.address() as AddressInfo).port}/`);
  });
  afterAll(async () => {
    for (const close of closing) await close();
  });

  const flip = (enabled: boolean) => server.service.management.updateFlag({ key: 'flipped', enabled });
  const flipped = () => page.evaluate(() => window.client.getBooleanValue('flipped', false));
  const events = () => page.evaluate(() => window.events.splice(0));

  it('gets values, follows changes, context and restarts, and asks no more than it must', async () => {
    const token = (await server.token('user')) as string;
    await page.evaluate(
      async ([baseUrl, bearer]) => {
        window.token = bearer as string;
        window.events = [];
        const { OpenFeature, OFREPWebProvider } = window.ofrep;
        const provider = new OFREPWebProvider({
          baseUrl: baseUrl as string,
          headersFactory: async () => [['Authorization', `Bearer ${window.token}`]],
        });
        await OpenFeature.setProviderAndWait(provider as never);
        window.client = OpenFeature.getClient();
        for (const type of ['PROVIDER_CONFIGURATION_CHANGED', 'PROVIDER_STALE', 'PROVIDER_ERROR'] as const) {
          window.client.addHandler(type as never, details => {
            const keys = (details as { flagsChanged?: string[] } | undefined)?.flagsChanged;
            window.events.push({ type, ...(keys === undefined ? {} : { keys }) });
          });
        }
      },
      [server.url, token],
    );
    const details = await page.evaluate(() => ({
      on: window.client.getBooleanDetails('on', false),
      text: window.client.getStringDetails('text', ''),
      number: window.client.getNumberDetails('number', 0),
      object: window.client.getObjectDetails('object', {}),
      missing: window.client.getBooleanDetails('nope', true),
      mismatch: window.client.getBooleanDetails('text', true),
    }));
    expect(details).toMatchObject({
      on: { value: true, variant: 'on', reason: 'STATIC', flagMetadata: metadata },
      text: { value: 'x', variant: 'v0', reason: 'STATIC' },
      number: { value: 1.5 },
      object: { value: { a: [1] } },
      missing: { value: true, reason: 'ERROR', errorCode: 'FLAG_NOT_FOUND' },
      mismatch: { value: true, reason: 'ERROR', errorCode: 'TYPE_MISMATCH' },
    });

    await until(() => server.load.streams === 1, 'the page follows changes');
    await flip(true);
    await until(flipped, 'the page has the change');
    expect(await events()).toContainEqual({ type: 'PROVIDER_CONFIGURATION_CHANGED', keys: ['flipped'] });

    // A change while the server is away: nothing in the provider asks again after it has reconnected, the event does it.
    const { port } = server;
    await server.close();
    server = await startTestServer({ AUTH_JWT_SECRET: secret, PORT: String(port) }, { database: notClosing(database) });
    await flip(false);
    await until(async () => !(await flipped()), 'the page has the change that it missed');
    expect((await events()).map(({ type }) => type)).toContain('PROVIDER_STALE');
    await until(() => server.load.streams === 1, 'the page follows changes again');

    // Tickets that count no more: the provider asks, gets another ticket, and is silent.
    await server.close();
    await database.prisma.$executeRaw`UPDATE halyard_secrets SET value = decode(repeat('00', 32), 'hex')`;
    server = await startTestServer({ AUTH_JWT_SECRET: secret, PORT: String(port) }, { database: notClosing(database) });
    await until(() => server.load.streams === 1, 'the page has another ticket');
    await flip(true);
    await until(flipped, 'the page has the change');
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    const refused = Number(/route="\/ofrep\/v1\/events",status="401"\} (\d+)/.exec(metrics)?.[1]);
    expect(refused).toBeLessThanOrEqual(2);

    // A user may not be asked for by the token of another.
    await events();
    await page.evaluate(key => window.ofrep.OpenFeature.setContext({ targetingKey: key }), ann);
    expect((await events()).map(({ type }) => type)).not.toContain('PROVIDER_ERROR');
    await page.evaluate(key => window.ofrep.OpenFeature.setContext({ targetingKey: key }), bob);
    expect((await events()).map(({ type }) => type)).toContain('PROVIDER_ERROR');
  });
});
