import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { anonymous, type Caller } from '../../src/auth/caller.js';
import { AnswerMemory, createAnswerStore } from '../../src/server/operations/kept-answers.js';
import { httpClient } from '../support/clients.js';
import { openPGlite } from '../support/pglite.js';
import { ann, startTestServer, type TestServer } from '../support/server.js';
import { token } from './harness.js';
import { exchange, startWaysServer } from './ways.js';

/** A user who is known by another text than a UUID. */
const bob = 'auth0|5f7c1';

const identity = { 'content-encoding': 'identity' };

describe('an answer that stands on something', () => {
  const body = JSON.stringify({ query: 'query Steady($n: Int) { steady(n: $n) }', variables: { n: 1 } });

  it('is given again while that is the same, to the same caller and words, and counted and logged each time', async () => {
    let stamp: object | null = {};
    await using server = await startWaysServer({ stampOf: () => stamp, metrics: { registry: new Registry() } });
    const ask = (headers: Record<string, string> = {}, text = body) => exchange(server, { body: text, headers });
    const byYoga = await ask();
    // It is kept when it is executed here for the second time.
    for (let round = 0; round < 2; round += 1) expect(await ask()).toEqual({ answer: byYoga.answer, way: 'thin' });
    // No context is made for what is not executed.
    const again = await ask();
    expect(again).toEqual({ answer: byYoga.answer, way: undefined });
    expect(await ask()).toEqual(again);

    const lines = server.lines.map(({ operation, name, role, outcome }) => ({ operation, name, role, outcome }));
    expect(lines).toEqual(Array(5).fill({ operation: 'query', name: 'Steady', role: 'ANONYMOUS', outcome: 'ok' }));
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    expect(metrics).toContain('halyard_operations_total{kind="query",field="steady",outcome="ok"} 5');
    expect(metrics).toContain('halyard_operation_duration_seconds_count{kind="query",field="steady"} 3');

    const authorization = `Bearer ${await token()}`;
    for (const way of ['thin', 'thin', undefined]) expect((await ask({ authorization })).way).toBe(way);
    expect((await ask({ accept: '*/*' })).way).toBe('yoga');
    expect((await ask(identity)).way).toBe('yoga');
    expect((await ask({}, body.replace('"n":1', '"n":2'))).way).toBe('thin');
    stamp = {};
    expect((await ask()).way).toBe('thin');
    expect((await ask()).way).toBeUndefined();
    stamp = null;
    expect((await ask()).way).toBe('thin');
    expect((await ask()).way).toBe('thin');
  });

  it('is executed each time beside a field that stands on nothing, and when it has errors', async () => {
    const stamp = {};
    await using server = await startWaysServer({ stampOf: () => stamp });
    for (const query of ['{ steady hello }', 'mutation { count }', '{ steady(fail: true) }', '{ __typename steady }']) {
      const sent = [];
      for (let round = 0; round < 4; round += 1) sent.push(await exchange(server, { body: JSON.stringify({ query }) }));
      expect(sent.map(({ way }) => way)).toEqual(['yoga', 'thin', 'thin', 'thin']);
    }
  });

  it('is not kept when that changes while it executes', async () => {
    let stamp = {};
    await using server = await startWaysServer({ stampOf: () => stamp });
    await exchange(server, { body });
    server.onSteady(() => {
      stamp = {};
    });
    for (let round = 0; round < 3; round += 1) expect((await exchange(server, { body })).way).toBe('thin');
    server.onSteady(() => {});
    expect((await exchange(server, { body })).way).toBe('thin');
    expect((await exchange(server, { body })).way).toBeUndefined();
  });
});

describe('an answer to a device', () => {
  const body = JSON.stringify({ query: '{ steady }' });
  const from = (device: string) => ({ 'x-halyard-device': device });

  it('is given again to that device alone where devices may differ, and to all devices where they do not', async () => {
    const stamp = {};
    let isForOne = true;
    await using server = await startWaysServer({
      stampOf: () => stamp,
      dependsOnDevice: ({ userId }) => userId === null && isForOne,
    });
    const wayOf = async (headers: Record<string, string>) => (await exchange(server, { body, headers })).way;
    await wayOf({});
    for (const device of ['device-1', 'device-2']) {
      for (const way of ['thin', 'thin', undefined]) expect(await wayOf(from(device))).toBe(way);
    }
    for (const way of ['thin', 'thin', undefined]) expect(await wayOf({})).toBe(way);
    const authorization = `Bearer ${await token()}`;
    for (const device of ['device-1', 'device-2']) {
      expect(await wayOf({ authorization, ...from(device) })).toBe('thin');
    }
    expect(await wayOf({ authorization, ...from('device-3') })).toBeUndefined();
    expect(await wayOf({ authorization })).toBeUndefined();
    isForOne = false;
    expect(await wayOf(from('device-3'))).toBeUndefined();
    expect(await wayOf({})).toBeUndefined();
  });

  it.each([
    ['many anonymous devices, up to the limit', anonymous, 20_000],
    ['one for a signed-in caller with many devices', { ...anonymous, role: 'USER', userId: ann } as const, 1],
  ])('is kept for %s', (_name, caller, most) => {
    const stamp = {};
    const store = createAnswerStore();
    const facts = { stampOf: () => stamp, dependsOnDevice: ({ userId }: Caller) => userId === null };
    const memory = new AnswerMemory(facts, store, 'graphql');
    const answer = { body, length: 1, stamp };
    for (let number = 0; number < 100_000; number += 1) {
      const asker = { caller, device: `device-${number}` };
      for (let round = 0; round < 2; round += 1) memory.keep(asker, '{ viewer }', answer);
      if (number % 1_000 === 0) expect(memory.recall(asker, '{ viewer }')).toBe(answer);
    }
    expect(store.size).toBe(most);
  });
});

describe('a question that comes once', () => {
  it('takes no place from the answers that are given again', () => {
    const stamp = {};
    const store = createAnswerStore();
    const memory = new AnswerMemory({ stampOf: () => stamp, dependsOnDevice: () => false }, store, 'graphql');
    const asker = { caller: anonymous, device: null };
    const answer = { body: '{}', stamp };
    for (let round = 0; round < 2; round += 1) memory.keep(asker, 'often', answer);
    for (let number = 0; number < 100_000; number += 1) memory.keep(asker, `once ${number}`, answer);
    expect(memory.recall(asker, 'often')).toBe(answer);
    expect(store.size).toBe(1);
  });
});

describe('the answers of the product', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer();
    const { management } = server.service;
    await management.createFlag({ key: 'plain', name: 'Plain', enabled: false });
    await management.createFlag({
      ...{ key: 'pro', name: 'Pro', enabled: true },
      conditions: { attributes: { plan: 'pro' } },
    });
    await management.createFlag({ key: 'beta', name: 'Beta', enabled: true, conditions: { groups: ['beta'] } });
  });
  afterAll(() => server.close());

  const query = '{ viewer { featureMap features { key enabled reason } } isEnabled(key: "plain") }';
  /** Asks until it could have been given again, and once more so that it cannot. */
  async function ask(bearer: string | undefined) {
    const client = httpClient(server.url, bearer);
    const send = async (headers = {}) => (await client.query(query, undefined, headers)).body;
    const bodies = [await send(), await send(), await send(), await send(), await send(identity)];
    for (const body of bodies) expect(body).toEqual(bodies[0]);
    return bodies[0]?.data.viewer.featureMap;
  }

  it('are each viewer’s own, and follow every change at once', async () => {
    const { management } = server.service;
    const users = {
      ann: await server.token('user'),
      bob: await server.token('user', { userId: bob }),
      pro: await server.token('user', { attributes: { plan: 'pro' } }),
      nobody: undefined,
    };
    const all = async () =>
      Object.fromEntries(
        await Promise.all(Object.entries(users).map(async ([name, bearer]) => [name, await ask(bearer)])),
      );
    const none = { plain: false, pro: false, beta: false };
    const start = { ann: none, bob: none, pro: { ...none, pro: true }, nobody: none };
    expect(await all()).toEqual(start);

    await management.addToGroup({ group: 'beta', userIds: [ann] });
    const grouped = { ...start, ann: { ...none, beta: true }, pro: { ...none, pro: true, beta: true } };
    expect(await all()).toEqual(grouped);

    await management.setOverride({ userId: bob, flagKey: 'plain', enabled: true });
    expect(await all()).toEqual({ ...grouped, bob: { ...none, plain: true } });

    await management.removeOverride({ userId: bob, flagKey: 'plain' });
    await management.removeFromGroup({ group: 'beta', userIds: [ann] });
    expect(await all()).toEqual(start);

    await management.updateFlag({ key: 'plain', enabled: true });
    expect((await all())['nobody']).toEqual({ ...none, plain: true });
  });

  it('are each viewer’s own in other and other words too', async () => {
    const { management } = server.service;
    await management.createFlag({ key: 'half', name: 'Half', enabled: true, percentage: 50 });
    // Nothing is stored of them, so that only their ids tell them apart.
    const ids = Array.from({ length: 12 }, (_, number) => `visitor-${number}`);
    const clients = await Promise.all(
      ids.map(async userId => httpClient(server.url, await server.token('user', { userId }))),
    );
    const fresh = 'query ($n: String!) { isEnabled(key: $n) viewer { featureMap features { key enabled } } }';
    const seen = new Set<string>();
    for (const [round, percentage] of [50, 50, 50, 30, 30, 0, 100].entries()) {
      await management.updateFlag({ key: 'half', percentage });
      for (const [number, client] of clients.entries()) {
        const { body } = await client.query(fresh, { n: `${round} ${number}` });
        const { featureMap, features } = body.data.viewer;
        const alone = features.map(({ key, enabled }: { key: string; enabled: boolean }) => [key, enabled]);
        expect(featureMap).toEqual(Object.fromEntries(alone));
        seen.add(`${percentage} ${featureMap.half}`);
      }
    }
    expect([...seen].sort()).toEqual(['0 false', '100 true', '30 false', '30 true', '50 false', '50 true']);
    await management.deleteFlag({ key: 'half' });
  });

  it('end with an override that ends', async () => {
    const bearer = await server.token('user', { userId: '00000000-0000-4000-8000-000000000007' });
    const before = await ask(bearer);
    const expiresAt = new Date(Date.now() + 1_500);
    await server.service.management.setOverride({
      ...{ userId: '00000000-0000-4000-8000-000000000007', flagKey: 'beta', enabled: true, expiresAt },
    });
    expect(await ask(bearer)).toEqual({ ...before, beta: true });
    await expect.poll(() => Date.now(), { timeout: 5_000 }).toBeGreaterThan(expiresAt.getTime());
    expect(await ask(bearer)).toEqual(before);
  });
});

describe('with FEATURE_CACHE_TTL=0', () => {
  it('each answer reads the log once, on every entry point', async () => {
    const database = await openPGlite();
    const reads = vi.spyOn(database, 'changes');
    await using server = await startTestServer({ FEATURE_CACHE_TTL: '0' }, { database, pollInterval: 3_600_000 });
    const query = '{ viewer { featureMap } }';
    const token = await server.token('user');
    const post = httpClient(server.url, token);
    const socket = await server.ws('user');
    const ways: Record<string, () => Promise<unknown>> = {
      POST: () => post.query(query),
      GET: () => fetch(`${server.url}/graphql?query=${encodeURIComponent(query)}`).then(answer => answer.json()),
      WebSocket: () => socket.query(query),
    };
    for (const [way, ask] of Object.entries(ways)) {
      for (let time = 0; time < 4; time += 1) {
        reads.mockClear();
        await ask();
        expect(reads.mock.calls.length, `${way}, time ${time}`).toBe(1);
      }
    }
    await socket.close();
  });
});
