// `npm run bench:profile`: where the processor time of a node goes.
import { writeFileSync } from 'node:fs';
import type { Profiler } from 'node:inspector';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { markdownTable } from './support/markdown-table.js';
import {
  executed,
  newViewer,
  pushedToSockets,
  type Scenario,
  startWithFlags,
  type Underway,
  withUsers,
} from './support/scenarios.js';

const help = `npm run bench:profile -- [options]

Where the processor time of a node goes, in microseconds for each push or answer.

  --what <name>       push: a change to each of 1,500 WebSockets (default)
                      executed: an answer of 100 flags that must be executed
                      viewer: an answer to a user with a new token, who must be read from PostgreSQL
  --seconds <n>       about how long it is looked at (default 5)
  --functions <n>     also the functions that take most, so many
  --file <path>       also writes what Chromium's developer tools read`;

const { values } = parseArgs({
  options: {
    what: { type: 'string', default: 'push' },
    seconds: { type: 'string', default: '5' },
    functions: { type: 'string', default: '0' },
    file: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

/** Parts of a node, by the place of a function. The first that matches counts. */
const parts: readonly (readonly [name: string, form: RegExp])[] = [
  ['Prisma', /@prisma/],
  ['the store (PGlite, pg)', /pglite|wasm|\/pg|postgres|backends\//],
  ['writing to sockets (the system call)', /^(writev|writeBuffer|writeUtf8String|writeLatin1String) $/],
  ['garbage collection', /^\(garbage/],
  ['ws', /\/ws\/lib/],
  ['graphql-ws', /graphql-ws/],
  ['graphql', /\/graphql\//],
  ['Halyard: features', /dist\/(features|core|streams)\//],
  ['Halyard: server', /dist\/(server|graphql|auth)\//],
  ['Node: streams and sockets', /node:(net|internal\/streams|internal\/stream_base|stream)/],
  ['Node: timers, promises, events', /node:/],
];

const nameOf = ({ callFrame: { functionName, url } }: Profiler.ProfileNode) => `${functionName} ${url}`;

function table({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile, units: number): string[][] {
  const byId = new Map(nodes.map(node => [node.id, node]));
  const times = new Map<string, number>();
  const functions = new Map<string, number>();
  for (const [index, id] of samples.entries()) {
    const name = nameOf(byId.get(id) as Profiler.ProfileNode);
    if (name.startsWith('(idle)')) continue;
    const part = parts.find(([, form]) => form.test(name))?.[0] ?? 'else';
    times.set(part, (times.get(part) ?? 0) + (timeDeltas[index] ?? 0));
    functions.set(name, (functions.get(name) ?? 0) + (timeDeltas[index] ?? 0));
  }
  const list = (of: Map<string, number>) =>
    [...of].sort(([, a], [, b]) => b - a).map(([name, time]) => [name, (time / units).toFixed(2)]);
  return [...list(times), ...list(functions).slice(0, Number(values.functions))];
}

const scenarios: Readonly<Record<string, Scenario>> = { push: pushedToSockets, executed, viewer: newViewer };

/** Turns for about so many milliseconds. @returns how often was done what is counted. */
async function turns({ turn }: Underway, time: number): Promise<number> {
  const end = performance.now() + time;
  let count = 0;
  while (performance.now() < end) count += await turn();
  return count;
}

async function look({ name, begin }: Scenario, database: Readonly<Record<string, string>>): Promise<void> {
  const node = await startWithFlags(database);
  try {
    const underway = await begin(node);
    const time = Number(values.seconds) * 1_000;
    await turns(underway, time / 2);
    const before = await node.cpu();
    const count = await turns(underway, time);
    const spent = (await node.cpu()) - before;
    let profiled = 0;
    const profile = await node.profile(async () => {
      profiled = await turns(underway, time);
    });
    await underway.end();
    if (values.file !== undefined) writeFileSync(values.file, JSON.stringify(profile));
    console.log(`${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.version}.\n`);
    console.log(
      markdownTable([
        [name, 'us of CPU'],
        ['all, without the profiler', (spent / count).toFixed(1)],
        ...table(profile, profiled),
      ]),
    );
  } finally {
    await node.stop();
  }
}

const scenario = scenarios[values.what];
if (values.help || scenario === undefined) {
  console.log(help);
} else if (scenario !== newViewer) {
  await look(scenario, { FEATURE_BACKEND: 'memory' });
} else {
  await withUsers(1, async ([databaseUrl = '']) => look(scenario, { DATABASE_URL: databaseUrl }));
}
