import type { Flag, FlagRule, Share, Variant } from '../../src/core/flag.js';
import type { Json, JsonObject } from '../../src/core/json.js';
import { lookUp, referenceMatches } from './reference.js';
import { referenceFmix32, referenceMurmur3 } from './reference-hash.js';

/** The part of a flag that decides its answers. */
export type ReferenceFlag = Pick<
  Flag,
  'key' | 'enabled' | 'percentage' | 'conditions' | 'type' | 'variants' | 'offVariant' | 'rules' | 'bucketBy'
>;

/** The subject of an evaluation, in plain data. */
export interface ReferenceSubject {
  readonly userId: string | null;
  readonly targetingKey: string | null;
  readonly device: string | null;
  readonly attributes: JsonObject;
  readonly groups: readonly string[];
  /** The override of the flag that is evaluated. Null: none. */
  readonly override: {
    readonly enabled: boolean;
    readonly variant: string | null;
    readonly expiresAt: number | null;
  } | null;
}

export interface ReferenceAnswer {
  readonly key: string;
  readonly enabled: boolean;
  readonly reason: string;
  readonly type: string;
  readonly variant: string;
  readonly value: Json;
  readonly rule: string | null;
}

/**
 * What a valid flag answers, written a second time from the text of docs/evaluation.md alone: slow, naive, sharing no code with src/core.
 */
export function referenceEvaluate(flag: ReferenceFlag, subject: ReferenceSubject, now: number): ReferenceAnswer {
  const variants: readonly Variant[] =
    flag.type === 'BOOLEAN'
      ? [
          { key: 'on', value: true, weight: 1 },
          { key: 'off', value: false, weight: 0 },
        ]
      : flag.variants;
  const answer = (enabled: boolean, variantKey: string, reason: string, rule: string | null = null) => {
    const value = (variants.find(({ key }) => key === variantKey) as Variant).value;
    return { key: flag.key, enabled, reason, type: flag.type, variant: variantKey, value, rule };
  };
  const off = (reason: string, rule: string | null = null) => answer(false, flag.offVariant, reason, rule);
  const weights = variants.map(({ key, weight }) => ({ variant: key, weight })).filter(({ weight }) => weight > 0);
  const unit = unitOf(flag, subject);
  const chosen = (shares: readonly Share[]) => {
    const positive = shares.filter(({ weight }) => weight > 0);
    return unit === null ? (positive[0] as Share).variant : referenceSplit(flag.key, positive, unit);
  };

  const { userId, override, attributes } = subject;
  const groups = userId === null ? [] : subject.groups;
  if (userId !== null && override !== null && (override.expiresAt === null || now < override.expiresAt)) {
    if (!override.enabled) return off('OVERRIDE');
    const isThere = flag.type !== 'BOOLEAN' && variants.some(({ key }) => key === override.variant);
    return answer(true, isThere ? (override.variant as string) : chosen(weights), 'OVERRIDE');
  }
  if (!flag.enabled) return off('DISABLED');
  const matches = (conditions: JsonObject) =>
    referenceMatches(conditions, attributes, groups, {
      userId: lowerUuid(userId),
      targetingKey: lowerUuid(subject.targetingKey),
    });
  const isInside = (rule: FlagRule) =>
    rule.percentage === 100 ||
    (unit !== null && referenceBucket(`${flag.key}/${rule.id}`, unit) < Math.round(rule.percentage * 100));
  const rule = flag.rules.find(one => matches(one.when) && isInside(one));
  if (rule !== undefined) {
    if (!rule.on) return off('RULE', rule.id);
    return answer(true, chosen(rule.serve.length > 0 ? rule.serve : weights), 'RULE', rule.id);
  }
  if (flag.percentage < 100) {
    if (unit === null) return off('USER_REQUIRED');
    if (referenceBucket(flag.key, unit) >= flag.percentage * 100) return off('OUTSIDE_ROLLOUT');
  }
  if (!matches(flag.conditions)) return off('CONDITIONS_NOT_MET');
  if (weights.length > 1) return unit === null ? off('USER_REQUIRED') : answer(true, chosen(weights), 'SPLIT');
  const asked = Object.values(flag.conditions).some(part => Object.keys(part as object).length > 0);
  const reason = asked ? 'CONDITIONS_MET' : flag.percentage < 100 ? 'ROLLOUT' : 'ENABLED';
  return answer(true, (weights[0] as Share).variant, reason);
}

/** The text that rollout, rules and split hash. Null: there is none. */
function unitOf({ bucketBy }: ReferenceFlag, subject: ReferenceSubject): string | null {
  const [userId, targetingKey, device] = [subject.userId, subject.targetingKey, subject.device].map(lowerUuid) as [
    string | null,
    string | null,
    string | null,
  ];
  if (bucketBy === null) return targetingKey ?? userId ?? device;
  if (bucketBy === '$id') return userId;
  if (bucketBy === '$device') return device;
  const value = lookUp(bucketBy, subject.attributes);
  if (typeof value === 'number') return JSON.stringify(value);
  return typeof value === 'string' && value !== '' ? value : null;
}

const lowerUuid = (text: string | null) =>
  text !== null && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text) ? text.toLowerCase() : text;

/** From 0 to 9,999. */
export function referenceBucket(name: string, unit: string): number {
  return Math.floor((referenceMurmur3(unit, seedOf(name, 0)) * 10_000) / 2 ** 32);
}

/** The variant of a unit. @param shares with positive weights, at least one. */
export function referenceSplit(flagKey: string, shares: readonly Share[], unit: string): string {
  const base = referenceMurmur3(unit, seedOf(flagKey, 1));
  const drawn = shares.map(({ variant, weight }) => {
    const x = referenceFmix32(base ^ seedOf(variant, 0));
    return { variant, weight: BigInt(weight), q: BigInt(Math.floor(-Math.log((x + 0.5) / 2 ** 32) * 2 ** 30)) };
  });
  const order = (a: (typeof drawn)[number], b: (typeof drawn)[number]) => {
    const difference = a.q * b.weight - b.q * a.weight;
    return difference === 0n ? (a.variant < b.variant ? -1 : 1) : difference < 0n ? -1 : 1;
  };
  return (drawn.sort(order)[0] as (typeof drawn)[number]).variant;
}

const seeds = new Map<string, number>();

/** The hash of a key of a flag or a variant, which comes again and again. */
function seedOf(text: string, seed: number): number {
  const name = `${seed} ${text}`;
  const known = seeds.get(name) ?? referenceMurmur3(text, seed);
  seeds.set(name, known);
  return known;
}
