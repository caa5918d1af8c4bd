import type { FlagDefinition } from '../../src/core/flag.js';
import type { JsonObject } from '../../src/core/json.js';

/** A condition of unleash-server. A user's groups are one context field there: `,beta,group_3,`. */
interface Constraint {
  readonly contextName: string;
  readonly operator: string;
  readonly values?: readonly string[];
  readonly value?: string;
  readonly inverted?: boolean;
}

/** Any strategy turns a flag on; each asks for its rollout and for all of its constraints. */
export interface Strategy {
  readonly rollout: number;
  readonly constraints: readonly Constraint[];
}

/** One flag, as Halyard and as unleash-server say it. */
export interface BenchFlag {
  readonly definition: FlagDefinition;
  readonly strategies: readonly Strategy[];
}

/** The flag that changes once a second during all measurements. Its answers are not compared. */
export const changingKey = 'changing';

interface Rule {
  readonly enabled?: boolean;
  readonly percentage?: number;
  readonly conditions?: JsonObject;
  readonly constraints?: readonly (readonly Constraint[])[];
}

const oneOf = (contextName: string, ...values: string[]): Constraint => ({ contextName, operator: 'IN', values });
const noneOf = (contextName: string, ...values: string[]): Constraint => ({ contextName, operator: 'NOT_IN', values });
const inGroup = (...names: string[]): Constraint => ({
  contextName: 'groups',
  operator: 'STR_CONTAINS',
  values: names.map(name => `,${name},`),
});
const atLeast = (contextName: string, value: number): Constraint => ({
  contextName,
  operator: 'NUM_GTE',
  value: String(value),
});

/** The flags of an account: ten kinds, as many flags of each. */
const kinds: readonly [name: string, rule: (n: number) => Rule][] = [
  ['everybody', () => ({})],
  ['off', () => ({ enabled: false })],
  ['rollout', n => ({ percentage: (n * 10 + 5) % 100 })],
  [
    'plan',
    () => ({
      conditions: { attributes: { plan: 'pro', country: ['DE', 'BR'] } },
      constraints: [[oneOf('plan', 'pro'), oneOf('country', 'DE', 'BR')]],
    }),
  ],
  [
    'plan_rollout',
    () => ({
      percentage: 50,
      conditions: { attributes: { plan: ['pro', 'team'] } },
      constraints: [[oneOf('plan', 'pro', 'team')]],
    }),
  ],
  [
    'group',
    n => ({
      conditions: { attributes: { plan: 'enterprise' }, groups: [`group_${n}`, 'beta'] },
      constraints: [[oneOf('plan', 'enterprise')], [inGroup(`group_${n}`, 'beta')]],
    }),
  ],
  [
    'all',
    n => ({
      percentage: 25,
      conditions: { all: [{ attributes: { seats: { gte: n * 10 } } }, { not: { groups: ['staff'] } }] },
      constraints: [[atLeast('seats', n * 10), { ...inGroup('staff'), inverted: true }]],
    }),
  ],
  [
    'any',
    () => ({
      conditions: { any: [{ attributes: { country: { not_in: ['US'] } } }, { groups: ['staff'] }] },
      constraints: [[noneOf('country', 'US')], [inGroup('staff')]],
    }),
  ],
  [
    'text',
    n => ({
      conditions: { attributes: { email: { ends_with: [`@corp${n}.com`, '@example.com'] } } },
      constraints: [[{ contextName: 'email', operator: 'STR_ENDS_WITH', values: [`@corp${n}.com`, '@example.com'] }]],
    }),
  ],
  [
    'nested',
    n => ({
      conditions: {
        all: [
          { any: [{ attributes: { version: { semver_gt: `2.${n % 10}.0` } } }, { groups: ['staff', `group_${n}`] }] },
          { not: { attributes: { country: 'FR' } } },
        ],
      },
      constraints: [
        [{ contextName: 'version', operator: 'SEMVER_GT', value: `2.${n % 10}.0` }, noneOf('country', 'FR')],
        [inGroup('staff', `group_${n}`), noneOf('country', 'FR')],
      ],
    }),
  ],
];

function flag(key: string, { enabled = true, percentage = 100, conditions = {}, constraints = [[]] }: Rule): BenchFlag {
  return {
    definition: { key, enabled, percentage, conditions },
    strategies: constraints.map(all => ({ rollout: percentage, constraints: all })),
  };
}

/** So many flags of mixed rules, one of which is {@link changingKey}. */
export function mixedFlags(count: number): readonly BenchFlag[] {
  const mixed = Array.from({ length: count - 1 }, (_, i) => {
    const [name, rule] = kinds[i % kinds.length] as (typeof kinds)[number];
    const n = Math.floor(i / kinds.length);
    return flag(`${name}_${n}`, rule(n));
  });
  return [flag(changingKey, {}), ...mixed];
}
