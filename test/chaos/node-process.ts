import { type ChildProcess, fork } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ServerLimits } from '../../src/server/server.js';
import type { Sabotage } from './sabotage.js';

export interface NodeSettings {
  readonly pollInterval?: number;
  readonly limits?: Partial<ServerLimits>;
  readonly sabotage?: Sabotage;
  readonly countQueries?: boolean;
}

/** What a node holds, after a collection of garbage. */
export interface Sample {
  /** Bytes. */
  readonly heapUsed: number;
  readonly external: number;
  readonly rss: number;
  /** How many of each kind of resource keep the process alive. */
  readonly handles: Readonly<Record<string, number>>;
  readonly subscribers: number;
  readonly revision: number;
  /** Statements sent to the database so far, where they are counted. */
  readonly queries: number;
}

export type NodeMessage = { readonly url: string } | { readonly sample: Sample };

const entry = fileURLToPath(new URL('node.ts', import.meta.url));
/** Milliseconds within which a node must be up; one on a busy machine takes a few seconds. */
const startTimeout = 60_000;

/** A node as an operator has it: a process that is started, killed and started again at the same port. */
export class NodeProcess {
  #child: ChildProcess | null = null;
  #starting: Promise<void> | null = null;
  #said = '';
  /** How often it ended although nobody had asked it to, with what it said last. */
  readonly deaths: string[] = [];
  starts = 0;

  private constructor(
    readonly port: number,
    readonly env: Readonly<Record<string, string>>,
    readonly settings: NodeSettings,
  ) {}

  static async start(env: Record<string, string>, settings: NodeSettings = {}): Promise<NodeProcess> {
    const node = new NodeProcess(await freePort(), env, settings);
    await node.ensureUp();
    return node;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get isUp(): boolean {
    return this.#child !== null && this.#starting === null;
  }

  /** The last lines of its log. */
  get said(): string {
    return this.#said;
  }

  /** Starts it if it is down, again and again as a supervisor would, until it is up. */
  ensureUp(): Promise<void> {
    if (this.isUp) return Promise.resolve();
    this.#starting ??= this.#supervise().finally(() => {
      this.#starting = null;
    });
    return this.#starting;
  }

  /** Ends it as a power cut would. */
  async kill(): Promise<void> {
    await this.#starting;
    await this.#end('SIGKILL');
  }

  /** Ends it as an operator would. */
  async stop(): Promise<void> {
    await this.#starting?.catch(() => undefined);
    await this.#end('SIGTERM');
  }

  /** The process stands still: its sockets stay open. */
  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  async sample(): Promise<Sample> {
    const child = this.#child;
    if (child === null) throw new Error('The node is down.');
    child.send('sample');
    for (;;) {
      const [message] = (await once(child, 'message')) as [NodeMessage];
      if ('sample' in message) return message.sample;
    }
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    child.kill('SIGCONT');
    const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await exited;
    clearTimeout(timer);
  }

  async #supervise(): Promise<void> {
    const end = Date.now() + startTimeout;
    while (!(await this.#spawn())) {
      if (Date.now() > end) throw new Error(`A node did not start:\n${this.#said}`);
      await sleep(100);
    }
  }

  /** False when it ended before it was up: its database is away, say. */
  #spawn(): Promise<boolean> {
    this.starts += 1;
    const child = fork(entry, {
      execArgv: ['--import', 'tsx', '--expose-gc'],
      env: {
        PATH: process.env['PATH'],
        HOME: process.env['HOME'],
        ...this.env,
        PORT: String(this.port),
        CHAOS_NODE: JSON.stringify(this.settings),
      },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#said = (this.#said + chunk.toString()).slice(-4_000);
    });
    return new Promise(resolve => {
      child.once('exit', (code, signal) => {
        resolve(false);
        if (this.#child !== child) return;
        this.#child = null;
        this.deaths.push(`A node ended by itself (${signal ?? code}):\n${this.#said}`);
      });
      child.on('message', (message: NodeMessage) => {
        if (!('url' in message)) return;
        this.#child = child;
        resolve(true);
      });
    });
  }
}

/** Below the range from which the system takes ports for outgoing connections: it is still free after a restart. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(15_000, 32_000);
    const server = createServer();
    try {
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
      return port;
    } catch {
      // Somebody has it.
    } finally {
      server.close();
    }
  }
}
