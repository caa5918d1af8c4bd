import type { Condition, Predicate } from './condition-tree.js';
import { readConditions } from './conditions.js';
import type { Issue } from './errors.js';
import type { FlagDefinition, ValueType } from './flag.js';
import type { Json } from './json.js';
import { bucketOfHash, rolloutBuckets, rolloutSeed } from './rollout.js';
import { SearchBudget } from './search-budget.js';
import { chooseShare } from './split.js';
import type { Subject, Unit } from './subject.js';
import { type CompiledRule, type CompiledValues, type CompiledVariant, isPlain, readValues } from './values.js';

/** The step that decided, in the order of the steps. docs/evaluation.md explains each. */
export const evaluationReasons = [
  'FLAG_NOT_FOUND',
  'OVERRIDE',
  'DISABLED',
  'RULE',
  'USER_REQUIRED',
  'OUTSIDE_ROLLOUT',
  'CONDITIONS_NOT_MET',
  'CONDITIONS_MET',
  'ROLLOUT',
  'ENABLED',
  'SPLIT',
] as const;

export type EvaluationReason = (typeof evaluationReasons)[number];

/** One flag's answer for one subject. Frozen and shared between calls: compare freely, never change. */
export interface Evaluation {
  readonly key: string;
  /** Whether the flag is on. */
  readonly enabled: boolean;
  readonly reason: EvaluationReason;
  /** The type of the flag's values. Null: no flag has this key. */
  readonly type: ValueType | null;
  /** The key of the variant. Null: no flag has this key, or its stored variants or rules are not valid. */
  readonly variant: string | null;
  /** The value of the variant. Null where `variant` is null. */
  readonly value: Json;
  /** The id of the rule that decided. Null: no rule did. */
  readonly rule: string | null;
}

/** A flag that is ready for {@link evaluate}: with compiled conditions and rules, the seed of its rollout, and its answers. */
export interface CompiledFlag {
  readonly key: string;
  readonly definition: FlagDefinition;
  /** The faults of the stored conditions, variants and rules. Conditions with faults match nobody. */
  readonly faults: readonly Issue[];
  /** Every group that the conditions and the rules name. */
  readonly groups: ReadonlySet<string>;
  /** Null: no conditions. */
  readonly predicate: Predicate | null;
  /** The same conditions with their structure, for explanations. Null: no conditions, or conditions with faults. */
  readonly condition: Condition | null;
  readonly seed: number;
  /** Null: the flag has no values but on and off, and no rules. */
  readonly valued: ValuedFlag | null;
  readonly answers: PreparedAnswers;
}

interface PreparedAnswers {
  readonly overrideOn: Evaluation;
  readonly overrideOff: Evaluation;
  readonly disabled: Evaluation;
  readonly userRequired: Evaluation;
  readonly outsideRollout: Evaluation;
  readonly conditionsNotMet: Evaluation;
  /** CONDITIONS_MET, ROLLOUT or ENABLED: which one does not depend on the subject. */
  readonly on: Evaluation;
}

/** Prepares a definition for {@link evaluate}. Never throws: invalid conditions match nobody, and `faults` lists why. */
export function compileFlag(definition: FlagDefinition): CompiledFlag {
  const { key, percentage } = definition;
  const budget = new SearchBudget();
  const conditions = readConditions(definition.conditions, ['conditions'], budget);
  const { predicate } = conditions;
  const onReason = predicate !== null ? 'CONDITIONS_MET' : percentage < 100 ? 'ROLLOUT' : 'ENABLED';
  const values = isPlain(definition) ? null : readValues(definition, budget);
  return {
    key,
    definition,
    faults: values === null ? conditions.faults : [...conditions.faults, ...values.faults],
    groups: values === null ? conditions.groups : new Set([...conditions.groups, ...values.groups]),
    predicate,
    condition: conditions.condition,
    seed: rolloutSeed(key),
    valued: values === null ? null : new ValuedFlag(definition, values.compiled, onReason),
    answers: {
      overrideOn: plainAnswer(key, true, 'OVERRIDE'),
      overrideOff: plainAnswer(key, false, 'OVERRIDE'),
      disabled: plainAnswer(key, false, 'DISABLED'),
      userRequired: plainAnswer(key, false, 'USER_REQUIRED'),
      outsideRollout: plainAnswer(key, false, 'OUTSIDE_ROLLOUT'),
      conditionsNotMet: plainAnswer(key, false, 'CONDITIONS_NOT_MET'),
      on: plainAnswer(key, true, onReason),
    },
  };
}

/**
 * The flag's answer for a subject. Pure, and never throws. Allocates nothing, but the first time that a flag with values gives an
 * answer, and that a subject is asked for an attribute that a flag hashes.
 * @param now milliseconds since the epoch; decides which overrides have expired.
 */
export function evaluate(flag: CompiledFlag, subject: Subject, now: number): Evaluation {
  const { definition, predicate, answers, valued } = flag;
  if (valued !== null) return evaluateValued(flag, valued, subject, now);
  // Most subjects have no overrides, and reading the size is cheaper than a lookup.
  const override = subject.overrides.size === 0 ? undefined : subject.overrides.get(flag.key);
  if (override !== undefined && (override.expiresAt === null || override.expiresAt > now)) {
    return override.enabled ? answers.overrideOn : answers.overrideOff;
  }
  if (!definition.enabled) return answers.disabled;
  if (definition.percentage < 100) {
    // In one call: most flags are evaluated here.
    const hash = subject.unitHash(flag.seed);
    if (hash === null) return answers.userRequired;
    if (bucketOfHash(hash) >= definition.percentage * 100) return answers.outsideRollout;
  }
  if (predicate !== null && !predicate(subject)) return answers.conditionsNotMet;
  return answers.on;
}

/** The same steps for a flag with rules or variants. */
function evaluateValued(flag: CompiledFlag, valued: ValuedFlag, subject: Subject, now: number): Evaluation {
  const { definition, predicate } = flag;
  const { values, answers } = valued;
  const override = subject.overrides.get(flag.key);
  if (override !== undefined && (override.expiresAt === null || override.expiresAt > now)) {
    if (!override.enabled) return answers.OVERRIDE.off;
    if (values === null) return answers.OVERRIDE.on(null);
    const named = override.variant == null ? undefined : values.variants.get(override.variant);
    return answers.OVERRIDE.on(named ?? chooseVariant(values, values.shares, values.unitOf(subject)));
  }
  if (!definition.enabled) return answers.DISABLED.off;
  if (values === null) return answers.CONDITIONS_NOT_MET.off;
  const unit = values.unitOf(subject);
  for (let index = 0; index < values.rules.length; index++) {
    const rule = values.rules[index] as CompiledRule;
    if (!isInside(unit, rule.seed, rule.buckets)) continue;
    if (rule.predicate !== null && !rule.predicate(subject)) continue;
    const decided = valued.ruleAnswers[index] as Answers;
    return rule.on ? decided.on(chooseVariant(values, rule.shares, unit)) : decided.off;
  }
  if (definition.percentage < 100) {
    if (unit === null) return answers.USER_REQUIRED.off;
    if (!isInside(unit, flag.seed, definition.percentage * 100)) return answers.OUTSIDE_ROLLOUT.off;
  }
  if (predicate !== null && !predicate(subject)) return answers.CONDITIONS_NOT_MET.off;
  const [first, second] = values.shares;
  if (second === undefined) return valued.onAnswers.on(first as CompiledVariant);
  return unit === null ? answers.USER_REQUIRED.off : answers.SPLIT.on(chooseVariant(values, values.shares, unit));
}

/** Whether a unit is in the first buckets. All buckets hold everybody, also subjects without a unit. */
function isInside(unit: Unit | null, seed: number, buckets: number): boolean {
  if (buckets === rolloutBuckets) return true;
  return unit !== null && bucketOfHash(unit.hash(seed)) < buckets;
}

/** The variant that the shares give a unit. Without a unit it is the first. */
export function chooseVariant(
  { splitSeed }: CompiledValues,
  shares: readonly CompiledVariant[],
  unit: Unit | null,
): CompiledVariant {
  const [first, second] = shares;
  return unit === null || second === undefined ? (first as CompiledVariant) : chooseShare(shares, unit.hash(splitSeed));
}

/** A flag with rules or variants. */
class ValuedFlag {
  readonly answers: { readonly [reason in EvaluationReason]: Answers };
  /** The answers with the reason RULE, one object for each rule. */
  readonly ruleAnswers: readonly Answers[];
  /** The answers if the flag is on and only one variant has a weight. */
  readonly onAnswers: Answers;

  constructor(
    { key, type = 'BOOLEAN' }: FlagDefinition,
    /** Null: the stored values are not valid, and every answer has the value null. */
    readonly values: CompiledValues | null,
    onReason: EvaluationReason,
  ) {
    const offVariant = values?.offVariant ?? null;
    const answersFor = (reason: EvaluationReason, rule: string | null) =>
      new Answers({ key, type, reason, rule, offVariant });
    this.answers = Object.fromEntries(
      evaluationReasons.map(reason => [reason, answersFor(reason, null)]),
    ) as ValuedFlag['answers'];
    this.ruleAnswers = values?.rules.map(({ id }) => answersFor('RULE', id)) ?? [];
    this.onAnswers = this.answers[onReason];
  }
}

interface AnswersOptions extends Pick<Evaluation, 'key' | 'type' | 'reason' | 'rule'> {
  readonly offVariant: CompiledVariant | null;
}

/** The answers of a flag for one reason and one rule. Each is made when it is first given. */
class Answers {
  readonly #options: AnswersOptions;
  #off: Evaluation | null = null;
  /** By key of the variant. */
  readonly #on = new Map<string | null, Evaluation>();

  constructor(options: AnswersOptions) {
    this.#options = options;
  }

  /** The answer with the off variant. */
  get off(): Evaluation {
    this.#off ??= this.#make(false, this.#options.offVariant);
    return this.#off;
  }

  /** @param variant null: the stored values are not valid. */
  on(variant: CompiledVariant | null): Evaluation {
    const key = variant?.key ?? null;
    let answer = this.#on.get(key);
    if (answer === undefined) {
      answer = this.#make(true, variant);
      this.#on.set(key, answer);
    }
    return answer;
  }

  #make(enabled: boolean, variant: CompiledVariant | null): Evaluation {
    const { key, type, reason, rule } = this.#options;
    return answer({ key, enabled, reason, type, variant: variant?.key ?? null, value: variant?.value ?? null, rule });
  }
}

/** The answer for a flag that does not exist. */
export function flagNotFound(key: string, enabled: boolean): Evaluation {
  return answer({ key, enabled, reason: 'FLAG_NOT_FOUND', type: null, variant: null, value: null, rule: null });
}

/**
 * Whether two answers for one flag are equal to a viewer, even if the flag was compiled twice. Viewers learn nothing of rules, so
 * `rule` may differ.
 */
export function sameAnswer(a: Evaluation, b: Evaluation): boolean {
  if (a === b) return true;
  const isSame = a.enabled === b.enabled && a.reason === b.reason && a.variant === b.variant && a.type === b.type;
  return isSame && (a.value === b.value || JSON.stringify(a.value) === JSON.stringify(b.value));
}

/** Whether two answers for one flag are equal in everything. */
export function identicalAnswer(a: Evaluation, b: Evaluation): boolean {
  return sameAnswer(a, b) && a.rule === b.rule;
}

function plainAnswer(key: string, enabled: boolean, reason: EvaluationReason): Evaluation {
  const variant = enabled ? 'on' : 'off';
  return answer({ key, enabled, reason, type: 'BOOLEAN', variant, value: enabled, rule: null });
}

function answer(evaluation: Evaluation): Evaluation {
  return Object.freeze(evaluation);
}
