// `npm run bench:revocation`: how soon a revoked API key is refused by the other node of the database, and its socket closed.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { PostgresServer } from '../test/support/postgres-server.js';
import { sign } from './http/tokens.js';
import { type Node, startNode } from './live/processes.js';
import { markdownTable } from './support/markdown-table.js';

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 50);
const secret = randomBytes(32).toString('hex');
const adminToken = sign(secret, { role: 'admin' });

async function ask<T>(node: Node, credential: string, query: string): Promise<{ status: number; data: T }> {
  const response = await fetch(`${node.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${credential}` },
    body: JSON.stringify({ query }),
  });
  return { status: response.status, data: ((await response.json()) as { data: T }).data };
}

interface Created {
  readonly createApiKey: { readonly secret: string; readonly apiKey: { readonly id: string } };
}

const create = (name: string) =>
  `mutation { createApiKey(input: { name: "${name}", role: SERVICE }) { ... on CreateApiKeyPayload { secret apiKey { id } } } }`;
const revoke = (id: string) =>
  `mutation { revokeApiKey(input: { id: "${id}" }) { ... on RevokeApiKeyPayload { revision } } }`;

async function refusedAt(node: Node, key: string): Promise<number> {
  while ((await ask(node, key, '{ viewer { role } }')).status !== 401) await sleep(1);
  return performance.now();
}

/** Opens a subscription of the key. @returns when its socket closes, as `performance.now()` has it. */
async function openSocket(node: Node, key: string): Promise<{ readonly closedAt: Promise<number> }> {
  let opened: (() => void) | undefined;
  const isOpen = new Promise<void>(resolve => {
    opened = resolve;
  });
  const client = createClient({
    url: `${node.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${key}` },
    retryAttempts: 0,
    lazy: true,
  });
  const closedAt = new Promise<number>(resolve => client.on('closed', () => resolve(performance.now())));
  client.subscribe(
    { query: 'subscription { viewerFeatures { revision } }' },
    { next: () => opened?.(), error: () => {}, complete: () => {} },
  );
  await isOpen;
  return { closedAt };
}

function summary(name: string, times: readonly number[]): string[] {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number) => (sorted[Math.ceil(share * sorted.length) - 1] as number).toFixed(1);
  return [name, at(0.5), at(0.99), at(1)];
}

const postgres = await PostgresServer.start();
const nodes: Node[] = [];
try {
  await postgres.query('CREATE DATABASE halyard');
  const env = { DATABASE_URL: postgres.url('halyard'), PORT: '0', AUTH_JWT_SECRET: secret, NODE_ENV: 'production' };
  nodes.push(await startNode(env), await startNode(env));
  const [first, second] = nodes as [Node, Node];
  const refused: number[] = [];
  const closed: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const { createApiKey: made } = (await ask<Created>(first, adminToken, create(`key ${round}`))).data;
    while ((await ask(second, made.secret, '{ viewer { role } }')).status !== 200) await sleep(5);
    const { closedAt } = await openSocket(second, made.secret);
    await ask(first, adminToken, revoke(made.apiKey.id));
    const answered = performance.now();
    refused.push((await refusedAt(second, made.secret)) - answered);
    closed.push((await closedAt) - answered);
  }
  console.log(
    markdownTable([
      ['ms from the answer to the revocation, other node', 'p50', 'p99', 'max'],
      summary('a request with the key is refused', refused),
      summary('its WebSocket is closed', closed),
    ]),
  );
} finally {
  await Promise.all(nodes.map(node => node.stop()));
  await postgres.stop();
}
