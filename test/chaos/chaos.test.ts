import { describe, expect, it } from 'vitest';
import { type ChaosOptions, type Parting, report, runChaos } from './run.js';
import type { Sabotage } from './sabotage.js';

// The same at full size is `npm run chaos`.

const seed = Number(process.env['CHAOS_SEED'] ?? 20_260_601);

describe('two nodes on one PostgreSQL, whatever happens to them', () => {
  it('send every viewer its own right answers, in order and without repetition', { timeout: 180_000 }, async () => {
    const result = await runChaos({
      seed,
      steps: 160,
      viewers: 20,
      stepsPerRound: 40,
      faults: 0.1,
      partings: ['half-open', 'missed', 'nodes', 'restored'],
      converge: 5_000,
      bulk: 2_000,
      node: { limits: { pingInterval: 1_500, stallTimeout: 2_000, maxBufferedBytes: 64_000 } },
    });
    process.stdout.write(`${report(result)}\n`);
    expect(result.steps).toBe(160);
    expect(result.updates).toBeGreaterThan(result.wholeSets);
  });
});

/** Each sabotage with what would be survived without it. */
const small = { viewers: 10, steps: 5, stepsPerRound: 5, faults: 0, converge: 2_000, bulk: 100 };
const cases: readonly (readonly [Sabotage, Parting])[] = [
  ['invalidation', 'quiet'],
  ['poll', 'half-open'],
  ['identity', 'restored'],
  ['catchup', 'missed'],
];

describe.concurrent('the chaos test', () => {
  it.for(cases)('notices when %s is switched off', { timeout: 120_000 }, async ([sabotage, parting], { expect }) => {
    const options: ChaosOptions = { ...small, seed, partings: [parting], node: { pollInterval: 500, sabotage } };
    const failure = await runChaos(options).then(() => null, String);
    expect(failure).toMatch(/2000 ms after settling .* \d+ of 10 viewers were wrong/);
    expect(failure).toContain(`CHAOS_SEED=${seed}`);
  });

  it('passes the same small run when nothing is switched off', { timeout: 120_000 }, async ({ expect }) => {
    const partings = cases.map(([, parting]) => parting);
    const result = await runChaos({ ...small, seed, steps: 20, partings, node: { pollInterval: 500 } });
    expect(result.rounds).toBe(4);
  });
});
