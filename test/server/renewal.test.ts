import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { wsClient } from '../support/clients.js';
import { ann, startTestServer, type TestServer } from '../support/server.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
  const { management } = server.service;
  await management.createFlag({ key: 'pro', name: 'Pro', enabled: true, conditions: { attributes: { plan: 'pro' } } });
  await management.createFlag({ key: 'beta', name: 'Beta', enabled: true, conditions: { groups: ['beta'] } });
  await management.addToGroup({ group: 'beta', userIds: [ann] });
});
afterAll(() => server.close());

const watch = 'subscription ($since: Int) { viewerFeatures(sinceRevision: $since) { revision snapshot featureMap } }';

/** The first update of a viewer with this token, on a socket of its own. */
async function connectWith(token: string | undefined, since?: number) {
  const client = wsClient(server.url, token === undefined ? {} : { token });
  const updates = client.subscribe(watch, { since });
  return { client, updates, first: (await updates.next()).data?.viewerFeatures };
}

describe('a viewer who reconnects with another token', () => {
  it('is answered by the claims of that token: attributes, user, none', async () => {
    const free = await connectWith(await server.token('user', { attributes: { plan: 'free' } }));
    expect(free.first).toMatchObject({ snapshot: true, featureMap: { pro: false, beta: true } });
    await free.client.close();

    const since = free.first.revision;
    const pro = await connectWith(await server.token('user', { attributes: { plan: 'pro' } }), since);
    expect(pro.first).toMatchObject({ snapshot: true, featureMap: { pro: true, beta: true } });

    const other = '00000000-0000-4000-8000-000000000009';
    const someoneElse = await connectWith(await server.token('user', { userId: other, attributes: { plan: 'pro' } }));
    expect(someoneElse.first).toMatchObject({ snapshot: true, featureMap: { pro: true, beta: false } });

    const nobody = await connectWith(undefined);
    expect(nobody.first).toMatchObject({ snapshot: true, featureMap: { pro: false, beta: false } });

    // Each goes on by its own token: what changes for one is sent to that one alone.
    await server.service.management.updateFlag({
      key: 'pro',
      conditions: { attributes: { plan: ['free', 'team'] } },
    });
    for (const { updates } of [pro, someoneElse]) {
      expect((await updates.next()).data?.viewerFeatures).toMatchObject({ featureMap: { pro: false } });
    }
    expect(nobody.updates.size).toBe(0);
    for (const { client } of [pro, someoneElse, nobody]) await client.close();
  });

  it('is answered the same by both tokens while both sockets live', async () => {
    const [first, second] = await Promise.all([
      connectWith(await server.token('user', { attributes: { plan: 'free' } })),
      connectWith(await server.token('user', { attributes: { plan: 'pro' } })),
    ]);
    expect(first.first.featureMap).not.toEqual(second.first.featureMap);
    await first.client.close();
    await second.client.close();
  });
});
