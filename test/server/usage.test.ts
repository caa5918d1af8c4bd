import { OpenFeature } from '@openfeature/server-sdk';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type DatabaseBackend, openDatabase } from '../../src/backends/database.js';
import { HalyardProvider } from '../../src/openfeature/index.js';
import { cleanups, database as newDatabase } from '../support/cleanups.js';
import { httpClient, sseClient, wsClient } from '../support/clients.js';
import { evaluateAll, evaluateOne, openStream, streamOf } from '../support/ofrep/client.js';
import { notClosing, openPGlite } from '../support/pglite.js';
import { ann, startTestServer, type TestRole, type TestServer } from '../support/server.js';
import { until } from '../support/wait.js';

/** Counts by flag; maps apart. */
async function stored({ prisma }: DatabaseBackend) {
  const flags = await prisma.$queryRaw<{ key: string; reason: string; variant: string; count: string }[]>`
    SELECT f.key, u.reason, u.variant, sum(u.count)::text AS count FROM flag_usage u JOIN feature_flags f ON f.id = u.flag_id
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`;
  const [maps] = await prisma.$queryRaw<{ count: string; uncounted: boolean }[]>`
    SELECT coalesce(sum(count), 0)::text AS count, coalesce(bool_or(uncounted), false) AS uncounted FROM map_usage`;
  return {
    flags: Object.fromEntries(
      flags.map(({ key, reason, variant, count }) => [`${key} ${reason} ${variant}`, Number(count)]),
    ),
    maps: Number(maps?.count),
    uncounted: maps?.uncounted,
  };
}

describe('a server counts', () => {
  let database: DatabaseBackend;
  let server: TestServer;
  let isClosed: boolean;

  beforeEach(async () => {
    database = await openPGlite();
    server = await startTestServer({}, { database: notClosing(database), usageInterval: 3_600_000 });
    isClosed = false;
    const { management } = server.service;
    await management.createFlag({ key: 'a', name: 'A', enabled: true });
    await management.createFlag({ key: 'b', name: 'B', enabled: false });
  });
  afterEach(async () => {
    if (!isClosed) await server.close();
    await database.close();
  });

  /** What is stored once the server has closed. */
  async function counts() {
    await server.close();
    isClosed = true;
    return stored(database);
  }
  const client = async (role: TestRole) => httpClient(server.url, await server.token(role));

  it('each question that names a flag, given by Yoga, executed or given again', async () => {
    const http = await client('user');
    const ask = '{ isEnabled(key: "a") viewer { isEnabled(key: "b") feature(key: "a") { enabled } } }';
    for (let n = 0; n < 7; n++) expect((await http.query(ask)).status).toBe(200);
    expect(await counts()).toEqual({ flags: { 'a ENABLED on': 14, 'b DISABLED off': 7 }, maps: 0, uncounted: false });
  });

  it('maps apart, also those that are given again', async () => {
    const http = await client('user');
    for (let n = 0; n < 5; n++) await http.query('{ viewer { featureMap values features { key } } }');
    expect(await counts()).toEqual({ flags: {}, maps: 15, uncounted: false });
  });

  it('lists that name their keys as questions for each of them, and no key that no flag has', async () => {
    const http = await client('service');
    await http.query('{ viewer { featureMap(keys: ["a", "nope"]) } }');
    await http.query('{ evaluate(context: {}, keys: ["a", "b"]) { key } }');
    await http.query('{ evaluateMany(contexts: [{}, { userId: "x" }], keys: ["b"]) { featureMap } }');
    await http.query('{ evaluate(context: {}) { key } }');
    expect(await counts()).toMatchObject({ flags: { 'a ENABLED on': 2, 'b DISABLED off': 3 }, maps: 1 });
  });

  it('questions over WebSocket, and those of OFREP', async () => {
    const token = (await server.token('user')) as string;
    await using ws = wsClient(server.url, { token });
    await ws.query('{ isEnabled(key: "a") }');
    for (let n = 0; n < 3; n++) await evaluateOne(server.url, 'a', {}, { token });
    for (let n = 0; n < 4; n++) await evaluateAll(server.url, {}, { token });
    for (let n = 0; n < 2; n++) await evaluateAll(server.url, { flags: ['b'] }, { token });
    await ws.close();
    expect(await counts()).toMatchObject({ flags: { 'a ENABLED on': 4, 'b DISABLED off': 2 }, maps: 4 });
  });

  it('questions of the OpenFeature provider over HTTP', async () => {
    const token = (await server.token('service')) as string;
    const provider = new HalyardProvider({ url: server.url, token });
    await OpenFeature.setProviderAndWait('usage', provider);
    const flags = OpenFeature.getClient('usage');
    await Promise.all([
      flags.getBooleanValue('a', false, { targetingKey: 'x' }),
      flags.getBooleanValue('a', false, { targetingKey: 'y' }),
    ]);
    await OpenFeature.clearProviders();
    expect((await counts()).flags).toEqual({ 'a ENABLED on': 2 });
  });

  it('no look of an admin at a user, and no explanation', async () => {
    const http = await client('admin');
    await http.query(
      `{ user(id: "${ann}") { features(keys: ["a"]) { key } } flag(key: "a") { explain(context: {}) { text } } }`,
    );
    expect(await counts()).toEqual({ flags: {}, maps: 0, uncounted: false });
  });

  it('nothing that a reader asks, who looks at flags and writes nothing; it only notes that somebody was there', async () => {
    const http = await client('reader');
    for (const query of [
      '{ isEnabled(key: "a") viewer { featureMap feature(key: "a") { enabled } } }',
      '{ evaluate(context: {}, keys: ["a"]) { key } evaluateMany(contexts: [{}], keys: ["a"]) { featureMap } }',
      'mutation { reportUsage(input: { keys: ["a"] }) { __typename } }',
    ]) {
      for (let n = 0; n < 3; n++) await http.query(query);
    }
    const token = (await server.token('reader')) as string;
    await evaluateOne(server.url, 'a', {}, { token });
    await evaluateAll(server.url, {}, { token });
    expect(await counts()).toEqual({ flags: {}, maps: 0, uncounted: true });
  });

  it('nothing that an anonymous caller does, in any protocol; it only notes that somebody was there', async () => {
    const http = await client('anonymous');
    const queries = [
      '{ isEnabled(key: "a") }',
      '{ viewer { isEnabled(key: "a") feature(key: "b") { enabled } featureMap features(keys: ["a"]) { key } } }',
      'mutation { reportUsage(input: { keys: ["a"] }) { __typename } }',
      '{ node(id: "RmVhdHVyZTph") { id } }',
    ];
    for (const query of queries) for (let n = 0; n < 4; n++) await http.query(query);
    const sse = await sseClient(
      server.url,
      'subscription { viewerFeatures { features { key } viewer { isEnabled(key: "a") } } }',
    );
    await sse.next();
    await sse.stop();
    await using ws = wsClient(server.url);
    await ws.query('{ isEnabled(key: "a") viewer { featureMap } }');
    for (const operation of [
      'subscription { isEnabled(key: "a") }',
      'subscription { viewerFeatures { featureMap } }',
    ]) {
      await using stream = ws.subscribe(operation);
      await stream.next();
    }
    await ws.close();
    for (let n = 0; n < 3; n++) {
      await evaluateOne(server.url, 'a', {});
      await evaluateAll(server.url, {});
      await evaluateAll(server.url, { flags: ['a'] });
    }
    const events = await openStream(streamOf(await evaluateAll(server.url, {})));
    await events[Symbol.asyncDispose]();
    expect(await counts()).toEqual({ flags: {}, maps: 0, uncounted: true });
  });

  it('streams of anybody as no use, and notes that they were open', async () => {
    await using ws = await server.ws('user');
    await using stream = ws.subscribe('subscription { viewerFeatures(keys: ["a"]) { features { key } } }');
    await stream.next();
    await stream.stop();
    await ws.close();
    expect(await counts()).toEqual({ flags: {}, maps: 0, uncounted: true });
  });
});

describe('two nodes on one PostgreSQL', () => {
  /** Nodes that restart while clients ask; the sum of all answers that came back. */
  it('lose no count over restarts under load, and add up', { timeout: 120_000 }, async () => {
    const { url } = await newDatabase();
    const secret = 'the secret of the tests has 32 bytes or more';
    const start = async () => {
      const server = await startTestServer(
        { AUTH_JWT_SECRET: secret },
        { database: await openDatabase({ url }), usageInterval: 20 },
      );
      return server;
    };
    const nodes = [await start(), await start()];
    cleanups.push(() => Promise.all(nodes.map(node => node.close())));
    const [first] = nodes as [TestServer];
    await first.service.management.createFlag({ key: 'a', name: 'A', enabled: true });
    await first.service.management.createFlag({ key: 'b', name: 'B', enabled: true, percentage: 0 });
    for (const node of nodes) await until(() => node.service.flagCount === 2, 'the node knows the flags');
    const tokens = await Promise.all(Array.from({ length: 8 }, (_, n) => first.token('user', { userId: `user ${n}` })));

    let isOver = false;
    const answered = { a: 0, b: 0, maps: 0 };
    const clients = tokens.map(async (token, n) => {
      for (let turn = n; !isOver; turn++) {
        const node = nodes[turn % 2] as TestServer;
        const query = turn % 3 === 0 ? '{ isEnabled(key: "b") viewer { featureMap } }' : '{ isEnabled(key: "a") }';
        // A connection that is refused or cut has been answered nothing.
        const answer = await httpClient(node.url, token)
          .query(query)
          .catch(() => null);
        if (answer?.status !== 200) continue;
        if (turn % 3 === 0) {
          answered.b += 1;
          answered.maps += 1;
        } else answered.a += 1;
      }
    });
    const total = () => answered.a + answered.b;
    for (const restarted of [0, 1, 0, 1]) {
      const before = total();
      await until(() => total() > before + 150, 'clients are answered', 30_000);
      await nodes[restarted]?.close();
      const without = total();
      await until(() => total() > without + 50, 'the other node answers', 30_000);
      nodes[restarted] = await start();
    }
    isOver = true;
    await Promise.all(clients);
    await Promise.all(nodes.map(node => node.close()));
    const database = await openDatabase({ url });
    cleanups.push(() => database.close());
    expect(await stored(database)).toMatchObject({
      flags: { 'a ENABLED on': answered.a, 'b OUTSIDE_ROLLOUT off': answered.b },
      maps: answered.maps,
    });
  });
});
