import type { Caller } from '../auth/caller.js';
import { compareNames } from '../core/text.js';
import type { Evaluator } from '../features/evaluator.js';
import type { EvaluationContext } from '../features/service.js';
import { builder } from './builder.js';
import {
  answersCost,
  checkKey,
  checkKeys,
  defaultDescription,
  Evaluation,
  keysDescription,
  mapCost,
} from './evaluation.js';

const Role = builder.enumType('Role', {
  description: 'What a caller may do, as the token says.',
  values: {
    ANONYMOUS: {
      description: 'No token. May ask for the features of somebody anonymous, unless the server forbids it.',
    },
    USER: { description: 'May ask for and watch the own features.' },
    SERVICE: { description: 'May also evaluate any context that it states.' },
    ADMIN: { description: 'May also read and change flags, groups, overrides and users.' },
  } as const,
});

/** The context of who asks: never anything from the arguments of a query. */
export function viewerContext({ userId, attributes }: Caller): EvaluationContext {
  return { userId, attributes };
}

/**
 * What these fields answer, with all that can be selected below, follows from the caller and `FeatureService.basis` alone:
 * a server may repeat it while both are the same.
 */
const repeatable = { repeatable: true };

const Viewer = builder.objectRef<{ caller: Caller; evaluator: Evaluator }>('Viewer');
Viewer.implement({
  description:
    'Who asks, with their features: keys, answers and reasons, never rules. All answers stand on one revision.',
  fields: t => ({
    id: t.field({
      type: 'UUID',
      nullable: true,
      description: 'The user id of the token; null for anonymous callers.',
      resolve: ({ caller }) => caller.userId,
    }),
    role: t.field({ type: Role, description: 'The role of the token.', resolve: ({ caller }) => caller.role }),
    attributes: t.field({
      type: 'JSONObject',
      description: 'What targeting sees: the stored attributes, overlaid by those of the token.',
      resolve: ({ evaluator }) => evaluator.subject.attributes,
    }),
    groups: t.stringList({
      description: 'The groups that the user is in, sorted.',
      resolve: ({ evaluator }) => [...evaluator.subject.groups].sort(compareNames),
    }),
    isEnabled: t.boolean({
      description: 'Whether one feature is on.',
      args: {
        key: t.arg.string({ required: true, description: "The flag's key." }),
        default: t.arg.boolean({ description: defaultDescription }),
      },
      resolve: ({ evaluator }, args) => evaluator.evaluate(checkKey(args.key), args.default ?? undefined).enabled,
    }),
    feature: t.field({
      type: Evaluation,
      description: "One feature's answer with its reason.",
      args: {
        key: t.arg.string({ required: true, description: "The flag's key." }),
        default: t.arg.boolean({ description: defaultDescription }),
      },
      resolve: ({ evaluator }, args) => evaluator.evaluate(checkKey(args.key), args.default ?? undefined),
    }),
    features: t.field({
      type: [Evaluation],
      description: 'The answers with their reasons.',
      args: { keys: t.arg.stringList({ description: keysDescription }) },
      complexity: answersCost,
      resolve: ({ evaluator }, { keys }) => evaluator.evaluateAll(checkKeys(keys)),
    }),
    featureMap: t.field({
      type: 'JSONObject',
      description: 'The answers as one JSON object, `{"new_dashboard": true}`: the quickest way to ask for many.',
      args: { keys: t.arg.stringList({ description: keysDescription }) },
      complexity: mapCost,
      resolve: ({ evaluator }, { keys }) => evaluator.evaluateMap(checkKeys(keys)),
    }),
    revision: t.int({
      description: 'The revision of the change log that these answers stand on, for `sinceRevision`.',
      resolve: ({ evaluator }) => evaluator.revision,
    }),
  }),
});

builder.queryFields(t => ({
  isEnabled: t.boolean({
    description: 'Whether one feature is on for the caller.',
    extensions: repeatable,
    authScopes: { viewer: true },
    args: {
      key: t.arg.string({ required: true, description: "The flag's key." }),
      default: t.arg.boolean({ description: defaultDescription }),
    },
    resolve: async (_root, args, { service, caller }) => {
      const evaluator = await service.evaluator(viewerContext(caller));
      return evaluator.evaluate(checkKey(args.key), args.default ?? undefined).enabled;
    },
  }),
  viewer: t.field({
    type: Viewer,
    description: 'Who asks, with their features.',
    extensions: repeatable,
    authScopes: { viewer: true },
    resolve: async (_root, _args, { service, caller }) => ({
      caller,
      evaluator: await service.evaluator(viewerContext(caller)),
    }),
  }),
}));
