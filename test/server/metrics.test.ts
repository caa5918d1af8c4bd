import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MemoryBackend } from '../../src/backends/memory.js';
import { FlagExistsError, UnavailableError } from '../../src/core/errors.js';
import { type Evaluation, evaluationReasons, flagNotFound } from '../../src/core/evaluate.js';
import { EvaluationTally } from '../../src/server/metrics/evaluation-tally.js';
import { FeatureMetrics } from '../../src/server/metrics/feature-metrics.js';
import { observeBackend } from '../../src/server/metrics/observed-backend.js';
import { httpClient, sseClient, wsClient } from '../support/clients.js';
import { newFlag } from '../support/flags.js';
import { ann, startTestServer as startProduct, type TestServer as TestProduct } from '../support/server.js';
import { until } from '../support/wait.js';
import { startTestServer, type TestServer, token } from './harness.js';

/** Every sample of a scrape, by its name and labels as they are written. */
async function scrape(url: string): Promise<Map<string, number>> {
  const response = await fetch(`${url}/metrics`);
  expect(response.status).toBe(200);
  const samples = [...(await response.text()).matchAll(/^([a-z0-9_]+(?:\{[^\n]*\})?) (\S+)$/gm)];
  return new Map(samples.map(([, name, value]) => [name as string, Number(value)]));
}

const operations = (kind: string, field: string, outcome: string) =>
  `halyard_operations_total{kind="${kind}",field="${field}",outcome="${outcome}"}`;

describe('the metrics of the server', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ metrics: { registry: new Registry() } });
  });
  afterAll(() => server.close());

  /** By how much each sample has grown while `act` ran, once `expected` is among it. */
  async function growth(act: () => Promise<unknown>, expected: Record<string, number>) {
    const before = await scrape(server.url);
    await act();
    const grown = async () => {
      const after = await scrape(server.url);
      return Object.fromEntries(
        Object.keys(expected).map(name => [name, (after.get(name) ?? 0) - (before.get(name) ?? 0)]),
      );
    };
    await until(async () => JSON.stringify(await grown()) === JSON.stringify(expected), 'it is counted').catch(
      () => {},
    );
    expect(await grown()).toEqual(expected);
  }

  const ways: Record<string, (query: string) => Promise<unknown>> = {
    HTTP: query => httpClient(server.url).query(query),
    WebSocket: async query => {
      await using client = wsClient(server.url);
      await client.query(query);
    },
  };

  it.each(Object.keys(ways))('are operations by kind, root field and outcome, over %s', async way => {
    const ask = ways[way] as (query: string) => Promise<unknown>;
    await growth(
      async () => {
        await ask('query Named { hello }');
        await ask('{ again: hello }');
        await ask('{ hello whoami }');
        await ask('mutation { change }');
        await ask('{ forbidden }');
        await ask('{ throws }');
        await ask('{ nothing }');
        await ask('{');
      },
      {
        [operations('query', 'hello', 'ok')]: 2,
        [operations('query', 'several', 'ok')]: 1,
        [operations('mutation', 'change', 'ok')]: 1,
        [operations('query', 'forbidden', 'FORBIDDEN')]: 1,
        [operations('query', 'throws', 'INTERNAL_SERVER_ERROR')]: 1,
        [operations('unknown', 'none', 'GRAPHQL_VALIDATION_FAILED')]: 1,
        [operations('unknown', 'none', 'GRAPHQL_PARSE_FAILED')]: 1,
        'halyard_operation_duration_seconds_count{kind="query",field="hello"}': 2,
      },
    );
  });

  it('are the operations that were asked for, where a document has several', async () => {
    const query = 'query A { hello } query B { whoami }';
    const ask = (operationName: string) =>
      fetch(`${server.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query, operationName }),
      });
    await growth(
      async () => {
        for (const name of ['A', 'B', 'B', 'A', 'A']) await ask(name);
      },
      { [operations('query', 'hello', 'ok')]: 3, [operations('query', 'whoami', 'ok')]: 2 },
    );
  });

  it('are requests by route and status', async () => {
    const request = (route: string, status: number) =>
      `halyard_http_requests_total{route="${route}",status="${status}"}`;
    await growth(
      async () => {
        await httpClient(server.url).query('{ hello }');
        await httpClient(server.url, 'nonsense').query('{ hello }');
        await fetch(`${server.url}/health`);
        for (const path of ['/a', '/b', '/graphql/x']) await fetch(`${server.url}${path}`);
        await using client = wsClient(server.url);
        await client.connected;
      },
      {
        [request('/graphql', 200)]: 1,
        [request('/graphql', 401)]: 1,
        [request('/health', 200)]: 1,
        [request('other', 404)]: 3,
        [request('/graphql', 101)]: 1,
      },
    );
  });

  it('are sockets, streams and subscriptions while they are open, however they end', async () => {
    const idle = { halyard_sockets: 0, halyard_streams: 0, 'halyard_subscriptions{field="tick"}': 0 };
    const open = async () => {
      const samples = await scrape(server.url);
      return Object.fromEntries(Object.keys(idle).map(name => [name, samples.get(name) ?? 0]));
    };
    const isOpen = (expected: object) =>
      until(async () => JSON.stringify(await open()) === JSON.stringify(expected), JSON.stringify(expected));
    await isOpen(idle);

    const client = wsClient(server.url);
    const ticks = [client.subscribe('subscription { tick }'), client.subscribe('subscription { tick }')];
    for (const each of ticks) await each.next();
    const stream = await sseClient(server.url, 'subscription { tick }');
    await stream.next();
    await isOpen({ halyard_sockets: 1, halyard_streams: 1, 'halyard_subscriptions{field="tick"}': 3 });
    await ticks[0]?.stop();
    await isOpen({ halyard_sockets: 1, halyard_streams: 1, 'halyard_subscriptions{field="tick"}': 2 });
    (await client.connected).terminate();
    await stream.stop();
    await isOpen(idle);

    await using failing = wsClient(server.url);
    await failing.query('subscription { throwsLater }');
    await failing.query('subscription { throwsAtOnce }');
    const after = await scrape(server.url);
    expect(after.get('halyard_subscriptions{field="throwsLater"}')).toBe(0);
    expect(after.get('halyard_subscriptions{field="throwsAtOnce"}')).toBeUndefined();
    expect(after.get(operations('subscription', 'throwsAtOnce', 'INTERNAL_SERVER_ERROR'))).toBe(1);
    expect(after.get(operations('subscription', 'throwsLater', 'ok'))).toBe(1);
  });

  it('has names for no more than there are, however many a caller makes up', async () => {
    await httpClient(server.url).query('query Warm { hello }');
    const before = (await scrape(server.url)).size;
    for (let i = 0; i < 300; i++) {
      await httpClient(server.url).query(`query Made${i} { alias${i}: hello }`);
      await httpClient(server.url).query(`{ unknown${i} }`);
      await fetch(`${server.url}/made/up/${i}`);
    }
    // What the process tells of itself, such as kinds of handles, may vary a little.
    expect((await scrape(server.url)).size - before).toBeLessThan(20);
  });

  it('is the process too, under the names that dashboards know', async () => {
    const samples = await scrape(server.url);
    for (const name of [
      'process_cpu_seconds_total',
      'process_resident_memory_bytes',
      'process_start_time_seconds',
      'nodejs_heap_size_used_bytes',
      'nodejs_eventloop_lag_seconds',
      'nodejs_eventloop_lag_p99_seconds',
    ]) {
      expect(samples.get(name), name).toBeGreaterThanOrEqual(0);
    }
    expect(samples.get('process_resident_memory_bytes')).toBeGreaterThan(10_000_000);
  });

  it('sees a blocked event loop', async () => {
    await scrape(server.url);
    await new Promise(resolve => setTimeout(resolve, 50));
    const end = performance.now() + 200;
    while (performance.now() < end);
    await new Promise(resolve => setTimeout(resolve, 50));
    expect((await scrape(server.url)).get('nodejs_eventloop_lag_max_seconds')).toBeGreaterThan(0.1);
  });

  it('sees garbage being collected', async () => {
    const name = 'nodejs_gc_duration_seconds_count{kind="major"}';
    const before = (await scrape(server.url)).get(name) ?? 0;
    globalThis.gc?.();
    await until(async () => ((await scrape(server.url)).get(name) ?? 0) > before, 'it is counted');
  });
});

describe('where metrics are served', () => {
  it('is nowhere without a registry', async () => {
    await using server = await startTestServer();
    expect((await fetch(`${server.url}/metrics`)).status).toBe(404);
  });

  it('is a port of their own where there is one, with health and readiness and nothing else', async () => {
    const product = await startProduct({ METRICS: '0' });
    const own = product.metricsUrl ?? '';
    expect(new URL(own).port).not.toBe(String(product.port));
    expect((await fetch(`${product.url}/metrics`)).status).toBe(404);
    const response = await fetch(own);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(await response.text()).toContain('halyard_revision 0');
    const head = await fetch(own, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
    expect((await fetch(own, { method: 'POST' })).status).toBe(404);
    expect((await fetch(own.replace('/metrics', '/graphql'))).status).toBe(404);
    const health = await fetch(own.replace('/metrics', '/health'));
    expect([health.status, await health.json()]).toEqual([200, { status: 'ok' }]);
    expect(await (await fetch(own.replace('/metrics', '/ready'))).json()).toMatchObject({ ready: true, revision: 0 });
    const flood = connect(Number(new URL(own).port), '127.0.0.1');
    flood.on('error', () => {}).resume();
    flood.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(2_000));
    await until(() => flood.destroyed, 'a connection with thousands of requests in one segment is cut');
    await product.close();
    await expect(fetch(own)).rejects.toThrow();
  });

  it('is refused in the words of the system when its port is taken, and nothing stays open', async () => {
    await using taken = await startTestServer();
    await expect(startProduct({ METRICS: String(taken.port) })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  it('is each server for itself, and two in one process do not mix', async () => {
    await using one = await startTestServer({ metrics: { registry: new Registry() } });
    await using other = await startTestServer({ metrics: { registry: new Registry() } });
    await httpClient(one.url).query('{ hello }');
    await until(async () => (await scrape(one.url)).get(operations('query', 'hello', 'ok')) === 1, 'it is counted');
    expect((await scrape(other.url)).has(operations('query', 'hello', 'ok'))).toBe(false);
  });
});

describe('the metrics of flags', () => {
  let product: TestProduct;
  beforeAll(async () => {
    product = await startProduct();
  });
  afterAll(() => product.close());

  it('are answers by reason, pushes, the revision and the cache', async () => {
    const { management } = product.service;
    await management.createFlag({ key: 'on', name: 'On', enabled: true });
    await management.createFlag({ key: 'off', name: 'Off' });
    const user = httpClient(product.url, await product.token('user'));
    await user.query('{ viewer { featureMap } }');
    await user.query('{ isEnabled(key: "missing") }');
    await using socket = await product.ws('user');
    await using updates = socket.subscribe('subscription { viewerFeatures { revision } }');
    await updates.next();
    await management.updateFlag({ key: 'off', enabled: true });
    await updates.next();

    const samples = await scrape(product.url);
    const expected = {
      // One answer to the query, one in the snapshot; `off` was on in the difference.
      'halyard_evaluations_total{reason="ENABLED"}': 3,
      'halyard_evaluations_total{reason="DISABLED"}': 2,
      'halyard_evaluations_total{reason="FLAG_NOT_FOUND"}': 1,
      'halyard_pushes_total{kind="snapshot"}': 1,
      'halyard_pushes_total{kind="difference"}': 1,
      halyard_push_delay_seconds_count: 1,
      halyard_revision: 3,
      halyard_flags: 2,
      halyard_invalid_flags: 0,
      halyard_subscribers: 1,
      'halyard_subscriptions{field="viewerFeatures"}': 1,
      halyard_targeting_cache_users: 1,
      halyard_targeting_cache_misses_total: 1,
      halyard_targeting_cache_hits_total: 2,
      'halyard_database_call_duration_seconds_count{call="targeting"}': 1,
    };
    expect(Object.fromEntries(Object.keys(expected).map(name => [name, samples.get(name)]))).toEqual(expected);
    expect(samples.get('halyard_push_delay_seconds_sum')).toBeLessThan(1);
    expect(samples.get('halyard_revision_age_seconds')).toBeLessThan(10);
  });

  it('are those that the documentation lists', async () => {
    const text = await (await fetch(`${product.url}/metrics`)).text();
    const served = [...text.matchAll(/^# TYPE (halyard_\w+)/gm)].map(([, name]) => name);
    const docs = await readFile(new URL('../../docs/metrics.md', import.meta.url), 'utf8');
    const rows = docs.split('\n').filter(line => line.startsWith('| `'));
    const listed = rows.flatMap(row => [...(row.split('|')[1] ?? '').matchAll(/halyard_\w+/g)].map(([name]) => name));
    expect(listed.sort()).toEqual(served.sort());
  });

  it('says nothing of keys, users or tokens', async () => {
    const text = await (await fetch(`${product.url}/metrics`)).text();
    expect(text).not.toContain(ann);
    expect(text).not.toMatch(/"on"|"off"|"missing"/);
  });

  it('is nothing at all with METRICS=false', async () => {
    const silent = await startProduct({ METRICS: 'false' });
    expect(silent.metricsUrl).toBeNull();
    expect((await fetch(`${silent.url}/metrics`)).status).toBe(404);
    await silent.close();
  });
});

describe('an observed backend', () => {
  it('answers and fails as it did, and says how long that took', async () => {
    const calls: unknown[] = [];
    const store = new MemoryBackend();
    const backend = observeBackend(store, (call, seconds, failure) => calls.push([call, seconds >= 0, failure]));
    const flag = newFlag('a', { enabled: true });
    const { value } = await backend.createFlag(flag, null);
    expect(await backend.getFlag('a')).toEqual(value);
    await expect(backend.createFlag(flag, null)).rejects.toThrow(FlagExistsError);
    store.changes = () => Promise.reject(new UnavailableError());
    await expect(backend.changes(0, 1)).rejects.toThrow(UnavailableError);
    store.definitions = () => Promise.reject(new TypeError('no'));
    await expect(backend.definitions()).rejects.toThrow(TypeError);
    expect(backend.isInstant).toBe(store.isInstant);
    backend.onHint(() => {})();
    await backend.close();
    expect(calls).toEqual([
      ['createFlag', true, null],
      ['getFlag', true, null],
      ['createFlag', true, null],
      ['changes', true, 'unavailable'],
      ['definitions', true, 'unexpected'],
      ['close', true, null],
    ]);
  });

  it('has its errors counted', async () => {
    const registry = new Registry();
    const store = new MemoryBackend();
    store.changes = () => Promise.reject(new UnavailableError());
    await expect(new FeatureMetrics(registry).observe(store).changes(0, 1)).rejects.toThrow(UnavailableError);
    expect(await registry.metrics()).toContain('halyard_database_errors_total{call="changes",kind="unavailable"} 1');
  });
});

describe('answers by reason', () => {
  const evaluations = evaluationReasons.flatMap((reason, index): Evaluation[] =>
    Array.from({ length: index + 1 }, () => ({ ...flagNotFound('a', true), reason })),
  );
  const expected = Object.fromEntries(evaluationReasons.map((reason, index) => [reason, index + 1]));
  const never = () => {
    throw new Error('Nothing is left to chance here.');
  };

  it('are counted one by one, and in small sets', () => {
    const single = new EvaluationTally(never);
    for (const evaluation of evaluations) single.add(evaluation);
    expect(single.counts).toEqual(expected);
    const together = new EvaluationTally(never);
    for (let at = 0; at < evaluations.length; at += 20) together.addAll(evaluations.slice(at, at + 20));
    expect(together.counts).toEqual(expected);
  });

  it('are sampled in large sets, and come out right on average', () => {
    const times = 1_600;
    let turn = 0;
    const tally = new EvaluationTally(() => (turn++ % times) / times);
    for (let i = 0; i < times; i++) tally.addAll(evaluations);
    expect(tally.counts).toEqual(
      Object.fromEntries(Object.entries(expected).map(([reason, count]) => [reason, count * times])),
    );
    expect(turn).toBe(times);
  });
});

it('a token that is refused is no label', async () => {
  await using server = await startTestServer({ metrics: { registry: new Registry() } });
  const bad = `${await token()}x`;
  await httpClient(server.url, bad).query('{ hello }');
  await wsClient(server.url, { token: bad }).closed;
  expect(await (await fetch(`${server.url}/metrics`)).text()).not.toContain(bad.slice(0, 20));
});
