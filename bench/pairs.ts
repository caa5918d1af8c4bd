// `npm run bench:pairs -- <checkout>`: what this checkout costs beside another one, such as the commit before.
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Connection } from './http/connection.js';
import { mixedFlags } from './http/flags.js';
import { sign, userId } from './http/tokens.js';
import { type Node, startNode } from './live/processes.js';
import { Viewers } from './live/viewers.js';
import { createAdmin } from './support/admin.js';
import { follow } from './support/follow.js';
import { markdownTable } from './support/markdown-table.js';

const help = `npm run bench:pairs -- <checkout> [options]

Compares the processor time of this checkout with that of another one, both built (npm ci && npm run build).
Each pair runs both, in new processes and in alternating order. A ratio over 1: this checkout is slower.

  --pairs <n>      pairs, of which the median counts (default 7)
  --seconds <n>    how long requests are counted in each (default 3)
  --watched        readers follow receipts and audiences in this checkout, and nobody does in the other one
  --only <text>    only scenarios with this in their name; repeatable
  --help`;

interface Scenario {
  readonly name: string;
  /**
   * @param isOwn whether the node runs this checkout.
   * @returns microseconds of processor time for one request or push.
   */
  measure(node: Node, isOwn: boolean): Promise<number>;
}

const secret = randomBytes(32).toString('hex');
const adminToken = sign(secret, { role: 'admin' });
const admin = createAdmin(adminToken);
const tokens = Array.from({ length: 1_500 }, (_, i) => sign(secret, { sub: userId(i) }));

/** What `use` cost a node, for each of the things that it counts. */
async function costOf(node: Node, use: () => Promise<number>): Promise<number> {
  const before = await node.cpu();
  const count = await use();
  return ((await node.cpu()) - before) / count;
}

/** Keeps 32 connections busy, and counts the answers. */
async function ask(node: Node, seconds: number, bodyOf: (n: number) => string): Promise<number> {
  const end = performance.now() + seconds * 1_000;
  let sent = 0;
  let answered = 0;
  await Promise.all(
    Array.from({ length: 32 }, async () => {
      const connection = new Connection(Number(new URL(node.url).port), () => {});
      while (performance.now() < end) {
        const n = sent++;
        const body = bodyOf(n);
        const head = `POST /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\naccept: application/json\r\nauthorization: Bearer ${tokens[n % 100]}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n`;
        const answer = await new Promise<number | null>(done => once(connection, head + body, done));
        if (answer !== 200) throw new Error(`A request was answered ${answer}.`);
        answered += 1;
      }
      connection.close();
    }),
  );
  return answered;
}

function once(connection: Connection, text: string, done: (status: number | null) => void): void {
  connection.send(Buffer.from(text), false, answer => done(answer?.status ?? null));
}

async function readAll(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of stream);
}

const requests = (name: string, bodyOf: (n: number) => string): Scenario => ({
  name,
  async measure(node) {
    await ask(node, Number(values.seconds), bodyOf);
    return costOf(node, () => ask(node, Number(values.seconds), bodyOf));
  },
});

const pushes = (name: string, kind: 'openWebSocket' | 'openSse', count: number): Scenario => ({
  name,
  async measure(node, isOwn) {
    const viewers = new Viewers();
    const isWatched = values.watched && isOwn;
    const watch = new AbortController();
    if (isWatched) void readAll(follow(node.url, adminToken, 'subscription { flagAudience { on } }', watch));
    for (const token of tokens.slice(0, count)) await viewers[kind](node.url, token);
    let isOn = false;
    const push = async (changes: number) => {
      for (let change = 0; change < changes; change += 1) {
        isOn = !isOn;
        const expected = viewers.receipts.length + count;
        const { updateFlag } = (await admin(
          node.url,
          'mutation($i: UpdateFlagInput!) { updateFlag(input: $i) { ... on UpdateFlagPayload { revision } ... on Error { code } } }',
          { i: { key: 'pushed', enabled: isOn } },
        )) as { updateFlag: { revision: number } };
        const receipt = `subscription { propagation(revision: ${updateFlag.revision}) { p99 isDone } }`;
        if (isWatched) void readAll(follow(node.url, adminToken, receipt));
        while (viewers.receipts.length < expected) await sleep(5);
      }
      return changes * count;
    };
    await push(10);
    const cost = await costOf(node, () => push(20));
    watch.abort();
    viewers.close();
    await sleep(500);
    return cost;
  },
});

const scenarios: readonly Scenario[] = [
  requests('an answer given again, 100 flags', () => '{"query":"{ viewer { featureMap } }"}'),
  requests('an answer executed, 100 flags', n =>
    JSON.stringify({
      query: 'query($k: String!) { isEnabled(key: $k) viewer { featureMap } }',
      variables: { k: `k${n}` },
    }),
  ),
  pushes('a push to one of 1,500 WebSockets', 'openWebSocket', 1_500),
  pushes('a push to one of 500 streams of events', 'openSse', 500),
];

async function measure(dist: string, isOwn: boolean, wanted: readonly Scenario[]): Promise<number[]> {
  const node = await startNode({
    BENCH_DIST: dist,
    FEATURE_BACKEND: 'memory',
    AUTH_JWT_SECRET: secret,
    PORT: '0',
    NODE_ENV: 'production',
    MAX_CONNECTIONS_PER_ADDRESS: '100000',
  });
  try {
    const created = 'mutation($i: CreateFlagInput!) { createFlag(input: $i) { __typename ... on Error { code } } }';
    const pushed = { key: 'pushed', enabled: false, percentage: 100, conditions: {} };
    for (const { key, enabled, percentage, conditions } of [...mixedFlags(99).map(flag => flag.definition), pushed]) {
      await admin(node.url, created, { i: { name: key, key, enabled, percentage, conditions } });
    }
    const costs: number[] = [];
    for (const scenario of wanted) costs.push(await scenario.measure(node, isOwn));
    return costs;
  } finally {
    await node.stop();
  }
}

const median = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    pairs: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '3' },
    watched: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    help: { type: 'boolean', default: false },
  },
});
const [checkout] = positionals;
if (values.help || checkout === undefined) {
  console.log(help);
} else {
  const other = join(resolve(checkout), 'dist');
  if (!existsSync(join(other, 'config.js')))
    throw new Error(`${other} holds no build: run npm ci && npm run build there.`);
  const own = fileURLToPath(new URL('../dist', import.meta.url));
  const wanted = scenarios.filter(
    ({ name }) => values.only.length === 0 || values.only.some(text => name.includes(text)),
  );
  const costs: { readonly own: number[]; readonly other: number[] }[] = [];
  for (let pair = 0; pair < Number(values.pairs); pair += 1) {
    const order = pair % 2 === 0 ? ([other, own] as const) : ([own, other] as const);
    const [first, second] = [
      await measure(order[0], order[0] === own, wanted),
      await measure(order[1], order[1] === own, wanted),
    ];
    costs.push(order[0] === own ? { own: first, other: second } : { own: second, other: first });
    process.stderr.write(`pair ${pair + 1} of ${values.pairs}\n`);
  }
  const rows = wanted.map(({ name }, i) => {
    const [mine, theirs] = [costs.map(({ own }) => own[i] ?? 0), costs.map(({ other }) => other[i] ?? 0)];
    const ratios = mine.map((cost, pair) => cost / (theirs[pair] ?? 0));
    const spread = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
    return [name, median(theirs).toFixed(1), median(mine).toFixed(1), median(ratios).toFixed(2), spread];
  });
  console.log(markdownTable([['CPU us for', 'the other', 'this', 'ratio, median', 'spread'], ...rows]));
}
