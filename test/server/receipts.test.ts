import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { openDatabase } from '../../src/backends/database.js';
import { SseViewer, type Viewer, WsViewer } from '../chaos/viewer.js';
import { cleanups, database } from '../support/cleanups.js';
import { httpClient, sseClient, wsClient } from '../support/clients.js';
import type { TestDatabase } from '../support/postgres.js';
import { startTestServer, type TestServer } from '../support/server.js';
import { until } from '../support/wait.js';

const secret = '0123456789abcdef0123456789abcdef';

async function start({ url }: TestDatabase): Promise<TestServer> {
  const backend = await openDatabase({ url });
  const env = { AUTH_JWT_SECRET: secret, MAX_CONNECTIONS_PER_ADDRESS: '5000' };
  const server = await startTestServer(env, { database: backend });
  cleanups.push(() => server.close());
  return server;
}

/** Viewers of the servers in turn, over both transports, each with the first update received. */
async function watch(servers: readonly TestServer[], count: number): Promise<readonly Viewer[]> {
  const violations: string[] = [];
  const viewers = await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const server = servers[index % servers.length] as TestServer;
      const userId = `user ${index} ${randomUUID()}`;
      const token = (await server.token('user', { userId })) ?? null;
      const spec = { name: `viewer ${index}`, userId, device: null, claims: null, keys: null, token };
      const options = { url: () => server.url, violated: (what: string) => void violations.push(what) };
      return index % 3 === 0 ? new SseViewer(spec, options) : new WsViewer(spec, options);
    }),
  );
  cleanups.push(async () => {
    await Promise.all(viewers.map(viewer => viewer.stop()));
    expect(violations).toEqual([]);
  });
  for (const viewer of viewers) viewer.start();
  await until(() => viewers.every(({ snapshots }) => snapshots === 1), `${count} viewers have the whole set`, 60_000);
  return viewers;
}

const numbers = 'revision affected handed behind nodes nodesApplied p50 p99 isDone';
const audience = 'key viewers on variants behind';

it('over two nodes is what the viewers have really received', { timeout: 240_000 }, async () => {
  const shared = await database();
  const [a, b] = [await start(shared), await start(shared)];
  const admin = httpClient(a.url, await a.token('admin'));
  const reader = (await b.token('reader')) as string;
  for (const key of ['a', 'b']) {
    await admin.query(
      `mutation { createFlag(input: { key: "${key}", name: "${key}", percentage: 50 }) { __typename } }`,
    );
  }
  const viewers = await watch([a, b], 240);
  const having = (key: string, on: boolean) =>
    viewers.filter(({ answers }) => answers.get(key)?.startsWith(String(on))).length;

  // The audience, from both nodes and over both transports, follows a flip.
  await using client = wsClient(a.url, { token: reader });
  const known = new Map<string, Record<string, unknown>>();
  await using audiences = client.subscribe(`subscription { flagAudience { ${audience} } }`);
  await using alone = await sseClient(b.url, `subscription { flagAudience(keys: ["a"]) { ${audience} } }`, {
    token: reader,
  });
  const everybody = { key: 'a', viewers: 240, on: 0, variants: { off: 240 }, behind: 0 };
  await until(async () => {
    const { flagAudience } = (await audiences.next()).data;
    known.set(flagAudience.key, flagAudience);
    return known.get('a')?.['viewers'] === 240 && known.get('b')?.['viewers'] === 240;
  }, 'both nodes are counted');
  expect(known.get('a')).toEqual(everybody);
  await until(async () => (await alone.next()).data.flagAudience.viewers === 240, 'the other node says it too');

  for (const [input, key] of [
    ['key: "a", enabled: true', 'a'],
    ['key: "a", percentage: 80', 'a'],
    ['key: "a", name: "another name"', 'a'],
    ['key: "b", enabled: true, percentage: 10', 'b'],
  ] as const) {
    const before = viewers.map(({ updates }) => updates);
    const { body } = await admin.query(
      `mutation { updateFlag(input: { ${input} }) { __typename ... on UpdateFlagPayload { revision } } }`,
    );
    const { revision } = body.data.updateFlag;
    // Asked on either node, also on the one that has yet to hear of the change.
    await using receipt = wsClient(revision % 2 === 0 ? a.url : b.url, { token: reader });
    await using stream = receipt.subscribe(`subscription { propagation(revision: ${revision}) { ${numbers} } }`);
    let last = (await stream.next()).data.propagation;
    while (!last.isDone) last = (await stream.next()).data.propagation;
    await stream.ended;
    const received = viewers.filter(({ updates }, index) => updates > (before[index] ?? 0)).length;
    expect(last).toEqual({
      ...{ revision, affected: received, handed: received, behind: 0, nodes: 2, nodesApplied: 2, isDone: true },
      p50: received === 0 ? null : expect.any(Number),
      p99: received === 0 ? null : expect.any(Number),
    });
    if (input.includes('name')) expect(received).toBe(0);
    else expect(received).toBeGreaterThan(20);

    const on = having(key, true);
    const variants = on === 240 ? { on } : { off: 240 - on, on };
    await until(async () => {
      if (JSON.stringify(known.get(key)) === JSON.stringify({ key, viewers: 240, on, variants, behind: 0 }))
        return true;
      const { flagAudience } = (await audiences.next()).data;
      known.set(flagAudience.key, flagAudience);
      return false;
    }, `the audience is ${on}`);
  }

  // A node alone counts its own viewers.
  const { body } = await admin.query(`{ flags { nodes { audience { ${audience} } } } }`);
  const own = viewers.filter((_, index) => index % 2 === 0);
  for (const { audience: counted } of body.data.flags.nodes) {
    expect(counted).toMatchObject({
      viewers: 120,
      behind: 0,
      on: own.filter(({ answers }) => answers.get(counted.key)?.startsWith('true')).length,
    });
  }

  // Nobody asks any more: the notes are taken away.
  await audiences.stop();
  await alone.stop();
  await until(async () => (await shared.query('SELECT FROM node_notes')).rowCount === 0, 'nothing is left');
});

it('says what is wrong with a revision', async () => {
  await using server = await startTestServer();
  const token = (await server.token('reader')) as string;
  await server.service.management.createFlag({ key: 'a', name: 'A' });
  await using client = wsClient(server.url, { token });
  const refusal = async (revision: number) => {
    const { errors } = await client.query(`subscription { propagation(revision: ${revision}) { isDone } }`);
    return [errors?.[0]?.extensions?.code, errors?.[0]?.message];
  };
  expect(await refusal(0)).toEqual(['BAD_USER_INPUT', 'revision: Expected 1 or more, found 0.']);
  expect(await refusal(2)).toEqual(['REVISION_NOT_FOUND', expect.stringMatching(/there is no revision 2 yet/)]);
  await server.service.management.createFlag({ key: 'b', name: 'B' });
  await using stream = await sseClient(server.url, `subscription { propagation(revision: 2) { ${numbers} } }`, {
    token,
  });
  let last = (await stream.next()).data.propagation;
  while (!last.isDone) last = (await stream.next()).data.propagation;
  expect(last).toMatchObject({ affected: 0, nodes: 1, nodesApplied: 1, p50: null });
  await stream.ended;
});
