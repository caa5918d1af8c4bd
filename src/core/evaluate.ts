import type { Targeted } from './attribute-reader.js';
import type { Attributes } from './attributes.js';
import { type Predicate, readConditions } from './conditions.js';
import type { Issue } from './errors.js';
import type { FlagDefinition } from './flag.js';
import { murmur3Plain, murmur3Premixed, type Premixed, premix } from './murmur3.js';
import { bucketOfHash, rolloutSeed } from './rollout.js';
import { canonicalUserId } from './user-id.js';

export type { Attributes } from './attributes.js';

/** The step that decided, in the order of the steps. docs/evaluation.md explains each. */
export const evaluationReasons = [
  'FLAG_NOT_FOUND',
  'OVERRIDE',
  'DISABLED',
  'USER_REQUIRED',
  'OUTSIDE_ROLLOUT',
  'CONDITIONS_NOT_MET',
  'CONDITIONS_MET',
  'ROLLOUT',
  'ENABLED',
] as const;

export type EvaluationReason = (typeof evaluationReasons)[number];

/** One flag's answer for one subject. Frozen and shared between calls: compare freely, never change. */
export interface Evaluation {
  readonly key: string;
  readonly enabled: boolean;
  readonly reason: EvaluationReason;
}

/** A decision for one user about one flag that beats everything else until it expires. */
export interface OverrideDecision {
  readonly enabled: boolean;
  /** Milliseconds since the epoch; null: never expires. At this instant it has ended. */
  readonly expiresAt: number | null;
}

/** The facts about the subject of an evaluation. Omitted fields are unknown. */
export interface SubjectFields {
  /** Null: anonymous. Groups and overrides of an anonymous subject are ignored. */
  readonly userId: string | null;
  /** The text that rollouts hash instead of the user id, such as the id of a company or a device. */
  readonly targetingKey: string | null;
  /** The id of a device, which rollouts hash where there is neither of the two. It changes nothing else: it is no identity. */
  readonly device: string | null;
  readonly attributes: Attributes;
  readonly groups: ReadonlySet<string>;
  /** By flag key. */
  readonly overrides: ReadonlyMap<string, OverrideDecision>;
}

/** The user, company or device that flags are evaluated for. Make one and evaluate many flags with it. */
export class Subject implements SubjectFields, Targeted {
  readonly device: string | null;
  readonly attributes: Attributes;
  readonly groups: ReadonlySet<string>;
  readonly overrides: ReadonlyMap<string, OverrideDecision>;
  readonly #userId: string | null;
  readonly #targetingKey: string | null;
  /** Undefined before the first rollout is evaluated, null before the second. */
  #premixedKey: Premixed | null | undefined;

  constructor(fields: Partial<SubjectFields>) {
    this.#userId = fields.userId ?? null;
    this.#targetingKey = fields.targetingKey ?? null;
    this.device = fields.device ?? null;
    this.attributes = fields.attributes ?? noAttributes;
    const known = this.#userId !== null;
    this.groups = (known && fields.groups) || noGroups;
    this.overrides = (known && fields.overrides) || noOverrides;
  }

  /** A UUID in lower case, any other text as it was given. */
  get userId(): string | null {
    return this.#userId === null ? null : canonicalUserId(this.#userId);
  }

  /** A UUID in lower case, any other text as it was given. */
  get targetingKey(): string | null {
    return this.#targetingKey === null ? null : canonicalUserId(this.#targetingKey);
  }

  /** The written form: it names the user. Attributes are personal data, and stay out of logs unless a program writes them there. */
  toJSON(): Pick<SubjectFields, 'userId' | 'targetingKey' | 'device'> {
    return { userId: this.userId, targetingKey: this.targetingKey, device: this.device };
  }

  /** What `console.log` writes. */
  [Symbol.for('nodejs.util.inspect.custom')](): object {
    return this.toJSON();
  }

  /**
   * The bucket that the targeting key, else the user id, else the device, falls into for a flag with this seed; null when
   * there is none of them. The first is read straight from the text; from the second on, the key is premixed for all flags.
   */
  rolloutBucket(seed: number): number | null {
    if (!this.#premixedKey) {
      const key = this.#targetingKey ?? this.#userId ?? this.device;
      if (key === null) return null;
      const hash = this.#premixedKey === undefined ? murmur3Plain(key, seed) : -1;
      this.#premixedKey = null;
      if (hash !== -1) return bucketOfHash(hash);
      this.#premixedKey = premix(canonicalUserId(key));
    }
    return bucketOfHash(murmur3Premixed(this.#premixedKey, seed));
  }
}

/** Creates a subject from the known facts. */
export function createSubject(fields: Partial<SubjectFields>): Subject {
  return new Subject(fields);
}

/** A flag that is ready for {@link evaluate}: with compiled conditions, a rollout seed and every answer it can give. */
export interface CompiledFlag {
  readonly key: string;
  readonly definition: FlagDefinition;
  /** The faults of the stored conditions. Conditions with faults match nobody. */
  readonly faults: readonly Issue[];
  /** Every group that the conditions name. */
  readonly groups: ReadonlySet<string>;
  /** Null: no conditions. */
  readonly predicate: Predicate | null;
  readonly seed: number;
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
  const { faults, predicate, groups } = readConditions(definition.conditions);
  const answers: PreparedAnswers = {
    overrideOn: answer(key, true, 'OVERRIDE'),
    overrideOff: answer(key, false, 'OVERRIDE'),
    disabled: answer(key, false, 'DISABLED'),
    userRequired: answer(key, false, 'USER_REQUIRED'),
    outsideRollout: answer(key, false, 'OUTSIDE_ROLLOUT'),
    conditionsNotMet: answer(key, false, 'CONDITIONS_NOT_MET'),
    on: answer(key, true, predicate !== null ? 'CONDITIONS_MET' : percentage < 100 ? 'ROLLOUT' : 'ENABLED'),
  };
  return { key, definition, faults, groups, predicate, seed: rolloutSeed(key), answers };
}

/**
 * The flag's answer for a subject. Pure, never throws, allocates nothing.
 * @param now milliseconds since the epoch; decides which overrides have expired.
 */
export function evaluate(flag: CompiledFlag, subject: Subject, now: number): Evaluation {
  const { definition, predicate, answers } = flag;
  // Most subjects have no overrides, and reading the size is cheaper than a lookup.
  const override = subject.overrides.size === 0 ? undefined : subject.overrides.get(flag.key);
  if (override !== undefined && (override.expiresAt === null || override.expiresAt > now)) {
    return override.enabled ? answers.overrideOn : answers.overrideOff;
  }
  if (!definition.enabled) return answers.disabled;
  if (definition.percentage < 100) {
    const bucket = subject.rolloutBucket(flag.seed);
    if (bucket === null) return answers.userRequired;
    if (bucket >= definition.percentage * 100) return answers.outsideRollout;
  }
  if (predicate !== null && !predicate(subject)) return answers.conditionsNotMet;
  return answers.on;
}

/** The answer for a flag that does not exist. */
export function flagNotFound(key: string, enabled: boolean): Evaluation {
  return answer(key, enabled, 'FLAG_NOT_FOUND');
}

/** Whether two answers for one flag are equal, even if the flag was compiled twice. */
export function sameAnswer(a: Evaluation, b: Evaluation): boolean {
  return a === b || (a.enabled === b.enabled && a.reason === b.reason);
}

const noAttributes: Attributes = Object.freeze({});
const noGroups: ReadonlySet<string> = new Set();
const noOverrides: ReadonlyMap<string, OverrideDecision> = new Map();

function answer(key: string, enabled: boolean, reason: EvaluationReason): Evaluation {
  return Object.freeze({ key, enabled, reason });
}
