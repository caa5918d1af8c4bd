import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { type DatabaseBackend, type DatabaseOptions, openDatabase } from '../../src/backends/database.js';
import { DatabaseSetupError } from '../../src/backends/errors.js';
import { UnavailableError } from '../../src/core/errors.js';
import { silentLog } from '../../src/core/log.js';
import { cleanups, database } from '../support/cleanups.js';
import type { TestDatabase } from '../support/postgres.js';
import { PostgresServer } from '../support/postgres-server.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/wait.js';

async function open(options: Partial<DatabaseOptions> & { readonly url: string }): Promise<DatabaseBackend> {
  const backend = await openDatabase({ poolSize: 1, ...options });
  cleanups.push(() => backend.close());
  return backend;
}

/** Serves on a free port. Returns the address of a database there. */
async function serve(server: Server, name: string): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => server.close());
  return `postgresql://postgres@127.0.0.1:${(server.address() as AddressInfo).port}/${name}`;
}

/** Takes the notifications out of what a server sends, as a pooler does that shares connections between transactions. */
function withoutNotifications(to: Socket): (data: Buffer) => void {
  let rest = Buffer.alloc(0);
  return data => {
    rest = Buffer.concat([rest, data]);
    while (rest.length >= 5) {
      const length = rest.readInt32BE(1) + 1;
      if (rest.length < length) return;
      if (String.fromCharCode(rest[0] as number) !== 'A') to.write(rest.subarray(0, length));
      rest = rest.subarray(length);
    }
  };
}

async function deafPooler({ socketPath, name }: TestDatabase): Promise<string> {
  const pooler = createServer(client => {
    const server = connect(socketPath);
    client.on('data', data => server.write(data));
    server.on('data', withoutNotifications(client));
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one.on('error', () => undefined).on('close', () => other.destroy());
    }
  });
  return serve(pooler, name);
}

describe('DATABASE_LISTEN_URL', () => {
  it('may be another way to the same database', async () => {
    const { url, socketPath, name } = await database();
    const proxy = await TcpProxy.to(socketPath);
    cleanups.push(() => proxy.cut());
    const way = `postgresql://postgres@127.0.0.1:${proxy.port}/${name}`;
    await open({ url: way, listenUrl: url });
    await open({ url, listenUrl: way });
  });

  it('is refused if it leads to another database, and nothing is written there', async () => {
    const one = await database();
    const other = await database({ migrated: false });
    const error = await open({ url: one.url, listenUrl: `${other.url}&schema=flags` }).catch(e => e);
    expect(error).toBeInstanceOf(DatabaseSetupError);
    expect(error.message).toMatch(/^DATABASE_LISTEN_URL leads to another database than DATABASE_URL: /);
    expect(error.message).toMatch(new RegExp(`to "${other.name}" at .*, and DATABASE_URL to "${one.name}" at `));
    const schemas = await other.query(`SELECT FROM pg_namespace WHERE nspname = 'flags'`);
    expect(schemas.rowCount).toBe(0);
    expect((await other.query(`SELECT to_regclass('users') AS t`)).rows).toEqual([{ t: null }]);
  });

  it('is refused if it leads to the database of that name on another server', async () => {
    const { serverUrl } = await database();
    const server = await PostgresServer.start();
    cleanups.push(() => server.stop());
    const opening = open({ url: serverUrl, listenUrl: server.url('postgres') });
    await expect(opening).rejects.toThrow(/to "postgres" at a Unix socket, on another server, and DATABASE_URL to/);
  });

  it.each<[string, string, RegExp]>([
    ['stranger@', '', /^The database refuses: role "stranger" does not exist\. Check DATABASE_LISTEN_URL\.$/],
    ['postgres@', '&sslmode=require&sslrootcert=/none.pem&host=h', /that sslrootcert names in DATABASE_LISTEN_URL/],
  ])('is named by its refusals: %s%s', async (user, parameters, message) => {
    const { url } = await database();
    const listenUrl = url.replace('postgres@', user) + parameters;
    await expect(open({ url, listenUrl })).rejects.toThrow(message);
  });

  it('is refused if it names another schema', async () => {
    const { url } = await database();
    const opening = open({ url: `${url}&schema=one`, listenUrl: `${url}&schema=other` });
    await expect(opening).rejects.toThrow(DatabaseSetupError);
    await expect(opening).rejects.toThrow(
      /DATABASE_LISTEN_URL names the schema "other", and DATABASE_URL the schema "one"/,
    );
  });

  it('is named if nothing answers there', async () => {
    const { url } = await database();
    const opening = open({ url, listenUrl: 'postgresql://127.0.0.1:1/d' });
    await expect(opening).rejects.toThrow(UnavailableError);
    await expect(opening).rejects.toThrow('The database at DATABASE_LISTEN_URL cannot be reached.');
  });

  it('is asked for in the log where notifications do not arrive, and only there', async () => {
    const made = await database();
    const listen = async (url: string) => {
      const lines: string[] = [];
      const warn = (_: object, message: string) => void lines.push(message);
      const backend = await open({ url, statementTimeoutMs: 2_000, log: { ...silentLog, warn } });
      cleanups.push(backend.onHint(() => undefined));
      return lines;
    };
    const heard = await listen(made.url);
    const unheard = await listen(await deafPooler(made));
    await until(() => unheard.length > 0, 'the log has it');
    expect(unheard).toEqual([expect.stringMatching(/do not arrive.*set DATABASE_LISTEN_URL/)]);
    expect(heard).toEqual([]);
  });
});

describe('a pooler', () => {
  it('that does not know the parameter of the settings is named with its setting', async () => {
    const message = 'unsupported startup parameter: options';
    const fields = Buffer.from(`SFATAL\0C08P01\0M${message}\0\0`);
    const head = Buffer.from([0x45, 0, 0, 0, fields.length + 4]);
    const url = await serve(
      createServer(socket =>
        socket.on('error', () => undefined).once('data', () => socket.end(Buffer.concat([head, fields]))),
      ),
      'd',
    );
    const opening = open({ url });
    await expect(opening).rejects.toThrow(DatabaseSetupError);
    await expect(opening).rejects.toThrow(
      /DATABASE_URL leads to a pooler .*unsupported startup parameter: options.*ignore_startup_parameters = options/,
    );
  });
});
