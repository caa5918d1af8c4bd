import { randomInt } from 'node:crypto';
import type { Attack } from '../test/hostile/attack.js';
import { attacks } from '../test/hostile/attacks/index.js';
import { report } from '../test/hostile/report.js';
import { runHostile } from '../test/hostile/run.js';
import { sabotagedCopy, sabotageNamed, sabotages } from '../test/hostile/sabotage.js';
import { full, small } from '../test/hostile/sizes.js';

// Hostile clients against one server, beside honest ones. HOSTILE_SEED repeats a run; HOSTILE_MINUTES (3),
// HOSTILE_VIEWERS and HOSTILE_LANES size it. HOSTILE_KINDS takes only the attacks with one of these texts in their name,
// separated by commas, HOSTILE_WITHOUT only the others. HOSTILE_STEPS=1 takes one attack after another and looks after
// each what it left behind. HOSTILE_SABOTAGE switches a remedy of the server off, and then the run must fail; `all` does so
// with each of them in turn, with the attacks that need it.

const {
  HOSTILE_SEED,
  HOSTILE_MINUTES,
  HOSTILE_VIEWERS,
  HOSTILE_LANES,
  HOSTILE_KINDS,
  HOSTILE_STEPS,
  HOSTILE_WITHOUT,
  HOSTILE_SABOTAGE,
} = process.env;

const seed = Number(HOSTILE_SEED ?? randomInt(1_000_000));
const isNamedIn = (list: string | undefined) => (attack: Attack) =>
  list?.split(',').some(text => attack.name.includes(text.trim())) ?? false;
const chosen = attacks
  .filter(HOSTILE_KINDS === undefined ? () => true : isNamedIn(HOSTILE_KINDS))
  .filter(attack => !isNamedIn(HOSTILE_WITHOUT)(attack));
if (chosen.length === 0) throw new Error(`HOSTILE_KINDS names none of\n${attacks.map(({ name }) => name).join('\n')}`);

console.log(`HOSTILE_SEED=${seed}`);
if (HOSTILE_SABOTAGE === 'all') {
  for (const sabotage of sabotages) {
    await using copy = await sabotagedCopy(sabotage);
    const found = attacks.filter(({ name }) => sabotage.finders.some(text => name.includes(text)));
    const { violations } = await runHostile({
      ...small,
      isMeasured: true,
      seed,
      attacks: found,
      viewers: 0,
      entry: copy.entry,
    });
    console.log(
      `${sabotage.name}: ${violations[0] === undefined ? 'NOT FOUND' : `found by ${violations[0].kind}: ${violations[0].what}`}`,
    );
    if (violations.length === 0) process.exitCode = 1;
  }
  process.exit();
}
await using copy = HOSTILE_SABOTAGE === undefined ? null : await sabotagedCopy(sabotageNamed(HOSTILE_SABOTAGE));
const result = await runHostile({
  ...full,
  seed,
  attacks: chosen,
  duration: HOSTILE_MINUTES === undefined ? full.duration : Number(HOSTILE_MINUTES) * 60_000,
  viewers: Number(HOSTILE_VIEWERS ?? full.viewers),
  ...(HOSTILE_STEPS === undefined ? { lanes: Number(HOSTILE_LANES ?? full.lanes) } : { lanes: 1, isStepwise: true }),
  ...(copy === null ? {} : { entry: copy.entry }),
  log: line => console.log(line),
});
console.log(report(result));
process.exitCode = result.violations.length === 0 ? 0 : 1;
