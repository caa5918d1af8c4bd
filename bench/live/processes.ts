import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Profiler } from 'node:inspector';
import { fileURLToPath } from 'node:url';

/** A node's numbers about itself. Bytes, and microseconds of processor time since it started. */
export interface Usage {
  readonly heapUsed: number;
  readonly rss: number;
  readonly cpu: number;
}

export interface Node {
  readonly url: string;
  /** After a collection of garbage. */
  memory(): Promise<Usage>;
  /** Processor time alone, without a collection. */
  cpu(): Promise<number>;
  /** Tells it anything else, and waits until it has done it. */
  tell(message: string): Promise<void>;
  /** What its JavaScript did meanwhile. */
  profile(act: () => Promise<unknown>): Promise<Profiler.Profile>;
  stop(): Promise<void>;
}

/** @param program a file beside this one: the product's server, or another one that answers the same questions. */
export async function startNode(env: Record<string, string>, program = 'node.ts'): Promise<Node> {
  const child = fork(fileURLToPath(new URL(program, import.meta.url)), {
    env: { ...process.env, ...env },
    execArgv: ['--expose-gc', '--import', 'tsx'],
  });
  const { url } = (await reply(child)) as { url: string };
  const ask = async (question: string) => {
    child.send(question);
    return await reply(child);
  };
  return {
    url,
    memory: async () => (await ask('memory')) as Usage,
    cpu: async () => ((await ask('cpu')) as Usage).cpu,
    tell: async message => void (await ask(message)),
    profile: async act => {
      await ask('profile');
      await act();
      return ((await ask('profiled')) as { profile: Profiler.Profile }).profile;
    },
    stop: async () => {
      const exited = once(child, 'exit');
      child.send('stop');
      await exited;
    },
  };
}

async function reply(child: ChildProcess): Promise<unknown> {
  const done = new AbortController();
  const { signal } = done;
  const failed = once(child, 'exit', { signal }).then(([code]) => {
    throw new Error(`The node ended with ${code}.`);
  });
  failed.catch(() => {});
  try {
    const [message] = (await Promise.race([once(child, 'message', { signal }), failed])) as [unknown];
    return message;
  } finally {
    done.abort();
  }
}
