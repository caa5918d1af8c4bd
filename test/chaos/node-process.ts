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

/** How the process itself is run. */
export interface NodeLaunch {
  /** The program. Default: `node.ts` beside this file. */
  readonly entry?: string;
  /** Megabytes that its old generation may take before it runs out of memory. */
  readonly heapLimit?: number;
  /** Told of everything that it writes to its standard error. */
  readonly onSaid?: (text: string) => void;
}

/** How it ended when it was asked to. */
export interface Ending {
  /** Null when a signal ended it. */
  readonly code: number | null;
  /** From the signal to the end, in milliseconds. */
  readonly milliseconds: number;
}

/** What a node holds. */
export interface Sample {
  /** Bytes. */
  readonly heapUsed: number;
  readonly external: number;
  readonly rss: number;
  /** How many of each kind of resource keep the process alive. */
  readonly handles: Readonly<Record<string, number>>;
  readonly subscribers: number;
  /** What the server says that it carries; null: it does not say. */
  readonly load: Readonly<Record<string, number>> | null;
  readonly revision: number;
  /** Statements sent to the database so far, where they are counted. */
  readonly queries: number;
}

/** What a parent asks of a node: everything it holds, after a collection of garbage, or only to count, as it is. */
export interface NodeQuestion {
  readonly id: number;
  readonly what: 'everything' | 'counts';
}

export type NodeMessage = { readonly url: string } | { readonly id: number; readonly sample: Sample };

const ownEntry = fileURLToPath(new URL('node.ts', import.meta.url));
/** Milliseconds within which a node must be up; one on a busy machine takes a few seconds. */
const startTimeout = 60_000;

/** A node as an operator has it: a process that is started, killed and started again at the same port. */
export class NodeProcess {
  #child: ChildProcess | null = null;
  #starting: Promise<void> | null = null;
  #said = '';
  #questions = 0;
  /** How often it ended although nobody had asked it to, with what it said last. */
  readonly deaths: string[] = [];
  starts = 0;

  private constructor(
    readonly port: number,
    readonly env: Readonly<Record<string, string>>,
    readonly settings: NodeSettings,
    readonly launch: NodeLaunch,
  ) {}

  static async start(
    env: Record<string, string>,
    settings: NodeSettings = {},
    launch: NodeLaunch = {},
  ): Promise<NodeProcess> {
    const node = new NodeProcess(await freePort(), env, settings, launch);
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

  /** Ends it as an operator would, and for good after ten seconds. Null: it was down already. */
  async stop(): Promise<Ending | null> {
    await this.#starting?.catch(() => undefined);
    return this.#end('SIGTERM');
  }

  /** The process stands still: its sockets stay open. */
  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  /** Rejects when the node ends before it has answered. */
  sample(what: NodeQuestion['what'] = 'everything'): Promise<Sample> {
    const child = this.#child;
    if (child === null) return Promise.reject(new Error('The node is down.'));
    this.#questions += 1;
    const id = this.#questions;
    return new Promise((resolve, reject) => {
      const onMessage = (message: NodeMessage) => {
        if (!('sample' in message) || message.id !== id) return;
        forget();
        resolve(message.sample);
      };
      const onExit = () => {
        forget();
        reject(new Error(`The node ended before it answered:\n${this.#said}`));
      };
      const forget = () => child.off('message', onMessage).off('exit', onExit);
      child.on('message', onMessage).once('exit', onExit);
      child.send({ id, what } satisfies NodeQuestion, error => error !== null && onExit());
    });
  }

  async #end(signal: NodeJS.Signals): Promise<Ending | null> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return null;
    const asked = performance.now();
    const exited = once(child, 'exit');
    child.kill(signal);
    child.kill('SIGCONT');
    const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
    const [code] = (await exited) as [number | null];
    clearTimeout(timer);
    return { code, milliseconds: performance.now() - asked };
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
    const { entry = ownEntry, heapLimit, onSaid } = this.launch;
    const child = fork(entry, {
      execArgv: [
        ...['--import', 'tsx', '--expose-gc'],
        ...(heapLimit === undefined ? [] : [`--max-old-space-size=${heapLimit}`]),
      ],
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
      onSaid?.(chunk.toString());
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
