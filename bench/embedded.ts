// `npm run bench:embedded`: how soon a program that embeds Halyard sees a change made through a server.
import { randomBytes } from 'node:crypto';
import { cpus } from 'node:os';
import { setImmediate as breathe } from 'node:timers/promises';
import { mintToken } from '../dist/auth/token.js';
import { createFeatures } from '../dist/index.js';
import { PostgresServer } from '../test/support/postgres-server.js';
import { startNode } from './live/processes.js';

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 300);
const warmUp = 20;
const key = 'measured';
const user = { id: '00000000-0000-4000-8000-000000000001' };

const secret = randomBytes(32).toString('hex');
const token = await mintToken(new TextEncoder().encode(secret), { role: 'ADMIN', expiresInSeconds: 86_400 });

async function mutate(url: string, query: string, input: object): Promise<void> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query, variables: { input } }),
  });
  const { data, errors } = (await response.json()) as { data: Record<string, { code?: string }>; errors?: unknown };
  const refused = Object.values(data ?? {}).find(answer => answer.code !== undefined);
  if (errors !== undefined || refused !== undefined) throw new Error(JSON.stringify(errors ?? refused));
}

const payload = '{ __typename ... on Error { code } }';
const createFlag = `mutation($input: CreateFlagInput!) { createFlag(input: $input) ${payload} }`;
const updateFlag = `mutation($input: UpdateFlagInput!) { updateFlag(input: $input) ${payload} }`;
const setOverride = `mutation($input: SetOverrideInput!) { setOverride(input: $input) ${payload} }`;

/** Each makes the answer for the user this one. */
const changes = {
  'a flag switched': (url: string, enabled: boolean) => mutate(url, updateFlag, { key, enabled }),
  "the user's override": (url: string, enabled: boolean) =>
    mutate(url, setOverride, { userId: user.id, flagKey: key, enabled }),
};

function row(name: string, times: number[]): string {
  const sorted = times.slice(warmUp).sort((a, b) => a - b);
  const at = (q: number) =>
    (sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN).toFixed(1);
  return `| ${name} | ${sorted.length} | ${at(0.5)} | ${at(0.99)} | ${at(1)} |`;
}

const postgres = await PostgresServer.start();
try {
  await postgres.query('CREATE DATABASE halyard');
  const databaseUrl = postgres.url('halyard');
  const server = await startNode({
    DATABASE_URL: databaseUrl,
    PORT: '0',
    AUTH_JWT_SECRET: secret,
    NODE_ENV: 'production',
  });
  const features = await createFeatures({ databaseUrl });
  try {
    await mutate(server.url, createFlag, { key, name: 'Measured' });
    const answers = features.for(user);
    let told = { enabled: false, at: 0 };
    let wake = () => {};
    features.watch(user, update => {
      told = { enabled: update.features[0]?.enabled ?? false, at: performance.now() };
      wake();
    });

    console.log('# An embedded program sees a change made through a server\n');
    console.log(
      `${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.version}. Times from the answer to the mutation;`,
    );
    console.log('0 where the program knew before the answer had arrived.\n');
    console.log('| change, seen by | times | p50 ms | p99 ms | max ms |');
    console.log('|---|---|---|---|---|');
    let enabled = false;
    for (const [name, change] of Object.entries(changes)) {
      const [watched, asked]: [number[], number[]] = [[], []];
      for (let round = 0; round < rounds + warmUp; round += 1) {
        enabled = !enabled;
        const isTold = new Promise<void>(resolve => {
          wake = () => told.enabled === enabled && resolve();
        });
        await change(server.url, enabled);
        const answered = performance.now();
        while ((await answers.isEnabled(key)) !== enabled) await breathe();
        asked.push(performance.now() - answered);
        await isTold;
        watched.push(Math.max(0, told.at - answered));
      }
      console.log(row(`${name}: \`isEnabled\``, asked));
      console.log(row(`${name}: \`watch\``, watched));
    }
  } finally {
    await features.close();
    await server.stop();
  }
} finally {
  await postgres.stop();
}
