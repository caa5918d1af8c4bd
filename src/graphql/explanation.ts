import type { Override as StoredOverride } from '../backends/backend.js';
import type { ConditionOutcome as ConditionOutcomeShape } from '../core/condition-trace.js';
import {
  type EvaluationStep as EvaluationStepName,
  type ExplanationStep as ExplanationStepShape,
  evaluationSteps,
  explanationLimits,
  type StepOutcome as StepOutcomeName,
  stepOutcomes,
} from '../core/explain-steps.js';
import type { FeatureExplanation } from '../features/evaluator.js';
import { builder } from './builder.js';
import { answerDescriptions, checkContext, EvaluationContextInput, EvaluationReasonEnum } from './evaluation.js';
import { Flag } from './flag.js';
import { Override, overrideRow } from './override.js';

const stepDescriptions: { readonly [step in EvaluationStepName]: string } = {
  OVERRIDE: 'The override of the user, unless it has expired. It decides `OVERRIDE`.',
  ENABLED: 'The global switch. It decides `DISABLED`, and `ENABLED` if the flag is on for everybody.',
  RULES: 'The first rule that matches. It decides `RULE`.',
  PERCENTAGE:
    'The percentage. It decides `OUTSIDE_ROLLOUT`, `ROLLOUT`, and `USER_REQUIRED` if a percentage below 100 has no id to hash.',
  CONDITIONS: 'The conditions. They decide `CONDITIONS_NOT_MET` and `CONDITIONS_MET`.',
  VARIANT: 'The variant that the user has. It decides `SPLIT`, and `USER_REQUIRED` if the split has no id to hash.',
};

const EvaluationStep = builder.enumType('EvaluationStep', {
  description: 'A step of an evaluation. The steps are asked in the order of this list.',
  values: Object.fromEntries(evaluationSteps.map(step => [step, { description: stepDescriptions[step] }])) as {
    [Step in EvaluationStepName]: { description: string };
  },
});

const outcomeDescriptions: { readonly [outcome in StepOutcomeName]: string } = {
  DECIDED: 'The reason of the answer names this step.',
  PASSED: 'The step was asked, and the answer has another reason.',
  NOT_ASKED: 'The answer was known without this step. The step tells what it would have seen.',
};

const StepOutcome = builder.enumType('StepOutcome', {
  description: 'The part of a step in the answer.',
  values: Object.fromEntries(stepOutcomes.map(name => [name, { description: outcomeDescriptions[name] }])) as {
    [Name in StepOutcomeName]: { description: string };
  },
});

const ConditionOutcome = builder.objectRef<ConditionOutcomeShape>('ConditionOutcome').implement({
  description: 'One condition, and what it found.',
  fields: t => ({
    path: t.exposeStringList('path', {
      complexity: 1,
      description:
        'The position of the condition: field names and list indexes, such as `["attributes", "plan"]`. In the step `RULES` the id of the rule comes first.',
    }),
    matched: t.exposeBoolean('matched', {
      description: 'Whether the condition is met. A `not` around it is taken into account.',
    }),
    expected: t.exposeString('expected', {
      nullable: true,
      description: 'The expectation in words, such as `"pro" or "team"`.',
    }),
    actual: t.exposeString('actual', {
      nullable: true,
      description:
        'The value that was found, with at most 200 characters, or the groups of the user. Null if the attribute is missing, or if the user is in no group.',
    }),
  }),
});

/** Two of the six steps have conditions. */
const conditionsOfStep = Math.ceil((2 * explanationLimits.conditions) / evaluationSteps.length);

const ExplanationStep = builder.objectRef<ExplanationStepShape<StoredOverride>>('ExplanationStep').implement({
  description: 'One step of the evaluation, and what it saw. A step that was not asked tells what it would have seen.',
  fields: t => ({
    name: t.expose('name', { type: EvaluationStep, description: 'The step.' }),
    outcome: t.expose('outcome', { type: StepOutcome, description: 'The part of the step in the answer.' }),
    text: t.exposeString('text', { description: 'The facts that the step saw, in plain English.' }),
    bucket: t.exposeInt('bucket', {
      nullable: true,
      description:
        'The bucket of the user for the percentage, or for the percentage of `rule`: 0 to 9,999. Null in other steps, and if there is no id to hash.',
    }),
    bound: t.exposeInt('bound', {
      nullable: true,
      description: 'Buckets below this number are inside the percentage: 0 to 10,000. Null in other steps.',
    }),
    override: t.field({
      type: Override,
      nullable: true,
      description:
        "The user's override of the flag, even if it has expired. Null if there is none, and in other steps.",
      resolve: ({ override }) => (override === null ? null : overrideRow(override)),
    }),
    rule: t.exposeString('rule', {
      nullable: true,
      description:
        'The id of the rule that decided, or that would have decided. Null if no rule does, and in other steps.',
    }),
    conditions: t.field({
      type: [ConditionOutcome],
      complexity: { multiplier: conditionsOfStep },
      description: `The conditions of the flag, or of its rules up to the one that decides, at most ${explanationLimits.conditions}. If there are more, those that are not met come first. Empty in other steps.`,
      resolve: ({ conditions }) => [...conditions],
    }),
  }),
});

const Explanation = builder.objectRef<FeatureExplanation>('Explanation').implement({
  description:
    'The answer for one flag and one user, and why. It tells of attributes, groups and rules, which the user may not know.',
  fields: t => ({
    enabled: t.exposeBoolean('enabled', { description: 'Whether the feature is on.' }),
    value: t.expose('value', { type: 'JSON', nullable: true, description: answerDescriptions.value }),
    variant: t.exposeString('variant', { nullable: true, description: answerDescriptions.variant }),
    rule: t.exposeString('rule', {
      nullable: true,
      description: 'The id of the rule that decided. Null if no rule did.',
    }),
    reason: t.expose('reason', { type: EvaluationReasonEnum, description: 'The reason of the answer.' }),
    revision: t.exposeInt('revision', {
      description: 'The revision of the change log that the answer is computed from.',
    }),
    text: t.exposeString('text', {
      description:
        'The answer and the fact that decided, in plain English. If the feature is off, it also names the other obstacles.',
    }),
    steps: t.field({
      type: [ExplanationStep],
      complexity: { multiplier: evaluationSteps.length },
      description:
        'All steps, in their order. Exactly one has the outcome `DECIDED`. Empty if this server does not know the flag yet.',
      resolve: ({ steps }) => [...steps],
    }),
  }),
});

/** An explanation asks every condition, and writes texts. */
const explanationCost = 20;

builder.prismaObjectField(Flag, 'explain', t =>
  t.field({
    type: Explanation,
    description:
      'The answer of this flag for a user, and why: what each step of the evaluation saw. It counts as no evaluation.',
    args: {
      context: t.arg({
        type: EvaluationContextInput,
        required: true,
        description: 'The user to explain the answer for.',
      }),
    },
    complexity: { field: explanationCost },
    select: { key: true },
    resolve: ({ key }, { context }, { service }) => service.explain(checkContext(context, ['context']), key),
  }),
);
