import type { Contestant, Ready } from './contestants.js';
import type { Generator } from './load.js';
import { progress } from './progress.js';

/** One round of one contestant. */
export interface Round {
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Microseconds of the server's processor time for one request, all of its threads together. */
  readonly cpuPerRequest: number;
  /** Of the server's main thread; 1: a whole core. */
  readonly serverCpu: number;
  /** Bytes, at the end. */
  readonly rss: number;
  readonly changes: number;
  readonly compared: number;
}

export interface Result {
  readonly name: string;
  readonly rounds: readonly Round[];
}

export interface Course {
  readonly connections: number;
  readonly rounds: number;
  readonly warmup: number;
  readonly seconds: number;
}

/** Measures the contestants in turn, so that all share whatever else the machine does. */
export async function measureInTurn(
  contestants: readonly Contestant[],
  generator: Generator,
  course: Course,
): Promise<readonly Result[]> {
  const prepared: { name: string; ready: Ready; rounds: Round[] }[] = [];
  for (const { name, prepare } of contestants) prepared.push({ name, ready: await prepare(), rounds: [] });
  for (let round = 0; round < course.rounds; round += 1) {
    for (const { name, ready, rounds } of prepared) {
      const measured = await measure(name, ready, generator, course);
      rounds.push(measured);
      const { perSecond, p99, compared } = measured;
      progress(
        `${course.connections} connections, round ${round + 1}, ${name}: ${perSecond.toFixed(0)}/s, p99 ${p99.toFixed(1)} ms, ${compared} answers compared`,
      );
    }
  }
  return prepared;
}

async function measure(name: string, ready: Ready, generator: Generator, course: Course): Promise<Round> {
  const changing = changeEachSecond(ready);
  const { client, before, after } = await generator.run(
    {
      port: ready.server.port,
      rate: null,
      connections: course.connections,
      warmup: course.warmup,
      seconds: course.seconds,
      sampleEvery: 97,
      requests: ready.requests,
    },
    ready.server,
  );
  const changes = await changing.stop();
  const { seconds, answers, p50, p99, statuses, broken, samples } = client;
  if (answers === 0 || broken > 0 || statuses['200'] !== answers) {
    throw new Error(`${name}: ${JSON.stringify({ answers, statuses, broken, crash: ready.server.crash })}`);
  }
  return {
    perSecond: answers / seconds,
    p50: p50 ?? Number.NaN,
    p99: p99 ?? Number.NaN,
    cpuPerRequest: ((after.cpu - before.cpu) * 1e6) / answers,
    serverCpu: (after.mainThread - before.mainThread) / seconds,
    rss: after.rss,
    changes,
    compared: await ready.check(samples),
  };
}

/** Turns one flag on and off, a change a second, until it is stopped; a change that fails is told then. */
export function changeEachSecond({ change }: Pick<Ready, 'change'>): { stop(): Promise<number> } {
  let changes = 0;
  let enabled = false;
  let last = Promise.resolve();
  const timer = setInterval(() => {
    last = last.then(async () => {
      await change(enabled);
      enabled = !enabled;
      changes += 1;
    });
    last.catch(() => {});
  }, 1_000);
  return {
    async stop() {
      clearInterval(timer);
      await last;
      return changes;
    },
  };
}
