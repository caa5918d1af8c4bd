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
Each pair runs both in new processes, which take turns: what slows the machine down for a while slows both down.
A ratio over 1: this checkout is slower. Compared with itself, it says what the ratios are worth.

  --pairs <n>      pairs, of which the median counts (default 7)
  --turns <n>      turns of each process in a pair (default 6)
  --watched        readers follow receipts and audiences in this checkout, and nobody does in the other one
  --only <text>    only scenarios with this in their name; repeatable
  --help`;

interface Scenario {
  readonly name: string;
  /** @param isWatched whether readers follow what comes of each change. */
  begin(node: Node, isWatched: boolean): Promise<Underway>;
}

/** A scenario at one node. */
interface Underway {
  /** @returns how often the node did what is counted. */
  turn(): Promise<number>;
  end(): Promise<void>;
}

const secret = randomBytes(32).toString('hex');
const adminToken = sign(secret, { role: 'admin' });
const admin = createAdmin(adminToken);
const tokens = Array.from({ length: 1_500 }, (_, i) => sign(secret, { sub: userId(i) }));

/** Keeps 32 connections busy, and counts the answers. */
async function ask(node: Node, seconds: number, path: string, bodyOf: (n: number) => string): Promise<number> {
  const end = performance.now() + seconds * 1_000;
  let sent = 0;
  let answered = 0;
  await Promise.all(
    Array.from({ length: 32 }, async () => {
      const connection = new Connection(Number(new URL(node.url).port), () => {});
      while (performance.now() < end) {
        const n = sent++;
        const body = bodyOf(n);
        const head = `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\naccept: application/json\r\nauthorization: Bearer ${tokens[n % 100]}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n`;
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

const requests = (name: string, path: string, bodyOf: (n: number) => string): Scenario => ({
  name,
  begin: async node => ({ turn: () => ask(node, 1, path, bodyOf), end: async () => {} }),
});

const pushes = (name: string, kind: 'openWebSocket' | 'openSse', count: number): Scenario => ({
  name,
  async begin(node, isWatched) {
    const viewers = new Viewers();
    const watch = new AbortController();
    if (isWatched) void readAll(follow(node.url, adminToken, 'subscription { flagAudience { on } }', watch));
    for (const token of tokens.slice(0, count)) await viewers[kind](node.url, token);
    let isOn = false;
    return {
      async turn() {
        for (let change = 0; change < 10; change += 1) {
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
        return 10 * count;
      },
      async end() {
        watch.abort();
        viewers.close();
        await sleep(500);
      },
    };
  },
});

const scenarios: readonly Scenario[] = [
  requests('an answer given again, 100 flags', '/graphql', () => '{"query":"{ viewer { featureMap } }"}'),
  requests('the same over OFREP', '/ofrep/v1/evaluate/flags', () => '{}'),
  requests('an answer executed, 100 flags', '/graphql', n =>
    JSON.stringify({
      query: 'query($k: String!) { isEnabled(key: $k) viewer { featureMap } }',
      variables: { k: `k${n}` },
    }),
  ),
  pushes('a push to one of 1,500 WebSockets', 'openWebSocket', 1_500),
  pushes('a push to one of 500 streams of events', 'openSse', 500),
];

async function start(dist: string): Promise<Node> {
  const node = await startNode({
    BENCH_DIST: dist,
    FEATURE_BACKEND: 'memory',
    AUTH_JWT_SECRET: secret,
    PORT: '0',
    NODE_ENV: 'production',
    MAX_CONNECTIONS_PER_ADDRESS: '100000',
  });
  const created = 'mutation($i: CreateFlagInput!) { createFlag(input: $i) { __typename ... on Error { code } } }';
  const pushed = { key: 'pushed', enabled: false, percentage: 100, conditions: {} };
  for (const { key, enabled, percentage, conditions } of [...mixedFlags(99).map(flag => flag.definition), pushed]) {
    await admin(node.url, created, { i: { name: key, key, enabled, percentage, conditions } });
  }
  return node;
}

/** Of this checkout, and of the other one: microseconds of processor time for one request or push. */
interface Sides<T> {
  readonly own: T;
  readonly other: T;
}
type Costs = Sides<number>;

/** Turns that are not counted. */
const warmUps = 2;

/** The first turns of each are for warming up. */
async function compare({ begin }: Scenario, own: Node, other: Node, turns: number): Promise<Costs> {
  const sides = [
    { node: own, at: await begin(own, values.watched), cost: 0, count: 0 },
    { node: other, at: await begin(other, false), cost: 0, count: 0 },
  ];
  for (let turn = -warmUps; turn < turns; turn += 1) {
    for (const side of turn % 2 === 0 ? sides : [...sides].reverse()) {
      const before = await side.node.cpu();
      const count = await side.at.turn();
      if (turn < 0) continue;
      side.cost += (await side.node.cpu()) - before;
      side.count += count;
    }
  }
  for (const { at } of sides) await at.end();
  const [mine, theirs] = sides.map(({ cost, count }) => cost / count);
  return { own: mine ?? 0, other: theirs ?? 0 };
}

/** @param isOwnFirst which of the two starts first, which may matter by itself. */
async function pairOf(dists: Sides<string>, isOwnFirst: boolean, wanted: readonly Scenario[]): Promise<Costs[]> {
  const nodes: Node[] = [];
  try {
    for (const dist of isOwnFirst ? [dists.own, dists.other] : [dists.other, dists.own]) nodes.push(await start(dist));
    const [own, other] = (isOwnFirst ? nodes : nodes.reverse()) as [Node, Node];
    const costs: Costs[] = [];
    for (const scenario of wanted) costs.push(await compare(scenario, own, other, Number(values.turns)));
    return costs;
  } finally {
    await Promise.all(nodes.map(node => node.stop()));
  }
}

const median = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    pairs: { type: 'string', default: '7' },
    turns: { type: 'string', default: '6' },
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
  const pairs: Costs[][] = [];
  for (let pair = 0; pair < Number(values.pairs); pair += 1) {
    pairs.push(await pairOf({ own, other }, pair % 2 === 0, wanted));
    process.stderr.write(`pair ${pair + 1} of ${values.pairs}\n`);
  }
  const rows = wanted.map(({ name }, i) => {
    const costs = pairs.map(pair => pair[i] as Costs);
    const [mine, theirs] = [costs.map(({ own }) => own), costs.map(({ other }) => other)];
    const ratios = mine.map((cost, pair) => cost / (theirs[pair] ?? 0));
    const spread = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
    return [name, median(theirs).toFixed(1), median(mine).toFixed(1), median(ratios).toFixed(2), spread];
  });
  console.log(markdownTable([['CPU us for', 'the other', 'this', 'ratio, median', 'spread'], ...rows]));
}
