import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sseClient } from '../support/clients.js';
import { startTestServer, type TestServer } from '../support/server.js';

const query = (args = '') => `subscription { changes${args} { revision kind flag { key } } }`;
let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
  await server.service.management.createFlag({ key: 'a', name: 'A' });
});
afterAll(() => server.close());

describe.each(['WebSocket', 'server-sent events'] as const)('over %s', transport => {
  async function subscribe(document: string, expiresInSeconds = 3_600) {
    const token = (await server.token('admin', { expiresInSeconds })) as string;
    if (transport === 'server-sent events') return sseClient(server.url, document, { token });
    return (await server.ws('admin')).subscribe(document);
  }

  it('the changes that were missed come, then those that are made', async () => {
    await using stream = await subscribe(query('(sinceRevision: 0, filter: { flagKey: "a" })'));
    expect(await stream.next()).toEqual({
      data: { changes: { revision: 1, kind: 'FLAG_CREATED', flag: { key: 'a' } } },
    });
    for (let revision = server.service.revision; revision > 1; revision -= 1) await stream.next();
    const { enabled } = (await server.service.flags())[0] as { enabled: boolean };
    await server.service.management.updateFlag({ key: 'a', enabled: !enabled });
    expect(await stream.next()).toMatchObject({ data: { changes: { kind: 'FLAG_UPDATED' } } });
  });

  it('a revision that the log does not have is an error with a code, which ends the subscription', async () => {
    await using stream = await subscribe(query('(sinceRevision: 999)'));
    const { errors } = await stream.next();
    expect(errors?.[0]?.extensions?.code).toBe('REVISION_NOT_FOUND');
    expect(errors?.[0]?.message).toContain('revision 999');
    await stream.ended;
  });
});

it('ends with the token of its admin', async () => {
  // Within the tolerance for clocks a token still counts: this one ends in one to two seconds.
  const token = (await server.token('admin', { expiresInSeconds: -3 })) as string;
  const stream = await sseClient(server.url, query('(sinceRevision: 0)'), { token });
  await stream.next();
  await stream.ended;
  expect(stream.raw).not.toContain('event: complete');
});
