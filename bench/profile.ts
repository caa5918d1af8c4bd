// `npm run bench:profile`: where the processor time of a node goes.
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import type { Profiler } from 'node:inspector';
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { openDatabase } from '../dist/backends/database.js';
import { PostgresServer } from '../test/support/postgres-server.js';
import { Connection } from './http/connection.js';
import { mixedFlags } from './http/flags.js';
import { sign, userId } from './http/tokens.js';
import { storeUsers } from './http/users.js';
import { startNode } from './live/processes.js';
import { Viewers } from './live/viewers.js';
import { createAdmin } from './support/admin.js';
import { markdownTable } from './support/markdown-table.js';

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
const secret = randomBytes(32).toString('hex');
const adminToken = sign(secret, { role: 'admin' });
const admin = createAdmin(adminToken);
const viewerCount = 1_500;
const storedCount = 100_000;

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

/** Does what is looked at for about so many milliseconds. @returns how often. */
type Act = (time: number) => Promise<number>;

interface Scenario {
  readonly isStored?: true;
  begin(url: string): Promise<Act>;
}

async function repeatedly(time: number, act: () => Promise<number>): Promise<number> {
  const end = performance.now() + time;
  let count = 0;
  while (performance.now() < end) count += await act();
  return count;
}

/** Requests over 32 connections, one at a time on each. */
function asking(url: string, body: (n: number) => string, token: (n: number) => string): Act {
  let asked = 0;
  return async time => {
    const counts = Array.from({ length: 32 }, async () => {
      const connection = new Connection(Number(new URL(url).port), () => {});
      const count = await repeatedly(time, async () => {
        const text = body(asked);
        const head = `POST /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\naccept: application/json\r\nauthorization: Bearer ${token(asked++)}\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n`;
        const status = await new Promise(done =>
          connection.send(Buffer.from(head + text), false, answer => done(answer?.status)),
        );
        if (status !== 200) throw new Error(`A request was answered ${status}.`);
        return 1;
      });
      connection.close();
      return count;
    });
    return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
  };
}

const scenarios: Readonly<Record<string, Scenario>> = {
  push: {
    async begin(url) {
      const viewers = new Viewers();
      for (let i = 0; i < viewerCount; i += 1) await viewers.openWebSocket(url, sign(secret, { sub: userId(i) }));
      let isOn = false;
      return time =>
        repeatedly(time, async () => {
          isOn = !isOn;
          const expected = viewers.receipts.length + viewerCount;
          await admin(
            url,
            'mutation($i: UpdateFlagInput!) { updateFlag(input: $i) { __typename ... on Error { code } } }',
            { i: { key: 'pushed', enabled: isOn } },
          );
          while (viewers.receipts.length < expected) await sleep(5);
          return viewerCount;
        });
    },
  },
  executed: {
    async begin(url) {
      const token = sign(secret, { sub: userId(1) });
      const query = 'query($k: String!) { isEnabled(key: $k) viewer { featureMap } }';
      return asking(
        url,
        n => JSON.stringify({ query, variables: { k: `k${n}` } }),
        () => token,
      );
    },
  },
  viewer: {
    isStored: true,
    begin: async url =>
      asking(
        url,
        () => '{"query":"{ viewer { featureMap } }"}',
        () => sign(secret, { sub: userId(Math.floor(Math.random() * storedCount)) }),
      ),
  },
};

async function look({ begin }: Scenario, database: Readonly<Record<string, string>>): Promise<void> {
  const node = await startNode({
    ...database,
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
    const act = await begin(node.url);
    const time = Number(values.seconds) * 1_000;
    await act(time / 2);
    const before = await node.cpu();
    const count = await act(time);
    const spent = (await node.cpu()) - before;
    let profiled = 0;
    const profile = await node.profile(async () => {
      profiled = await act(time);
    });
    if (values.file !== undefined) writeFileSync(values.file, JSON.stringify(profile));
    console.log(`${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.version}.\n`);
    console.log(
      markdownTable([
        [values.what, 'us of CPU'],
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
} else if (scenario.isStored !== true) {
  await look(scenario, { FEATURE_BACKEND: 'memory' });
} else {
  const postgres = await PostgresServer.start();
  try {
    await postgres.query('CREATE DATABASE halyard');
    const databaseUrl = postgres.url('halyard');
    const database = await openDatabase({ url: databaseUrl });
    await database.close();
    await storeUsers(databaseUrl, storedCount);
    await look(scenario, { DATABASE_URL: databaseUrl });
  } finally {
    await postgres.stop();
  }
}
// The connections of viewers.
process.exit();
