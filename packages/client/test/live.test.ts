import { createClient, type HalyardError, type Options, type Transport } from '@halyard/client';
import { webSocketTransport } from '@halyard/client/ws';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { cleanups } from '../../../test/support/cleanups.js';
import { ann, bob, startTestServer, type TestServer } from '../../../test/support/server.js';
import { TcpProxy } from '../../../test/support/tcp-proxy.js';
import { until } from '../../../test/support/wait.js';

const transports: readonly (readonly [string, Transport | undefined])[] = [
  ['server-sent events', undefined],
  ['a WebSocket', webSocketTransport({ WebSocket })],
];

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
beforeEach(async () => {
  const { management } = server.service;
  for (const key of ['checkout', 'theme', 'pro', 'half', 'a']) await management.deleteFlag({ key });
});
afterAll(() => server.close());

describe.each(transports)('a client of a running server over %s', (_name, transport) => {
  it('follows the answers of a signed-in user', async () => {
    const { management } = server.service;
    await management.createFlag({ key: 'checkout', name: 'Checkout', enabled: true });
    await management.createFlag({
      key: 'theme',
      name: 'Theme',
      enabled: true,
      type: 'STRING',
      variants: [{ key: 'red', value: '#f00', weight: 1 }],
      offVariant: 'red',
    });
    const { client, errors } = connect(server, { transport, token: () => server.token('user') as Promise<string> });
    expect([client.status, client.source, client.isEnabled('checkout')]).toEqual(['connecting', 'default', false]);
    await client.ready();
    expect([client.status, client.source, client.isEnabled('checkout')]).toEqual(['live', 'live', true]);
    expect(client.value('theme', '#000')).toBe('#f00');
    expect(client.evaluate('theme')).toEqual({ enabled: true, value: '#f00', variant: 'red', reason: 'ENABLED' });

    const heard: string[] = [];
    const theme = client.evaluate('theme');
    client.onChange(keys => heard.push(...keys));
    await management.updateFlag({ key: 'checkout', enabled: false });
    await until(() => heard.length > 0, 'the change is heard');
    expect([heard, client.isEnabled('checkout')]).toEqual([['checkout'], false]);
    expect(client.evaluate('theme')).toBe(theme);
    await management.deleteFlag({ key: 'theme' });
    await until(() => heard.length > 1, 'the deletion is heard');
    expect(Object.keys(client.all())).toEqual(['checkout']);
    expect(errors).toEqual([]);
  });

  it('keeps its answers over a restart, and takes those of a server that has gone back in time', async () => {
    const first = await startTestServer();
    for (const key of ['a', 'b']) await first.service.management.createFlag({ key, name: key, enabled: true });
    const { client } = connect(first, { transport });
    await client.ready();
    expect(client.snapshot().revision).toBe(2);
    await first.close();
    await until(() => client.status === 'stale', 'the client has noticed');
    expect(client.isEnabled('b')).toBe(true);
    await using second = await startTestServer({ PORT: new URL(first.url).port });
    await second.service.management.createFlag({ key: 'a', name: 'a', enabled: true });
    await until(() => client.status === 'live', 'the client is back', 20_000);
    await until(() => client.snapshot().revision === 1 && client.isEnabled('a'), 'the answers are the new ones');
    expect(client.isEnabled('b')).toBe(false);
  });

  it('comes back with a new token when the old one expires, and with that of another user', async () => {
    await server.service.management.createFlag({
      key: 'pro',
      name: 'Pro',
      enabled: true,
      conditions: { attributes: { plan: 'pro' } },
    });
    // A token counts for five seconds after its end.
    const first = await server.token('user', { expiresInSeconds: -2 });
    const later = await server.token('user', { attributes: { plan: 'pro' } });
    const tokens = [first, later];
    const { client, errors } = connect(server, {
      transport,
      subject: ann,
      token: () => tokens.shift() ?? (server.token('user', { userId: bob }) as Promise<string>),
    });
    await client.ready();
    expect(client.isEnabled('pro')).toBe(false);
    await until(() => client.isEnabled('pro'), 'the new token counts');
    expect(errors.filter(({ code }) => code !== 'UNAUTHENTICATED')).toEqual([]);
    await client.identify({ subject: bob });
    expect([client.status, client.isEnabled('pro'), client.snapshot().subject]).toEqual(['live', false, bob]);
  });

  it('tells of a refused token in the words of the server', async () => {
    const { errors } = connect(server, { transport, token: () => 'nonsense' });
    await until(() => errors.length > 0, 'the refusal is told');
    expect(errors[0]?.code).toBe('UNAUTHENTICATED');
    expect(errors[0]?.message).toMatch(/token/i);
  });

  it('buckets a visitor without a user by the device', async () => {
    await server.service.management.createFlag({ key: 'half', name: 'Half', enabled: true, percentage: 50 });
    const answers = await Promise.all(
      [...Array.from({ length: 12 }, (_, index) => `device-${index}-of-12`), false as const].map(async deviceId => {
        const { client } = connect(server, { transport, deviceId });
        await client.ready();
        return client.evaluate('half')?.reason;
      }),
    );
    expect(new Set(answers)).toEqual(new Set(['ROLLOUT', 'OUTSIDE_ROLLOUT', 'USER_REQUIRED']));
  });
});

describe('many clients', () => {
  it('leave no timer, no connection and no listener behind', async () => {
    const timers = () => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length;
    const warm = connect(server);
    await warm.client.ready();
    warm.client.close();
    await until(() => server.load.streams === 0, 'the first stream is over');
    const before = timers();
    for (let round = 0; round < 10; round += 1) {
      const clients = Array.from({ length: 100 }, () => connect(server).client);
      // Some are closed at once, some while they connect, some when they are live.
      for (const client of clients.slice(0, 40)) client.close();
      await Promise.all(clients.slice(60).map(client => client.ready()));
      for (const client of clients) client.close();
    }
    await until(() => server.load.streams === 0, 'all streams are over');
    await until(() => timers() <= before + 2, 'all timers are over');
  });

  it('that are dropped at once come back over the whole time of their back-off', async () => {
    await server.service.management.createFlag({ key: 'a', name: 'a', enabled: true });
    const proxy = await TcpProxy.to(Number(new URL(server.url).port));
    cleanups.push(() => proxy.cut());
    const all = Array.from({ length: 500 }, () => connect({ url: `http://127.0.0.1:${proxy.port}` }));
    await Promise.all(all.map(({ client }) => client.ready()));
    await proxy.cut();
    await until(() => all.every(({ errors }) => errors.length >= 2), 'all have tried a few times', 20_000);
    const start = performance.now();
    const back: number[] = [];
    for (const { client } of all)
      client.onStatus(() => client.status === 'live' && back.push(performance.now() - start));
    await proxy.open();
    await until(() => back.length >= all.length, 'all are back', 25_000);
    const counts: number[] = [];
    for (const at of back) {
      const bucket = Math.floor(at / 250);
      counts[bucket] = (counts[bucket] ?? 0) + 1;
    }
    const lines = Array.from(counts, (count = 0, index) => `${index * 250} ms\t${'#'.repeat(count / 4)} ${count}`);
    process.stdout.write(`500 clients come back:\n${lines.join('\n')}\n`);
    expect(Math.max(...back)).toBeGreaterThan(1_000);
    expect(Math.max(...counts.filter(count => count > 0))).toBeLessThan(250);
    const codes = new Set(all.flatMap(({ errors }) => errors.map(({ code }) => code)));
    expect([...codes].filter(code => code !== 'NETWORK_ERROR')).toEqual([]);
  });
});

/** A client that is closed after the test, and what its `onError` was told. */
function connect(server: Pick<TestServer, 'url'>, options: Partial<Options> = {}) {
  const errors: HalyardError[] = [];
  const client = createClient({ url: server.url, storage: null, onError: error => errors.push(error), ...options });
  cleanups.push(() => client.close());
  return { client, errors };
}
