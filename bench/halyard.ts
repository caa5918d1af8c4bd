import type * as Evaluate from '../src/core/evaluate.js';
import type { FlagDefinition } from '../src/core/flag.js';
import type { JsonObject } from '../src/core/json.js';
import type * as SubjectModule from '../src/core/subject.js';
import type { Contestant } from './peers.js';

/** The built package, as an installation runs it; the types come from the sources. */
const built = '../dist/core/';
const { compileFlag, evaluate } = (await import(`${built}evaluate.js`)) as typeof Evaluate;
const { createSubject } = (await import(`${built}subject.js`)) as typeof SubjectModule;

const flag = (key: string, percentage: number, conditions: JsonObject): FlagDefinition => ({
  key,
  enabled: true,
  percentage,
  conditions,
});

export function halyard(): Contestant {
  const conditions = { attributes: { plan: 'pro', country: ['DE', 'BR'] } };
  const rolledOut = compileFlag(flag('new_checkout', 50, conditions));
  const unrolled = compileFlag(flag('unrolled', 100, conditions));
  return {
    name: 'halyard',
    isOn: user => evaluate(rolledOut, createSubject({ userId: user.id, attributes: user }), 0).enabled,
    countOn: users => {
      let on = 0;
      for (const user of users)
        if (evaluate(rolledOut, createSubject({ userId: user.id, attributes: user }), 0).enabled) on += 1;
      return on;
    },
    matches: user => evaluate(unrolled, createSubject({ userId: user.id, attributes: user }), 0).enabled,
  };
}

/** An account with a hundred flags: ten kinds, ten flags of each. */
const kinds: readonly ((index: number) => FlagDefinition)[] = [
  n => flag(`everybody_${n}`, 100, {}),
  n => ({ ...flag(`off_${n}`, 100, {}), enabled: false }),
  n => flag(`rollout_${n}`, n * 10, {}),
  n => flag(`plan_${n}`, 100, { attributes: { plan: 'pro', country: ['DE', 'BR'] } }),
  n => flag(`plan_rollout_${n}`, 50, { attributes: { plan: ['pro', 'team'] } }),
  n => flag(`group_${n}`, 100, { attributes: { plan: 'enterprise' }, groups: [`group_${n}`, 'beta'] }),
  n => flag(`all_${n}`, 25, { all: [{ attributes: { seats: { gte: n * 10 } } }, { not: { groups: ['banned'] } }] }),
  n => flag(`any_${n}`, 100, { any: [{ attributes: { country: { not_in: ['US'] } } }, { groups: ['staff'] }] }),
  n => flag(`text_${n}`, 100, { attributes: { email: { ends_with: [`@corp${n}.com`, '@example.com'] } } }),
  n =>
    flag(
      `rare_${n}`,
      100,
      [
        { attributes: { version: { semver_gte: '2.1.0' } } },
        { attributes: { joined: { lt: '2024-06-01' } } },
        { attributes: { email: { matches: '^[a-z]+@example\\.' } } },
        { attributes: { ip: { in_cidr: ['10.0.0.0/8', '192.168.0.0/16'] } } },
        { attributes: { roles: { contains: 'editor' } } },
      ][n % 5] as JsonObject,
    ),
];

export const mixedFlags: readonly FlagDefinition[] = kinds.flatMap(kind =>
  Array.from({ length: 10 }, (_, index) => kind(index)),
);

/** The same flags, of which 30 carry values: three variants that are split, and two rules, one with a split of its own. */
export const valuedFlags: readonly FlagDefinition[] = mixedFlags.map((definition, index) => {
  if (index % 10 > 2) return definition;
  const weights = [50, 30, 20];
  return {
    ...definition,
    type: 'STRING',
    variants: weights.map((weight, number) => ({ key: `variant_${number}`, value: `value ${number}`, weight })),
    offVariant: 'variant_0',
    rules: [
      {
        id: 'staff',
        when: { groups: ['staff'] },
        percentage: 100,
        on: true,
        serve: [{ variant: 'variant_2', weight: 1 }],
      },
      {
        id: 'germans',
        when: { attributes: { country: 'DE' } },
        percentage: 12.25,
        on: true,
        serve: weights.map((weight, number) => ({ variant: `variant_${2 - number}`, weight })),
      },
    ],
  };
});

/** A user with as many facts as an account's flags ask for. */
export interface FullUser {
  readonly id: string;
  readonly attributes: JsonObject;
}

/** A user with these facts: dates, versions and addresses, which are read, differ from one user to the next. */
export function fullUser(id: string, n: number): FullUser {
  const attributes = {
    plan: 'pro',
    country: 'DE',
    seats: 42,
    email: 'ann@example.com',
    version: `2.3.${n}`,
    joined: `2023-11-05T10:${String(n % 60).padStart(2, '0')}:00Z`,
    ip: `10.20.${n >> 8}.${n & 255}`,
    roles: ['viewer', 'editor'],
  };
  return { id, attributes: JSON.parse(JSON.stringify(attributes)) };
}

/** Evaluates all of these flags for a user; returns how many are on. */
export function allFlags(definitions: readonly FlagDefinition[]): (user: FullUser) => number {
  const flags = definitions.map(definition => compileFlag(definition));
  const faulty = flags.find(({ faults }) => faults.length > 0);
  if (faulty !== undefined) throw new Error(`The flag ${faulty.key} is not valid.`);
  const groups = new Set(['beta', 'group_3']);
  const overrides = new Map([['everybody_1', { enabled: false, expiresAt: null }]]);
  return ({ id, attributes }) => {
    const subject = createSubject({ userId: id, attributes, groups, overrides });
    let on = 0;
    for (const compiled of flags) if (evaluate(compiled, subject, 1).enabled) on += 1;
    return on;
  };
}
