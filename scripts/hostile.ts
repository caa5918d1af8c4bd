import { randomInt } from 'node:crypto';
import { attacks } from '../test/hostile/attacks/index.js';
import { report } from '../test/hostile/report.js';
import { runHostile } from '../test/hostile/run.js';
import { full } from '../test/hostile/sizes.js';

// Hostile clients against one server, beside honest ones. HOSTILE_SEED repeats a run; HOSTILE_MINUTES (3),
// HOSTILE_VIEWERS and HOSTILE_LANES size it; HOSTILE_KINDS takes only attacks with one of these texts in their name,
// separated by commas.

const { HOSTILE_SEED, HOSTILE_MINUTES, HOSTILE_VIEWERS, HOSTILE_LANES, HOSTILE_KINDS } = process.env;

const seed = Number(HOSTILE_SEED ?? randomInt(1_000_000));
const texts = HOSTILE_KINDS?.split(',') ?? [''];
const chosen = attacks.filter(({ name }) => texts.some(text => name.includes(text.trim())));
if (chosen.length === 0) throw new Error(`HOSTILE_KINDS names none of\n${attacks.map(({ name }) => name).join('\n')}`);

console.log(`HOSTILE_SEED=${seed}`);
const result = await runHostile({
  ...full,
  seed,
  attacks: chosen,
  duration: HOSTILE_MINUTES === undefined ? full.duration : Number(HOSTILE_MINUTES) * 60_000,
  viewers: Number(HOSTILE_VIEWERS ?? full.viewers),
  lanes: Number(HOSTILE_LANES ?? full.lanes),
  log: line => console.log(line),
});
console.log(report(result));
process.exitCode = result.violations.length === 0 ? 0 : 1;
