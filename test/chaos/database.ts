import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import pg from 'pg';
import { backup, PostgresServer, type Restore } from '../support/postgres-server.js';
import { until } from '../support/wait.js';

const execFileAsync = promisify(execFile);

export const databaseName = 'chaos';

/** A PostgreSQL server of its own, with what can happen to one. */
export class ChaosDatabase {
  readonly url: string;
  /** Another hand: direct SQL, past every node. */
  readonly pool: pg.Pool;
  #process: ChildProcess;
  #frozen: number[] = [];

  private constructor(readonly server: PostgresServer) {
    this.url = server.url(databaseName);
    this.#process = server.process;
    this.pool = new pg.Pool({
      connectionString: this.url,
      max: 6,
      connectionTimeoutMillis: 10_000,
      query_timeout: 30_000,
    });
    this.pool.on('error', () => undefined);
    // Who is at work when a connection breaks hears of it from the query.
    this.pool.on('connect', client => client.on('error', () => undefined));
  }

  static async start(): Promise<ChaosDatabase> {
    // What was committed outlives a crash of the server, as on any server in earnest.
    const server = await PostgresServer.start(['-c', 'synchronous_commit=on', '-c', 'full_page_writes=on']);
    await server.query(`CREATE DATABASE ${databaseName}`);
    return new ChaosDatabase(server);
  }

  /**
   * A shutdown that ends every session, or a crash, from which it recovers; and back after so many milliseconds, or once
   * `downtime` resolves.
   */
  async restart(how: 'shutdown' | 'crash', downtime: number | (() => Promise<unknown>)): Promise<void> {
    this.thaw();
    const { spawnfile, spawnargs } = this.#process;
    const exited = once(this.#process, 'exit');
    this.#process.kill(how === 'shutdown' ? 'SIGINT' : 'SIGQUIT');
    await exited;
    if (typeof downtime === 'number') await new Promise(resolve => setTimeout(resolve, downtime));
    else await downtime();
    const account = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
    const options = {
      ...account,
      cwd: this.server.directory,
      stdio: ['ignore', 'ignore', 'pipe'] as ['ignore', 'ignore', 'pipe'],
    };
    const child = spawn(spawnfile, spawnargs.slice(1), options);
    this.#process = child;
    let said = '';
    await new Promise<void>((resolve, reject) => {
      child.stderr.on('data', (chunk: Buffer) => {
        said = (said + chunk.toString()).slice(-10_000);
        if (/ready to accept( read-only)? connections/.test(said)) resolve();
      });
      child.once('exit', () => reject(new Error(`PostgreSQL did not come back:\n${said}`)));
    });
  }

  /** The whole server stands still: connections stay open, nobody answers. */
  async freeze(): Promise<void> {
    const postmaster = this.#process.pid as number;
    const { stdout } = await execFileAsync('ps', ['-A', '-o', 'pid=,ppid=']);
    const children = stdout
      .trim()
      .split('\n')
      .map(line => line.trim().split(/\s+/).map(Number) as [number, number])
      .filter(([, parent]) => parent === postmaster);
    this.#stop([postmaster, ...children.map(([pid]) => pid)]);
  }

  /** The nodes' listening connections fall silent and stay open. Returns how many. */
  async freezeListeners(): Promise<number> {
    const { rows } = await this.pool.query<{ pid: number }>(`SELECT pid FROM pg_stat_activity WHERE ${listening}`);
    this.#stop(rows.map(({ pid }) => pid));
    return rows.length;
  }

  thaw(): void {
    for (const pid of this.#frozen.splice(0)) signal(pid, 'SIGCONT');
  }

  /** Cuts the nodes' listening connections. Returns how many. */
  async cutListeners(): Promise<number> {
    return this.#cut(listening);
  }

  /** Cuts every connection of the nodes. */
  async cutAll(): Promise<number> {
    return this.#cut("application_name = 'halyard'");
  }

  /** Cuts the listening connections, and refuses new ones while `work` runs on the existing ones. */
  async whileDeaf(work: (client: pg.PoolClient) => Promise<void>): Promise<void> {
    const client = await this.pool.connect();
    try {
      await this.server.query(`ALTER DATABASE ${databaseName} ALLOW_CONNECTIONS false`);
      await client.query(`SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE ${listening}`);
      await work(client);
    } finally {
      await this.server.query(`ALTER DATABASE ${databaseName} ALLOW_CONNECTIONS true`);
      client.release();
    }
  }

  backup(): Promise<Restore> {
    return backup(this.server.url('postgres'), databaseName);
  }

  /** Changes rows past every trigger, as a restore with disabled triggers or a replication does, and has them audited now. */
  async pastTriggers(table: string, sql: string): Promise<void> {
    const { rows } = await this.pool.query<{ head: string }>('SELECT revision AS head FROM feature_log_head');
    await this.pool.query(`BEGIN; ALTER TABLE ${table} DISABLE TRIGGER USER; ${sql};
      DO $$ DECLARE name text; BEGIN
        FOR name IN SELECT tgname FROM pg_trigger WHERE tgrelid = '${table}'::regclass AND NOT tgisinternal LOOP
          EXECUTE format('ALTER TABLE ${table} ENABLE ALWAYS TRIGGER %I', name);
        END LOOP;
      END $$; COMMIT`);
    await this.pool.query('UPDATE feature_log_digests SET check_after = now()');
    const seen = `SELECT FROM feature_changes WHERE revision > ${rows[0]?.head} AND kind = 'RESET'`;
    await until(async () => (await this.pool.query(seen)).rowCount !== 0, 'the audit has seen it', 60_000);
  }

  async stop(): Promise<void> {
    this.thaw();
    await this.pool.end();
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const exited = once(this.#process, 'exit');
      this.#process.kill('SIGINT');
      await exited;
    }
    await this.server.stop();
  }

  async #cut(which: string): Promise<number> {
    const { rowCount } = await this.pool.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${which}`);
    return rowCount ?? 0;
  }

  #stop(pids: readonly number[]): void {
    for (const pid of pids) if (signal(pid, 'SIGSTOP')) this.#frozen.push(pid);
  }
}

/** A listening connection has said LISTEN, or since then its sign of life, and is in no pool. */
const listening = `application_name = 'halyard' AND datname = '${databaseName}' AND query IN ('LISTEN halyard_changes', 'SELECT 1')`;

function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}
