import { randomInt } from 'node:crypto';
import { partings, report, runChaos } from '../test/chaos/run.js';
import { type Sabotage, sabotages } from '../test/chaos/sabotage.js';

// The chaos test at full size. CHAOS_SEED repeats a run, CHAOS_STEPS and CHAOS_VIEWERS size it; CHAOS_SABOTAGE breaks a
// promise of the nodes, and then the run must fail.

const { CHAOS_SEED, CHAOS_STEPS = '3000', CHAOS_VIEWERS = '200', CHAOS_SABOTAGE } = process.env;
const sabotage = CHAOS_SABOTAGE as Sabotage | undefined;
if (sabotage !== undefined && !sabotages.includes(sabotage)) {
  throw new Error(`CHAOS_SABOTAGE is one of ${sabotages.join(', ')}.`);
}

const seed = Number(CHAOS_SEED ?? randomInt(1_000_000));
console.log(`CHAOS_SEED=${seed}`);
try {
  const result = await runChaos({
    seed,
    steps: Number(CHAOS_STEPS),
    viewers: Number(CHAOS_VIEWERS),
    stepsPerRound: 100,
    faults: 0.12,
    partings,
    converge: 5_000,
    bulk: 5_000,
    log: line => console.log(line),
    node: {
      // Short, so that stalled readers are closed while the run lasts.
      limits: { pingInterval: 1_500, stallTimeout: 2_000, maxBufferedBytes: 64_000 },
      ...(sabotage === undefined ? {} : { sabotage }),
    },
  });
  console.log(report(result));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
