import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mintToken } from '../../src/auth/token.js';
import { httpClient, sseClient, wsClient } from '../support/clients.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';
import { until } from '../support/wait.js';
import { NodeProcess } from './node-process.js';
import { WsViewer } from './viewer.js';

// What brings live servers down, against the whole server in a process of its own: what is measured is the server alone.

const secret = '0123456789abcdef0123456789abcdef';
const key = new TextEncoder().encode(secret);
const megabyte = 2 ** 20;

let database: TestDatabase;
let node: NodeProcess;
let admin: string;
const stops: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  database = await createDatabase();
  stops.push(() => database.drop());
  // Who does not answer a ping for so long is cut otherwise, and here they are to return.
  const limits = { maxBufferedBytes: 64_000, pingInterval: 600_000 };
  node = await NodeProcess.start(
    { AUTH_JWT_SECRET: secret, LOG_LEVEL: 'warn', MAX_CONNECTIONS_PER_ADDRESS: '5000', DATABASE_URL: database.url },
    { countQueries: true, limits },
  );
  stops.push(() => node.stop());
  admin = await mintToken(key, { role: 'ADMIN', expiresInSeconds: 3_600 });
});

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function createFlags(count: number): Promise<void> {
  const fields = Array.from(
    { length: count },
    (_, index) =>
      `f${index}: createFlag(input: { key: "flag_${index}", name: "Flag ${index}", enabled: true }) { __typename }`,
  );
  // In parts: a document may only be so large.
  for (let from = 0; from < count; from += 10) {
    const { body } = await httpClient(node.url, admin).query(
      `mutation { ${fields.slice(from, from + 10).join('\n')} }`,
    );
    expect(body.errors).toBeUndefined();
  }
}

async function switchFlag(enabled: boolean, flag = 'flag_0'): Promise<void> {
  const query = 'mutation ($input: UpdateFlagInput!) { updateFlag(input: $input) { __typename } }';
  const { body } = await httpClient(node.url, admin).query(query, { input: { key: flag, enabled } });
  expect(body.data?.updateFlag.__typename).toBe('UpdateFlagPayload');
}

/** Switches each of 50 flags off or on, so many times in turn, each in a write of its own by another hand. */
async function switchAll(times: number): Promise<void> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    for (let change = 0; change < times * 50; change += 1) {
      const values = [`flag_${change % 50}`, Math.floor(change / 50) % 2 === 1];
      await client.query('UPDATE feature_flags SET enabled = $2 WHERE key = $1', values);
    }
  } finally {
    await client.end();
  }
}

describe('a storm of 2,000 clients that are dropped and come back at once', () => {
  it('is served with a few queries, and leaves the memory as it was', { timeout: 180_000 }, async () => {
    await createFlags(10);
    const violations: string[] = [];
    const viewers = await Promise.all(
      Array.from({ length: 2_000 }, async (_, index) => {
        const userId = randomUUID();
        const token = await mintToken(key, { role: 'USER', userId, expiresInSeconds: 3_600 });
        const spec = { name: `viewer ${index}`, userId, device: null, claims: null, keys: null, token };
        return new WsViewer(spec, { url: () => node.url, violated: what => void violations.push(what) });
      }),
    );
    stops.push(() => Promise.all(viewers.map(viewer => viewer.stop())));
    for (const viewer of viewers) viewer.start();
    const allServed = (times: number) => () => viewers.every(({ snapshots }) => snapshots === times);
    await until(allServed(1), 'everybody is served', 60_000);
    const before = await node.sample();

    for (const viewer of viewers) viewer.drop();
    await until(allServed(2), 'everybody is served again', 60_000);
    for (const viewer of viewers) viewer.drop();
    await until(allServed(3), 'everybody is served a third time', 60_000);

    const after = await node.sample();
    const queries = after.queries - before.queries;
    process.stdout.write(
      `two storms of 2,000: ${queries} queries, heap ${mb(before.heapUsed)} then ${mb(after.heapUsed)} MB\n`,
    );
    expect(violations).toEqual([]);
    expect(after.subscribers).toBe(2_000);
    // Everybody is known, so only the periodic read of the log is left.
    expect(queries).toBeLessThan(40);
    expect(after.heapUsed - before.heapUsed).toBeLessThan(8 * megabyte);
  });
});

describe('10,000 subscriptions that come and go on one socket', () => {
  it('leave nothing behind', { timeout: 180_000 }, async () => {
    await createFlags(3);
    const token = await mintToken(key, { role: 'USER', userId: randomUUID(), expiresInSeconds: 3_600 });
    await using client = wsClient(node.url, { token });
    const cycles = async (count: number) => {
      for (let done = 0; done < count; done += 50) {
        const streams = Array.from({ length: 50 }, () =>
          client.subscribe('subscription { viewerFeatures { revision } }'),
        );
        // Some leave with what they came for, some at once.
        await Promise.all(streams.filter((_, index) => index % 2 === 0).map(stream => stream.next()));
        await Promise.all(streams.map(stream => stream.stop()));
      }
    };
    await cycles(2_000);
    const before = await node.sample();
    await cycles(10_000);
    await until(async () => (await node.sample()).subscribers === 0, 'nobody subscribes any more');
    const after = await node.sample();
    process.stdout.write(`10,000 came and went: heap ${mb(before.heapUsed)} then ${mb(after.heapUsed)} MB\n`);
    // 10,000 subscribers that stayed would hold more than 10 MB.
    expect(after.heapUsed - before.heapUsed).toBeLessThan(3 * megabyte);
    expect(total(after.handles)).toBeLessThanOrEqual(total(before.handles) + 3);
  });
});

describe('readers that stall over 2,000 changes', () => {
  it('cost no memory, and are right when they return', { timeout: 180_000 }, async () => {
    await createFlags(50);
    const token = await mintToken(key, { role: 'USER', userId: randomUUID(), expiresInSeconds: 3_600 });
    await using client = wsClient(node.url, { token });
    const query = 'subscription { viewerFeatures { revision snapshot features { key enabled reason } removed } }';
    const streams = Array.from({ length: 20 }, () => client.subscribe(query));
    for (const stream of streams) await stream.next();
    await using events = await sseClient(node.url, query, { token });
    await events.next();
    await switchAll(4);
    const before = await node.sample();

    const socket = await client.connected;
    socket.pause();
    await switchAll(40);
    await switchFlag(false, 'flag_7');
    const after = await node.sample();
    process.stdout.write(`2,000 changes unread: heap ${mb(before.heapUsed)} then ${mb(after.heapUsed)} MB\n`);
    expect(after.heapUsed + after.external - before.heapUsed - before.external).toBeLessThan(4 * megabyte);

    socket.resume();
    for (const stream of streams) {
      const answers = new Map<string, boolean>();
      for (let revision = 0; revision < after.revision; ) {
        const { viewerFeatures } = (await stream.next(20_000)).data;
        for (const { key, enabled } of viewerFeatures.features) answers.set(key, enabled);
        revision = viewerFeatures.revision;
      }
      expect(answers.get('flag_7')).toBe(false);
    }
  });
});

function mb(bytes: number): string {
  return (bytes / megabyte).toFixed(1);
}

function total(handles: Readonly<Record<string, number>>): number {
  return Object.values(handles).reduce((sum, count) => sum + count, 0);
}
