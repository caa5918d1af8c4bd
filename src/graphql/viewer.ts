import { encodeGlobalID } from '@pothos/plugin-relay';
import type { Caller } from '../auth/caller.js';
import { compareNames } from '../core/text.js';
import type { Evaluator } from '../features/evaluator.js';
import type { EvaluationContext } from '../features/service.js';
import type { QuestionListener } from '../features/usage-counter.js';
import { whenKnown } from '../streams/pulled.js';
import { builder } from './builder.js';
import type { Context } from './context.js';
import {
  answerDescriptions,
  answersCost,
  checkKey,
  checkKeys,
  defaultDescription,
  keysDescription,
  mapCost,
} from './evaluation.js';
import { Feature } from './feature.js';

const Role = builder.enumType('Role', {
  description: 'The role of a caller. It comes from the token.',
  values: {
    ANONYMOUS: {
      description:
        'The caller has no token. May read and watch the answers for an anonymous user, unless the server is set to refuse this (`FEATURE_ANONYMOUS=false`). Percentages hash the id of its device: the header `X-Halyard-Device`, or the connection parameter `device` of a WebSocket.',
    },
    USER: { description: 'May read and watch the answers for the user that the token names.' },
    SERVICE: { description: 'May also read and watch the answers for any user, with any attributes.' },
    READER: {
      description: 'May also read flags, groups, overrides, users and changes, explain and preview. Changes nothing.',
    },
    ADMIN: { description: 'May also change flags, groups, overrides and users.' },
  } as const,
});

/** The context of the caller and its device. Nothing in it comes from the arguments of a query. */
export function viewerContext({ userId, attributes }: Caller, device: string | null): EvaluationContext {
  return { userId, device, attributes };
}

/**
 * The answers of these fields, and of all fields below them, depend on the caller, its device (as far as
 * `FeatureService.dependsOnDevice` says) and `FeatureService.stamp` alone: a server may repeat them while these are the same.
 */
const repeatable = { repeatable: true };

/** The part of the global id of a viewer that tells viewers apart. */
export function viewerName({ userId }: Caller): string {
  return userId ?? 'anonymous';
}

/**
 * The caller, with the answers of this moment.
 * @param questions counts the flags that are named.
 */
export function viewerNow(
  { service, caller, device }: Context,
  questions: QuestionListener,
): typeof Viewer.$inferType | Promise<typeof Viewer.$inferType> {
  const evaluator = service.evaluator(viewerContext(caller, device), questions);
  return whenKnown(evaluator, known => ({ caller, evaluator: known }));
}

export const Viewer = builder.objectRef<{ readonly caller: Caller; readonly evaluator: Evaluator }>('Viewer');
Viewer.implement({
  description:
    'The caller, with the answers for the caller: keys, answers and reasons, never rules. All answers are computed from the same revision.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: t => ({
    id: t.id({
      description: 'The global id, for client caches. All anonymous callers have the same.',
      resolve: ({ caller }) => encodeGlobalID('Viewer', viewerName(caller)),
    }),
    userId: t.field({
      type: 'UserID',
      nullable: true,
      description: 'The user id of the token. Null for anonymous callers, and for tokens that name no user.',
      resolve: ({ caller }) => caller.userId,
    }),
    role: t.field({ type: Role, description: 'The role of the token.', resolve: ({ caller }) => caller.role }),
    attributes: t.field({
      type: 'JSONObject',
      description:
        'The attributes that conditions see: the stored attributes, and those of the token, which win if both have the same name.',
      resolve: ({ evaluator }) => evaluator.subject.attributes,
    }),
    groups: t.stringList({
      description: 'The groups that the user is in, sorted.',
      resolve: ({ evaluator }) => [...evaluator.subject.groups].sort(compareNames),
    }),
    isEnabled: t.boolean({
      description: 'Whether one feature is on.',
      args: {
        key: t.arg.string({ required: true, description: 'The key of the flag.' }),
        default: t.arg.boolean({ description: defaultDescription }),
      },
      resolve: ({ evaluator }, args) => evaluator.evaluate(checkKey(args.key), args.default ?? undefined).enabled,
    }),
    feature: t.field({
      type: Feature,
      description: 'The answer for one feature, with its reason.',
      args: {
        key: t.arg.string({ required: true, description: 'The key of the flag.' }),
        default: t.arg.boolean({ description: defaultDescription }),
      },
      resolve: ({ evaluator }, args) => evaluator.evaluate(checkKey(args.key), args.default ?? undefined),
    }),
    features: t.field({
      type: [Feature],
      description: 'The answers, with their reasons.',
      args: { keys: t.arg.stringList({ description: keysDescription }) },
      complexity: answersCost,
      resolve: ({ evaluator }, { keys }) => evaluator.evaluateAll(checkKeys(keys)),
    }),
    featureMap: t.field({
      type: 'JSONObject',
      description:
        'The answers as one JSON object, such as `{"new_dashboard": true}`. It is smaller and faster than `features`.',
      args: { keys: t.arg.stringList({ description: keysDescription }) },
      complexity: mapCost,
      resolve: ({ evaluator }, { keys }) =>
        keys == null ? evaluator.sharedMap() : evaluator.evaluateMap(checkKeys(keys)),
    }),
    values: t.field({
      type: 'JSONObject',
      description: answerDescriptions.values,
      args: { keys: t.arg.stringList({ description: keysDescription }) },
      complexity: mapCost,
      resolve: ({ evaluator }, { keys }) => evaluator.evaluateValues(checkKeys(keys)),
    }),
    revision: t.int({
      description:
        'The revision of the change log that these answers are computed from. Pass it as `sinceRevision` to `viewerFeatures`.',
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
      key: t.arg.string({ required: true, description: 'The key of the flag.' }),
      default: t.arg.boolean({ description: defaultDescription }),
    },
    resolve: (_root, args, { service, caller, device, questions }) => {
      const evaluator = service.evaluator(viewerContext(caller, device), questions);
      return whenKnown(evaluator, known => known.evaluate(checkKey(args.key), args.default ?? undefined).enabled);
    },
  }),
  viewer: t.field({
    type: Viewer,
    description: 'The caller, with the answers for the caller.',
    extensions: repeatable,
    authScopes: { viewer: true },
    resolve: (_root, _args, context) => viewerNow(context, context.questions),
  }),
}));
