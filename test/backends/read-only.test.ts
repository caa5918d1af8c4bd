import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DatabaseBackend, openDatabase } from '../../src/backends/database.js';
import { DatabaseSetupError } from '../../src/backends/errors.js';
import { UnavailableError } from '../../src/core/errors.js';
import { type Log, silentLog } from '../../src/core/log.js';
import { cleanups, database } from '../support/cleanups.js';
import { newFlag } from '../support/flags.js';
import { PostgresServer, queryOnce } from '../support/postgres-server.js';
import { until } from '../support/wait.js';

/** The messages of a log, with those of level `info` and above. */
function recordingLog(): Log & { readonly lines: string[] } {
  const lines: string[] = [];
  const note = (_: object, message: string) => void lines.push(message);
  return { ...silentLog, info: note, warn: note, error: note, lines };
}

async function open(url: string, log: Log = silentLog): Promise<DatabaseBackend> {
  const backend = await openDatabase({ url, log, poolSize: 1 });
  cleanups.push(() => backend.close());
  return backend;
}

async function expectRefusedWrites(backend: DatabaseBackend): Promise<void> {
  const refusal = await backend.createFlag(newFlag('k'), null).catch(e => e);
  expect(refusal).toBeInstanceOf(UnavailableError);
  expect(refusal.message).toBe('The database is read-only. Nothing was changed.');
}

interface Setting {
  readonly name: string;
  /** With the name of the database for `$database`. */
  readonly set: string;
  readonly reset: string;
}

const settings: readonly Setting[] = [
  {
    name: 'of the database',
    set: 'ALTER DATABASE $database SET default_transaction_read_only = on',
    reset: 'ALTER DATABASE "$database" RESET default_transaction_read_only;',
  },
  {
    name: 'of the role in the database',
    set: 'ALTER ROLE postgres IN DATABASE $database SET default_transaction_read_only = on',
    reset: 'ALTER ROLE "postgres" IN DATABASE "$database" RESET default_transaction_read_only;',
  },
];

describe.each(settings)('a database that is read-only by a setting $name', ({ set, reset }) => {
  it('is refused while it has no tables, with the statement that mends it', async () => {
    const { url, name, query, serverUrl } = await database({ migrated: false });
    await query(set.replace('$database', name));
    for (const parameters of ['', '&schema=flags']) {
      const error = await open(url + parameters).catch(e => e);
      expect(error).toBeInstanceOf(DatabaseSetupError);
      expect(error.message).toMatch(/is read-only, .*default_transaction_read_only is on/);
      expect(error.message).toContain(reset.replace('$database', name));
    }
    await queryOnce(serverUrl, reset.replace('$database', name));
    await open(url);
  });

  it('is read, refuses writes by that name, and says so once in the log, until it takes writes again', async () => {
    const { url, name, query, serverUrl } = await database();
    await query(set.replace('$database', name));
    const log = recordingLog();
    const backend = await open(url, log);
    expect((await backend.definitions()).flags).toEqual([]);
    for (let i = 0; i < 3; i += 1) await expectRefusedWrites(backend);
    const told = log.lines.filter(line => line.includes('is read-only'));
    expect(told).toHaveLength(1);
    expect(told[0]).toContain(reset.replace('$database', name));
    await backend.definitions();
    await queryOnce(serverUrl, reset.replace('$database', name));
    await expectRefusedWrites(backend); // The session from before. No other one will write in it.
    await backend.createFlag(newFlag('k'), null);
    expect(log.lines.filter(line => line === 'The database takes writes again.')).toHaveLength(1);
  });
});

describe('a standby', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
    await server.query('CREATE DATABASE migrated');
    await server.query('CREATE DATABASE empty');
    await (await openDatabase({ url: server.url('migrated') })).close();
    await server.restartAsStandby();
  });
  afterAll(() => server.stop());

  it('is refused while it has no tables', async () => {
    const opening = open(server.url('empty'));
    await expect(opening).rejects.toThrow(DatabaseSetupError);
    await expect(opening).rejects.toThrow(/is read-only, .*the server is a standby.*DATABASE_URL.*primary/);
  });

  it('is read, refuses writes by that name, and takes them once it is promoted', async () => {
    const log = recordingLog();
    const backend = await open(server.url('migrated'), log);
    const stopListening = backend.onHint(() => undefined);
    expect((await backend.definitions()).flags).toEqual([]);
    for (let i = 0; i < 3; i += 1) await expectRefusedWrites(backend);
    expect(log.lines.filter(line => /is read-only.*the server is a standby/.test(line))).toHaveLength(1);
    const broke = () => log.lines.filter(line => line.includes('listens for changes broke'));
    await until(() => broke().length > 0, 'the listening fails');
    await server.query('SELECT pg_promote()');
    await backend.createFlag(newFlag('k'), null);
    expect(broke()).toHaveLength(1);
    stopListening();
  });
});
