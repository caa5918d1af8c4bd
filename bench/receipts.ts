// `npm run bench:receipts`: whether the receipts of changes say what thousands of viewers on two nodes have really received.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { PostgresServer } from '../test/support/postgres-server.js';
import { sign, userId } from './http/tokens.js';
import { type Node, startNode } from './live/processes.js';
import { Viewers } from './live/viewers.js';
import { createAdmin } from './support/admin.js';
import { follow } from './support/follow.js';
import { markdownTable } from './support/markdown-table.js';

const count = Number(process.env['BENCH_VIEWERS'] ?? 10_000);
const secret = randomBytes(32).toString('hex');
const adminToken = sign(secret, { role: 'admin' });
const admin = createAdmin(adminToken);

interface Receipt {
  readonly affected: number;
  readonly handed: number;
  readonly behind: number;
  readonly nodes: number;
  readonly nodesApplied: number;
  readonly p50: number | null;
  readonly p99: number | null;
  readonly isDone: boolean;
}

interface Audience {
  readonly viewers: number;
  readonly on: number;
  readonly behind: number;
}

const changes = [
  { enabled: true },
  { percentage: 30 },
  { percentage: 31 },
  { enabled: false },
  { enabled: true, percentage: 100 },
];

async function changeFlag(node: Node, input: object): Promise<number> {
  const query =
    'mutation($i: UpdateFlagInput!) { updateFlag(input: $i) { ... on UpdateFlagPayload { revision } ... on Error { code } } }';
  const response = await fetch(`${node.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${adminToken}` },
    body: JSON.stringify({ query, variables: { i: { key: 'all', ...input } } }),
  });
  const { data } = (await response.json()) as { data: { updateFlag: { revision: number } } };
  return data.updateFlag.revision;
}

async function open(viewers: Viewers, nodes: readonly Node[]): Promise<void> {
  for (let from = 0; from < count; from += 200) {
    await Promise.all(
      Array.from({ length: Math.min(200, count - from) }, (_, n) => {
        const i = from + n;
        const kind = i % 10 === 0 ? 'openSse' : 'openWebSocket';
        return viewers[kind]((nodes[(i >> 1) % 2] as Node).url, sign(secret, { sub: userId(i) }));
      }),
    );
  }
}

const postgres = await PostgresServer.start();
const viewers = new Viewers();
const nodes: Node[] = [];
try {
  await postgres.query('CREATE DATABASE halyard');
  const env = {
    DATABASE_URL: postgres.url('halyard'),
    PORT: '0',
    AUTH_JWT_SECRET: secret,
    NODE_ENV: 'production',
    MAX_CONNECTIONS_PER_ADDRESS: '100000',
  };
  nodes.push(await startNode(env), await startNode(env));
  const [first, second] = nodes as [Node, Node];
  for (let i = 0; i < 100; i += 1) {
    const input = { key: i === 0 ? 'all' : `flag-${i}`, name: 'a flag', enabled: i > 0 };
    await admin(first.url, 'mutation($i: CreateFlagInput!) { createFlag(input: $i) { ... on Error { code } } }', {
      i: input,
    });
  }
  await sleep(1_000);
  await open(viewers, nodes);
  const rows: string[][] = [];
  for (const change of changes) {
    viewers.receipts = [];
    const revision = await changeFlag(first, change);
    const answered = performance.now();
    let last: Receipt | undefined;
    const fields = 'affected handed behind nodes nodesApplied p50 p99 isDone';
    const query = `subscription { propagation(revision: ${revision}) { ${fields} } }`;
    for await (const update of follow<Receipt>(second.url, adminToken, query)) last = update;
    const done = performance.now() - answered;
    // What the sockets still hold.
    for (let before = -1; before !== viewers.receipts.length; await sleep(500)) before = viewers.receipts.length;
    const on = follow<Audience>(
      second.url,
      adminToken,
      'subscription { flagAudience(keys: ["all"]) { viewers on behind } }',
    );
    let audience: Audience | undefined;
    for await (const update of on) {
      audience = update;
      if (update.viewers === count && update.behind === 0) break;
    }
    rows.push([
      JSON.stringify(change),
      ...[
        viewers.receipts.length,
        last?.affected,
        last?.handed,
        last?.behind,
        `${last?.nodesApplied} of ${last?.nodes}`,
      ].map(String),
      ...[last?.p50, last?.p99, Math.round(done), audience?.on].map(String),
    ]);
  }
  const head = [
    'change',
    'received',
    'affected',
    'handed',
    'behind',
    'nodes',
    'p50 ms',
    'p99 ms',
    'done after ms',
    'on',
  ];
  console.log(markdownTable([head, ...rows]));
} finally {
  viewers.close();
  await Promise.all(nodes.map(node => node.stop()));
  await postgres.stop();
}
