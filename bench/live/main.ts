// `npm run bench:live`: how soon, and at what cost, a change reaches all connected viewers.
import { randomBytes } from 'node:crypto';
import { cpus, totalmem } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { mintToken } from '../../dist/auth/token.js';
import { PostgresServer } from '../../test/support/postgres-server.js';
import { createAdmin } from '../support/admin.js';
import { type Node, startNode } from './processes.js';
import { measureUnleash } from './unleash.js';
import { Viewers } from './viewers.js';

const sizes = (process.env['BENCH_SIZES'] ?? '1000,5000,10000,18000').split(',').map(Number);
const sseSize = Number(process.env['BENCH_SSE'] ?? 1_000);
const unleashRounds = Number(process.env['BENCH_UNLEASH_ROUNDS'] ?? 15);
const flagCount = 100;

const secret = randomBytes(32).toString('hex');
const key = new TextEncoder().encode(secret);
const viewerId = (i: number) => `00000000-0000-4000-8000-${String(i).padStart(12, '0')}`;
const tokenOf = (i: number) => mintToken(key, { role: 'USER', userId: viewerId(i), expiresInSeconds: 86_400 });
const adminToken = await mintToken(key, { role: 'ADMIN', expiresInSeconds: 86_400 });

const admin = createAdmin(adminToken);

const updateFlag = (url: string, input: object) =>
  admin(url, 'mutation($i: UpdateFlagInput!) { updateFlag(input: $i) { __typename ... on Error { code } } }', {
    i: input,
  });

/** A hundred flags of mixed rules; `all` is off and `rollout` at 10 %. */
async function createFlags(url: string): Promise<void> {
  const rules = [
    {},
    { percentage: 50 },
    { conditions: { groups: ['staff'] } },
    { conditions: { attributes: { plan: 'pro' } } },
  ];
  const flags = Array.from({ length: flagCount - 3 }, (_, i) => ({ key: `flag-${i}`, enabled: true, ...rules[i % 4] }));
  const measured = [
    { key: 'all', enabled: false },
    { key: 'rollout', enabled: true, percentage: 10 },
    { key: 'grouped', enabled: true, conditions: { groups: ['bench'] } },
  ];
  for (const flag of [...flags, ...measured]) {
    await admin(url, 'mutation($i: CreateFlagInput!) { createFlag(input: $i) { __typename ... on Error { code } } }', {
      i: { name: flag.key, ...flag },
    });
  }
}

interface Scenario {
  readonly name: string;
  act(url: string): Promise<unknown>;
  undo(url: string): Promise<unknown>;
}

const scenarios: readonly Scenario[] = [
  {
    name: 'a flag turned on for all',
    act: url => updateFlag(url, { key: 'all', enabled: true }),
    undo: url => updateFlag(url, { key: 'all', enabled: false }),
  },
  {
    name: 'a rollout moved from 10 to 20 %',
    act: url => updateFlag(url, { key: 'rollout', percentage: 20 }),
    undo: url => updateFlag(url, { key: 'rollout', percentage: 10 }),
  },
  {
    name: "one user's override",
    act: url =>
      admin(url, 'mutation($i: SetOverrideInput!) { setOverride(input: $i) { __typename ... on Error { code } } }', {
        i: { userId: viewerId(1), flagKey: 'all', enabled: true },
      }),
    undo: url =>
      admin(url, 'mutation($i: RemoveOverrideInput!) { removeOverride(input: $i) { __typename } }', {
        i: { userId: viewerId(1), flagKey: 'all' },
      }),
  },
  {
    name: '1,000 users added to a group',
    act: url =>
      admin(url, 'mutation($i: AddToGroupInput!) { addToGroup(input: $i) { __typename ... on Error { code } } }', {
        i: { group: 'bench', userIds: Array.from({ length: 1_000 }, (_, i) => viewerId(i)) },
      }),
    undo: url =>
      admin(url, 'mutation($i: RemoveFromGroupInput!) { removeFromGroup(input: $i) { __typename } }', {
        i: { group: 'bench', userIds: Array.from({ length: 1_000 }, (_, i) => viewerId(i)) },
      }),
  },
];

async function inBatches(count: number, size: number, open: (i: number) => Promise<void>): Promise<void> {
  for (let from = 0; from < count; from += size) {
    const batch = Array.from({ length: Math.min(size, count - from) }, (_, i) => open(from + i));
    await Promise.all(batch);
  }
}

/** Waits until nothing has come for a while. */
async function quiet(viewers: Viewers, time = 700): Promise<void> {
  for (let before = -1; before !== viewers.receipts.length; ) {
    before = viewers.receipts.length;
    await sleep(time);
  }
}

function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

async function measure(viewers: Viewers, watched: Node, mutateAt: string, { name, act, undo }: Scenario) {
  const rounds: { times: number[]; cpu: number; slowest: number }[] = [];
  for (let round = 0; round < 3; round += 1) {
    await quiet(viewers);
    viewers.receipts = [];
    const cpuBefore = await watched.cpu();
    let isDone = false;
    let slowest = 0;
    const asking = (async () => {
      while (!isDone) {
        const sent = performance.now();
        await (await fetch(`${watched.url}/graphql?query={viewer{featureMap}}`)).text();
        slowest = Math.max(slowest, performance.now() - sent);
        await sleep(20);
      }
    })();
    await act(mutateAt);
    const answered = performance.now();
    await quiet(viewers, 300);
    isDone = true;
    await asking;
    const cpu = (await watched.cpu()) - cpuBefore;
    rounds.push({ times: viewers.receipts.map(at => at - answered).sort((a, b) => a - b), cpu, slowest });
    await undo(mutateAt);
  }
  // The round in the middle by its slowest receipt.
  const byMax = rounds.sort((a, b) => (a.times.at(-1) ?? 0) - (b.times.at(-1) ?? 0));
  const { times, cpu, slowest } = byMax[1] ?? { times: [], cpu: 0, slowest: 0 };
  console.log(
    `| ${name} | ${times.length} | ${quantile(times, 0.5).toFixed(1)} | ${quantile(times, 0.99).toFixed(1)} | ` +
      `${(times.at(-1) ?? Number.NaN).toFixed(1)} | ${(cpu / Math.max(times.length, 1)).toFixed(1)} | ${slowest.toFixed(0)} |`,
  );
}

/** What a push costs where nothing is asked meanwhile: many changes, each when all have heard of the one before. */
async function costOfPush(viewers: Viewers, node: Node, count: number, { act, undo }: Scenario): Promise<number> {
  const changes = 12;
  await quiet(viewers);
  const before = await node.cpu();
  for (let change = 0; change < changes; change += 1) {
    const expected = viewers.receipts.length + count;
    await (change % 2 === 0 ? act : undo)(node.url);
    while (viewers.receipts.length < expected) await sleep(5);
  }
  return ((await node.cpu()) - before) / changes / count;
}

/** The pushes of a run's first change: the text of one, and microseconds of processor time for each. */
interface Pushed {
  readonly text: string;
  readonly cpu: number;
}

async function run(
  title: string,
  count: number,
  kind: 'openWebSocket' | 'openSse',
  [watched, mutateAt = watched]: readonly [Node, Node?],
  measured = scenarios,
): Promise<Pushed> {
  const viewers = new Viewers();
  const tokens = await Promise.all(Array.from({ length: count }, (_, i) => tokenOf(i)));
  const before = await watched.memory();
  const started = performance.now();
  await inBatches(count, 200, i => viewers[kind](watched.url, tokens[i] as string));
  const connected = performance.now() - started;
  const after = await watched.memory();
  const each = (name: 'heapUsed' | 'rss') => ((after[name] - before[name]) / count / 1_000).toFixed(1);
  console.log(`\n### ${title}\n`);
  console.log(
    `Connected in ${(connected / 1_000).toFixed(1)} s; a connection holds ${each('heapUsed')} kB of heap, ${each('rss')} kB of RSS.\n`,
  );
  console.log('| change | receipts | p50 ms | p99 ms | max ms | CPU us a push | slowest query meanwhile, ms |');
  console.log('|---|---|---|---|---|---|---|');
  for (const scenario of measured) await measure(viewers, watched, mutateAt.url, scenario);
  const [toAll] = measured as [Scenario];
  const cpu = mutateAt === watched ? await costOfPush(viewers, watched, count, toAll) : Number.NaN;
  if (mutateAt === watched) {
    console.log(`\n"${toAll.name}", many times, with nothing else to do: ${cpu.toFixed(1)} us of CPU a push.`);
  }
  viewers.close();
  await sleep(1_000);
  return { text: viewers.last, cpu };
}

/** So many viewers of one node, and as many of a server that does nothing but send them the same text. */
async function runBesideBare(count: number, env: Record<string, string>): Promise<void> {
  const node = await startNode(env);
  const { text, cpu } = await run(`${count} WebSocket viewers, one node`, count, 'openWebSocket', [node]);
  await node.stop();
  const bare = await startNode({}, 'bare.ts');
  const send = () => bare.tell(text);
  const sent = { name: 'the same text to all', act: send, undo: send };
  const least = await run(`${count} WebSockets, a bare server of ws`, count, 'openWebSocket', [bare], [sent]);
  await bare.stop();
  console.log(`\nA push to all costs ${(cpu / least.cpu).toFixed(2)} times the bare server's.`);
}

const postgres = await PostgresServer.start();
try {
  await postgres.query('CREATE DATABASE halyard');
  const env = {
    DATABASE_URL: postgres.url('halyard'),
    PORT: '0',
    AUTH_JWT_SECRET: secret,
    NODE_ENV: 'production',
    // All viewers of this bench come from one address.
    MAX_CONNECTIONS_PER_ADDRESS: '100000',
  };
  console.log(
    `# Live updates\n\n${cpus()[0]?.model}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`,
  );
  console.log(`Times from the answer to the mutation to the receipt; median of 3 rounds. ${flagCount} flags.`);

  const seeding = await startNode(env);
  await createFlags(seeding.url);
  await seeding.stop();

  for (const size of sizes) await runBesideBare(size, env);
  if (sseSize > 0) {
    const node = await startNode(env);
    await run(`${sseSize} SSE viewers, one node`, sseSize, 'openSse', [node]);
    await node.stop();
  }
  for (const size of [...new Set([100, Math.min(...sizes), Math.max(...sizes)])]) {
    const [watched, other] = [await startNode(env), await startNode(env)];
    const title = `${size} WebSocket viewers, the change on another node`;
    await run(title, size, 'openWebSocket', [watched, other]);
    await watched.stop();
    await other.stop();
  }

  if (unleashRounds > 0) {
    console.log('\n### Until a change is visible: unleash-server 7.5.1, frontend API, same PostgreSQL server\n');
    console.log('| refresh interval | p50 ms | max ms | rounds |');
    console.log('|---|---|---|---|');
    for (const [name, refresh] of [
      ['default (45 min)', null],
      ['100 ms', 100],
    ] as const) {
      const database = `unleash_${refresh ?? 'default'}`;
      await postgres.query(`CREATE DATABASE ${database}`);
      const times = (await measureUnleash(postgres.url(database), refresh, unleashRounds)).sort((a, b) => a - b);
      console.log(`| ${name} | ${quantile(times, 0.5).toFixed(1)} | ${times.at(-1)?.toFixed(1)} | ${times.length} |`);
    }
  }
} finally {
  await postgres.stop();
}
