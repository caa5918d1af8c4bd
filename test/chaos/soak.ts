import { setTimeout as sleep } from 'node:timers/promises';
import { mintToken } from '../../src/auth/token.js';
import { changeKinds, type Statement } from './changes.js';
import { ChaosDatabase } from './database.js';
import { NodeProcess, type Sample } from './node-process.js';
import { Random } from './random.js';
import { SseViewer, type Viewer, WsViewer } from './viewer.js';

export interface SoakOptions {
  readonly minutes: number;
  /** How many watch at a time, half over WebSocket, half over server-sent events. */
  readonly viewers: number;
  /** Milliseconds between two samples. */
  readonly sampleEvery: number;
  readonly onSample?: (sample: SoakSample) => void;
}

export interface SoakSample extends Sample {
  readonly minute: number;
  /** Viewers that have come so far, and updates that all have got. */
  readonly joins: number;
  readonly updates: number;
}

export interface HandleRange {
  readonly kind: string;
  readonly least: number;
  readonly most: number;
}

export interface SoakResult {
  readonly samples: readonly SoakSample[];
  readonly changes: number;
  /** Bytes a minute by which the heap grew over the second half: the least squares. */
  readonly slope: number;
  /** How many handles of each kind there were over the second half. */
  readonly handles: readonly HandleRange[];
  readonly isFlat: boolean;
}

const secret = '0123456789abcdef0123456789abcdef';
const key = new TextEncoder().encode(secret);
/** Bytes a minute. */
const allowedSlope = 2 ** 20;
/** By how many handles of a kind two moments may differ. */
const allowedHandles = 25;
/** Milliseconds between two changes, and between a viewer that leaves with another that joins. */
const changeInterval = 20;
const joinInterval = 30;

/** Keeps one node busy, and looks at it now and then while it is still: what is left then is what it holds. */
export async function runSoak({ minutes, viewers: size, sampleEvery, onSample }: SoakOptions): Promise<SoakResult> {
  const random = new Random(1);
  const database = await ChaosDatabase.start();
  const node = await NodeProcess.start({ AUTH_JWT_SECRET: secret, LOG_LEVEL: 'warn', DATABASE_URL: database.url });
  const viewers: Viewer[] = [];
  const violations: string[] = [];
  const samples: SoakSample[] = [];
  const users = Array.from({ length: 500 }, () => random.uuid());
  const world = {
    users,
    flags: Array.from({ length: 50 }, (_, index) => `flag_${index}`),
    groups: Array.from({ length: 5 }, (_, index) => `group_${index}`),
    bulk: 200,
  };
  const admin = await mintToken(key, { role: 'ADMIN', expiresInSeconds: 86_400 });
  const tokens = await Promise.all(
    users.map(userId => mintToken(key, { role: 'USER', userId, expiresInSeconds: 86_400 })),
  );
  let joins = 0;
  let changes = 0;
  let gone = 0;
  let isPaused = false;
  let isOver = false;

  const join = (index: number) => {
    const who = random.integer(0, users.length - 1);
    const spec = {
      name: `viewer ${joins}`,
      userId: users[who] as string,
      device: null,
      claims: null,
      keys: null,
      token: tokens[who] as string,
    };
    const options = { url: () => node.url, violated: (what: string) => void violations.push(what) };
    const viewer = index % 2 === 0 ? new WsViewer(spec, options) : new SseViewer(spec, options);
    joins += 1;
    viewer.start();
    viewers[index] = viewer;
  };
  const repeat = async (interval: number, work: () => Promise<void>) => {
    while (!isOver) {
      if (!isPaused) await work();
      await sleep(interval);
    }
  };
  const hands = {
    expires: () => undefined,
    mutate: async (mutation: string, input: unknown) => {
      const type = `${mutation[0]?.toUpperCase()}${mutation.slice(1)}Input`;
      const query = `mutation ($input: ${type}!) { ${mutation}(input: $input) { __typename } }`;
      const response = await fetch(`${node.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${admin}` },
        body: JSON.stringify({ query, variables: { input } }),
      });
      const answer = (await response.json()) as { errors?: unknown };
      if (answer.errors !== undefined) violations.push(`${mutation}: ${JSON.stringify(answer.errors)}`);
    },
    sql: async (...statements: readonly Statement[]) => {
      const client = await database.pool.connect();
      try {
        await client.query('BEGIN');
        for (const statement of statements) await client.query(statement as string);
        await client.query('COMMIT');
      } catch {
        // Another hand's statement may lose against a mutation.
        await client.query('ROLLBACK');
      } finally {
        client.release();
      }
    },
  };

  try {
    for (let index = 0; index < size; index += 1) join(index);
    const start = performance.now();
    const work = [
      repeat(changeInterval, async () => {
        const { draw } = random.weighted(changeKinds);
        await draw(random, world)(hands);
        changes += 1;
      }),
      repeat(joinInterval, async () => {
        const index = random.integer(0, size - 1);
        const leaving = viewers[index] as Viewer;
        join(index);
        await leaving.stop();
        gone += leaving.updates;
      }),
    ];
    while (performance.now() - start < minutes * 60_000) {
      await sleep(sampleEvery);
      isPaused = true;
      await sleep(1_000);
      const updates = viewers.reduce((sum, viewer) => sum + viewer.updates, gone);
      const sample = { ...(await node.sample()), minute: (performance.now() - start) / 60_000, joins, updates };
      samples.push(sample);
      onSample?.(sample);
      isPaused = false;
    }
    isOver = true;
    await Promise.all(work);
    const wrong = [...violations, ...node.deaths];
    if (wrong.length > 0) throw new Error(wrong.slice(0, 10).join('\n'));
    return judge(samples, changes);
  } finally {
    isOver = true;
    await Promise.all(viewers.map(viewer => viewer.stop()));
    await node.stop();
    await database.stop();
  }
}

function judge(samples: readonly SoakSample[], changes: number): SoakResult {
  const half = samples.slice(Math.floor(samples.length / 2));
  const slope = leastSquares(half.map(({ minute, heapUsed }) => [minute, heapUsed]));
  const kinds = [...new Set(half.flatMap(({ handles }) => Object.keys(handles)))].sort();
  const handles = kinds.map((kind): HandleRange => {
    const counts = half.map(({ handles }) => handles[kind] ?? 0);
    return { kind, least: Math.min(...counts), most: Math.max(...counts) };
  });
  // Viewers and connections of pools come and go; what leaks one with each that left, leaks hundreds in this time.
  const isConstant = handles.every(({ least, most }) => most - least <= allowedHandles);
  return { samples, changes, slope, handles, isFlat: slope <= allowedSlope && isConstant };
}

/** The slope of the line with the least squares. */
export function leastSquares(points: readonly (readonly [number, number])[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const meanX = mean(points.map(([x]) => x));
  const meanY = mean(points.map(([, y]) => y));
  const covariance = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  return covariance / points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
}

export function report({ samples, changes, slope, handles }: SoakResult): string {
  const last = samples.at(-1);
  return [
    `${changes} changes, ${last?.joins} joins, ${last?.updates} updates in ${last?.minute.toFixed(1)} minutes`,
    `handles over the second half: ${handles.map(({ kind, least, most }) => `${kind} ${least} to ${most}`).join(', ')}`,
    `heap over the second half: ${(slope / 2 ** 20).toFixed(3)} MB a minute`,
  ].join('\n');
}
