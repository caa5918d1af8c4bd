import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/backends/database.js';
import { httpClient } from '../support/clients.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';
import { startTestServer, type TestServer } from '../support/server.js';
import { until } from '../support/wait.js';
import { SseViewer, type Viewer, WsViewer } from './viewer.js';

const secret = '0123456789abcdef0123456789abcdef';
const stops: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function start(database: TestDatabase) {
  const backend = await openDatabase({ url: database.url, reportsQueries: true });
  const server = await startTestServer(
    { AUTH_JWT_SECRET: secret, MAX_CONNECTIONS_PER_ADDRESS: '5000' },
    { database: backend },
  );
  stops.push(() => server.close());
  return { server, backend };
}

async function database(): Promise<TestDatabase> {
  const created = await createDatabase();
  stops.push(() => created.drop());
  return created;
}

/** So many users who watch, each with the first update received. */
async function watch(server: TestServer, count: number, violations: string[]): Promise<Viewer[]> {
  const viewers = await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const userId = index % 3 === 0 ? randomUUID() : `idp|${randomUUID()}`;
      const token = (await server.token('user', { userId })) ?? null;
      const spec = { name: `viewer ${index}`, userId, device: null, claims: null, keys: null, token };
      const options = { url: () => server.url, violated: (what: string) => void violations.push(what) };
      return index % 2 === 0 ? new WsViewer(spec, options) : new SseViewer(spec, options);
    }),
  );
  stops.push(() => Promise.all(viewers.map(viewer => viewer.stop())));
  for (const viewer of viewers) viewer.start();
  await until(() => viewers.every(({ snapshots }) => snapshots === 1), `${count} viewers have the whole set`, 30_000);
  return viewers;
}

async function admin(server: TestServer) {
  return httpClient(server.url, await server.token('admin'));
}

const create =
  'mutation { createFlag(input: { key: "new_checkout", name: "New checkout", enabled: true }) { __typename } }';
const update =
  'mutation ($enabled: Boolean!) { updateFlag(input: { key: "new_checkout", enabled: $enabled }) { __typename ... on Error { message } } }';
const ask = '{ viewer { isEnabled(key: "new_checkout") } }';

describe('a change made on one node', () => {
  it('is in its next answer, and is pushed to everybody on another one', { timeout: 120_000 }, async () => {
    const shared = await database();
    const { server: a } = await start(shared);
    const { server: b } = await start(shared);
    const toA = await admin(a);
    await toA.query(create);
    const violations: string[] = [];
    const viewers = await watch(b, 100, violations);

    const latencies: number[] = [];
    for (let round = 1; round <= 20; round += 1) {
      const enabled = round % 2 === 0;
      const { body } = await toA.query(update, { enabled });
      const answered = performance.now();
      expect(body.data?.updateFlag).toEqual({ __typename: 'UpdateFlagPayload' });
      expect((await toA.query(ask)).body.data).toEqual({ viewer: { isEnabled: enabled } });

      const expected = enabled ? 'true ENABLED on true' : 'false DISABLED off false';
      const received = () => viewers.every(({ answers }) => answers.get('new_checkout') === expected);
      await until(received, 'everybody has been told');
      // Sooner than the answer to who made the change: no time at all.
      for (const { updatedAt } of viewers) latencies.push(Math.max(0, updatedAt - answered));
    }
    expect(violations).toEqual([]);
    expect(viewers.map(({ updates }) => updates)).toEqual(viewers.map(() => 21));

    latencies.sort((one, other) => one - other);
    const at = (share: number) => (latencies[Math.ceil(latencies.length * share) - 1] ?? 0).toFixed(1);
    process.stdout.write(
      `pushed to 100 viewers on the other node: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms\n`,
    );
  });
});

describe('a thousand connected users added to a group at once', () => {
  it('cost at most 20 queries, and each is told', { timeout: 120_000 }, async () => {
    const { server, backend } = await start(await database());
    const to = await admin(server);
    await to.query(`mutation {
      createFlag(input: { key: "beta", name: "Beta", enabled: true, conditions: { groups: ["testers"] } }) { __typename }
    }`);
    const violations: string[] = [];
    const viewers = await watch(server, 1_000, violations);
    const userIds = viewers.map(({ spec }) => spec.userId);

    const queries: string[] = [];
    const stopCounting = backend.onQuery(sql => queries.push(sql));
    const { body } = await to.query(
      'mutation ($ids: [UserID!]!) { addToGroup(input: { group: "testers", userIds: $ids }) { ... on AddToGroupPayload { added } } }',
      { ids: userIds },
    );
    expect(body.data?.addToGroup).toEqual({ added: 1_000 });
    await until(
      () => viewers.every(({ answers }) => answers.get('beta') === 'true CONDITIONS_MET on true'),
      'all are told',
      20_000,
    );
    stopCounting();
    process.stdout.write(`1,000 users into a group: ${queries.length} queries, the change itself among them\n`);
    expect(queries.length).toBeLessThanOrEqual(20);
    // What is stored about users is read in one query a batch: that one is among them.
    expect(queries.some(sql => /user_feature_groups.*feature_flag_overrides/s.test(sql))).toBe(true);
    expect(violations).toEqual([]);
    expect(viewers.every(({ updates }) => updates === 2)).toBe(true);
  });
});
