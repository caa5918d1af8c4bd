import { execFile } from 'node:child_process';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DatabaseBackend, openDatabase } from '../../src/backends/database.js';
import { DatabaseSetupError } from '../../src/backends/errors.js';
import { DatabaseUrlError } from '../../src/core/database-url.js';
import { cleanups } from '../support/cleanups.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';
import { PostgresServer, queryOnce } from '../support/postgres-server.js';

async function emptyDatabase(locale?: string): Promise<TestDatabase> {
  const database = await createDatabase({ migrated: false, ...(locale === undefined ? {} : { locale }) });
  cleanups.push(() => database.drop());
  return database;
}

async function open(url: string): Promise<DatabaseBackend> {
  const backend = await openDatabase({ url });
  cleanups.push(() => backend.close());
  return backend;
}

/** What of ours stands in a database. */
async function written({ query }: TestDatabase): Promise<number | null> {
  return (await query(`SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace`)).rowCount;
}

describe('a database that is not as it must be', () => {
  it.each(['LATIN1', 'WIN1252', 'SQL_ASCII'])(
    'is refused in the encoding %s, and nothing is written',
    async encoding => {
      const database = await emptyDatabase(`ENCODING '${encoding}' LOCALE_PROVIDER libc LOCALE 'C'`);
      const opening = open(database.url);
      await expect(opening).rejects.toThrow(DatabaseSetupError);
      await expect(opening).rejects.toThrow(`is encoded in ${encoding}, and Halyard needs UTF8.`);
      await expect(opening).rejects.toThrow(/CREATE DATABASE halyard ENCODING 'UTF8' .* TEMPLATE template0/);
      expect(await written(database)).toBe(0);
    },
  );

  it('is refused where sessions are replicas by default, with the statement that mends it', async () => {
    const database = await emptyDatabase();
    await database.query(`ALTER DATABASE ${database.name} SET session_replication_role = 'replica'`);
    const error = await open(database.url).catch(e => e);
    expect(error).toBeInstanceOf(DatabaseSetupError);
    expect(error.message).toContain('session_replication_role is replica and must be origin');
    const statement = /ALTER ROLE [^;]*;/.exec(error.message)?.[0] as string;
    expect(statement).toBe(`ALTER ROLE "postgres" SET session_replication_role = 'origin';`);
    expect(error.message).toMatch(/PgBouncer keeps the old values until you run RECONNECT in its admin console\.$/);
    expect(await written(database)).toBe(0);
    const role = `${database.name}_role`;
    await database.query(`CREATE ROLE ${role} LOGIN; ALTER DATABASE ${database.name} OWNER TO ${role};
                          ${statement.replace('postgres', role)}`);
    cleanups.push(() =>
      database.query(`DROP OWNED BY ${role}; ALTER DATABASE ${database.name} OWNER TO postgres; DROP ROLE ${role}`),
    );
    await open(database.url.replace('postgres@', `${role}@`));
  });

  it('is refused while it accepts no connections, with the statement that mends it', async () => {
    const { url, name, serverUrl } = await emptyDatabase();
    await queryOnce(serverUrl, `ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
    const error = await open(url).catch(e => e);
    expect(error).toBeInstanceOf(DatabaseSetupError);
    expect(error.message).toMatch(/is not currently accepting connections/);
    const statement = /ALTER DATABASE .*;$/.exec(error.message)?.[0] as string;
    await queryOnce(serverUrl, statement);
    await open(url);
  });

  it.each([
    ['options=-c search_path=absent', /No schema of the search path \(absent\) exists.*\?schema=halyard/],
    ['options=-c search_path=pg_catalog,public', /leads to the schema "pg_catalog" first, which .*\?schema=halyard/],
    ['options=-c search_path=information_schema', /"information_schema" first, which belongs to PostgreSQL/],
    ['schema=a%22b', /has a quotation mark in its name/],
  ])('is refused with %s', async (parameters, message) => {
    const { url } = await emptyDatabase();
    await expect(open(`${url}&${parameters}`)).rejects.toThrow(message);
  });
});

describe('TLS', () => {
  let server: PostgresServer;
  let directory: string;
  let port: number;

  const certificate = (name: string) => join(directory, `${name}.pem`);

  /** A certificate that signs itself, for this host name. */
  async function makeCertificate(name: string, host: string): Promise<void> {
    await promisify(execFile)('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
      ...['-subj', `/CN=${host}`, '-addext', `subjectAltName=DNS:${host}`],
      ...['-keyout', join(directory, `${name}.key`), '-out', certificate(name)],
    ]);
  }

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'halyard-tls-'));
    await makeCertificate('server', 'localhost');
    await makeCertificate('stranger', 'localhost');
    // PostgreSQL insists that its key belongs to it.
    if (process.getuid?.() === 0) {
      for (const path of [directory, join(directory, 'server.key')]) await chown(path, 65534, 65534);
    }
    const probe = createServer().listen(0, '127.0.0.1');
    await new Promise(done => probe.once('listening', done));
    ({ port } = probe.address() as AddressInfo);
    await new Promise(done => probe.close(done));
    const hba = join(directory, 'pg_hba.conf');
    await writeFile(hba, 'local all all trust\nhost postgres all all trust\nhostssl all all all trust\n');
    const settings = {
      ssl: 'on',
      ssl_cert_file: certificate('server'),
      ssl_key_file: join(directory, 'server.key'),
      listen_addresses: '127.0.0.1',
      port: String(port),
      hba_file: hba,
    };
    server = await PostgresServer.start(
      Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    );
  });
  afterAll(async () => {
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  });

  const url = (parameters: string, host = 'localhost') =>
    `postgresql://postgres@${host}:${port}/postgres?${parameters}`;
  async function isEncrypted(address: string): Promise<boolean> {
    const backend = await open(address);
    const [row] = await backend.prisma.$queryRaw<{ ssl: boolean }[]>`
      SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()`;
    return row?.ssl === true;
  }

  it.each<[string, () => string, boolean]>([
    ['nothing: none', () => url(''), false],
    ['disable: none', () => url('sslmode=disable'), false],
    ['require: whoever answers', () => url('sslmode=require'), true],
    ['require with a root: of that authority', () => url(`sslmode=require&sslrootcert=${certificate('server')}`), true],
    ['verify-ca: of that authority', () => url(`sslmode=verify-ca&sslrootcert=${certificate('server')}`), true],
    ['verify-ca: by any name', () => url(`sslmode=verify-ca&sslrootcert=${certificate('server')}`, '127.0.0.1'), true],
    [
      'verify-full: of that authority, for this host',
      () => url(`sslmode=verify-full&sslrootcert=${certificate('server')}`),
      true,
    ],
  ])('with %s', async (_, address, encrypted) => {
    expect(await isEncrypted(address())).toBe(encrypted);
  });

  it('is not spoken on a Unix socket, whatever the mode', async () => {
    const address = `postgresql://postgres@/postgres?host=${server.directory}&port=${port}&sslmode=verify-full`;
    expect(await isEncrypted(address)).toBe(false);
  });

  it.each<[string, () => string, RegExp]>([
    [
      'verify-full',
      () => url('sslmode=verify-full'),
      /signed by an authority that is not trusted here.*sslrootcert=.*or write sslmode=require/,
    ],
    ['verify-ca', () => url('sslmode=verify-ca'), /signed by an authority that is not trusted here/],
    [
      'another authority',
      () => url(`sslmode=verify-ca&sslrootcert=${certificate('stranger')}`),
      /not signed by the authority in sslrootcert=.*stranger\.pem .*the right authority's certificate, or leave sslrootcert out/,
    ],
    [
      'another host',
      () => url(`sslmode=verify-full&sslrootcert=${certificate('server')}`, '127.0.0.1'),
      /is not for this host: .*127\.0\.0\.1.*sslmode=verify-ca/,
    ],
    [
      'a root that is not there',
      () => url('sslmode=verify-ca&sslrootcert=/none.pem'),
      /that sslrootcert names .* cannot be read: ENOENT/,
    ],
  ])('says what to write: %s', async (_, address, message) => {
    const opening = open(address());
    await expect(opening).rejects.toThrow(DatabaseSetupError);
    await expect(opening).rejects.toThrow(message);
  });

  it('says so where the server does not speak it', async () => {
    // A server that answers the question for TLS with "no".
    const plain = createServer(socket => socket.once('data', () => socket.write('N')));
    cleanups.push(() => plain.close());
    await new Promise<void>(done => plain.listen(0, '127.0.0.1', done));
    const address = `postgresql://127.0.0.1:${(plain.address() as AddressInfo).port}/d?sslmode=require`;
    await expect(open(address)).rejects.toThrow(
      /does not speak TLS: turn it on there \(ssl = on\), or write sslmode=disable/,
    );
  });

  it('says so where the server accepts only connections with it', async () => {
    const address = url('').replace('/postgres?', '/template1?');
    await expect(open(address)).rejects.toThrow(/accepts only connections with TLS: write sslmode=verify-full/);
  });

  it('of a mode that does not exist is refused with those that do', async () => {
    await expect(open(url('sslmode=nonsense'))).rejects.toThrow(DatabaseUrlError);
  });
});
