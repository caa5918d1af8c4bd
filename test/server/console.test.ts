import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request as send } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConsole } from '../../src/server/protocols/console/files.js';
import { startPrefixProxy } from '../support/prefix-proxy.js';
import { startTestServer } from '../support/server.js';
import { secret, startTestServer as startHarness } from './harness.js';

const html =
  '<!doctype html><html><head><meta charset="utf-8"><script type="module" src="./assets/a-1.js"></script></head></html>';
const script = 'console.log("the console");'.repeat(100);
const immutable = 'public, max-age=31536000, immutable';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'halyard-console-'));
  await mkdir(join(folder, 'console/assets'), { recursive: true });
  await writeFile(join(folder, 'console/index.html'), html);
  await writeFile(join(folder, 'console/assets/a-1.js'), script);
  await writeFile(join(folder, 'console/assets/a-1.css'), 'p { color: red }');
  await writeFile(join(folder, 'console/icon.svg'), '<svg xmlns="http://www.w3.org/2000/svg"/>');
  await writeFile(join(folder, 'secret.txt'), 'not of the console');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A server with the console above, without flags. */
async function start(options: Parameters<typeof startHarness>[0] = {}, name = 'console') {
  const files = await readConsole(join(folder, name));
  const keys = { kind: 'secret', secrets: [secret] } as const;
  return startHarness({ console: { files, keys, claims: {}, useCode: async () => true }, ...options });
}

/** A request whose path is sent as it stands here. */
function raw(url: string, path: string): Promise<{ readonly status: number; readonly body: string }> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    send({ hostname, port, path }, response => {
      let body = '';
      response.setEncoding('utf8').on('data', text => (body += text));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    })
      .on('error', reject)
      .end();
  });
}

/** Where a browser finds the script of a page that it opened at this address. */
async function scriptOf(address: string): Promise<string> {
  const text = await (await fetch(address)).text();
  const base = /<base href="([^"]*)">/.exec(text)?.[1] ?? '';
  return new URL('./assets/a-1.js', new URL(base, address)).href;
}

describe('the page of the console', () => {
  it('runs nothing but its own files, and is in nobody else’s frame', async () => {
    await using server = await start();
    const page = await fetch(`${server.url}/console/`);
    expect(page.status).toBe(200);
    const headers = Object.fromEntries(page.headers);
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-cache',
      'content-security-policy':
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
        "connect-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
    });
    expect(headers['content-security-policy']).not.toContain('unsafe');
  });

  it.each(['/', '/flags', '/flags/', '/flags/a.b', '/users/okta%7Ct.ops', '/users/a%2Fb/answers'])(
    'is at %s too, and finds its files from there',
    async path => {
      await using server = await start();
      expect(await scriptOf(`${server.url}/console${path}`)).toBe(`${server.url}/console/assets/a-1.js`);
    },
  );

  it.each([
    { proxy: 'takes the prefix away', takesAway: true, prefix: '' },
    { proxy: 'takes the prefix away, and PATH_PREFIX is set', takesAway: true, prefix: '/tools/flags' },
    { proxy: 'leaves the prefix', takesAway: false, prefix: '/tools/flags' },
  ])('is found, with its files, behind a proxy that $proxy', async ({ takesAway, prefix }) => {
    await using server = await start({ prefix });
    await using proxy = await startPrefixProxy(server.url, '/tools/flags', takesAway);
    const url = `${proxy.url}/tools/flags/console`;
    expect((await fetch(url)).url).toBe(`${url}/`);
    for (const path of ['/', '/flags', '/flags/x']) {
      const address = await scriptOf(url + path);
      expect(address).toBe(`${url}/assets/a-1.js`);
      expect(await (await fetch(address)).text()).toBe(script);
    }
  });

  it('is asked for again each time, and answered with 304 as long as it is the same', async () => {
    await using server = await start();
    const etag = (await fetch(`${server.url}/console/flags`)).headers.get('etag') as string;
    const again = await fetch(`${server.url}/console/flags`, { headers: { 'if-none-match': etag } });
    expect([again.status, again.headers.get('etag'), await again.text()]).toEqual([304, etag, '']);
    // Its base is another one.
    const deeper = await fetch(`${server.url}/console/flags/x`, { headers: { 'if-none-match': etag } });
    expect(deeper.status).toBe(200);
  });

  it('answers HEAD with its headers alone, and other methods not at all', async () => {
    await using server = await start();
    const head = await fetch(`${server.url}/console/`, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
    expect(Number(head.headers.get('content-length'))).toBeGreaterThan(html.length);
    expect((await fetch(`${server.url}/console/`, { method: 'POST' })).status).toBe(404);
  });

  it('is at no address with more slashes than any page has', async () => {
    await using server = await start();
    expect((await fetch(`${server.url}/console/${'a/'.repeat(8)}`)).status).toBe(200);
    expect((await fetch(`${server.url}/console/${'a/'.repeat(9)}`)).status).toBe(404);
  });
});

describe('the files of the console', () => {
  it('may be kept for ever where their names change with them', async () => {
    await using server = await start();
    const file = await fetch(`${server.url}/console/assets/a-1.js`);
    expect(await file.text()).toBe(script);
    expect(Object.fromEntries(file.headers)).toMatchObject({
      'content-type': 'text/javascript; charset=utf-8',
      'cache-control': immutable,
      'x-content-type-options': 'nosniff',
    });
    const icon = await fetch(`${server.url}/console/icon.svg`);
    expect(icon.headers.get('content-type')).toBe('image/svg+xml; charset=utf-8');
    expect(icon.headers.get('cache-control')).toBe('no-cache');
  });

  it('are compressed for clients that take it', async () => {
    await using server = await start();
    const { hostname, port } = new URL(server.url);
    const sent = await new Promise<{ headers: object; body: Buffer }>((resolve, reject) => {
      const headers = { 'accept-encoding': 'gzip' };
      send({ hostname, port, path: '/console/assets/a-1.js', headers }, response => {
        const chunks: Buffer[] = [];
        response.on('data', chunk => chunks.push(chunk));
        response.on('end', () => resolve({ headers: response.headers, body: Buffer.concat(chunks) }));
      })
        .on('error', reject)
        .end();
    });
    expect(sent.headers).toMatchObject({
      'content-encoding': 'gzip',
      vary: expect.stringContaining('Accept-Encoding'),
    });
    expect(sent.body.length).toBeLessThan(script.length / 5);
    expect(gunzipSync(sent.body).toString()).toBe(script);
  });

  it('are 404 where there is none, and not the page', async () => {
    await using server = await start();
    for (const path of ['/assets/a-2.js', '/assets/', '/assets/../../package.json']) {
      const { status, body } = await raw(server.url, `/console${path}`);
      expect([path, status]).toEqual([path, 404]);
      expect(JSON.parse(body).errors[0].message).toBe('The console has no such file: reload the page.');
    }
  });

  it.each([
    '/console/../secret.txt',
    '/console/..%2fsecret.txt',
    '/console/%2e%2e/secret.txt',
    '/console/assets/../../secret.txt',
    '/console/..\\secret.txt',
    '/console//etc/passwd',
  ])('never are files beside the console: %s', async path => {
    await using server = await start();
    const { body } = await raw(server.url, path);
    expect(body).not.toContain('not of the console');
    expect(body).not.toContain('root:');
  });

  it('share one label in the metrics', async () => {
    const { Registry } = await import('prom-client');
    const registry = new Registry();
    await using server = await start({ metrics: { registry } });
    for (const path of ['/console/', '/console/flags/a', '/console/assets/nothing']) await fetch(server.url + path);
    const text = await registry.metrics();
    expect(text).toContain('/console/{path}');
    expect(text).not.toContain('flags/a');
  });
});

describe('without a console', () => {
  it('a server that runs from sources says how to build it', async () => {
    await using server = await start({}, 'nothing');
    for (const path of ['/console/', '/console/flags/a', '/console/assets/a.js']) {
      const answer = await fetch(server.url + path);
      expect(answer.status).toBe(503);
      expect(await answer.text()).toBe('The console is not built. Run "npm run build", then start the server again.\n');
    }
  });

  it('a server with HALYARD_CONSOLE=false answers 404, and exchanges no code', async () => {
    await using server = await startTestServer(
      { HALYARD_CONSOLE: 'false' },
      { consoleFolder: join(folder, 'console') },
    );
    expect((await fetch(`${server.url}/console/`)).status).toBe(404);
    const headers = { 'content-type': 'application/json' };
    const session = await fetch(`${server.url}/console/session`, { method: 'POST', headers, body: '{"code":"a"}' });
    expect(session.status).toBe(404);
  });

  it('a server says no page has no <head> to put its base into', async () => {
    await mkdir(join(folder, 'broken'));
    await writeFile(join(folder, 'broken/index.html'), '<html></html>');
    await expect(readConsole(join(folder, 'broken'))).rejects.toThrow('The page of the console has no <head>.');
  });
});
