import { identicalAnswer } from '../core/evaluate.js';
import { featureMap, featureValues } from '../features/evaluator.js';
import type { FeatureUpdates } from '../features/feature-updates.js';
import type { FeaturesUpdate as FeaturesUpdateShape } from '../features/subscriber.js';
import { noUse } from '../features/usage-counter.js';
import { builder } from './builder.js';
import type { Context } from './context.js';
import {
  answerDescriptions,
  checkContext,
  checkKey,
  checkWatchedKeys,
  defaultDescription,
  Evaluation,
  EvaluationContextInput,
  keysDescription,
} from './evaluation.js';
import { Feature, featureId } from './feature.js';
import { Viewer, viewerContext, viewerNow } from './viewer.js';

const featuresDescription = 'All answers if `snapshot` is true, otherwise the answers that changed.';

/** The fields that updates for viewers and for any user share. */
function updateFields(t: PothosSchemaTypes.ObjectFieldBuilder<typeof builder.$inferSchemaTypes, FeaturesUpdateShape>) {
  return {
    revision: t.exposeInt('revision', {
      description: 'The revision of the change log that these answers are computed from. Pass it as `sinceRevision`.',
    }),
    snapshot: t.exposeBoolean('snapshot', {
      description: 'Whether `features` holds all answers. If false, it holds only those that changed.',
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
    removed: t.stringList({
      description:
        'Keys of flags that were deleted since the update before. Always empty if the subscription names `keys`: a deleted flag then has an answer with the reason `FLAG_NOT_FOUND`.',
      resolve: ({ removed }) => removed,
    }),
  };
}

/** The updates that an operation follows. An update itself is shared among viewers, so it cannot lead to one of them. */
const followed = new WeakMap<Context, FeatureUpdates>();

const ViewerFeaturesUpdate = builder.objectRef<FeaturesUpdateShape>('ViewerFeaturesUpdate').implement({
  description:
    'An update of `viewerFeatures`. The first update holds all answers; each later one holds only the answers that changed since the update before.',
  fields: t => ({
    ...updateFields(t),
    features: t.field({ type: [Feature], description: featuresDescription, resolve: ({ features }) => features }),
    removedIds: t.idList({
      description: 'The global ids of the features in `removed`, for client caches to drop.',
      resolve: ({ removed }) => removed.map(featureId),
    }),
    viewer: t.field({
      type: Viewer,
      extensions: { shareable: false },
      description:
        'The viewer as a whole, at this revision or a later one, for client caches: all answers, whatever `keys` the subscription names. Each update then costs an evaluation of its own, and holds all that is selected here.',
      resolve: (_update, _args, context) => {
        const evaluator = followed.get(context)?.evaluator() ?? null;
        return evaluator === null ? viewerNow(context, noUse) : { caller: context.caller, evaluator };
      },
    }),
  }),
});

const FeaturesUpdate = builder.objectRef<FeaturesUpdateShape>('FeaturesUpdate').implement({
  description:
    'An update of `evaluations`. The first update holds all answers; each later one holds only the answers that changed since the update before.',
  fields: t => ({
    ...updateFields(t),
    features: t.field({ type: [Evaluation], description: featuresDescription, resolve: ({ features }) => features }),
  }),
});

/** The result of these fields depends on the update alone and not on the caller; see `server/operations/known-operation.ts`. */
const shareable = { shareable: true };

builder.subscriptionFields(t => ({
  viewerFeatures: t.field({
    type: ViewerFeaturesUpdate,
    extensions: shareable,
    description:
      'The answers for the caller: first all of them, then an update each time that one changes for this caller.',
    authScopes: { viewer: true },
    args: {
      keys: t.arg.stringList({ description: keysDescription }),
      sinceRevision: t.arg.int({
        description:
          'The `revision` of the last update that the client received before it reconnected. No update older than this is sent. Default: 0.',
      }),
    },
    subscribe: (_root, { keys, sinceRevision }, context) => {
      const { service, caller, device } = context;
      const options = { keys: checkWatchedKeys(keys), sinceRevision: sinceRevision ?? null };
      const updates = service.subscribe(viewerContext(caller, device), options);
      followed.set(context, updates);
      return updates;
    },
    resolve: update => update,
  }),
  isEnabled: t.boolean({
    extensions: shareable,
    description:
      'Whether one feature is on for the caller: first the present answer, then each answer that differs from the one before.',
    authScopes: { viewer: true },
    args: {
      key: t.arg.string({ required: true, description: 'The key of the flag.' }),
      default: t.arg.boolean({ description: defaultDescription }),
    },
    subscribe: (_root, args, { service, caller, device }) =>
      service.subscribe(viewerContext(caller, device), {
        keys: [checkKey(args.key)],
        fallback: args.default ?? null,
        isSame: (a, b) => a.enabled === b.enabled,
      }),
    resolve: ({ features }) => features[0]?.enabled ?? false,
  }),
  evaluations: t.field({
    type: FeaturesUpdate,
    extensions: shareable,
    description:
      'Service, reader, admin. Like `viewerFeatures`, for any user and with attributes that the caller gives.',
    authScopes: { evaluator: true },
    args: {
      context: t.arg({ type: EvaluationContextInput, required: true, description: 'The user to evaluate flags for.' }),
      keys: t.arg.stringList({ description: keysDescription }),
    },
    subscribe: (_root, { context, keys }, { service }) =>
      service.subscribe(checkContext(context, ['context']), {
        keys: checkWatchedKeys(keys),
        isSame: identicalAnswer,
      }),
    resolve: update => update,
  }),
}));
