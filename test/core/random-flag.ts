import { ruleDefaults } from '../../src/core/rules.js';
import type { ReferenceFlag, ReferenceSubject } from './reference-flag.js';

type Variant = ReferenceFlag['variants'][number];
type Rule = ReferenceFlag['rules'][number];

/** Draws from a sequence of numbers that is the same each time. */
export class Draw {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 up to 1, without 1. */
  unit(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let word = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  }

  below(bound: number): number {
    return Math.floor(this.unit() * bound);
  }

  chance(share: number): boolean {
    return this.unit() < share;
  }

  of<const Choices extends readonly unknown[]>(...choices: Choices): Choices[number] {
    return choices[this.below(choices.length)];
  }

  list<T>(least: number, most: number, make: (index: number) => T): T[] {
    return Array.from({ length: least + this.below(most - least + 1) }, (_, index) => make(index));
  }
}

const groupNames = ['staff', 'beta', 'vip'];

const conditionPool = [
  {},
  { groups: ['staff'] },
  { groups: ['beta', 'vip'] },
  { attributes: { plan: 'pro' } },
  { attributes: { plan: ['pro', 'team'] }, groups: ['staff'] },
  { attributes: { seats: { gte: 5 } } },
  { attributes: { $id: { exists: true } } },
  { attributes: { $targetingKey: { in: ['org-42', 'ann'] } } },
  { attributes: { 'org.id': { exists: true } } },
  { all: [{ attributes: { plan: { neq: 'free' } } }, { not: { groups: ['vip'] } }] },
  { any: [{ groups: ['vip'] }, { attributes: { roles: { contains: 'editor' } } }] },
  { attributes: {} },
] as const;

const keyPool = ['red', 'blue', 'green', 'A', 'a-1', 'x.y', '10'];
const flagKeys = ['checkout', 'search:v2', 'a', 'Theme_1', 'x.y-z'];
const bucketAttributes = ['plan', 'seats', 'org.id', 'org', 'note', 'ratio', 'missing', 'roles'];

/** Some hit nobody, some everybody, and some have two decimals. */
const percentage = (draw: Draw) => draw.of(0, 100, 100, draw.below(101), draw.below(10_001) / 100, 0.01, 33.33, 99.99);
const weight = (draw: Draw) => draw.of(0, 1, 1, draw.below(100), draw.below(100_001));

/** A flag that may be written. */
export function randomFlag(draw: Draw, key: string = draw.of(...flagKeys)): ReferenceFlag {
  const type = draw.of('BOOLEAN', 'STRING', 'NUMBER', 'OBJECT', 'STRING');
  const variants = type === 'BOOLEAN' ? [] : randomVariants(draw, type);
  const rules = draw.list(0, draw.of(0, 1, 4), (index): Rule => {
    const on = draw.chance(0.7);
    const serve = type === 'BOOLEAN' || !on || draw.chance(0.4) ? [] : randomShares(draw, variants);
    return { ...ruleDefaults, id: `${draw.of('r', 'Rule.', '0_')}${index}`, ...ruleFields(draw), on, serve };
  });
  return {
    key,
    enabled: draw.chance(0.9),
    percentage: draw.of(100, 100, 0, draw.below(101)),
    conditions: draw.chance(0.5) ? {} : draw.of(...conditionPool),
    type,
    variants,
    offVariant: type === 'BOOLEAN' ? 'off' : draw.of(...variants).key,
    rules,
    bucketBy: draw.chance(0.5) ? null : draw.of('$id', '$device', ...bucketAttributes),
  };
}

const ruleFields = (draw: Draw) => ({ when: draw.of(...conditionPool), percentage: percentage(draw) });

function randomVariants(draw: Draw, type: 'STRING' | 'NUMBER' | 'OBJECT'): Variant[] {
  const keys = shuffled(draw, keyPool).slice(0, 1 + draw.below(5));
  const variants = keys.map((key, index) => {
    const value = { STRING: draw.of('', key, '🚩'), NUMBER: draw.of(index, 0, -2.5), OBJECT: draw.of([], { key }) }[
      type
    ];
    return { key, value, weight: weight(draw) };
  });
  if (variants.some(one => one.weight > 0)) return variants;
  return variants.map((variant, index) => (index === 0 ? { ...variant, weight: 1 } : variant));
}

function randomShares(draw: Draw, variants: readonly Variant[]): Rule['serve'] {
  const chosen = shuffled(draw, variants).slice(0, 1 + draw.below(variants.length));
  const shares = chosen.map(({ key }) => ({ variant: key, weight: weight(draw) }));
  return shares.some(one => one.weight > 0) ? shares : shares.map(share => ({ ...share, weight: 3 }));
}

function shuffled<T>(draw: Draw, list: readonly T[]): T[] {
  return list
    .map(item => [draw.unit(), item] as const)
    .sort(([a], [b]) => a - b)
    .map(([, item]) => item);
}

const uuid = '3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a';

/** The time at which the overrides of {@link randomSubject} may just have expired. */
export const overrideTime = 1_000;

/** A user, a device or nobody, with attributes that flags of {@link randomFlag} name. */
export function randomSubject(draw: Draw, userId = randomUserId(draw)): ReferenceSubject {
  const attributes = {
    plan: draw.of('pro', 'free', 'team', '', null),
    seats: draw.of(5, 0, -0, 4.5, 1e21, '5', true),
    org: draw.of({ id: draw.of(7, `org-${draw.below(50)}`, null) }, 'org', [1], null),
    note: draw.of('a note', 'Ünï 🚩', uuid.toUpperCase(), false),
    ratio: draw.unit(),
    roles: draw.of(['editor'], [], 'editor'),
  };
  const kept = Object.entries(attributes).filter(() => draw.chance(0.8));
  if (draw.chance(0.1)) kept.push(['org.id', draw.of('flat', 3, null)]);
  return {
    userId,
    targetingKey: draw.chance(0.8) ? null : draw.of('org-42', `org-${draw.below(1_000)}`, uuid.toUpperCase()),
    device: draw.chance(0.6) ? null : draw.of(`device-${draw.below(1_000)}`, uuid, uuid.toUpperCase()),
    attributes: Object.fromEntries(kept),
    groups: groupNames.filter(() => draw.chance(0.3)),
    override: draw.chance(0.75) ? null : randomOverride(draw),
  };
}

export function randomOverride(draw: Draw): NonNullable<ReferenceSubject['override']> {
  const enabled = draw.chance(0.7);
  return {
    enabled,
    // Also variants that the flag does not have.
    variant: !enabled || draw.chance(0.4) ? null : draw.of(...keyPool, 'gone', 'on', 'off'),
    expiresAt: draw.of(null, null, overrideTime, overrideTime - 1, overrideTime + 1),
  };
}

function randomUserId(draw: Draw): string | null {
  if (draw.chance(0.25)) return null;
  const hex = draw
    .below(2 ** 32)
    .toString(16)
    .padStart(8, '0');
  return draw.of(
    'ann',
    `auth0|${hex}`,
    String(draw.below(10_000)),
    `${hex}-0000-4000-8000-00000000000a`,
    uuid.toUpperCase(),
  );
}
