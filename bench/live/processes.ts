import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
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
  stop(): Promise<void>;
}

export async function startNode(env: Record<string, string>): Promise<Node> {
  const child = fork(fileURLToPath(new URL('./node.ts', import.meta.url)), {
    env: { ...process.env, ...env },
    execArgv: ['--expose-gc', '--import', 'tsx'],
  });
  const { url } = (await reply(child)) as { url: string };
  const ask = async (question: string) => {
    child.send(question);
    return (await reply(child)) as Usage;
  };
  return {
    url,
    memory: () => ask('memory'),
    cpu: async () => (await ask('cpu')).cpu,
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
