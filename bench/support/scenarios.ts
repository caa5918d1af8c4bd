import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { openDatabase } from '../../dist/backends/database.js';
import { PostgresServer } from '../../test/support/postgres-server.js';
import { Connection } from '../http/connection.js';
import { mixedFlags } from '../http/flags.js';
import { sign, userId } from '../http/tokens.js';
import { storeUsers } from '../http/users.js';
import { type Node, startNode } from '../live/processes.js';
import { Viewers } from '../live/viewers.js';
import { createAdmin } from './admin.js';
import { follow } from './follow.js';

/** What a node is looked at for. */
export interface Scenario {
  readonly name: string;
  /** @param isWatched whether readers follow what comes of each change. */
  begin(node: Node, isWatched?: boolean): Promise<Underway>;
}

/** A scenario at one node. */
export interface Underway {
  /** @returns how often the node did what is counted. */
  turn(): Promise<number>;
  end(): Promise<void>;
}

const secret = randomBytes(32).toString('hex');
const adminToken = sign(secret, { role: 'admin' });
const admin = createAdmin(adminToken);
/** A token of a user, by number. */
const tokenOf = (n: number): string => sign(secret, { sub: userId(n) });
const tokens = Array.from({ length: 1_500 }, (_, n) => tokenOf(n));

/** What is asked by the n-th request. */
interface Asked {
  readonly path: string;
  readonly body: (n: number) => string;
  /** Default: one of a hundred users. */
  readonly token?: (n: number) => string;
  /** Asked before each turn: returns further headers of the n-th request, each line with its end. */
  readonly prepare?: (node: Node) => Promise<(n: number) => string>;
  /** Default 200. */
  readonly status?: number;
}

const oneOfMany = (n: number) => tokens[n % 100] as string;

/** Keeps 32 connections busy for a second, and counts the answers. @param next numbers the requests of all turns. */
async function ask(
  node: Node,
  { path, body, token = oneOfMany, status = 200 }: Asked,
  next: () => number,
  headers: (n: number) => string,
): Promise<number> {
  const { host, port } = new URL(node.url);
  const end = performance.now() + 1_000;
  let answered = 0;
  const others: (number | null)[] = [];
  // A process that sleeps is woken by the one that sends to it, which then pays for that: see the generator of `bench:http`.
  const stayAwake = () => void (performance.now() < end && setImmediate(stayAwake));
  stayAwake();
  await Promise.all(
    Array.from({ length: 32 }, async () => {
      const connection = new Connection(Number(port), () => {});
      while (performance.now() < end) {
        const n = next();
        const text = body(n);
        const head = `POST ${path} HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/json\r\naccept: application/json\r\nauthorization: Bearer ${token(n)}\r\n${headers(n)}content-length: ${Buffer.byteLength(text)}\r\n\r\n`;
        const answer = await new Promise<number | null>(done => once(connection, head + text, done));
        if (answer === status) answered += 1;
        else others.push(answer);
      }
      connection.close();
    }),
  );
  // A ticket, which an ETag covers, may be renewed meanwhile.
  if (others.length > answered / 100) throw new Error(`${others.length} requests were answered ${others[0]}.`);
  return answered;
}

function once(connection: Connection, text: string, done: (status: number | null) => void): void {
  connection.send(Buffer.from(text), false, answer => done(answer?.status ?? null));
}

async function readAll(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of stream);
}

/** A turn is a second of requests. */
export const requests = (name: string, asked: Asked): Scenario => ({
  name,
  async begin(node) {
    let sent = 0;
    return {
      turn: async () => ask(node, asked, () => sent++, (await asked.prepare?.(node)) ?? (() => '')),
      end: async () => {},
    };
  },
});

/** A turn is ten changes, each pushed to so many viewers. */
export const pushes = (name: string, kind: 'openWebSocket' | 'openSse', count: number): Scenario => ({
  name,
  async begin(node, isWatched = false) {
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

/** What a provider sends that polls: it has the answer already. */
export const polledOverOfrep = requests('the same over OFREP, polled: unchanged', {
  path: '/ofrep/v1/evaluate/flags',
  body: () => '{}',
  status: 304,
  async prepare(node) {
    const etags = await Promise.all(
      Array.from({ length: 100 }, async (_, n) => {
        const headers = { 'content-type': 'application/json', authorization: `Bearer ${oneOfMany(n)}` };
        const answer = await fetch(`${node.url}/ofrep/v1/evaluate/flags`, { method: 'POST', headers, body: '{}' });
        return answer.headers.get('etag');
      }),
    );
    return n => `if-none-match: ${etags[n % etags.length]}\r\n`;
  },
});

const query = 'query($k: String!) { isEnabled(key: $k) viewer { featureMap } }';

/** No two ask the same. */
export const executed = requests('an answer executed, 100 flags', {
  path: '/graphql',
  body: n => JSON.stringify({ query, variables: { k: `k${n}` } }),
});
/** Twice as many as a node keeps: when they come round again, each is forgotten. */
const storedCount = 100_000;

/** A new token each time, of a user who must be read. For a node that {@link withUsers} has given a database. */
export const newViewer = requests('an answer to a new viewer, 100 flags', {
  path: '/graphql',
  body: () => '{"query":"{ viewer { featureMap } }"}',
  token: n => tokenOf(n % storedCount),
});
export const pushedToSockets = pushes('a push to one of 1,500 WebSockets', 'openWebSocket', 1_500);

/** Gives the function the addresses of so many databases with stored users, on one PostgreSQL, which is stopped afterwards. */
export async function withUsers(databases: number, act: (urls: readonly string[]) => Promise<void>): Promise<void> {
  const postgres = await PostgresServer.start();
  try {
    const names = Array.from({ length: databases }, (_, n) => `halyard_${n}`);
    for (const name of names) {
      await postgres.query(`CREATE DATABASE ${name}`);
      await (await openDatabase({ url: postgres.url(name) })).close();
      await storeUsers(postgres.url(name), storedCount);
    }
    await act(names.map(name => postgres.url(name)));
  } finally {
    await postgres.stop();
  }
}

/** Starts a node with 100 flags. @param env beside what every node of a bench has. */
export async function startWithFlags(env: Readonly<Record<string, string>>): Promise<Node> {
  const node = await startNode({
    ...env,
    AUTH_JWT_SECRET: secret,
    PORT: '0',
    NODE_ENV: 'production',
    MAX_CONNECTIONS_PER_ADDRESS: '100000',
  });
  const applied = 'mutation($i: ApplyDefinitionsInput!) { applyDefinitions(input: $i) { ... on Error { code } } }';
  const pushed = { key: 'pushed', enabled: false, percentage: 100, conditions: {} };
  const definitions = [...mixedFlags(99).map(flag => flag.definition), pushed].map(
    ({ key, enabled, percentage, conditions }) => ({ name: key, key, enabled, percentage, conditions }),
  );
  try {
    await admin(node.url, applied, { i: { definitions } });
  } catch (error) {
    await node.stop();
    throw error;
  }
  return node;
}
