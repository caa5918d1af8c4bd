import {
  type ConditionOutcome,
  type ConditionTrace,
  clauseOf,
  type Leaf,
  outcomesOf,
  traceCondition,
} from './condition-trace.js';
import type { Issue } from './errors.js';
import { type CompiledFlag, chooseVariant, type Evaluation } from './evaluate.js';
import { bucketOfHash, rolloutBuckets } from './rollout.js';
import type { OverrideDecision, Subject, Unit } from './subject.js';
import { missingUnitWords, unitWords } from './unit-words.js';
import type { CompiledRule, CompiledValues, CompiledVariant } from './values.js';
import { count, firstOf, quoted, sentence, timeWords, valueWords } from './wording.js';

/** The steps of an evaluation, in their order. */
export const evaluationSteps = ['OVERRIDE', 'ENABLED', 'RULES', 'PERCENTAGE', 'CONDITIONS', 'VARIANT'] as const;

export type EvaluationStep = (typeof evaluationSteps)[number];

/** `DECIDED`: the reason of the answer names this step. `PASSED`: it was asked, and decided nothing. `NOT_ASKED`: another step had decided. */
export const stepOutcomes = ['DECIDED', 'PASSED', 'NOT_ASKED'] as const;

export type StepOutcome = (typeof stepOutcomes)[number];

/** An override as it is stored, as far as an explanation tells of it. */
export interface ToldOverride {
  readonly reason: string | null;
  readonly createdAt: Date;
  /** The user who set it. Null: unknown. */
  readonly createdById: string | null;
}

/** What one step saw. A step that was not asked has what it would have seen. */
export interface ExplanationStep<Stored = ToldOverride> {
  readonly name: EvaluationStep;
  readonly outcome: StepOutcome;
  /** In plain English, for people. */
  readonly text: string;
  /** PERCENTAGE, and RULES with a `rule`: the bucket of the unit, 0 to 9,999. Null: no unit. */
  readonly bucket: number | null;
  /** PERCENTAGE, and RULES with a `rule`: buckets below this number are inside, 0 to 10,000. */
  readonly bound: number | null;
  /** OVERRIDE: the stored override, also an expired one. Null: there is none, or it could not be read. */
  readonly override: Stored | null;
  /** RULES: the id of the rule that decided, or that would have. */
  readonly rule: string | null;
  /** RULES and CONDITIONS: what each condition found, at most 100. If there are more, those that failed come first. */
  readonly conditions: readonly ConditionOutcome[];
}

/** How much an explanation tells. */
export const explanationLimits = {
  /** Conditions in one step. */
  conditions: 100,
  /** Conditions, rules, variants or faults in one text. */
  clauses: 5,
} as const;

/** What a step saw. */
export interface Fact<Stored> extends Partial<Omit<ExplanationStep<Stored>, 'name' | 'outcome' | 'text'>> {
  readonly text: string;
  /** Whether it turns the flag off, or on, if it is asked. Absent: neither. */
  readonly blocks?: boolean;
}

/** What each step sees, one method for each step. */
export class StepFacts<Stored extends ToldOverride> {
  readonly values: CompiledValues | null;
  /** Whether the stored variants or rules are not valid. */
  readonly isBroken: boolean;
  readonly #unit: Unit | null;
  /** The name of the unit, such as `the user id "ann"`. */
  readonly #unitName: string;
  readonly #override: OverrideDecision | null;

  constructor(
    readonly flag: CompiledFlag,
    readonly subject: Subject,
    readonly now: number,
    readonly evaluation: Evaluation,
    readonly stored: Stored | null,
  ) {
    const { definition, valued } = flag;
    this.values = valued?.values ?? null;
    this.isBroken = valued !== null && valued.values === null;
    this.#unit = this.values === null ? subject.unit : this.values.unitOf(subject);
    this.#unitName = unitWords(this.isBroken ? null : (definition.bucketBy ?? null), subject) ?? 'the unit';
    this.#override = subject.overrides.get(flag.key) ?? null;
  }

  OVERRIDE(): Fact<Stored> {
    const override = this.#override;
    if (override === null) {
      const { reason } = this.evaluation;
      if (reason === 'OVERRIDE') return { text: 'The program itself sets this answer for every user.' };
      const isAnonymous = this.subject.userId === null;
      return { text: isAnonymous ? 'An anonymous caller has no overrides.' : 'The user has no override of this flag.' };
    }
    const { enabled, variant = null, expiresAt } = override;
    const to = `${enabled ? 'on' : 'off'}${variant === null ? '' : ` with the variant ${quoted(variant)}`}`;
    const hasExpired = expiresAt !== null && expiresAt <= this.now;
    const until =
      expiresAt === null ? 'It never expires.' : `It ${hasExpired ? 'expired' : 'expires'} at ${timeWords(expiresAt)}.`;
    const told = this.stored === null ? [] : storedWords(this.stored);
    const text = [`An override of this user ${hasExpired ? 'turned' : 'turns'} the flag ${to}.`, until, ...told].join(
      ' ',
    );
    return { text, override: this.stored };
  }

  ENABLED(): Fact<Stored> {
    const { enabled } = this.flag.definition;
    if (!enabled) return { text: 'The flag is switched off for everybody without an override.', blocks: true };
    return {
      text:
        this.evaluation.reason === 'ENABLED'
          ? 'The flag is on for everybody: it is switched on, its percentage is 100, and it has no conditions.'
          : 'The flag is switched on.',
    };
  }

  RULES(): Fact<Stored> {
    if (this.isBroken) return { text: 'The stored variants or rules are not valid, so no rule can be asked.' };
    const rules = this.values?.rules ?? [];
    if (rules.length === 0) return { text: 'The flag has no rules.' };
    const leaves: Leaf[] = [];
    const passed: string[] = [];
    const outcomes = () => this.#outcomes(leaves, ([, index, , ...path]) => [rules[Number(index)]?.id ?? '', ...path]);
    for (const rule of rules) {
      const trace = rule.condition === null ? null : traceCondition(rule.condition, this.subject);
      for (const leaf of trace?.leaves ?? []) leaves.push(leaf);
      const bucket = this.#bucket(rule.seed);
      const isInside = rule.buckets === rolloutBuckets || (bucket !== null && bucket < rule.buckets);
      if (isInside && trace?.matched !== false) {
        const text = this.#ruleText(rule, trace, bucket);
        return { text, blocks: !rule.on, rule: rule.id, bucket, bound: rule.buckets, conditions: outcomes() };
      }
      // The texts behind those are only counted.
      const isTold = passed.length < explanationLimits.clauses;
      passed.push(isTold ? this.#passedText(rule, trace, bucket) : '');
    }
    const text = `No rule decides. ${sentence(firstOf(passed, explanationLimits.clauses))}`;
    return { text, conditions: outcomes() };
  }

  PERCENTAGE(): Fact<Stored> {
    const { percentage } = this.flag.definition;
    const bound = Math.ceil((percentage * rolloutBuckets) / 100);
    if (this.isBroken) return { text: `The percentage is ${percentage}.`, bound };
    const bucket = this.#bucket(this.flag.seed);
    if (percentage >= 100) return { text: 'The percentage is 100, so it includes everybody.', bucket, bound };
    const text = sentence(this.#share('the rollout', bound, bucket));
    return { text, bucket, bound, ...(bucket !== null && bucket < bound ? {} : { blocks: true }) };
  }

  CONDITIONS(): Fact<Stored> {
    const { predicate, condition } = this.flag;
    if (this.isBroken) {
      return { text: faultText('variants or rules', this.#faults(isOfValues)), blocks: true };
    }
    if (predicate === null) return { text: 'The flag has no conditions.' };
    if (condition === null) return { text: faultText('conditions', this.#faults(isOfConditions)), blocks: true };
    const trace = traceCondition(condition, this.subject);
    const conditions = this.#outcomes(trace.leaves, ([, ...path]) => path);
    const text = sentence(`the conditions are ${trace.matched ? 'met' : 'not met'}: ${this.#clauses(trace)}`);
    return { text, conditions, ...(trace.matched ? {} : { blocks: true }) };
  }

  VARIANT(): Fact<Stored> {
    const { enabled, variant, value, type, reason } = this.evaluation;
    if (this.isBroken) return { text: 'The stored variants or rules are not valid, so the value is null.' };
    if (type === 'BOOLEAN' || this.values === null) {
      return { text: `The value of the flag is ${valueWords(value)}.` };
    }
    if (enabled) return { text: sentence(this.#choice(variant as string)) };
    const off = `the flag is off, so it gives its off variant ${quoted(variant as string)}`;
    const { shares } = this.values;
    if (this.#unit === null && shares.length > 1) {
      const needs = `the split of the variants needs ${this.#missingUnit()}`;
      const isAsked = reason === 'USER_REQUIRED';
      return {
        text: isAsked ? `${sentence(needs)} ${sentence(off)}` : `${sentence(off)} ${sentence(needs)}`,
        blocks: true,
      };
    }
    const choice = chooseVariant(this.values, shares, this.#unit);
    return { text: `${sentence(off)} If it were on, the variant would be ${quoted(choice.key)}.` };
  }

  /** How an answer that is on comes to its variant. */
  #choice(variant: string): string {
    const { reason, rule: ruleId } = this.evaluation;
    const values = this.values as CompiledValues;
    const named = reason === 'OVERRIDE' ? (this.#override?.variant ?? null) : null;
    if (named === variant && values.variants.has(named)) return `the override names the variant ${quoted(variant)}`;
    const gone =
      named === null ? '' : `the override names the variant ${quoted(named)}, which the flag does not have; `;
    const rule = values.rules.find(({ id }) => reason === 'RULE' && id === ruleId);
    const shares = rule?.shares ?? values.shares;
    const whose = rule === undefined || rule.shares === values.shares ? 'the flag' : `the rule ${quoted(rule.id)}`;
    if (shares.length === 1) return `${gone}${quoted(variant)} is the only variant of ${whose} with a weight above 0`;
    const weights = `the weights of ${whose} are ${weightWords(shares)}`;
    return this.#unit === null
      ? `${gone}${weights}; they need ${this.#missingUnit()}, so the first variant is given, ${quoted(variant)}`
      : `${gone}${weights}; they give ${this.#unitName} the variant ${quoted(variant)}`;
  }

  /** Whether the unit is inside a share of all users, as a clause. */
  #share(whose: string, bound: number, bucket: number | null): string {
    const percent = `${bound / 100} %`;
    if (bucket === null) return `${whose} includes ${percent} and needs ${this.#missingUnit()}`;
    if (bound === 0) return `${whose} includes 0 %, which is nobody`;
    const buckets = `buckets 0 to ${count(bound - 1)} of ${count(rolloutBuckets)}`;
    return `${whose} includes ${percent}: ${buckets}; ${this.#unitName} is in bucket ${count(bucket)}, ${bucket < bound ? 'inside' : 'outside'}`;
  }

  #bucket(seed: number): number | null {
    return this.#unit === null ? null : bucketOfHash(this.#unit.hash(seed));
  }

  #missingUnit(): string {
    return missingUnitWords(this.flag.definition.bucketBy ?? null, this.subject);
  }

  #ruleText(rule: CompiledRule, trace: ConditionTrace | null, bucket: number | null): string {
    const name = ruleName(rule);
    const why = trace === null ? 'it matches everybody' : this.#clauses(trace);
    const turns = sentence(`${name} turns the flag ${rule.on ? 'on' : 'off'}: ${why}`);
    return rule.buckets === rolloutBuckets ? turns : `${turns} ${sentence(this.#share(name, rule.buckets, bucket))}`;
  }

  #passedText(rule: CompiledRule, trace: ConditionTrace | null, bucket: number | null): string {
    if (trace?.matched === false) return `${ruleName(rule)} does not match: ${this.#clauses(trace)}`;
    return this.#share(ruleName(rule), rule.buckets, bucket);
  }

  #outcomes(leaves: readonly Leaf[], pathOf: (path: readonly string[]) => string[]): readonly ConditionOutcome[] {
    const { conditions } = explanationLimits;
    if (leaves.length <= conditions) return outcomesOf(leaves, this.subject, pathOf);
    const failedFirst = [...leaves.filter(leaf => !leaf.matched), ...leaves.filter(leaf => leaf.matched)];
    return outcomesOf(failedFirst.slice(0, conditions), this.subject, pathOf);
  }

  #clauses({ decisive }: ConditionTrace): string {
    const told = decisive.slice(0, explanationLimits.clauses).map(leaf => clauseOf(leaf, this.subject));
    // The clauses behind those are only counted.
    return firstOf([...told, ...decisive.slice(told.length).map(() => '')], explanationLimits.clauses);
  }

  #faults(isOf: (issue: Issue) => boolean): readonly Issue[] {
    return this.flag.faults.filter(isOf);
  }
}

const isOfConditions = ({ path }: Issue) => path[0] === 'conditions';
const isOfValues = (issue: Issue) => !isOfConditions(issue);

function faultText(what: string, faults: readonly Issue[]): string {
  const told = faults.slice(0, explanationLimits.clauses).map(({ path, message }) => `${path.join('.')}: ${message}`);
  const more = faults.length - told.length;
  const rest = more > 0 ? ` There are ${count(more)} more faults.` : '';
  return `The stored ${what} are not valid, so the flag is off for everybody without an override. ${told.join(' ')}${rest}`;
}

const ruleName = ({ id }: CompiledRule) => `the rule ${quoted(id)}`;

function storedWords({ createdById, createdAt, reason }: ToldOverride): string[] {
  const by = createdById === null ? '' : `by ${quoted(createdById)} `;
  const set = `It was set ${by}at ${timeWords(createdAt.getTime())}.`;
  return reason === null || reason === '' ? [set] : [set, `The reason that was given: ${quoted(reason)}.`];
}

function weightWords(shares: readonly CompiledVariant[]): string {
  const words = shares.map(({ key, weight }) => `${quoted(key)} ${count(weight)}`);
  return firstOf(words, explanationLimits.clauses, ', ');
}
