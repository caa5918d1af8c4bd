import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { FromGenerator, LoadPlan, Measured } from './load-plan.js';
import type { ServerProcess, Usage } from './processes.js';

/** The results of a run of the generator, on both sides. */
export interface Load {
  readonly client: Measured;
  /** The server's numbers at the beginning and the end of the counted time. */
  readonly before: Usage;
  readonly after: Usage;
}

/** The load generator's process. One run at a time. */
export class Generator {
  private constructor(readonly child: ChildProcess) {}

  static async start(): Promise<Generator> {
    const generator = new Generator(
      fork(fileURLToPath(new URL('./generator.ts', import.meta.url)), {
        execArgv: ['--import', 'tsx'],
        serialization: 'advanced',
      }),
    );
    await generator.#reply();
    return generator;
  }

  async run(plan: LoadPlan, server: Pick<ServerProcess, 'usage'>): Promise<Load> {
    this.child.send(plan);
    await this.#reply();
    const before = server.usage();
    const last = await this.#reply();
    const after = server.usage();
    if (last.kind !== 'measured') throw new Error('The load generator is out of step.');
    return { client: last.measured, before, after };
  }

  async stop(): Promise<void> {
    const exited = once(this.child, 'exit');
    this.child.kill();
    await exited;
  }

  async #reply(): Promise<FromGenerator> {
    const done = new AbortController();
    const { signal } = done;
    const ended = once(this.child, 'exit', { signal }).then(() => {
      throw new Error('The load generator ended.');
    });
    ended.catch(() => {});
    try {
      const [message] = (await Promise.race([once(this.child, 'message', { signal }), ended])) as [FromGenerator];
      return message;
    } finally {
      done.abort();
    }
  }
}
