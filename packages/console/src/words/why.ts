import { count, percent } from './numbers.js';
import { type Part, plain, strong } from './phrases.js';
import { attributeName } from './values.js';

export interface StepShape {
  readonly name: string;
  readonly outcome: string;
  readonly text: string;
  readonly bucket?: number | null;
  readonly bound?: number | null;
  readonly rule?: string | null;
}

export interface ExplanationShape {
  readonly enabled: boolean;
  readonly variant?: string | null;
  readonly rule?: string | null;
  readonly reason: string;
  readonly steps: readonly StepShape[];
}

export const stepNames: { readonly [step: string]: string } = {
  OVERRIDE: 'Override',
  ENABLED: 'Switch',
  RULES: 'Rules',
  PERCENTAGE: 'Rollout',
  CONDITIONS: 'Conditions',
  VARIANT: 'Variant',
};

export const outcomeNames: { readonly [outcome: string]: string } = {
  DECIDED: 'decided',
  PASSED: 'passed',
  NOT_ASKED: 'not asked',
};

/** Buckets of a rollout. */
const buckets = 10_000;

/** Whether a user gets a flag, and the one fact that decided. */
export function verdict(user: string, flag: string, explanation: ExplanationShape, locale?: string): readonly Part[] {
  const { enabled, variant } = explanation;
  const served = enabled && typeof variant === 'string' && variant !== 'on' ? [plain(', as '), strong(variant)] : [];
  const answer = [strong(user), plain(enabled ? ' gets ' : ' does not get '), strong(flag), ...served, plain('.')];
  return [...answer, ...reasonParts(explanation, locale)];
}

function reasonParts({ reason, rule, enabled, steps }: ExplanationShape, locale: string | undefined): readonly Part[] {
  const { bucket, bound } = steps.find(({ name }) => name === 'PERCENTAGE') ?? {};
  const share = typeof bound === 'number' ? percent(bound / 100, locale) : '';
  if (reason === 'RULE')
    return [plain(' The rule '), strong(rule ?? ''), plain(` turns it ${enabled ? 'on' : 'off'}.`)];
  if (reason === 'OUTSIDE_ROLLOUT') {
    const outside = [plain(' The rollout of '), strong(share), plain(' does not reach this user.')];
    const needed = typeof bucket === 'number' ? percent(Math.ceil((bucket + 1) / 100), locale) : null;
    return needed === null ? outside : [...outside, plain(' It would from '), strong(needed), plain(' on.')];
  }
  if (reason === 'ROLLOUT') return [plain(' The rollout of '), strong(share), plain(' reaches this user.')];
  return [plain(` ${reasons[reason] ?? ''}`)];
}

const reasons: { readonly [reason: string]: string } = {
  OVERRIDE: 'An override of this user says so, whatever the rules are.',
  DISABLED: 'The flag is switched off.',
  USER_REQUIRED: 'There is nothing to hash for this user.',
  CONDITIONS_NOT_MET: 'The conditions of everyone else are not met.',
  CONDITIONS_MET: 'The conditions are met.',
  ENABLED: 'The flag is on for everyone.',
  SPLIT: 'The weights decide which variant.',
  FLAG_NOT_FOUND: 'No flag has this key.',
};

/** Where a bucket is, for a bar of all buckets: both in percent of its length. */
export function bucketPlace({ bucket, bound }: StepShape): { readonly pin: number; readonly covered: number } | null {
  if (typeof bucket !== 'number' || typeof bound !== 'number') return null;
  return { pin: (bucket / buckets) * 100, covered: (bound / buckets) * 100 };
}

export function bucketText({ bucket, bound }: StepShape, locale?: string): string | null {
  if (typeof bucket !== 'number' || typeof bound !== 'number') return null;
  const share = percent(bound / 100, locale);
  const covers = bound === 0 ? 'covers nobody' : `covers buckets below ${count(bound, locale)}`;
  return `The user’s bucket is ${count(bucket, locale)}. The rollout of ${share} ${covers}.`;
}

/** Where a condition stands, without the words of the structure. In the step of the rules the id of the rule comes first. */
export function conditionPlace(
  path: readonly string[],
  isRules: boolean,
): { readonly rule: string | null; readonly field: string } {
  const [rule, inRule] = isRules ? [path[0] ?? null, path.slice(1)] : [null, path];
  const attributes = inRule.indexOf('attributes');
  return { rule, field: attributes === -1 ? 'group' : attributeName(inRule[attributes + 1] ?? '') };
}

/** Why an answer is what it is, in two or three words. */
export const reasonNames: { readonly [reason: string]: string } = {
  OVERRIDE: 'override',
  DISABLED: 'switched off',
  RULE: 'rule',
  USER_REQUIRED: 'nothing to hash',
  OUTSIDE_ROLLOUT: 'outside the rollout',
  CONDITIONS_NOT_MET: 'conditions not met',
  CONDITIONS_MET: 'conditions met',
  ROLLOUT: 'inside the rollout',
  ENABLED: 'on for everyone',
  SPLIT: 'by weight',
};
