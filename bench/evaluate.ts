/**
 * Nanoseconds per evaluation, beside three other evaluators on the same rule and the same users, and microseconds for
 * all of 100 flags for one user. One process, no network. `npm run bench` installs the peers, builds and runs it.
 */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { allFlags, fullUser, halyard, mixedFlags, valuedFlags } from './halyard.js';
import { type Contestant, flagd, growthbook, peerPackages, type User, unleash } from './peers.js';
import { markdownTable } from './support/markdown-table.js';

const userCount = 20_000;
const rounds = 15;
/** Each turn of a contestant lasts about so long, so that one garbage collection does not decide a round. */
const turnMilliseconds = 120;

/** A small generator with a fixed seed: the same users on every run. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function makeUsers(): readonly User[] {
  const next = numbers(42);
  const pick = (values: readonly string[]) => values[Math.floor(next() * values.length)];
  const hex = (digits: number) => Array.from({ length: digits }, () => Math.floor(next() * 16).toString(16)).join('');
  const users = Array.from({ length: userCount }, () => ({
    id: `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`,
    plan: pick(['free', 'pro']),
    country: pick(['DE', 'BR', 'US', 'FR']),
  }));
  // Through JSON, as users arrive.
  return JSON.parse(JSON.stringify(users));
}

/** Fails unless the contestant reads the rule as stated and rolls it out to about half of the users that match. */
function checkAnswers({ name, isOn, matches }: Contestant, users: readonly User[]): string {
  const targeted = users.filter(({ plan, country }) => plan === 'pro' && (country === 'DE' || country === 'BR'));
  const expected = new Set(targeted);
  const wrong = users.find(user => matches(user) !== expected.has(user));
  if (wrong !== undefined) throw new Error(`${name} reads the rule otherwise for ${JSON.stringify(wrong)}.`);
  const on = users.filter(isOn);
  if (on.some(user => !expected.has(user))) throw new Error(`${name} is on for a user whom the rule does not match.`);
  const deviation = Math.sqrt(targeted.length / 4);
  if (Math.abs(on.length - targeted.length / 2) > 5 * deviation) {
    throw new Error(`${name} is on for ${on.length} of ${targeted.length}, which is not about half.`);
  }
  return `${on.length} of ${targeted.length} targeted`;
}

interface Timed {
  readonly name: string;
  /** Does the work once and returns something that depends on it. */
  readonly run: () => number;
  /** How many units of the result one run is. */
  readonly units: number;
}

interface Measured {
  readonly name: string;
  /** Nanoseconds a unit, sorted. */
  readonly samples: readonly number[];
}

/** Interleaved rounds after a warm-up, so that all share whatever else the machine does. */
function measure(contestants: readonly Timed[]): readonly Measured[] {
  let sink = 0;
  const turns = contestants.map(({ run }) => {
    const started = performance.now();
    let times = 0;
    for (; times < 3 || performance.now() - started < 500; times++) sink += run();
    const restarted = performance.now();
    sink += run();
    return Math.max(1, Math.round(turnMilliseconds / (performance.now() - restarted)));
  });
  const samples = contestants.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    contestants.forEach(({ run, units }, index) => {
      const times = turns[index] as number;
      const started = process.hrtime.bigint();
      for (let time = 0; time < times; time++) sink += run();
      samples[index]?.push(Number(process.hrtime.bigint() - started) / times / units);
    });
  }
  if (!Number.isFinite(sink)) throw new Error('The work was not done.');
  return contestants.map(({ name }, index) => ({ name, samples: (samples[index] ?? []).sort((a, b) => a - b) }));
}

function median({ samples }: Measured): number {
  return samples[Math.floor(samples.length / 2)] as number;
}

function versionOf(packageFolder: string): string {
  const { name, version } = JSON.parse(readFileSync(new URL(`${packageFolder}/package.json`, import.meta.url), 'utf8'));
  return `${name} ${version}`;
}

const spread = ({ samples }: Measured, unit: number) =>
  `${((samples[0] ?? 0) / unit).toFixed(1)} to ${((samples.at(-1) ?? 0) / unit).toFixed(1)}`;

const users = makeUsers();
const contestants = [halyard(), await flagd(), await growthbook(), await unleash()];
const answers = contestants.map(contestant => checkAnswers(contestant, users));

const [processor] = cpus();
console.log(
  `Machine: ${processor?.model ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.versions.node}, ${process.platform} ${process.arch}`,
);
console.log(`Versions: ${['..', ...peerPackages.map(name => `./node_modules/${name}`)].map(versionOf).join(', ')}`);
console.log(
  `\nplan is pro AND country in (DE, BR), 50 % rollout; ${userCount.toLocaleString('en')} users as plain objects\n`,
);

const measured = measure(
  contestants.map(({ name, countOn }) => ({ name, units: users.length, run: () => countOn(users) })),
);
const ours = median(measured[0] as Measured);
console.log(
  markdownTable([
    ['evaluator', 'ns per evaluation (median)', `spread of ${rounds} rounds`, 'slower than halyard', 'on for'],
    ...measured.map((one, index) => [
      one.name,
      median(one).toFixed(0),
      spread(one, 1),
      `${(median(one) / ours).toFixed(1)} x`,
      answers[index] ?? '',
    ]),
  ]),
);

const fullUsers = users.slice(0, 1_000).map(({ id }, n) => fullUser(id, n));
/** All of these flags, for one user after another. */
function allOf(name: string, definitions: typeof mixedFlags): Timed {
  const evaluateAll = allFlags(definitions);
  const run = () => {
    let on = 0;
    for (const user of fullUsers) on += evaluateAll(user);
    return on;
  };
  return { name, units: fullUsers.length, run };
}
// One after the other: a program has flags of one kind or the other.
const [all] = measure([allOf('mixed', mixedFlags)]) as [Measured];
const [valued] = measure([allOf('valued', valuedFlags)]) as [Measured];
const fastestPeer = Math.min(...measured.slice(1).map(median));
const allMicroseconds = median(all) / 1_000;
const valuedMicroseconds = median(valued) / 1_000;
const verdict = (met: boolean) => (met ? 'met' : 'MISSED');
console.log(
  `\nAll of ${mixedFlags.length} mixed flags for one user: ${allMicroseconds.toFixed(2)} us (${spread(all, 1_000)})`,
);
console.log(
  `The same with values and splits in 30 of them: ${valuedMicroseconds.toFixed(2)} us (${spread(valued, 1_000)})`,
);
console.log(
  `\nTargets: 3 x as fast as the fastest peer: ${(fastestPeer / ours).toFixed(1)} x, ${verdict(fastestPeer >= 3 * ours)}; 100 flags under 15 us: ${verdict(allMicroseconds < 15)}; with 30 valued under 25 us: ${verdict(valuedMicroseconds < 25)}`,
);
