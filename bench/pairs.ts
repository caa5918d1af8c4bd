// `npm run bench:pairs -- <checkout>`: what this checkout costs beside another one, such as the commit before.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Node } from './live/processes.js';
import { markdownTable } from './support/markdown-table.js';
import {
  executed,
  newViewer,
  polledOverOfrep,
  pushedToSockets,
  pushes,
  requests,
  type Scenario,
  startWithFlags,
  withUsers,
} from './support/scenarios.js';

const help = `npm run bench:pairs -- <checkout> [options]

Compares the processor time of this checkout with that of another one, both built (npm ci && npm run build).
Each pair runs both in new processes, which take turns: what slows the machine down for a while slows both down.
A ratio over 1: this checkout is slower. Compared with itself, it says what the ratios are worth.

  --pairs <n>      pairs, of which the median counts (default 7)
  --turns <n>      turns of each process in a pair (default 6)
  --watched        readers follow receipts and audiences in this checkout, and nobody does in the other one
  --only <text>    only scenarios with this in their name; repeatable
  --help`;

const scenarios: readonly Scenario[] = [
  requests('an answer given again, 100 flags', {
    path: '/graphql',
    body: () => '{"query":"{ viewer { featureMap } }"}',
  }),
  requests('the same over OFREP', { path: '/ofrep/v1/evaluate/flags', body: () => '{}' }),
  polledOverOfrep,
  executed,
  pushedToSockets,
  pushes('a push to one of 500 streams of events', 'openSse', 500),
  newViewer,
];

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

type Env = Readonly<Record<string, string>>;

/** @param isOwnFirst which of the two starts first, which may matter by itself. */
async function pairOf(
  { own: ours, other: theirs }: Sides<Env>,
  isOwnFirst: boolean,
  wanted: readonly Scenario[],
): Promise<Costs[]> {
  const nodes: Node[] = [];
  try {
    for (const env of isOwnFirst ? [ours, theirs] : [theirs, ours]) nodes.push(await startWithFlags(env));
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
  const costsOf = new Map(wanted.map(({ name }): [string, Costs[]] => [name, []]));
  /** @param ofOwn, ofOther where the nodes of each side store. */
  const compareAll = async (of: readonly Scenario[], ofOwn: Env, ofOther: Env) => {
    const envs = { own: { ...ofOwn, BENCH_DIST: own }, other: { ...ofOther, BENCH_DIST: other } };
    for (let pair = 0; pair < Number(values.pairs); pair += 1) {
      const costs = await pairOf(envs, pair % 2 === 0, of);
      for (const [i, { name }] of of.entries()) costsOf.get(name)?.push(costs[i] as Costs);
      process.stderr.write(`pair ${pair + 1} of ${values.pairs}\n`);
    }
  };
  const inMemory = wanted.filter(scenario => scenario !== newViewer);
  const memory = { FEATURE_BACKEND: 'memory' };
  if (inMemory.length > 0) await compareAll(inMemory, memory, memory);
  if (wanted.includes(newViewer)) {
    await withUsers(2, ([ours = '', theirs = '']) =>
      compareAll([newViewer], { DATABASE_URL: ours }, { DATABASE_URL: theirs }),
    );
  }
  const rows = wanted.map(({ name }) => {
    const costs = costsOf.get(name) ?? [];
    const [mine, theirs] = [costs.map(({ own }) => own), costs.map(({ other }) => other)];
    const ratios = mine.map((cost, pair) => cost / (theirs[pair] ?? 0));
    const spread = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
    return [name, median(theirs).toFixed(1), median(mine).toFixed(1), median(ratios).toFixed(2), spread];
  });
  console.log(markdownTable([['CPU us for', 'the other', 'this', 'ratio, median', 'spread'], ...rows]));
}
