import { describe, expect, it } from 'vitest';
import { Random } from '../chaos/random.js';
import { type Attack, drawsOf } from './attack.js';
import { attacks } from './attacks/index.js';
import { report } from './report.js';
import { type HostileOptions, runHostile } from './run.js';
import { type Sabotage, sabotagedCopy, sabotages } from './sabotage.js';
import { full, small } from './sizes.js';

// The same at full size is `npm run hostile`.

const seed = Number(process.env['HOSTILE_SEED'] ?? 20_260_601);

const chosen = (texts: readonly string[]): readonly Attack[] =>
  attacks.filter(({ name }) => texts.some(text => name.includes(text)));

async function run(options: Partial<HostileOptions>) {
  const result = await runHostile({ ...small, seed, attacks, ...options });
  process.stdout.write(`${report(result)}\n`);
  return result;
}

describe('a server among hostile clients', () => {
  it('answers each kind of attack as it must, and keeps nothing of it', { timeout: 240_000 }, async () => {
    const { violations, outcomes, ending } = await run({});
    expect(violations).toEqual([]);
    expect([...outcomes.keys()].sort()).toEqual(attacks.map(({ name }) => name).sort());
    expect(ending?.code).toBe(0);
  });
});

describe('the hostile clients', () => {
  it('have different names', () => {
    expect(new Set(attacks.map(({ name }) => name)).size).toBe(attacks.length);
  });

  it('are drawn the same from the same seed', () => {
    const draw = () => {
      const random = new Random(seed);
      return attacks.map(attack => attack.draw(drawsOf(random.fork(), full.scale)).parameters);
    };
    expect(draw()).toEqual(draw());
  });

  // All of them: HOSTILE_SABOTAGE=all npm run hostile.
  it.for(sabotages.filter(({ isQuick }) => isQuick === true))(
    'notice when this is switched off: $name',
    { timeout: 120_000 },
    async (sabotage, test) => {
      await using copy = await sabotagedCopy(sabotage);
      const { violations } = await run({ attacks: chosen(sabotage.finders), viewers: 0, entry: copy.entry });
      test.expect(violations).not.toEqual([]);
    },
  );

  it('fit the sources as they are, each sabotage', async () => {
    for (const sabotage of sabotages) {
      await using copy = await sabotagedCopy(sabotage);
      expect(copy.entry).toContain(sabotage.name.replaceAll(' ', '-'));
    }
  });

  it('are not fooled by a sabotage that changes nothing', async () => {
    const [sabotage] = sabotages as readonly [Sabotage];
    const replacements = [{ file: 'package.json', from: 'nowhere to be found', to: '' }];
    await expect(sabotagedCopy({ ...sabotage, replacements })).rejects.toThrow('package.json has 0 times');
  });
});
