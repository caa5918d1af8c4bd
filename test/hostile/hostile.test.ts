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

/** Texts in the names of attacks that the server does not withstand yet. */
const notYet: readonly string[] = [
  ...['blanks', 'newlines', 'commas', 'byte order marks', 'comments'].map(what => `a document of ${what}`),
  ...['field', 'alias', 'variable', 'operation'].map(what => `a document with a long ${what}`),
  'a document with many aliases of ',
  'a variable of the wrong type that repeats',
  'a variable of the wrong type full of',
  'many ids that are no UUIDs',
  'many contexts that are wrong',
  'a body that is no JSON',
  'a GET with malformed',
  'a flood of bodies in another encoding',
  'much in ',
  ...['the page of GraphiQL', 'many pages of GraphiQL', 'large answers', 'many maps'].map(what => `${what} never read`),
  'complete and subscribe with one id in one segment',
  'ids that every object has',
  'messages in any order',
  'streams with ',
  'many requests in one write that are left',
  'a chunked body that never ends',
];

const chosen = (texts: readonly string[]): readonly Attack[] =>
  attacks.filter(({ name }) => texts.some(text => name.includes(text)));

async function run(options: Partial<HostileOptions>) {
  const result = await runHostile({ ...small, seed, attacks, ...options });
  process.stdout.write(`${report(result)}\n`);
  return result;
}

describe('a server among hostile clients', () => {
  it('answers each kind of attack as it must, and keeps nothing of it', { timeout: 120_000 }, async () => {
    const withstood = attacks.filter(attack => !chosen(notYet).includes(attack));
    const { violations, outcomes, ending } = await run({ attacks: withstood });
    expect(violations).toEqual([]);
    expect([...outcomes.keys()].sort()).toEqual(withstood.map(({ name }) => name).sort());
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

  it.concurrent.for(sabotages)(
    'notice when this is switched off: $name',
    { timeout: 120_000 },
    async (sabotage, test) => {
      await using copy = await sabotagedCopy(sabotage);
      const { violations } = await run({ attacks: chosen(sabotage.finders), viewers: 0, entry: copy.entry });
      test.expect(violations).not.toEqual([]);
    },
  );

  it('find nothing there when nothing is', { timeout: 120_000 }, async () => {
    const finders = sabotages.flatMap(({ finders }) => finders);
    const { violations } = await run({ attacks: chosen(finders), viewers: 0 });
    expect(violations).toEqual([]);
  });

  it('are not fooled by a sabotage that changes nothing', async () => {
    const [sabotage] = sabotages as readonly [Sabotage];
    const replacements = [{ file: 'package.json', from: 'nowhere to be found', to: '' }];
    await expect(sabotagedCopy({ ...sabotage, replacements })).rejects.toThrow('package.json has 0 times');
  });
});
