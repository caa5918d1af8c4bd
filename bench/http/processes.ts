import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { freePort } from '../support/free-port.js';
import { waitUntilHealthy } from '../support/wait-until-healthy.js';

/** The kernel's numbers about a process. The process need not answer for them, however busy it is. */
export interface Usage {
  /** Seconds of processor time since it began, all threads together. */
  readonly cpu: number;
  /** Of its main thread alone. */
  readonly mainThread: number;
  /** Bytes. */
  readonly rss: number;
  /** Open files, connections that the process has accepted among them. */
  readonly files: number;
}

/** A server under measurement, in a process of its own. */
export interface ServerProcess {
  readonly port: number;
  readonly pid: number;
  usage(): Usage;
  /** How it ended, where nobody asked it to. */
  readonly crash: string | null;
  stop(): Promise<void>;
}

/** Linux counts processor time for `/proc` in hundredths of a second. */
const ticksPerSecond = 100;

/** Reads `/proc`, which Linux alone has. */
export function usageOf(pid: number): Usage {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const rss = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1_024;
  return {
    cpu: cpuOf(`/proc/${pid}/stat`),
    mainThread: cpuOf(`/proc/${pid}/task/${pid}/stat`),
    rss,
    files: readdirSync(`/proc/${pid}/fd`).length,
  };
}

function cpuOf(path: string): number {
  // The name of the program, in brackets, may hold anything; after it come the state and eleven more before the times.
  const fields = readFileSync(path, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Starts a Node program that listens on `PORT`, and waits for its `/health`. */
export async function startServer(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<ServerProcess> {
  const port = await freePort();
  const child = spawn(process.execPath, [program, ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { PATH: process.env['PATH'], NODE_ENV: 'production', PORT: String(port), ...env },
  });
  await waitUntilHealthy(`http://127.0.0.1:${port}`, child);
  return serverProcess(child, port);
}

export function serverProcess(child: ChildProcess, port: number): ServerProcess {
  const pid = child.pid as number;
  let stopping = false;
  let crash: string | null = null;
  child.once('exit', (code, signal) => {
    if (!stopping) crash = `it ended with ${signal ?? code}`;
  });
  return {
    port,
    pid,
    usage: () => usageOf(pid),
    get crash() {
      return crash;
    },
    stop: async () => {
      stopping = true;
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await exited;
      clearTimeout(late);
    },
  };
}
