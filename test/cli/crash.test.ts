import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readOrCreateLocalSecrets } from '../../src/auth/local-secret.js';
import { mintToken } from '../../src/auth/token.js';
import { type DatabaseBackend, openDatabase } from '../../src/backends/database.js';
import { lockDirectory } from '../../src/backends/directory-lock.js';
import { type HttpClient, httpClient } from '../support/clients.js';
import { compiled } from '../support/compiled.js';
import { until } from '../support/wait.js';

const crashes = 20;
/** Clients that change something, wait for the answer, and change something else. */
const writers = 24;
const main = await compiled('src/cli/main.ts');
const seed = Number(process.env['CRASH_SEED'] ?? Math.floor(Math.random() * 2 ** 32));

let dataDir: string;
let running: ChildProcess | undefined;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'halyard-crash-'));
});

afterEach(async () => {
  running?.kill('SIGKILL');
  await rm(dataDir, { recursive: true, force: true });
});

// The name shows the seed, for a second run with CRASH_SEED.
it(`keeps all that it acknowledged through ${crashes} times kill -9 (seed ${seed})`, { timeout: 600_000 }, async () => {
  const random = randomFrom(seed);
  const everybody = Array.from({ length: writers }, (_, index) => new Writer(`w${index}`, random));
  const world = new World();

  for (let crash = 0; crash < crashes; crash++) {
    const { child, url } = await serve();
    const client = httpClient(url, await adminToken());
    await expectLockOf(child);
    expectKept(everybody, world.apply(await logOverApi(client, world.revision)));
    for (const writer of everybody) await expectState(writer, client, world);

    const acknowledged = () => everybody.reduce((sum, writer) => sum + writer.acknowledged.length, 0);
    const enough = 1 + random(80);
    const working = Promise.all(everybody.map(writer => writer.work(client)));
    await Promise.race([working, until(() => acknowledged() >= enough, `${enough} are acknowledged`, 60_000)]);
    await sleep(random(20));
    const inFlight = everybody.filter(writer => writer.unanswered !== null).length;
    child.kill('SIGKILL');
    await once(child, 'exit');
    await working;
    expect(inFlight).toBeGreaterThanOrEqual(20);
  }

  const database = await openDatabase({ dataDir });
  try {
    expectKept(everybody, world.apply(await logFromDatabase(database, world.revision)));
    await expectTables(database, everybody, world);
  } finally {
    await database.close();
  }
});

it('loses at most the questions of one write interval by kill -9, and none by a graceful end', {
  timeout: 180_000,
}, async () => {
  const counted = async (client: HttpClient): Promise<number> => {
    const since = new Date(Date.now() - 2 * 86_400_000).toISOString();
    const query = 'query ($since: DateTime!) { flag(key: "a") { usage(since: $since) { count } } }';
    const points: { count: number }[] = (await client.query(query, { since })).body.data.flag.usage;
    return points.reduce((sum, { count }) => sum + count, 0);
  };
  const ask = async (client: HttpClient, times: number) => {
    for (let n = 0; n < times; n++) {
      expect((await client.query('{ isEnabled(key: "a") }')).body).toEqual({ data: { isEnabled: true } });
    }
  };
  const first = await serve();
  let client = httpClient(first.url, await adminToken());
  await client.query('mutation { createFlag(input: { key: "a", name: "A", enabled: true }) { __typename } }');
  await ask(client, 100);
  await until(async () => (await counted(client)) === 100, 'the first questions are written', 30_000);
  await ask(client, 50);
  first.child.kill('SIGKILL');
  await once(first.child, 'exit');

  const second = await serve();
  client = httpClient(second.url, await adminToken());
  const kept = await counted(client);
  expect(kept).toBeGreaterThanOrEqual(100);
  expect(kept).toBeLessThanOrEqual(150);
  await ask(client, 30);
  second.child.kill('SIGTERM');
  await once(second.child, 'exit');

  const third = await serve();
  expect(await counted(httpClient(third.url, await adminToken()))).toBe(kept + 30);
  third.child.kill('SIGKILL');
  await once(third.child, 'exit');
});

async function serve(): Promise<{ readonly child: ChildProcess; readonly url: string }> {
  const child = spawn(process.execPath, [main, 'serve'], {
    env: { PATH: process.env['PATH'], HALYARD_DATA_DIR: dataDir, PORT: '0', LOG_LEVEL: 'warn' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running = child;
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', text => {
      output += text;
    });
  }
  const address = () => /Halyard is up at (\S+)/.exec(output)?.[1];
  await until(() => address() !== undefined || child.exitCode !== null, 'the server is up', 60_000);
  const url = address();
  if (url === undefined) throw new Error(`The server did not start: ${output}`);
  return { child, url };
}

async function adminToken(): Promise<string> {
  return mintToken((await readOrCreateLocalSecrets(dataDir))[0] as Uint8Array, {
    role: 'ADMIN',
    expiresInSeconds: 3_600,
  });
}

/** The lock of the dead is gone, that of the living holds. */
async function expectLockOf(child: ChildProcess): Promise<void> {
  expect((await readdir(dataDir)).filter(name => name.startsWith('lock-'))).toHaveLength(1);
  await expect(lockDirectory(dataDir)).rejects.toMatchObject({ holder: { pid: child.pid } });
}

/** One client. It changes things that are its own, so that what must be there is known exactly. */
class Writer {
  readonly userId = randomUUID();
  /** Its newest flag that is there for certain. */
  flag: string | null = null;
  /** What was answered since the last start, as the log puts it. */
  acknowledged: string[] = [];
  /** What was sent and not answered: it may have happened. */
  unanswered: string | null = null;
  #count = 0;

  constructor(
    readonly name: string,
    readonly random: (below: number) => number,
  ) {}

  /** Changes one thing after the other, until the server is gone. */
  async work(client: HttpClient): Promise<void> {
    for (;;) {
      const { field, input, entry } = this.#next();
      this.unanswered = entry;
      const type = field[0]?.toUpperCase() + field.slice(1);
      const answer = await client
        .query(`mutation ($input: ${type}Input!) { it: ${field}(input: $input) { __typename } }`, { input })
        .catch(() => null);
      if (answer === null) return;
      expect(answer.body).toEqual({ data: { it: { __typename: `${type}Payload` } } });
      this.unanswered = null;
      this.acknowledged.push(entry);
      if (field === 'createFlag') this.flag = entry.split(' ')[1] ?? null;
    }
  }

  #next(): { readonly field: string; readonly input: object; readonly entry: string } {
    const id = `${this.name}.${++this.#count}`;
    const { flag, userId } = this;
    const choice = flag === null ? 0 : this.random(4);
    if (flag === null || choice === 0) {
      return { field: 'createFlag', input: { key: id, name: id }, entry: `FLAG_CREATED ${id} ${id}` };
    }
    if (choice === 1) {
      return { field: 'updateFlag', input: { key: flag, name: id }, entry: `FLAG_UPDATED ${flag} ${id}` };
    }
    if (choice === 2) {
      const input = { userId, flagKey: flag, enabled: this.random(2) === 0, reason: id };
      return { field: 'setOverride', input, entry: `OVERRIDE_SET ${flag} ${userId} ${id}` };
    }
    const member = randomUUID();
    const input = { group: this.name, userIds: [member] };
    return { field: 'addToGroup', input, entry: `MEMBERS_ADDED ${this.name} ${member}` };
  }
}

/** A row of the change log, as far as these writers fill it. */
interface Entry {
  readonly revision: number;
  readonly kind: string;
  readonly flagKey: string | null;
  readonly group: string | null;
  /** One: the member, or whose override it is. */
  readonly userIds: readonly string[];
  readonly after: { readonly name?: string; readonly version?: number; readonly reason?: string } | null;
}

interface Log {
  /** Oldest first. */
  readonly entries: readonly Entry[];
  /** The counter that the next revision comes from. */
  readonly head: number;
}

/** What there is, by the log alone. */
class World {
  revision = 0;
  readonly flags = new Map<string, { readonly name: unknown; readonly version: unknown }>();
  readonly reasons = new Map<string, unknown>();
  readonly groups = new Map<string, Set<string>>();

  /** Takes in what is new in the log, which has no gap and ends where the counter stands. Returns it in words. */
  apply({ entries, head }: Log): string[] {
    const next = this.revision + 1;
    expect(entries.map(({ revision }) => revision)).toEqual(entries.map((_, index) => next + index));
    this.revision += entries.length;
    expect(head).toBe(this.revision);
    return entries.map(({ kind, flagKey, group, userIds: [userId = ''], after }) => {
      if (kind === 'MEMBERS_ADDED') {
        this.groups.set(`${group}`, (this.groups.get(`${group}`) ?? new Set()).add(userId));
        return `${kind} ${group} ${userId}`;
      }
      if (kind === 'OVERRIDE_SET') {
        this.reasons.set(`${flagKey} ${userId}`, after?.reason);
        return `${kind} ${flagKey} ${userId} ${after?.reason}`;
      }
      this.flags.set(`${flagKey}`, { name: after?.name, version: after?.version });
      return `${kind} ${flagKey} ${after?.name}`;
    });
  }
}

/** What is new in the log is what was acknowledged, and of what was not answered some: nothing else, nothing twice. */
function expectKept(everybody: readonly Writer[], logged: readonly string[]): void {
  const acknowledged = everybody.flatMap(writer => writer.acknowledged);
  const unanswered = everybody.flatMap(writer => writer.unanswered ?? []);
  expect(acknowledged.filter(entry => !logged.includes(entry))).toEqual([]);
  const more = logged.filter(entry => !acknowledged.includes(entry));
  expect(more.filter(entry => !unanswered.includes(entry))).toEqual([]);
  expect(new Set(logged).size).toBe(logged.length);
  for (const writer of everybody) {
    writer.acknowledged = [];
    writer.unanswered = null;
  }
}

async function logOverApi(client: HttpClient, after: number): Promise<Log> {
  const entries: Entry[] = [];
  for (let cursor: string | null = null; ; ) {
    const { body } = await client.query(
      `query ($cursor: String) {
        viewer { revision }
        changes(first: 100, after: $cursor) {
          nodes { revision kind flagKey group userIds after }
          pageInfo { hasNextPage endCursor }
        }
      }`,
      { cursor },
    );
    expect(body.errors).toBeUndefined();
    const { viewer, changes } = body.data;
    entries.unshift(...changes.nodes.filter(({ revision }: Entry) => revision > after).reverse());
    cursor = changes.pageInfo.endCursor;
    const reached = changes.nodes.at(-1)?.revision <= after + 1;
    if (reached || !changes.pageInfo.hasNextPage) return { entries, head: viewer.revision };
  }
}

async function logFromDatabase(database: DatabaseBackend, after: number): Promise<Log> {
  // With room for what should not be there.
  const { changes, head } = await database.changes(after, 1_000_000);
  const entries = changes.map(
    ({ revision, kind, flagKey, userId, groupName, userIds, after }): Entry => ({
      revision,
      kind,
      flagKey,
      group: groupName,
      userIds: userId === null ? userIds : [userId],
      after,
    }),
  );
  return { entries, head };
}

/** What a writer did last is in the tables, as the log says. */
async function expectState({ flag, userId, name }: Writer, client: HttpClient, world: World): Promise<void> {
  const { body } = await client.query(
    `query ($flag: String!, $group: String!) {
      flag(key: $flag) { name version overrides { nodes { reason user { userId } } } }
      group(name: $group) { memberCount }
    }`,
    { flag: flag ?? 'none', group: name },
  );
  const reason = world.reasons.get(`${flag} ${userId}`);
  const members = world.groups.get(name);
  expect(body).toEqual({
    data: {
      flag: flag && {
        ...world.flags.get(flag),
        overrides: { nodes: reason === undefined ? [] : [{ reason, user: { userId } }] },
      },
      group: members === undefined ? null : { memberCount: members.size },
    },
  });
}

/** The tables hold what the log says, and nothing else. */
async function expectTables(database: DatabaseBackend, everybody: readonly Writer[], world: World): Promise<void> {
  const { flags, revision } = await database.definitions();
  expect(revision).toBe(world.revision);
  expect(new Map(flags.map(({ key, name, version }) => [key, { name, version }]))).toEqual(world.flags);

  const targeting = (await database.targeting(everybody.map(({ userId }) => userId))).users;
  const overridden = [...targeting].flatMap(([id, { overrides }]) => [...overrides.keys()].map(key => `${key} ${id}`));
  expect(overridden.sort()).toEqual([...world.reasons.keys()].sort());

  for (const [group, members] of world.groups) {
    const found = (await database.targeting([...members])).users;
    expect([...found.values()].map(({ groups }) => [...groups])).toEqual([...members].map(() => [group]));
  }
}

/** Numbers from 0 up to below what is asked for; the same for the same seed (mulberry32). */
function randomFrom(start: number): (below: number) => number {
  let state = start;
  return below => {
    state = (state + 0x6d2b79f5) | 0;
    let hash = Math.imul(state ^ (state >>> 15), state | 1);
    hash ^= hash + Math.imul(hash ^ (hash >>> 7), hash | 61);
    return Math.floor((((hash ^ (hash >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}
