import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type DatabaseBackend, type DatabaseOptions, openDatabase } from '../../src/backends/database.js';
import { toUnavailable } from '../../src/backends/errors.js';
import { UnavailableError } from '../../src/core/errors.js';
import { silentLog } from '../../src/core/log.js';
import { storedUserId } from '../../src/core/user-id.js';
import { readLog } from '../support/change-log.js';
import { cleanups } from '../support/cleanups.js';
import { newFlag } from '../support/flags.js';
import { longestBlock } from '../support/longest-block.js';
import { openPGlite, pgliteTemplate } from '../support/pglite.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/wait.js';

async function keep(opening: Promise<DatabaseBackend>): Promise<DatabaseBackend> {
  const backend = await opening;
  cleanups.push(() => backend.close());
  return backend;
}

async function onPostgres(options: Partial<DatabaseOptions> = {}): Promise<[DatabaseBackend, TestDatabase]> {
  const database = await createDatabase();
  cleanups.push(() => database.drop());
  return [await keep(openDatabase({ ...options, url: database.url, reportsQueries: true })), database];
}

async function behindProxy(options: Partial<DatabaseOptions> = {}): Promise<[DatabaseBackend, TcpProxy, TestDatabase]> {
  const database = await createDatabase();
  cleanups.push(() => database.drop());
  const proxy = await TcpProxy.to(database.socketPath);
  cleanups.push(() => proxy.cut());
  const url = `postgresql://postgres@127.0.0.1:${proxy.port}/${database.name}`;
  return [await keep(openDatabase({ ...options, url, reportsQueries: true })), proxy, database];
}

async function duration<T>(act: () => Promise<T>): Promise<{ ms: number; result: T }> {
  const start = performance.now();
  const result = await act();
  return { ms: performance.now() - start, result };
}

/** SQL sent while `act` runs. */
async function queries(backend: DatabaseBackend, act: () => Promise<unknown>): Promise<string[]> {
  const sent: string[] = [];
  const end = backend.onQuery(sql => sent.push(sql));
  await act();
  end();
  return sent;
}

/** The same tests on one backend of each kind, which they share. */
const kinds: [string, () => Promise<{ backend: DatabaseBackend; stop: () => Promise<void> }>][] = [
  [
    'PGlite',
    async () => {
      const backend = await openPGlite();
      return { backend, stop: () => backend.close() };
    },
  ],
  [
    'PostgreSQL',
    async () => {
      const database = await createDatabase();
      const backend = await openDatabase({ url: database.url, reportsQueries: true });
      return { backend, stop: () => backend.close().then(() => database.drop()) };
    },
  ],
];

describe.each(kinds)('the number of queries on %s', (_, open) => {
  let backend: DatabaseBackend;
  let stop: () => Promise<void>;
  beforeAll(async () => {
    ({ backend, stop } = await open());
  });
  afterAll(() => stop());

  it('is one for the targeting of any number of users, and none for nobody', async () => {
    const ids = Array.from({ length: 1_000 }, () => randomUUID());
    await backend.addToGroup('all', ids, null);
    for (const count of [1, 10, 1_000]) {
      const sent = await queries(backend, () => backend.targeting(ids.slice(0, count)));
      expect(sent).toHaveLength(1);
    }
    expect(await queries(backend, () => backend.targeting([]))).toEqual([]);
  });

  it('is one for definitions, changes and a flag', async () => {
    for (const key of ['a', 'b', 'c']) await backend.createFlag(newFlag(key), null);
    for (const read of [() => backend.definitions(), () => backend.changes(0, 100), () => backend.getFlag('a')]) {
      expect(await queries(backend, read)).toHaveLength(1);
    }
  });

  it('is seen for statements that others send through the client, until the listening ends', async () => {
    expect(await queries(backend, () => backend.prisma.featureFlag.findMany())).toHaveLength(1);
    const listener = vi.fn();
    backend.onQuery(listener)();
    await backend.definitions();
    expect(listener).not.toHaveBeenCalled();
  });
});

describe.each(kinds)('a write on %s', (_, open) => {
  let backend: DatabaseBackend;
  let stop: () => Promise<void>;
  beforeAll(async () => {
    ({ backend, stop } = await open());
  });
  beforeEach(async () => {
    for (const sql of ['DELETE FROM feature_flags', 'DELETE FROM users']) await backend.prisma.$executeRawUnsafe(sql);
  });
  afterEach(async () => {
    await backend.prisma.$executeRawUnsafe('DROP FUNCTION IF EXISTS fail CASCADE');
  });
  afterAll(() => stop());

  it('is not acknowledged when its COMMIT fails', async () => {
    // What a full disk does, at the same moment: an error from COMMIT itself.
    await backend.prisma.$executeRawUnsafe(`CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION 'no'; END $$`);
    await backend.prisma.$executeRawUnsafe(`CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON users
      DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail()`);
    const user = randomUUID();
    await expect(backend.createFlag(newFlag('k'), { actor: user })).rejects.toThrow();
    // One that logs nothing has no row of its own to look for.
    await expect(backend.setUserAttributes(user, {}, null)).rejects.toThrow();
    await expect(backend.addToGroup('g', [user], null)).rejects.toThrow();
    expect((await backend.definitions()).flags).toEqual([]);
    expect((await backend.targeting([user])).users.size).toBe(0);
    const { head } = await backend.changes(0, 0);
    expect((await backend.createFlag(newFlag('k'), null)).revision).toBe(head + 1);
  });

  it.each(['40001', '40P01', '55P03'])('is tried again when it loses against another one: %s', async state => {
    await failTheFirst(backend, 3, state);
    const { head } = await backend.changes(0, 0);
    expect((await backend.createFlag(newFlag('k'), null)).revision).toBe(head + 1);
    expect(await tries(backend)).toBe(4);
  });

  it('gives up with UnavailableError after four attempts', async () => {
    await failTheFirst(backend, 4, '40001');
    await expect(backend.createFlag(newFlag('k'), null)).rejects.toThrow(UnavailableError);
    expect(await tries(backend)).toBe(4);
  });

  it('is not tried again for any other failure, which is told as it is', async () => {
    await failTheFirst(backend, 1, '22012');
    const error = await backend.createFlag(newFlag('k'), null).catch(e => e);
    expect(error).not.toBeInstanceOf(UnavailableError);
    expect(toUnavailable(error)).toBeNull();
    expect(await tries(backend)).toBe(1);
  });

  it('of many members is done wholly or not at all', async () => {
    const ids = Array.from({ length: 2_500 }, () => randomUUID());
    const { head } = await backend.changes(0, 0);
    // Refused by the last statement of several, where there are several: users are written in the order of stored ids.
    const refused = Array.from({ length: 100_000 }, (_, n) => `${n}\n`).find(id => storedUserId(id) > 'fff') as string;
    await expect(backend.addToGroup('g', [...ids, refused], null)).rejects.toThrow();
    expect((await backend.targeting(ids)).users.size).toBe(0);
    expect((await backend.changes(0, 0)).head).toBe(head);
  });
});

/** Makes the first so many inserts of a flag fail. Sequences count rolled back attempts as well. */
async function failTheFirst(backend: DatabaseBackend, count: number, state: string): Promise<void> {
  await backend.prisma.$executeRawUnsafe('DROP SEQUENCE IF EXISTS tries');
  await backend.prisma.$executeRawUnsafe('CREATE SEQUENCE tries');
  await backend.prisma.$executeRawUnsafe(`CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF nextval('public.tries') <= ${count} THEN RAISE EXCEPTION 'lost' USING ERRCODE = '${state}'; END IF; RETURN NULL; END $$`);
  await backend.prisma.$executeRawUnsafe(`CREATE TRIGGER fail AFTER INSERT ON feature_flags EXECUTE FUNCTION fail()`);
}

async function tries(backend: DatabaseBackend): Promise<number> {
  const [row] = await backend.prisma.$queryRaw<{ n: number }[]>`SELECT last_value::int AS n FROM tries`;
  return row?.n ?? 0;
}

describe('the Prisma client, for reads by other floors', () => {
  it('sends and receives exact times also where the default time zone is another', async () => {
    const database = await createDatabase({ timezone: 'America/New_York' });
    cleanups.push(() => database.drop());
    const backend = await keep(openDatabase({ url: database.url }));
    const { prisma } = backend;
    const { value: flag } = await backend.createFlag(newFlag('k'), null);
    const expiresAt = new Date('2031-07-04T12:34:56.789Z');
    const override = { userId: randomUUID(), flagKey: 'k', enabled: true, reason: null, expiresAt };
    const { value } = await backend.setOverride(override, null);
    expect(await prisma.override.findFirst({ where: { expiresAt, createdAt: value.createdAt } })).toEqual(value);
    expect(await prisma.featureFlag.findFirst({ where: { createdAt: { lte: flag.createdAt } } })).toEqual(flag);
    const [logged] = await prisma.featureChange.findMany({ where: { userId: override.userId, kind: 'OVERRIDE_SET' } });
    expect(logged).toMatchObject({ userIds: [], actorId: null, after: { expiresAt: expiresAt.toISOString() } });
    expect(Math.abs((logged?.at.getTime() ?? 0) - Date.now())).toBeLessThan(60_000);
  });
});

describe('stored users on PostgreSQL', () => {
  it('are counted, and where there are very many, estimated without counting', async () => {
    const [backend, database] = await onPostgres();
    const store = (from: number, to: number) =>
      database.query(
        `INSERT INTO users (id) SELECT ('00000000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid FROM generate_series(${from}, ${to}) AS i`,
      );
    await store(1, 3);
    const counting = await queries(backend, async () => expect(await backend.countUsers()).toBe(3));
    expect(counting.some(sql => sql.includes('count(*)'))).toBe(true);
    await store(4, 150_000);
    await database.query('ANALYZE users');
    const estimating = await queries(backend, async () =>
      expect(Math.abs((await backend.countUsers()) / 150_000 - 1)).toBeLessThan(0.05),
    );
    expect(estimating.some(sql => sql.includes('count(*)'))).toBe(false);
  });
});

describe('an embedded database', () => {
  // A garbage collection on a busy machine may fall on the longest turn; what the database itself does comes every time.
  it('lets the event loop breathe while twenty thousand members are written, again and again, and read', {
    timeout: 120_000,
    retry: 2,
  }, async () => {
    const backend = await keep(openPGlite());
    const randomIds = (count: number) => Array.from({ length: count }, () => randomUUID());
    // The first of anything is slow for reasons of its own: what is compiled, what is planned.
    await backend.addToGroup('g', randomIds(5_000), null);
    const blocks: Record<string, number> = {};
    const measure = async (name: string, act: () => Promise<unknown>) => {
      blocks[name] = Math.max(blocks[name] ?? 0, await longestBlock(act));
    };
    // Often enough that all that the database puts off has come due: segments of its log, the index over ids.
    for (let round = 0; round < 5; round += 1) {
      const ids = randomIds(20_000);
      await measure('add', async () => expect((await backend.addToGroup('g', ids, null)).value).toBe(20_000));
      await measure('targeting', () => backend.targeting(ids.slice(0, 1_000)));
      if (round < 4) await measure('remove', () => backend.removeFromGroup('g', ids, null));
    }
    await measure('changes', () => readLog(backend));
    expect(Object.keys(blocks)).toEqual(['add', 'targeting', 'remove', 'changes']);
    expect(Object.entries(blocks).filter(([, block]) => block >= 50)).toEqual([]);
    const added = (await readLog(backend)).filter(({ kind }) => kind === 'MEMBERS_ADDED');
    expect(added.flatMap(({ userIds }) => userIds)).toHaveLength(105_000);
  });

  it('keeps no more of its write-ahead log than it needs, however much is written', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'halyard-data-'));
    cleanups.push(() => rm(directory, { recursive: true, force: true }));
    const backend = await keep(openDatabase({ dataDir: directory, templateDump: await pgliteTemplate() }));
    const log = async () => {
      const [row] = await backend.prisma.$queryRaw<{ megabytes: number; written: number }[]>`
        SELECT (SELECT sum(size) / 1048576 FROM pg_ls_waldir())::int AS megabytes,
               ((pg_current_wal_lsn() - '0/0') / 1048576)::int AS written`;
      return row ?? { megabytes: Number.NaN, written: Number.NaN };
    };
    const { written: before } = await log();
    const ids = Array.from({ length: 20_000 }, () => randomUUID());
    let most = 0;
    for (let end = before; end < before + 130; ) {
      await backend.addToGroup('g', ids, null);
      await backend.removeFromGroup('g', ids, null);
      const { megabytes, written } = await log();
      most = Math.max(most, megabytes);
      end = written;
    }
    // Two files call for a checkpoint; others are begun before it comes, more of them on a busy machine.
    expect(most).toBeLessThanOrEqual(80);
  }, 60_000);

  it('keeps its data when it is opened again', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'halyard-data-'));
    cleanups.push(() => rm(directory, { recursive: true, force: true }));
    const first = await openDatabase({ dataDir: directory, templateDump: await pgliteTemplate() });
    const { value } = await first.createFlag(newFlag('k'), null);
    const before = await first.definitions();
    await first.close();
    const second = await keep(openDatabase({ dataDir: directory }));
    expect(second.appliedMigrations).toEqual([]);
    expect(await second.definitions()).toEqual(before);
    expect(await second.getFlag('k')).toEqual(value);
  });
});

describe('a pooler that drops the settings which a connection states at its start', () => {
  /** PgBouncer with `ignore_startup_parameters = options`, to the server: it hears of another setting instead. */
  async function pooler(database: TestDatabase): Promise<string> {
    const server = createServer(client => {
      const upstream = connect(database.socketPath);
      client.once('data', first => {
        upstream.write(Buffer.from(first.toString('latin1').replace('options\0', 'a.bcdef\0'), 'latin1'));
        client.pipe(upstream).pipe(client);
      });
      for (const socket of [client, upstream]) socket.on('error', () => socket.destroy());
    });
    await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
    cleanups.push(() => server.close());
    return `postgresql://postgres@127.0.0.1:${(server.address() as AddressInfo).port}/${database.name}`;
  }

  it('is refused, unless the role has them as its own', async () => {
    const database = await createDatabase({ timezone: 'America/New_York' });
    cleanups.push(() => database.drop());
    const url = await pooler(database);
    const open = (schema = '') => keep(openDatabase({ url: url + schema, listenUrl: database.url }));
    await expect(open()).rejects.toThrow(/a pooler drops them.*timezone = 'UTC'/);
    await database.query(`ALTER DATABASE ${database.name} SET timezone = 'UTC'`);
    expect((await (await open()).definitions()).flags).toEqual([]);
    await expect(open('?schema=flags')).rejects.toThrow(/search_path/);
  });
});

describe('a PostgreSQL server that is away', () => {
  it('makes opening fail at once where nothing listens', async () => {
    const proxy = await TcpProxy.to('/nonexistent');
    await proxy.cut();
    const opening = openDatabase({ url: `postgresql://postgres@127.0.0.1:${proxy.port}/none` });
    await expect(opening).rejects.toThrow(UnavailableError);
  });

  it('makes opening fail where connections are taken and never answered', async () => {
    const database = await createDatabase();
    cleanups.push(() => database.drop());
    const proxy = await TcpProxy.to(database.socketPath);
    cleanups.push(() => proxy.cut());
    proxy.freeze();
    const opening = openDatabase({ url: `postgresql://postgres@127.0.0.1:${proxy.port}/${database.name}` });
    await expect(opening).rejects.toThrow(UnavailableError);
  }, 15_000);

  it('makes every method reject with UnavailableError, and all work again when it is back', async () => {
    const [backend, proxy] = await behindProxy();
    await backend.createFlag(newFlag('k'), null);
    await proxy.cut();
    const user = randomUUID();
    const override = { userId: user, flagKey: 'k', enabled: true, reason: null, expiresAt: null };
    const calls: (() => Promise<unknown>)[] = [
      () => backend.definitions(),
      () => backend.changes(0, 1),
      () => backend.targeting([user]),
      () => backend.getFlag('k'),
      () => backend.createFlag(newFlag('x'), null),
      () => backend.updateFlag('k', { enabled: true }, null, null),
      () => backend.setOverride(override, null),
      () => backend.removeOverride(user, 'k', null),
      () => backend.addToGroup('g', [user], null),
      () => backend.removeFromGroup('g', [user], null),
      () => backend.setUserAttributes(user, {}, null),
      () => backend.deleteUser(user, null),
      () => backend.deleteFlag('k', null),
    ];
    for (const call of calls) await expect(call()).rejects.toThrow(UnavailableError);
    // The GraphQL layer's own reads.
    const own = await backend.prisma.featureFlag.findMany().catch(error => toUnavailable(error));
    expect(own).toBeInstanceOf(UnavailableError);
    await proxy.open();
    await vi.waitFor(() => backend.definitions(), 5_000);
    for (const call of calls) await call();
  });

  it('breaks calls in flight, and those after them find a new connection', async () => {
    const [backend, database] = await onPostgres();
    const slow = backend.prisma.$queryRaw`SELECT pg_sleep(30)::text`.then(() => null, toUnavailable);
    const sleeping = `FROM pg_stat_activity WHERE datname = '${database.name}' AND query LIKE '%pg_sleep(30)%' AND pid <> pg_backend_pid()`;
    await vi.waitFor(async () => expect((await database.query(`SELECT 1 ${sleeping}`)).rowCount).toBe(1));
    await database.query(`SELECT pg_terminate_backend(pid) ${sleeping}`);
    expect(await slow).toBeInstanceOf(UnavailableError);
    expect((await backend.definitions()).flags).toEqual([]);
  });

  it('is told from one that does not answer in time, and then at once', async () => {
    const [backend, proxy] = await behindProxy({ statementTimeoutMs: 1_000, poolSize: 2 });
    await backend.createFlag(newFlag('k'), null);
    // Both connections of the pool stand, or a call would begin with a new one and wait for that.
    await Promise.all([backend.prisma.$queryRaw`SELECT pg_sleep(0.1)::text`, backend.definitions()]);
    proxy.freeze();
    const change = () => backend.updateFlag('k', { enabled: true }, null, null);
    // More than there are connections: who waits for one is told when the others are.
    const calls = [backend.definitions(), change(), backend.definitions(), change()];
    const answers = await duration(() => Promise.allSettled(calls));
    expect(answers.result.map(({ status }) => status)).toEqual(calls.map(() => 'rejected'));
    expect(answers.ms).toBeLessThan(2_000);
    for (const call of [() => backend.definitions(), change]) {
      const { ms, result } = await duration(() => call().catch((error: unknown) => error));
      expect(result).toBeInstanceOf(UnavailableError);
      expect(ms).toBeLessThan(300);
    }
    await proxy.cut();
    await proxy.open();
    await vi.waitFor(() => backend.definitions(), 5_000);
    expect((await change()).value.enabled).toBe(true);
  }, 20_000);

  it('does not hand out connections from before it, which may be half-open', async () => {
    const [backend, proxy] = await behindProxy({ statementTimeoutMs: 300, poolSize: 4 });
    const sleep = () => backend.prisma.$queryRaw`SELECT pg_sleep(0.1)::text`;
    // On a busy machine four connections may take longer than a statement may.
    await vi.waitFor(() => Promise.all([sleep(), sleep(), sleep(), sleep()]), 10_000);
    proxy.freeze();
    await expect(backend.definitions()).rejects.toThrow(UnavailableError);
    // New connections get through; the three idle ones stay dead.
    proxy.renew();
    await vi.waitFor(() => backend.definitions(), 5_000);
    for (let i = 0; i < 6; i++) await backend.definitions();
  }, 20_000);

  it('says whether a write that it broke was kept: no, or not known', async () => {
    const [backend, proxy, database] = await behindProxy({ statementTimeoutMs: 300 });
    await backend.createFlag(newFlag('k'), null);
    const rows = async () => (await database.query('SELECT key FROM feature_flags ORDER BY key')).rows;
    proxy.freezeAfter('INSERT INTO feature_flags');
    await expect(backend.createFlag(newFlag('lost'), null)).rejects.toThrow(/Nothing was changed/);
    await proxy.cut();
    await proxy.open();
    await vi.waitFor(() => backend.definitions(), 5_000);
    expect(await rows()).toEqual([{ key: 'k' }]);

    proxy.freezeAfter('COMMIT');
    await expect(backend.createFlag(newFlag('kept'), null)).rejects.toThrow(/so the result is not known/);
    expect(await rows()).toEqual([{ key: 'k' }, { key: 'kept' }]);
    await proxy.cut();
    await expect(backend.createFlag(newFlag('refused'), null)).rejects.toThrow(/Nothing was changed/);
  }, 20_000);

  it('is not taken for away because of a full pool, a slow statement or a connection that was ended', async () => {
    const said: string[] = [];
    const tell = (_fields: object, message: string) => void said.push(message);
    const log = { ...silentLog, info: tell, warn: tell, error: tell };
    const [backend, database] = await onPostgres({ statementTimeoutMs: 1_000, poolSize: 1, log });
    const sleeping = backend.prisma.$queryRaw`SELECT pg_sleep(30)::text`.then(() => null, toUnavailable);
    // Behind it in the only connection's queue.
    const waiting = backend.definitions().catch(toUnavailable);
    expect((await sleeping)?.message).toBe('The database did not answer in time.');
    await waiting;
    await database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${database.name}' AND pid <> pg_backend_pid()`,
    );
    await vi.waitFor(() => backend.definitions(), 5_000);
    expect(said).not.toContain('The database cannot be reached.');
  });

  it('leaves its message and its code in the log, and nothing of the connection', async () => {
    const database = await createDatabase();
    cleanups.push(() => database.drop());
    const warnings: [object, string][] = [];
    const log = { ...silentLog, warn: (fields: object, said: string) => void warnings.push([fields, said]) };
    const backend = await keep(openDatabase({ url: database.url.replace('postgres@', 'postgres:secret@'), log }));
    await backend.definitions();
    const listener = vi.fn();
    backend.onHint(listener);
    await vi.waitFor(() => expect(listener).toHaveBeenCalled());
    await database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${database.name}' AND pid <> pg_backend_pid()`,
    );
    const err = { message: 'terminating connection due to administrator command', code: '57P01' };
    const listening = 'The connection that listens for changes broke. Connecting again.';
    await vi.waitFor(() => {
      expect(warnings).toContainEqual([{ err }, 'A database connection broke.']);
      expect(warnings).toContainEqual([{ err }, listening]);
    });
  });

  it('is told from one whose table is locked', async () => {
    const [backend, database] = await onPostgres({ statementTimeoutMs: 200 });
    const holder = `FROM pg_locks JOIN pg_stat_activity USING (pid)
      WHERE locktype = 'relation' AND relation = 'feature_flags'::regclass AND mode = 'AccessExclusiveLock' AND granted`;
    const locked = database.query('BEGIN; LOCK feature_flags; SELECT pg_sleep(600)').catch(() => {});
    await until(async () => (await database.query(`SELECT ${holder}`)).rowCount === 1, 'the table is locked', 25_000);
    await expect(backend.definitions()).rejects.toThrow(UnavailableError);
    await database.query(`SELECT pg_terminate_backend(pid) ${holder}`);
    await locked;
    expect((await backend.definitions()).flags).toEqual([]);
  });
});

describe('hints on PostgreSQL', () => {
  const listeners = (database: TestDatabase) => `FROM pg_stat_activity
    WHERE datname = '${database.name}' AND query IN ('LISTEN halyard_changes', 'SELECT 1')`;

  it('comes back after its connection was ended, and hints at once for what it may have missed', async () => {
    const [backend, database] = await onPostgres();
    const listener = vi.fn();
    backend.onHint(listener);
    await vi.waitFor(() => expect(listener).toHaveBeenCalled());
    listener.mockClear();
    await database.query(`SELECT pg_terminate_backend(pid) ${listeners(database)}`);
    await vi.waitFor(() => expect(listener).toHaveBeenCalled(), 5_000);
    listener.mockClear();
    await database.query(`INSERT INTO feature_flags (key, name) VALUES ('k', 'n')`);
    await vi.waitFor(() => expect(listener).toHaveBeenCalled(), 5_000);
  });

  it('comes back when the server does', async () => {
    const [backend, proxy, database] = await behindProxy();
    const listener = vi.fn();
    backend.onHint(listener);
    await vi.waitFor(() => expect(listener).toHaveBeenCalled());
    await proxy.cut();
    await database.query(`INSERT INTO feature_flags (key, name) VALUES ('missed', 'n')`);
    listener.mockClear();
    await proxy.open();
    await vi.waitFor(() => expect(listener).toHaveBeenCalled(), 10_000);
  });

  it('listens on one connection, outside the pool, however many listen', async () => {
    const [backend, database] = await onPostgres({ poolSize: 1 });
    const calls = [vi.fn(), vi.fn(), vi.fn()];
    for (const call of calls) backend.onHint(call);
    for (const call of calls) await vi.waitFor(() => expect(call).toHaveBeenCalled());
    expect((await database.query(`SELECT 1 ${listeners(database)}`)).rowCount).toBe(1);
    await backend.createFlag(newFlag('k'), null);
    await backend.close();
    await vi.waitFor(async () => expect((await database.query(`SELECT 1 ${listeners(database)}`)).rowCount).toBe(0));
  });

  it('notices that its connection is half-open, although everything else works', async () => {
    const database = await createDatabase();
    cleanups.push(() => database.drop());
    const proxy = await TcpProxy.to(database.socketPath);
    cleanups.push(() => proxy.cut());
    const listenUrl = `postgresql://postgres@127.0.0.1:${proxy.port}/${database.name}`;
    const backend = await keep(openDatabase({ url: database.url, listenUrl, statementTimeoutMs: 500 }));
    const listener = vi.fn();
    backend.onHint(listener);
    await vi.waitFor(() => expect(listener).toHaveBeenCalled());
    proxy.freeze();
    proxy.renew();
    await backend.createFlag(newFlag('k'), null);
    listener.mockClear();
    await vi.waitFor(() => expect(listener).toHaveBeenCalled(), 5_000);
  });

  it('listens where listenUrl leads, as behind a pooler', async () => {
    const database = await createDatabase();
    cleanups.push(() => database.drop());
    const proxy = await TcpProxy.to(database.socketPath);
    cleanups.push(() => proxy.cut());
    const listenUrl = `postgresql://postgres@127.0.0.1:${proxy.port}/${database.name}`;
    const backend = await keep(openDatabase({ url: database.url, listenUrl }));
    await proxy.cut();
    const listener = vi.fn();
    backend.onHint(listener);
    await backend.createFlag(newFlag('k'), null);
    expect(listener).not.toHaveBeenCalled();
    await proxy.open();
    await vi.waitFor(() => expect(listener).toHaveBeenCalled(), 5_000);
  });
});

describe('a database that was closed', () => {
  it.each([
    ['PGlite', openPGlite],
    ['PostgreSQL', async () => (await onPostgres())[0]],
  ])('rejects calls and may be closed again: %s', async (_, open) => {
    const backend = await open();
    await backend.close();
    await backend.close();
    await expect(backend.definitions()).rejects.toThrow(UnavailableError);
    await expect(backend.createFlag(newFlag('k'), null)).rejects.toThrow(UnavailableError);
  });
});
