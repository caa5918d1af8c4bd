import { attributeIssues } from '../core/attributes.js';
import { type EvaluationReason, type Evaluation as EvaluationShape, evaluationReasons } from '../core/evaluate.js';
import { maxFlagKeyLength } from '../core/flag.js';
import { isStorable } from '../core/text.js';
import type { Evaluator } from '../features/evaluator.js';
import { featureMap } from '../features/evaluator.js';
import type { EvaluationContext } from '../features/service.js';
import { builder } from './builder.js';
import { defaultPageSize } from './connections.js';
import type { Context } from './context.js';
import { badUserInput } from './errors.js';

/** Keys that one field may ask for, and contexts that one may evaluate. */
const maxKeys = 1_000;
const maxContexts = 1_000;
/** A subscription keeps its keys for as long as it lives. */
const maxWatchedKeys = 250;

const reasonDescriptions: Record<EvaluationReason, string> = {
  FLAG_NOT_FOUND: 'There is no such flag: the default answers.',
  OVERRIDE: 'The user has an override of this flag.',
  DISABLED: 'The flag is off for everybody.',
  USER_REQUIRED: 'The flag is rolled out by percentage, and nobody is signed in.',
  OUTSIDE_ROLLOUT: 'The user is not among the share of users that the flag is rolled out to.',
  CONDITIONS_NOT_MET: 'Neither the attributes nor the groups match.',
  CONDITIONS_MET: 'The attributes or the groups match.',
  ROLLOUT: 'The user is among the share of users that the flag is rolled out to.',
  ENABLED: 'The flag is on for everybody.',
};

const EvaluationReasonEnum = builder.enumType('EvaluationReason', {
  description: 'Which step decided an evaluation. The first decisive one wins, in this order.',
  values: Object.fromEntries(
    evaluationReasons.map(reason => [reason, { description: reasonDescriptions[reason] }]),
  ) as Record<EvaluationReason, { description: string }>,
});

export const Evaluation = builder.objectRef<EvaluationShape>('Evaluation').implement({
  description: "One flag's answer for one user.",
  fields: t => ({
    key: t.exposeString('key', { description: "The flag's key." }),
    enabled: t.exposeBoolean('enabled', { description: 'Whether the feature is on.' }),
    reason: t.expose('reason', { type: EvaluationReasonEnum, description: 'Which step decided.' }),
  }),
});

export const EvaluationContextInput = builder.inputType('EvaluationContextInput', {
  description: "Whom to evaluate for. A known user's stored attributes, groups and overrides apply.",
  fields: t => ({
    userId: t.field({ type: 'UUID', description: 'The user. Not stated: somebody anonymous.' }),
    targetingKey: t.string({ description: 'What the rollout hashes instead of the user id, such as an organisation.' }),
    attributes: t.field({ type: 'JSONObject', description: 'Laid over the stored attributes: a stated one wins.' }),
  }),
});

const ContextEvaluations = builder.objectRef<{ evaluator: Evaluator; features: EvaluationShape[] }>(
  'ContextEvaluations',
);
ContextEvaluations.implement({
  description: 'The answers for one context.',
  fields: t => ({
    userId: t.field({
      type: 'UUID',
      nullable: true,
      description: 'The user that the context named.',
      resolve: ({ evaluator }) => evaluator.subject.userId,
    }),
    features: t.field({
      type: [Evaluation],
      description: 'One answer a flag: in the order of `keys`, else sorted by key.',
      resolve: ({ features }) => features,
    }),
    featureMap: t.field({
      type: 'JSONObject',
      description: 'The same as one JSON object, `{"new_dashboard": true}`: smaller, and quicker to produce.',
      resolve: ({ features }) => featureMap(features),
    }),
  }),
});

/** How the arguments of fields that take `keys` are called. */
export const keysDescription = 'Only these flags, in this order; otherwise all, sorted by key.';
export const defaultDescription = 'The answer when there is no such flag. Not stated: what the server is set to.';

builder.queryFields(t => ({
  evaluate: t.field({
    type: [Evaluation],
    description: 'Service, admin. The features of a context that the caller states.',
    authScopes: { evaluator: true },
    args: {
      context: t.arg({ type: EvaluationContextInput, required: true, description: 'Whom to evaluate for.' }),
      keys: t.arg.stringList({ description: keysDescription }),
    },
    complexity: answersCost,
    resolve: async (_root, { context, keys }, { service }) => {
      const evaluator = await service.evaluator(checkContext(context, ['context']));
      return evaluator.evaluateAll(checkKeys(keys));
    },
  }),
  evaluateMany: t.field({
    type: [ContextEvaluations],
    description: `Service, admin. The features of up to ${maxContexts} contexts, in their order.`,
    authScopes: { evaluator: true },
    args: {
      contexts: t.arg({ type: [EvaluationContextInput], required: true, description: 'Whom to evaluate for.' }),
      keys: t.arg.stringList({ description: keysDescription }),
    },
    // `features` below counts as a list of the usual length; here it is known better.
    complexity: ({ contexts, keys }, context) => ({
      field: contexts.length * mapCost({ keys }, context),
      multiplier: (contexts.length * answersCost({ keys }, context).multiplier) / defaultPageSize,
    }),
    resolve: async (_root, { contexts, keys }, { service }) => {
      if (contexts.length > maxContexts) {
        throw badUserInput({ path: ['contexts'], message: `Expected at most ${maxContexts} contexts.` });
      }
      const checkedKeys = checkKeys(keys);
      const checked = contexts.map((context, index) => checkContext(context, ['contexts', String(index)]));
      const evaluators = await Promise.all(checked.map(context => service.evaluator(context)));
      return evaluators.map(evaluator => ({ evaluator, features: evaluator.evaluateAll(checkedKeys) }));
    },
  }),
}));

/** @throws GraphQLError `BAD_USER_INPUT` */
export function checkContext(context: EvaluationContext, path: readonly string[]): EvaluationContext {
  const { targetingKey, attributes } = context;
  if (targetingKey != null && (targetingKey.length > 200 || !isStorable(targetingKey))) {
    throw badUserInput({
      path: [...path, 'targetingKey'],
      message: 'Expected at most 200 characters of Unicode text.',
    });
  }
  const issue = attributes == null ? undefined : attributeIssues(attributes, [...path, 'attributes'])[0];
  if (issue !== undefined) throw badUserInput(issue);
  return context;
}

/**
 * The keys asked for, each once; null: all.
 * @throws GraphQLError `BAD_USER_INPUT`
 */
export function checkKeys(keys: readonly string[] | null | undefined, most = maxKeys): readonly string[] | null {
  if (keys == null) return null;
  if (keys.length > most) throw badUserInput({ path: ['keys'], message: `Expected at most ${most} keys.` });
  for (const [index, key] of keys.entries()) checkKey(key, ['keys', String(index)]);
  return [...new Set(keys)];
}

/** Like {@link checkKeys}, for what is kept while a subscription lives. */
export function checkWatchedKeys(keys: readonly string[] | null | undefined): readonly string[] | null {
  return checkKeys(keys, maxWatchedKeys);
}

/** @throws GraphQLError `BAD_USER_INPUT` */
export function checkKey(key: string, path: readonly string[] = ['key']): string {
  if (key.length > maxFlagKeyLength) {
    throw badUserInput({ path, message: `Expected at most ${maxFlagKeyLength} characters: no flag has a longer key.` });
  }
  return key;
}

interface KeysArgs {
  readonly keys?: readonly string[] | null | undefined;
}

/** What a list of answers costs: each is an object of a few fields. Without keys there may be many flags. */
export const answersCost = ({ keys }: KeysArgs, { service }: Context) => ({
  field: 1,
  multiplier: keys?.length ?? service.flagCount,
});

/** What a map of answers costs: its entries are evaluated and written, and nothing else. */
export const mapCost = (args: KeysArgs, context: Context) => 1 + Math.ceil(answersCost(args, context).multiplier / 10);
