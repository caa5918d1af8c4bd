import { parseArgs } from 'node:util';

export interface Options {
  readonly seconds: number;
  readonly warmup: number;
  readonly rounds: number;
  /** Numbers of connections at which the contestants meet. */
  readonly connections: readonly number[];
  /** Numbers of stored users. */
  readonly users: readonly number[];
  /** Parts of names; empty: everything. */
  readonly only: readonly string[];
  readonly isOverload: boolean;
  readonly overloadConnections: number;
}

const help = `npm run bench:http -- [options]

  --seconds <n>      how long one round of one contestant is counted, after its warm-up (default 10; --overload: 60)
  --rounds <n>       rounds in turn, of which the median is told (default 3)
  --only <text>      only measurements with this text in the name, such as "contestants", "first contact", "halyard", "flags:", "users: 1,000"; repeatable
  --quick            short rounds and no more than 100,000 stored users: shows that it works, not how fast
  --overload         instead: send twice as much as Halyard can serve, and measure the effect
  --connections <n>  with --overload: how many may be open at once (default 4000)
  --help`;

/** Reads the command line; undefined when only help was asked for, which has then been printed. */
export function readOptions(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: 'string' },
      rounds: { type: 'string' },
      only: { type: 'string', multiple: true },
      quick: { type: 'boolean' },
      overload: { type: 'boolean' },
      connections: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) {
    console.log(help);
    return undefined;
  }
  const { quick = false, overload = false } = values;
  return {
    seconds: positive('seconds', values.seconds, overload ? (quick ? 10 : 60) : quick ? 2 : 10),
    warmup: quick ? 1 : 3,
    rounds: positive('rounds', values.rounds, 3),
    connections: [32, 256],
    users: quick ? [1_000, 100_000] : [1_000, 100_000, 1_000_000],
    only: values.only ?? [],
    isOverload: overload,
    overloadConnections: positive('connections', values.connections, 4_000),
  };
}

function positive(name: string, text: string | undefined, otherwise: number): number {
  const value = text === undefined ? otherwise : Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name}: expected a whole number from 1 up.`);
  return value;
}
