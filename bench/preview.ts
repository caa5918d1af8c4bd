// `npm run bench:preview`: what a preview of a change costs the others. Stored users on PostgreSQL while requests are answered, and
// connected viewers in slices of the event loop.
import { randomBytes } from 'node:crypto';
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { mintToken } from '../dist/auth/token.js';
import { openDatabase } from '../dist/backends/database.js';
import { FeatureService } from '../dist/features/service.js';
import { longestBlock } from '../test/support/longest-block.js';
import { PostgresServer } from '../test/support/postgres-server.js';
import { Connection } from './http/connection.js';
import { Latencies } from './http/latencies.js';
import { storeUsers } from './http/users.js';
import { startNode } from './live/processes.js';
import { createAdmin } from './support/admin.js';
import { markdownTable } from './support/markdown-table.js';

const { values } = parseArgs({
  options: {
    users: { type: 'string', default: '1000000' },
    viewers: { type: 'string', default: '10000' },
    rate: { type: 'string', default: '200' },
    rounds: { type: 'string', default: '5' },
  },
});
const [users, viewers, rate, rounds] = [values.users, values.viewers, values.rate, values.rounds].map(Number) as [
  number,
  number,
  number,
  number,
];
/** Previews in one round. Requests are measured for as long before as during them. */
const previewsInRound = 4;
const connections = 32;

const secret = randomBytes(32).toString('hex');
const key = new TextEncoder().encode(secret);
const mint = (role: 'ADMIN' | 'SERVICE') => mintToken(key, { role, expiresInSeconds: 86_400 });
const adminToken = await mint('ADMIN');
const serviceToken = await mint('SERVICE');
const admin = createAdmin(adminToken);

const idOf = (number: number) => `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
const rule = {
  all: [{ attributes: { plan: 'pro' } }, { any: [{ groups: ['beta'] }, { attributes: { country: 'DE' } }] }],
};
const input = { key: 'checkout', conditions: rule, percentage: 50 };

function prepared(token: string, body: object): Buffer {
  const text = JSON.stringify(body);
  return Buffer.from(
    `POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nauthorization: Bearer ${token}\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
}

/** Evaluations of users who must be read from the database nearly always, and of one who is known. */
const requests = {
  'a user who must be read': () =>
    prepared(serviceToken, {
      query: 'query($id: UserID!) { evaluate(context: { userId: $id }) { key enabled } }',
      variables: { id: idOf(Math.floor(Math.random() * users)) },
    }),
  'a user who is known': () =>
    prepared(serviceToken, {
      query: 'query($id: UserID!) { evaluate(context: { userId: $id }) { key enabled } }',
      variables: { id: idOf(1) },
    }),
};

/** Sends requests at a fixed rate until `act` has ended. A latency begins when the request was due. */
async function measure(url: string, act: () => Promise<unknown>): Promise<Record<string, Latencies>> {
  const kinds = Object.entries(requests).map(([name, make]) => ({ name, make, latencies: new Latencies() }));
  const idle = Array.from({ length: connections }, () => new Connection(Number(new URL(url).port), () => {}));
  const pool = [...idle];
  let isOver = false;
  const acting = act().finally(() => {
    isOver = true;
  });
  const startedAt = performance.now();
  for (let sent = 0; !isOver; ) {
    const due = startedAt + (sent * 1_000) / rate;
    const connection = idle.pop();
    if (connection === undefined || performance.now() < due) {
      if (connection !== undefined) idle.push(connection);
      await sleep(1);
      continue;
    }
    const kind = kinds[sent % kinds.length] as (typeof kinds)[number];
    sent += 1;
    connection.send(kind.make(), false, answer => {
      if (answer?.status !== 200) throw new Error(`An evaluation was answered ${answer?.status}.`);
      kind.latencies.add(performance.now() - due);
      idle.push(connection);
    });
  }
  await acting;
  while (idle.length < pool.length) await sleep(1);
  for (const connection of pool) connection.close();
  return Object.fromEntries(kinds.map(({ name, latencies }) => [name, latencies]));
}

interface Preview {
  readonly counted: number;
  readonly total: number;
  readonly isComplete: boolean;
  readonly gain: number;
}

async function preview(url: string): Promise<Preview & { readonly milliseconds: number }> {
  const startedAt = performance.now();
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${adminToken}` },
    body: JSON.stringify({
      query: `query($input: UpdateFlagInput!) { previewFlag(input: $input, population: STORED) {
        ... on FlagPreview { counted total isComplete gain } ... on Error { code } } }`,
      variables: { input },
    }),
  });
  const { data } = (await response.json()) as { data: { previewFlag: Preview } };
  return { ...data.previewFlag, milliseconds: performance.now() - startedAt };
}

const median = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN;
const flag = { key: 'checkout', name: 'Checkout', enabled: true, conditions: {}, percentage: 10 };

/** Latencies before previews and during them, in alternating rounds. */
async function stored(databaseUrl: string): Promise<void> {
  const node = await startNode({
    DATABASE_URL: databaseUrl,
    PORT: '0',
    AUTH_JWT_SECRET: secret,
    NODE_ENV: 'production',
  });
  try {
    await admin(
      node.url,
      'mutation($input: CreateFlagInput!) { createFlag(input: $input) { __typename ... on Error { code } } }',
      { input: flag },
    );
    const previews: Awaited<ReturnType<typeof preview>>[] = [];
    const p99: Record<string, { before: number[]; during: number[] }> = {};
    await measure(node.url, () => preview(node.url));
    for (let round = 0; round < rounds; round += 1) {
      const before = await measure(node.url, () => sleep(previewsInRound * 2_000));
      const during = await measure(node.url, async () => {
        for (let n = 0; n < previewsInRound; n += 1) previews.push(await preview(node.url));
      });
      for (const name of Object.keys(requests)) {
        p99[name] ??= { before: [], during: [] };
        p99[name].before.push(before[name]?.quantile(0.99) ?? Number.NaN);
        p99[name].during.push(during[name]?.quantile(0.99) ?? Number.NaN);
      }
      process.stderr.write(`round ${round + 1} of ${rounds}\n`);
    }
    const times = previews.map(({ milliseconds }) => milliseconds);
    const counts = previews.map(({ counted }) => counted);
    const [{ total, isComplete } = { total: 0, isComplete: false }] = previews;
    console.log(`#### ${users} stored users: ${previews.length} previews\n`);
    console.log(
      `Answered in ${median(times).toFixed(0)} ms (at most ${Math.max(...times).toFixed(0)}), for ${median(counts)} users (${Math.min(...counts)} to ${Math.max(...counts)}) of ${total}; isComplete: ${isComplete}.\n`,
    );
    const rows = Object.entries(p99).map(([name, { before, during }]) => {
      const ratios = during.map((ms, round) => ms / (before[round] ?? Number.NaN));
      const spread = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
      return [name, median(before).toFixed(1), median(during).toFixed(1), median(ratios).toFixed(2), spread];
    });
    console.log(
      markdownTable([
        [`p99 of evaluations, ${rate}/s`, 'before, ms', 'meanwhile, ms', 'ratio, median', 'spread'],
        ...rows,
      ]),
    );
  } finally {
    await node.stop();
  }
}

/** The longest slice of the event loop, in processor time. */
async function connected(databaseUrl: string): Promise<void> {
  const service = await FeatureService.open({ backend: await openDatabase({ url: databaseUrl }) });
  try {
    const subscriptions = Array.from({ length: viewers }, (_, number) => service.subscribe({ userId: idOf(number) }));
    const rows: string[][] = [];
    const run = async (name: string) => {
      let counted = 0;
      const startedAt = performance.now();
      const block = await longestBlock(async () => {
        counted = (await service.previewFlag(input, 'CONNECTED')).counted;
      });
      rows.push([name, String(counted), (performance.now() - startedAt).toFixed(0), block.toFixed(1)]);
    };
    await run('first, users are read');
    await run('some users are cached');
    await Promise.all(subscriptions.map(subscription => subscription.next()));
    await run('users are known to their subscriptions');
    await run('again');
    console.log(`\n#### ${viewers} connected viewers\n`);
    console.log(markdownTable([['preview', 'counted', 'ms', 'longest slice, ms of CPU'], ...rows]));
  } finally {
    await service.close();
  }
}

const postgres = await PostgresServer.start();
try {
  await postgres.query('CREATE DATABASE halyard');
  const databaseUrl = postgres.url('halyard');
  const database = await openDatabase({ url: databaseUrl });
  await database.close();
  await storeUsers(databaseUrl, users);
  // Else the server does it while requests are measured.
  await postgres.query('VACUUM ANALYZE', 'halyard');
  await postgres.query('CHECKPOINT');
  console.log(`${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.version}.\n`);
  await stored(databaseUrl);
  await connected(databaseUrl);
} finally {
  await postgres.stop();
}
