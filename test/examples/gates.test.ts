import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as expressExample from '../../examples/express.js';
import * as fetchExample from '../../examples/fetch.js';

const tester = '3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a';
const other = '00000000-0000-4000-8000-000000000001';

const server = expressExample.app.listen(0, '127.0.0.1');
let url: string;

beforeAll(async () => {
  if (!server.listening) await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await expressExample.features.close();
  await fetchExample.features.close();
});

type Send = (path: string, init: RequestInit) => Promise<Response>;

const overExpress: Send = (path, init) => fetch(url + path, init);
const overHono: Send = async (path, init) => fetchExample.app.request(path, init);
const alone: Send = (path, init) => fetchExample.GET(new Request(`http://app.test${path}`, init));

const json = (message: string) => JSON.stringify({ message });

describe.each([
  {
    name: 'Express: 404',
    send: overExpress,
    path: '/hidden',
    open: 'hidden: in',
    closed: [404, null, json('Not found.')],
  },
  {
    name: 'Express: 403',
    send: overExpress,
    path: '/refused',
    open: 'refused: in',
    closed: [403, null, json('For testers.')],
  },
  {
    name: 'Express: redirect',
    send: overExpress,
    path: '/redirected',
    open: 'redirected: in',
    closed: [302, '/waitlist', ''],
  },
  { name: 'Hono: 404', send: overHono, path: '/hidden', open: 'hidden: in', closed: [404, null, json('Not found.')] },
  {
    name: 'Hono: 403',
    send: overHono,
    path: '/refused/7',
    open: 'refused 7: in',
    closed: [403, null, json('For testers.')],
  },
  {
    name: 'Hono: redirect',
    send: overHono,
    path: '/redirected',
    open: '/redirected: in',
    closed: [302, '/waitlist', ''],
  },
  { name: 'fetch: redirect', send: alone, path: '/alone', open: '/alone: in', closed: [302, '/waitlist', ''] },
])('$name', ({ send, path, open, closed }) => {
  it.each([
    { who: 'a tester', headers: { 'x-user-id': tester }, expected: [200, null, open] },
    { who: 'somebody else', headers: { 'x-user-id': other }, expected: closed },
    { who: 'an anonymous caller', headers: {}, expected: closed },
  ])('$who', async ({ headers, expected }) => {
    const response = await send(path, { headers, redirect: 'manual' });
    expect([response.status, response.headers.get('location'), await response.text()]).toEqual(expected);
  });
});
