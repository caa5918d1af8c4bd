// `npm run bench:profile`: where the processor time of a node goes.
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import type { Profiler } from 'node:inspector';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { mixedFlags } from './http/flags.js';
import { sign, userId } from './http/tokens.js';
import { startNode } from './live/processes.js';
import { Viewers } from './live/viewers.js';
import { createAdmin } from './support/admin.js';
import { markdownTable } from './support/markdown-table.js';

const { values } = parseArgs({
  options: {
    viewers: { type: 'string', default: '1500' },
    changes: { type: 'string', default: '60' },
    file: { type: 'string' },
    functions: { type: 'string', default: '0' },
  },
});
const count = Number(values.viewers);
const secret = randomBytes(32).toString('hex');
const adminToken = sign(secret, { role: 'admin' });
const admin = createAdmin(adminToken);

/** Parts of a node, by the place of a function. The first that matches counts. */
const parts: readonly (readonly [name: string, form: RegExp])[] = [
  ['the store (PGlite, Prisma)', /pglite|wasm|@prisma|backends\//],
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

const node = await startNode({
  FEATURE_BACKEND: 'memory',
  AUTH_JWT_SECRET: secret,
  PORT: '0',
  NODE_ENV: 'production',
  MAX_CONNECTIONS_PER_ADDRESS: '100000',
  ...(process.env['BENCH_DIST'] === undefined ? {} : { BENCH_DIST: process.env['BENCH_DIST'] }),
});
try {
  const created = 'mutation($i: CreateFlagInput!) { createFlag(input: $i) { __typename ... on Error { code } } }';
  const pushed = { key: 'pushed', enabled: false, percentage: 100, conditions: {} };
  for (const { key, enabled, percentage, conditions } of [...mixedFlags(99).map(flag => flag.definition), pushed]) {
    await admin(node.url, created, { i: { name: key, key, enabled, percentage, conditions } });
  }
  const viewers = new Viewers();
  for (let i = 0; i < count; i += 1) await viewers.openWebSocket(node.url, sign(secret, { sub: userId(i) }));
  let isOn = false;
  const push = async (changes: number) => {
    for (let change = 0; change < changes; change += 1) {
      isOn = !isOn;
      const expected = viewers.receipts.length + count;
      await admin(
        node.url,
        'mutation($i: UpdateFlagInput!) { updateFlag(input: $i) { ... on UpdateFlagPayload { revision } ... on Error { code } } }',
        { i: { key: 'pushed', enabled: isOn } },
      );
      while (viewers.receipts.length < expected) await sleep(5);
    }
  };
  await push(20);
  const changes = Number(values.changes);
  const before = await node.cpu();
  await push(changes);
  const cost = ((await node.cpu()) - before) / changes / count;
  const profile = await node.profile(() => push(changes));
  if (values.file) writeFileSync(values.file, JSON.stringify(profile));
  console.log(markdownTable([['us of CPU for one push', cost.toFixed(1)], ...table(profile, changes * count)]));
  viewers.close();
  await sleep(500);
} finally {
  await node.stop();
}
