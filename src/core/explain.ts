import { type CompiledFlag, type Evaluation, type EvaluationReason, evaluate, flagNotFound } from './evaluate.js';
import {
  type EvaluationStep,
  type ExplanationStep,
  evaluationSteps,
  type Fact,
  StepFacts,
  type StepOutcome,
  type ToldOverride,
} from './explain-steps.js';
import type { Subject } from './subject.js';
import { quoted } from './wording.js';

/** An answer, and what each step of the evaluation saw. */
export interface Explanation<Stored = ToldOverride> extends Evaluation {
  /** The answer and its deciding fact in plain English, to send to somebody who asks. */
  readonly text: string;
  /** All steps in their order; exactly one is DECIDED. Empty where no flag has the key. */
  readonly steps: readonly ExplanationStep<Stored>[];
}

/**
 * The step that each reason names. `USER_REQUIRED` names the step that needed the unit: PERCENTAGE if it is below 100, else VARIANT.
 */
export const stepOfReason: {
  readonly [reason in Exclude<EvaluationReason, 'FLAG_NOT_FOUND' | 'USER_REQUIRED'>]: EvaluationStep;
} = {
  OVERRIDE: 'OVERRIDE',
  DISABLED: 'ENABLED',
  RULE: 'RULES',
  OUTSIDE_ROLLOUT: 'PERCENTAGE',
  CONDITIONS_NOT_MET: 'CONDITIONS',
  CONDITIONS_MET: 'CONDITIONS',
  ROLLOUT: 'PERCENTAGE',
  ENABLED: 'ENABLED',
  SPLIT: 'VARIANT',
};

/**
 * The flag's answer for a subject, and what each step saw. The answer is that of {@link evaluate}; the steps run the same compiled
 * tests. Pure, and never throws. Costs many times as much as an evaluation.
 * @param now milliseconds since the epoch.
 * @param stored the override of the subject as it is stored. Null: none, or unknown.
 */
export function explain<Stored extends ToldOverride>(
  flag: CompiledFlag,
  subject: Subject,
  now: number,
  stored: Stored | null = null,
): Explanation<Stored> {
  const evaluation = evaluate(flag, subject, now);
  const seen = new StepFacts(flag, subject, now, evaluation, stored);
  const decided = decidingStep(flag, evaluation);
  const facts = evaluationSteps.map(name => ({ name, outcome: outcomeOf(name, decided, seen), fact: seen[name]() }));
  const steps = facts.map(({ name, outcome, fact: { text, blocks: _, ...fields } }) => ({
    ...nothing,
    override: null,
    ...fields,
    name,
    outcome,
    text: outcome === 'NOT_ASKED' ? `Not asked. ${text}` : text,
  }));
  const { text } = facts.find(({ outcome }) => outcome === 'DECIDED')?.fact ?? { text: '' };
  const texts = [headline(subject, evaluation), text, ...obstacles(evaluation, facts)];
  return { ...evaluation, text: texts.join(' '), steps };
}

/** The explanation of a flag that does not exist. */
export function explainNotFound(key: string, enabled: boolean): Explanation<never> {
  const text = `There is no flag with the key ${quoted(key)}, so the answer is the default: ${enabled ? 'on' : 'off'}.`;
  return { ...flagNotFound(key, enabled), text, steps: [] };
}

const nothing = { bucket: null, bound: null, rule: null, conditions: [] } as const;

function decidingStep({ definition }: CompiledFlag, { reason }: Evaluation): EvaluationStep {
  if (reason === 'USER_REQUIRED') return definition.percentage < 100 ? 'PERCENTAGE' : 'VARIANT';
  return reason === 'FLAG_NOT_FOUND' ? 'ENABLED' : stepOfReason[reason];
}

function outcomeOf(
  name: EvaluationStep,
  decided: EvaluationStep,
  seen: { isBroken: boolean; evaluation: Evaluation },
): StepOutcome {
  if (name === decided) return 'DECIDED';
  const { evaluation, isBroken } = seen;
  const isBefore = evaluationSteps.indexOf(name) < evaluationSteps.indexOf(decided);
  // Rules that are not valid are never asked, and neither is the percentage after them.
  if (isBefore) return isBroken && name !== 'OVERRIDE' && name !== 'ENABLED' ? 'NOT_ASKED' : 'PASSED';
  const { enabled, reason } = evaluation;
  const isOpen = reason === 'ENABLED' || reason === 'ROLLOUT' || name === 'VARIANT';
  return enabled && isOpen ? 'PASSED' : 'NOT_ASKED';
}

function headline(subject: Subject, { key, enabled, type, variant }: Evaluation): string {
  const { userId, targetingKey, device } = subject;
  const who = userId === null ? 'an anonymous caller' : `the user ${quoted(userId)}`;
  const also = [
    ...(targetingKey === null ? [] : [`the targeting key ${quoted(targetingKey)}`]),
    ...(device === null ? [] : [`the device ${quoted(device)}`]),
  ];
  const withWhat = also.length === 0 ? '' : ` with ${also.join(' and ')}`;
  const has =
    type === 'BOOLEAN' || variant === null
      ? ''
      : `, with the ${enabled ? 'variant' : 'off variant'} ${quoted(variant)}`;
  return `The flag ${quoted(key)} is ${enabled ? 'on' : 'off'} for ${who}${withWhat}${has}.`;
}

/** Steps that were not asked, and would turn the flag off too. */
function obstacles(
  { enabled }: Evaluation,
  facts: readonly { readonly name: EvaluationStep; readonly outcome: StepOutcome; readonly fact: Fact<unknown> }[],
): string[] {
  const blocking: string[] = [];
  for (const { name, outcome, fact } of enabled ? [] : facts) {
    if (outcome !== 'NOT_ASKED' || fact.blocks === undefined) continue;
    if (fact.blocks) blocking.push(fact.text);
    // Nothing behind a rule that decides would be asked.
    if (name === 'RULES') break;
  }
  return blocking.length === 0 ? [] : ['This is not the only obstacle.', ...blocking];
}
