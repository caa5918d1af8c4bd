import { markdownTable } from '../support/markdown-table.js';
import { contestants, names, type Ready, usualFlags, usualUsers } from './contestants.js';
import { HealthProbe, type Probed } from './health.js';
import type { Generator } from './load.js';
import type { LoadPlan } from './load-plan.js';
import { changeEachSecond } from './measure.js';
import type { Options } from './options.js';
import { progress } from './progress.js';
import { leastServerCpu } from './report.js';
import type { Stage } from './stage.js';

const usualConnections = 32;
const secondsAfter = 10;
/** A second is as usual again when its p99 is at most so many times that of the slowest second before. */
const asUsual = 1.5;
const highest = (values: readonly number[]) => values.reduce((most, value) => Math.max(most, value), 0);
const ms = (value: number | null) => (value ?? Number.NaN).toFixed(1);

const health = ({ answered, slowest, failed }: Probed) =>
  `${answered} answered${answered === 0 ? '' : `, slowest ${ms(slowest)} ms`}${failed === 0 ? '' : `, ${failed} FAILED`}`;

/** Measures the capacity of Halyard, sends twice as much, and then the usual load again. */
export async function measureOverload(stage: Stage, generator: Generator, options: Options): Promise<void> {
  const halyard = contestants(stage).find(({ name }) => name === names.map);
  if (halyard === undefined) throw new Error('There is nothing to measure.');
  const ready = await halyard.prepare();
  const usual: LoadPlan = {
    port: ready.server.port,
    rate: null,
    connections: usualConnections,
    warmup: 5,
    seconds: 10,
    sampleEvery: 97,
    requests: ready.requests,
  };
  const before = await generator.run(usual, ready.server);
  await ready.check(before.client.samples);
  const share = (before.after.mainThread - before.before.mainThread) / before.client.seconds;
  const wasFree = share >= leastServerCpu;
  const capacity = before.client.answers / before.client.seconds;
  const slowestP99 = highest(before.client.perSecond.map(({ p99 }) => p99 ?? Number.POSITIVE_INFINITY));
  console.log(
    `Capacity: ${capacity.toFixed(0)} requests/s at ${usualConnections} connections, p99 ${ms(before.client.p99)} ms, in the slowest second ${ms(slowestP99)} ms.\n`,
  );

  const { operatorPort } = await stage.halyard(usualFlags, usualUsers);
  const { client, isBounded } = await overload({ ...ready, operatorPort }, generator, {
    ...usual,
    rate: Math.round(2 * capacity),
    connections: options.overloadConnections,
    warmup: 0,
    seconds: options.seconds,
  });

  const after = await generator.run({ ...usual, warmup: 0, seconds: secondsAfter }, ready.server);
  const compared = await ready.check([...client.samples, ...after.client.samples]);
  const seconds = after.client.perSecond;
  console.log('Then as before:\n');
  console.log(
    markdownTable([
      ['second', 'requests', 'p50 ms', 'p99 ms'],
      ...seconds.map(({ answers, p50, p99 }, i) => [String(i + 1), String(answers), ms(p50), ms(p99)]),
    ]),
  );
  const lastSlow = seconds.findLastIndex(({ p99 }) => !((p99 ?? Number.POSITIVE_INFINITY) <= slowestP99 * asUsual));
  const failures = Object.entries(client.statuses).filter(([status]) => status !== '200');
  console.log(`
- crash: ${ready.server.crash ?? 'none'}
- answers other than 200: ${failures.map(([status, times]) => `${times} of ${status}`).join(', ') || 'none'}; connections that broke: ${client.broken}
- RSS: ${isBounded ? 'bounded' : 'GREW in the second half'}
- p99 as usual (at most ${asUsual} x ${ms(slowestP99)} ms) from second ${lastSlow + 2} on (within 5 s: ${wasFree ? (lastSlow + 1 < 5 ? 'met' : 'MISSED') : 'not told, too busy a machine'})
- ${compared} single answers compared with the reference: all right`);
}

async function overload(ready: Ready & { readonly operatorPort: number }, generator: Generator, plan: LoadPlan) {
  const { server, operatorPort } = ready;
  progress(`${plan.rate} requests/s for ${plan.seconds} s`);
  const probes = [
    new HealthProbe(server.port, true),
    new HealthProbe(server.port, false),
    new HealthProbe(operatorPort, false),
  ];
  // Under such a load a change may be refused: the database's answers wait for their turn with everything else.
  let refused = 0;
  const changing = changeEachSecond({
    change: enabled =>
      ready.change(enabled).catch(() => {
        refused += 1;
      }),
  });
  const began = performance.now();
  const rows: string[][] = [];
  const memory: number[] = [];
  const look = () => {
    if (server.crash !== null) return;
    const { rss, files } = server.usage();
    const row = [
      ((performance.now() - began) / 1_000).toFixed(0),
      (rss / 1e6).toFixed(0),
      String(files),
      ...probes.map(probe => health(probe.take())),
    ];
    memory.push(rss);
    rows.push(row);
    progress(`second ${row[0]}: RSS ${row[1]} MB, ${row[2]} files, /health ${row.slice(3).join('; ')}`);
  };
  const watching = setInterval(look, Math.min(5_000, (plan.seconds * 1_000) / 4));
  const { client } = await generator.run(plan, server);
  clearInterval(watching);
  const changes = (await changing.stop()) - refused;
  // A probe that is still waiting is answered now, or has failed.
  await Promise.all(probes.map(probe => probe.stop()));
  look();
  const second = (number: number) => (number / client.seconds).toFixed(0);
  console.log(
    `For ${plan.seconds} s, a second: ${plan.rate} requests came, ${second(client.sent)} could be sent over ${plan.connections} connections, ${second(client.turnedAway)} found all of them waiting, ${second(client.answers)} were answered (p50 ${ms(client.p50)} ms, p99 ${ms(client.p99)} ms). ${changes} changes of a flag were acknowledged meanwhile, ${refused} refused.\n`,
  );
  console.log(
    markdownTable([
      [
        'second',
        'RSS MB',
        'open files',
        '/health, kept connection',
        '/health, new connections',
        '/health on the port of METRICS',
      ],
      ...rows,
    ]),
  );
  console.log();
  const half = Math.ceil(memory.length / 2);
  // Memory allocated for so many connections stays; a leak would go on growing in the second half.
  const isBounded = highest(memory.slice(half)) <= highest(memory.slice(0, half)) * 1.25;
  return { client, isBounded };
}
