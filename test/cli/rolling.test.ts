import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type HttpClient, httpClient, type ResultStream, wsClient } from '../support/clients.js';
import { env, root } from '../support/package.js';
import { createDatabase } from '../support/postgres.js';
import { ann, bob } from '../support/server.js';
import { until } from '../support/wait.js';

// Both nodes are this build, unless ROLLING_FROM names a built checkout of an earlier version for the first: `npm run rolling`.
const from = resolve(process.env['ROLLING_FROM'] ?? root);
const secret = '0123456789abcdef0123456789abcdef';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Node {
  readonly url: string;
  readonly log: () => string;
  stop(): Promise<number | null>;
}

/** `halyard serve` of a built checkout, on this database. */
async function serve(checkout: string, databaseUrl: string): Promise<Node> {
  const child: ChildProcess = spawn(process.execPath, [join(checkout, 'dist/cli/main.js'), 'serve'], {
    env: {
      ...env,
      NODE_ENV: 'production',
      HOST: '127.0.0.1',
      PORT: '0',
      DATABASE_URL: databaseUrl,
      AUTH_JWT_SECRET: secret,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  cleanups.push(() => child.kill('SIGKILL'));
  let log = '';
  for (const output of [child.stdout, child.stderr]) {
    output?.setEncoding('utf8').on('data', text => {
      log += text;
    });
  }
  const address = () => /http:\/\/127\.0\.0\.1:\d+/.exec(log)?.[0];
  await until(() => address() !== undefined || child.exitCode !== null, 'the node is up', 60_000);
  if (address() === undefined) throw new Error(`The node has ended: ${log}`);
  return {
    url: address() as string,
    log: () => log,
    async stop() {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      const [code] = await ended;
      return code;
    },
  };
}

/** A token without the library, which is another one in another checkout. */
function token(claims: Readonly<Record<string, unknown>>): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1_000) + 3_600;
  const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ ...claims, exp })}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

const viewers = [null, ann, bob];
const tokenOf = (user: string | null) => (user === null ? undefined : token({ sub: user }));

/** The answers of a subscription, folded together as a client does. */
class Watched {
  map: Record<string, boolean> = {};
  readonly #reading: Promise<void>;

  constructor(
    readonly stream: ResultStream,
    readonly socket: AsyncDisposable,
  ) {
    // It ends with the socket.
    this.#reading = this.#read().catch(() => {});
  }

  async #read(): Promise<void> {
    while (true) {
      const { data } = await this.stream.next(600_000);
      const { snapshot, featureMap, removed } = data.viewerFeatures;
      this.map = snapshot ? featureMap : { ...this.map, ...featureMap };
      for (const key of removed) delete this.map[key];
    }
  }

  async stop(): Promise<void> {
    await this.socket[Symbol.asyncDispose]();
    await this.#reading;
  }
}

function watch(node: Node, user: string | null): Watched {
  const bearer = tokenOf(user);
  const client = wsClient(node.url, bearer === undefined ? {} : { token: bearer });
  const watched = new Watched(
    client.subscribe('subscription { viewerFeatures { snapshot featureMap removed } }'),
    client,
  );
  cleanups.push(() => watched.stop());
  return watched;
}

async function mapOf(node: Node, user: string | null): Promise<Record<string, boolean>> {
  const { body } = await httpClient(node.url, tokenOf(user)).query('{ viewer { featureMap } }');
  return body.data.viewer.featureMap;
}

/** The changes that admins make during an upgrade, in the words that every version knows. */
const changes: readonly string[] = [
  'createFlag(input: { key: "half", name: "Half", enabled: true, percentage: 50 })',
  'createFlag(input: { key: "pro", name: "Pro", enabled: true, conditions: { attributes: { plan: "pro" } } })',
  'createFlag(input: { key: "testers", name: "Testers", enabled: true, conditions: { groups: ["testers"] } })',
  `setUserAttributes(input: { userId: "${ann}", attributes: { plan: "pro" } })`,
  `addToGroup(input: { group: "testers", userIds: ["${bob}"] })`,
  'updateFlag(input: { key: "half", percentage: 100 })',
  `setOverride(input: { flagKey: "half", userId: "${bob}", enabled: false })`,
  'updateFlag(input: { key: "half", percentage: 10 })',
  `setUserAttributes(input: { userId: "${bob}", attributes: { plan: "pro" } })`,
  `removeFromGroup(input: { group: "testers", userIds: ["${bob}"] })`,
  `removeOverride(input: { flagKey: "half", userId: "${bob}" })`,
  'updateFlag(input: { key: "pro", enabled: false })',
  'updateFlag(input: { key: "pro", enabled: true, conditions: {} })',
  'deleteFlag(input: { key: "testers" })',
  `deleteUser(input: { userId: "${ann}" })`,
];

/** Also in words that every version knows. */
const allChanges = `{ changes(first: 100) { nodes {
  id revision at kind actorId flagKey group userIds userCount before after } } }`;

async function change(admin: HttpClient, text: string): Promise<void> {
  const { body } = await admin.query(`mutation { ${text} { __typename } }`);
  const [result] = Object.values(body.data ?? {}) as { __typename: string }[];
  if (body.errors !== undefined || !/Payload$/.test(result?.__typename ?? '')) {
    throw new Error(`${text} was answered ${JSON.stringify(body)}`);
  }
}

describe('a rolling upgrade', { timeout: 180_000 }, () => {
  it('goes on evaluating, pushing and writing on both nodes, and after a return to the node of before', async () => {
    const database = await createDatabase({ migrated: false });
    cleanups.push(() => database.drop());
    const before = await serve(from, database.url);
    const [first, ...rest] = changes as [string, ...string[]];
    const admin = (node: Node) => httpClient(node.url, token({ role: 'admin' }));
    await change(admin(before), first);
    const watchedBefore = viewers.map(user => watch(before, user));

    const after = await serve(root, database.url);
    const watchedAfter = viewers.map(user => watch(after, user));
    const seen = new Set<string>();
    for (const [index, text] of rest.entries()) {
      await change(admin(index % 2 === 0 ? after : before), text);
      for (const [viewer, user] of viewers.entries()) {
        const states = async () => [
          await mapOf(before, user),
          await mapOf(after, user),
          watchedBefore[viewer]?.map,
          watchedAfter[viewer]?.map,
        ];
        const wanted = textOf(await mapOf(index % 2 === 0 ? after : before, user));
        seen.add(wanted);
        const agree = async () => (await states()).every(map => textOf(map) === wanted);
        await until(agree, `all ways agree about ${user} after ${text}`, 20_000);
      }
    }
    // The changes do change answers, or agreement would say nothing.
    expect(seen.size).toBeGreaterThan(5);

    // Entries of the log that the node of before does not know are read by it all the same.
    const made = await httpClient(after.url, token({ role: 'admin' })).query(
      'mutation { createApiKey(input: { name: "k", role: ADMIN }) { ... on CreateApiKeyPayload { secret apiKey { id } } } }',
    );
    const { secret: key, apiKey } = made.body.data.createApiKey;
    await change(httpClient(after.url, key), 'createFlag(input: { key: "by-key", name: "By a key" })');
    await change(admin(after), `revokeApiKey(input: { id: "${apiKey.id}" })`);
    const logOf = async (node: Node) => (await admin(node).query(allChanges)).body;
    for (const node of [before, after]) {
      await until(async () => 'by-key' in (await mapOf(node, null)), 'the node has read past the key');
      const { data, errors } = await logOf(node);
      expect(errors).toBeUndefined();
      expect(data.changes.nodes.length).toBeGreaterThan(10);
    }
    await change(admin(before), 'deleteFlag(input: { key: "by-key" })');

    expect(await before.stop()).toBe(0);
    await change(admin(after), 'updateFlag(input: { key: "half", percentage: 100 })');
    const back = await serve(from, database.url);
    await change(admin(back), 'updateFlag(input: { key: "half", enabled: false })');
    expect((await logOf(back)).errors).toBeUndefined();
    for (const user of viewers) {
      const off = async () =>
        (await mapOf(after, user))['half'] === false && (await mapOf(back, user))['half'] === false;
      await until(off, `both nodes answer ${user} after the return`, 20_000);
    }
    for (const node of [before, after, back]) expect(node.log()).not.toMatch(/"level":(50|60|"error"|"fatal")/);
    expect(await after.stop()).toBe(0);
    expect(await back.stop()).toBe(0);
  });
});

const textOf = (map: Record<string, boolean> | undefined) => JSON.stringify(Object.entries(map ?? {}).sort());
