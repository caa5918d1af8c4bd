// `npm run bench:http`: the cost of the query of every page load, beside bare HTTP, bare Yoga and unleash-server.
import { type Contestant, contestants, firstContact, flagGrowth, names, userGrowth } from './contestants.js';
import { Generator } from './load.js';
import { measureInTurn } from './measure.js';
import { type Options, readOptions } from './options.js';
import { measureOverload } from './overload.js';
import { progress } from './progress.js';
import { firstContactTable, growthVerdict, machine, ratioTable, resultTable } from './report.js';
import { Stage } from './stage.js';

const isWanted =
  ({ only }: Options, part: string) =>
  ({ name }: Contestant) =>
    only.length === 0 || only.some(text => `${part} ${name}`.toLowerCase().includes(text.toLowerCase()));

async function measureAll(stage: Stage, generator: Generator, options: Options): Promise<void> {
  const print = (...paragraphs: (string | null)[]) => {
    for (const paragraph of paragraphs) if (paragraph !== null) console.log(`${paragraph}\n`);
  };
  const { rounds, seconds, warmup } = options;
  print(`${rounds} rounds in turn, ${seconds} s each after ${warmup} s of warm-up.`);
  const meeting = contestants(stage).filter(isWanted(options, 'contestants'));
  for (const connections of meeting.length === 0 ? [] : options.connections) {
    const results = await measureInTurn(meeting, generator, { ...options, connections });
    print(`### 100 flags, 1,000 users, ${connections} connections`, resultTable(results), ratioTable(results));
  }
  const connections = options.connections[0] ?? 1;
  const first = firstContact(stage).filter(isWanted(options, 'first contact'));
  if (first.length > 0) {
    const results = await measureInTurn(first, generator, { ...options, connections });
    print(`### First contact, 100 flags, ${connections} connections`, resultTable(results), firstContactTable(results));
  }
  for (const [part, growing] of [
    ['flags', flagGrowth(stage)],
    ['users', userGrowth(stage, options.users)],
  ] as const) {
    const wanted = growing.filter(isWanted(options, ''));
    if (wanted.length === 0) continue;
    const results = await measureInTurn(wanted, generator, { ...options, connections });
    print(`### ${names.map}, more ${part}, ${connections} connections`, resultTable(results), growthVerdict(results));
  }
}

const options = readOptions(process.argv.slice(2));
if (options !== undefined) {
  const generator = await Generator.start();
  const stage = await Stage.open().catch(async error => {
    await generator.stop();
    throw error;
  });
  try {
    const { rows } = await stage.postgres.query('SHOW server_version');
    console.log(`${machine((rows[0] as { server_version: string }).server_version)}\n`);
    if (options.isOverload) await measureOverload(stage, generator, options);
    else await measureAll(stage, generator, options);
  } finally {
    progress('stopping');
    await generator.stop();
    await stage.close();
  }
}
