import { attributeIssues } from '../core/attributes.js';
import { deviceFault, deviceForm } from '../core/device.js';
import { type EvaluationReason, type Evaluation as EvaluationShape, evaluationReasons } from '../core/evaluate.js';
import { maxFlagKeyLength } from '../core/flag.js';
import { isStorable } from '../core/text.js';
import type { Evaluator } from '../features/evaluator.js';
import { featureMap, featureValues } from '../features/evaluator.js';
import type { EvaluationContext } from '../features/service.js';
import { builder } from './builder.js';
import { defaultPageSize } from './connections.js';
import type { Context } from './context.js';
import { badUserInput } from './errors.js';
import { ValueType } from './values.js';

/** The most keys that one field may name, and the most contexts that it may evaluate. */
export const maxKeys = 1_000;
export const maxContexts = 1_000;
/** Lower for subscriptions, because a subscription keeps its keys in memory as long as it lives. */
export const maxWatchedKeys = 250;
/** The longest key to hash in place of the user id, in UTF-16 code units. */
export const maxTargetingKeyLength = 200;

const reasonDescriptions: Record<EvaluationReason, string> = {
  FLAG_NOT_FOUND: 'No flag has this key. The default is the answer.',
  OVERRIDE: 'The user has an override of this flag. The override is the answer.',
  DISABLED: 'The global switch is off, so the feature is off for every user without an override.',
  RULE: 'A rule matches. It turns the feature on or off.',
  USER_REQUIRED:
    'The flag hashes an id for its percentage or its split, and the context has none: no user id, no targeting key and no device, or not the attribute that `bucketBy` names. The feature is off.',
  OUTSIDE_ROLLOUT: 'The user is outside the percentage that the flag is rolled out to. The feature is off.',
  CONDITIONS_NOT_MET: 'The conditions do not match. The feature is off.',
  CONDITIONS_MET: 'The conditions match. The feature is on.',
  ROLLOUT:
    'The user is inside the percentage that the flag is rolled out to, and there are no conditions. The feature is on.',
  ENABLED: 'The flag is on for everybody: it has no conditions and a percentage of 100. The feature is on.',
  SPLIT: 'The feature is on, and the weights of several variants decided which one the user has.',
};

export const EvaluationReasonEnum = builder.enumType('EvaluationReason', {
  description:
    'The step that decided an evaluation. The steps run in the order of this list; the first step that decides wins.',
  values: Object.fromEntries(
    evaluationReasons.map(reason => [reason, { description: reasonDescriptions[reason] }]),
  ) as Record<EvaluationReason, { description: string }>,
});

/** The descriptions of fields that all answers have. */
export const answerDescriptions = {
  type: "The type of the flag's values. Null if no flag has this key.",
  variant: 'The key of the variant: the off variant if the feature is off. Null if no flag has this key.',
  value: 'The value of the variant. Null if no flag has this key.',
  values:
    'The values as one JSON object, such as `{"theme": "#00f", "new_dashboard": true}`. It is smaller and faster than `features`.',
} as const;

export const Evaluation = builder.objectRef<EvaluationShape>('Evaluation').implement({
  description: 'The answer for one flag and one user.',
  fields: t => ({
    key: t.exposeString('key', { description: "The flag's key." }),
    enabled: t.exposeBoolean('enabled', { description: 'Whether the feature is on.' }),
    reason: t.expose('reason', { type: EvaluationReasonEnum, description: 'The step that decided.' }),
    type: t.expose('type', { type: ValueType, nullable: true, description: answerDescriptions.type }),
    variant: t.exposeString('variant', { nullable: true, description: answerDescriptions.variant }),
    value: t.expose('value', { type: 'JSON', nullable: true, description: answerDescriptions.value }),
    rule: t.exposeString('rule', {
      nullable: true,
      description: 'The id of the rule that decided. Null if no rule did.',
    }),
  }),
});

export const EvaluationContextInput = builder.inputType('EvaluationContextInput', {
  description: "The user to evaluate flags for. The user's stored attributes, groups and overrides apply.",
  fields: t => ({
    userId: t.field({
      type: 'UserID',
      description: 'The id of the user. Default: an anonymous user, who has no stored attributes, groups or overrides.',
    }),
    targetingKey: t.string({
      description:
        'The text that percentages hash instead of the user id, such as the id of an organisation; 1 to 200 characters.',
    }),
    device: t.string({
      description: `The device of a visitor without a user id: ${deviceForm}. It is hashed where there is neither a user id nor a targeting key, and by flags with \`bucketBy: "$device"\`. It changes nothing else.`,
    }),
    attributes: t.field({
      type: 'JSONObject',
      description:
        'Attributes that add to the stored attributes, and replace those with the same name. At most 100, and 16,384 bytes of JSON.',
    }),
  }),
});

const ContextEvaluations = builder.objectRef<{ evaluator: Evaluator; features: EvaluationShape[] }>(
  'ContextEvaluations',
);
ContextEvaluations.implement({
  description: 'The answers for one context.',
  fields: t => ({
    userId: t.field({
      type: 'UserID',
      nullable: true,
      description: 'The user id of the context. Null for an anonymous user.',
      resolve: ({ evaluator }) => evaluator.subject.userId,
    }),
    features: t.field({
      type: [Evaluation],
      description: 'One answer for each flag: in the order of `keys`, or sorted by key if `keys` was omitted.',
      resolve: ({ features }) => features,
    }),
    featureMap: t.field({
      type: 'JSONObject',
      description:
        'The same answers as one JSON object, such as `{"new_dashboard": true}`. It is smaller and faster than `features`.',
      resolve: ({ features }) => featureMap(features),
    }),
    values: t.field({
      type: 'JSONObject',
      description: answerDescriptions.values,
      resolve: ({ features }) => featureValues(features),
    }),
  }),
});

/** The descriptions of arguments that several fields take. */
export const keysDescription = 'The keys of the flags to answer, in this order. Default: all flags, sorted by key.';
export const defaultDescription =
  'The answer if no flag has this key. Default: the setting of the server (`FEATURE_DEFAULT_ENABLED`).';

builder.queryFields(t => ({
  evaluate: t.field({
    type: [Evaluation],
    description: 'Service, reader, admin. The answers for any user, with attributes that the caller gives.',
    authScopes: { evaluator: true },
    args: {
      context: t.arg({ type: EvaluationContextInput, required: true, description: 'The user to evaluate flags for.' }),
      keys: t.arg.stringList({ description: keysDescription }),
    },
    complexity: answersCost,
    resolve: async (_root, { context, keys }, { service, questions }) => {
      const evaluator = await service.evaluator(checkContext(context, ['context']), questions.once);
      return evaluator.evaluateAll(checkKeys(keys));
    },
  }),
  evaluateMany: t.field({
    type: [ContextEvaluations],
    description: `Service, reader, admin. The answers for up to ${maxContexts} contexts, in their order.`,
    authScopes: { evaluator: true },
    args: {
      contexts: t.arg({
        type: [EvaluationContextInput],
        required: true,
        description: 'The users to evaluate flags for.',
      }),
      keys: t.arg.stringList({ description: keysDescription }),
    },
    // `features` below counts as a list of the default length; here the real length is known.
    complexity: ({ contexts, keys }, context) => ({
      field: contexts.length * mapCost({ keys }, context),
      multiplier: (contexts.length * answersCost({ keys }, context).multiplier) / defaultPageSize,
    }),
    resolve: async (_root, { contexts, keys }, { service, questions }) => {
      if (contexts.length > maxContexts) {
        throw badUserInput({
          path: ['contexts'],
          message: `Expected at most ${maxContexts} contexts, found ${contexts.length}.`,
        });
      }
      const checkedKeys = checkKeys(keys);
      const checked = contexts.map((context, index) => checkContext(context, ['contexts', String(index)]));
      const evaluators = await Promise.all(checked.map(context => service.evaluator(context, questions.once)));
      return evaluators.map(evaluator => ({ evaluator, features: evaluator.evaluateAll(checkedKeys) }));
    },
  }),
}));

/** @throws GraphQLError `BAD_USER_INPUT` */
export function checkContext(context: EvaluationContext, path: readonly string[]): EvaluationContext {
  const { targetingKey, device, attributes } = context;
  if (targetingKey === '') {
    const message = 'Expected text that is not empty, or no targeting key: everybody would be in the same bucket.';
    throw badUserInput({ path: [...path, 'targetingKey'], message });
  }
  if (targetingKey != null && (targetingKey.length > maxTargetingKeyLength || !isStorable(targetingKey))) {
    throw badUserInput({
      path: [...path, 'targetingKey'],
      message: `Expected at most ${maxTargetingKeyLength} characters of Unicode text, without NUL and halves of surrogate pairs.`,
    });
  }
  const fault = device == null ? null : deviceFault(device);
  if (fault !== null) throw badUserInput({ path: [...path, 'device'], message: fault });
  const issue = attributes == null ? undefined : attributeIssues(attributes, [...path, 'attributes'])[0];
  if (issue !== undefined) throw badUserInput(issue);
  return context;
}

/**
 * Returns the keys that are asked for, without repetitions; null means all flags.
 * @throws GraphQLError `BAD_USER_INPUT`
 */
export function checkKeys(keys: readonly string[] | null | undefined, most = maxKeys): readonly string[] | null {
  if (keys == null) return null;
  if (keys.length > most)
    throw badUserInput({ path: ['keys'], message: `Expected at most ${most} keys, found ${keys.length}.` });
  for (const [index, key] of keys.entries()) checkKey(key, ['keys', String(index)]);
  return [...new Set(keys)];
}

/** Like {@link checkKeys}, for the keys of a subscription. */
export function checkWatchedKeys(keys: readonly string[] | null | undefined): readonly string[] | null {
  return checkKeys(keys, maxWatchedKeys);
}

/** @throws GraphQLError `BAD_USER_INPUT` */
export function checkKey(key: string, path: readonly string[] = ['key']): string {
  if (key.length > maxFlagKeyLength) {
    throw badUserInput({
      path,
      message: `Expected at most ${maxFlagKeyLength} characters, found ${key.length}: no flag has a longer key.`,
    });
  }
  return key;
}

interface KeysArgs {
  readonly keys?: readonly string[] | null | undefined;
}

/** The cost of a list of answers: each answer is an object with a few fields. Without `keys` every flag counts. */
export const answersCost = ({ keys }: KeysArgs, { service }: Context) => ({
  field: 1,
  multiplier: keys?.length ?? service.flagCount,
});

/** The cost of a map of answers. An entry costs a tenth of an object: it is evaluated and written, and has no fields. */
export const mapCost = (args: KeysArgs, context: Context) => 1 + Math.ceil(answersCost(args, context).multiplier / 10);
