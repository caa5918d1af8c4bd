import { featureMap } from '../features/evaluator.js';
import type { FlagChange as FlagChangeShape } from '../features/flag-change.js';
import type { FeaturesUpdate as FeaturesUpdateShape } from '../features/subscriber.js';
import { builder } from './builder.js';
import { ChangeKindEnum } from './change-kind.js';
import {
  checkContext,
  checkKey,
  checkWatchedKeys,
  defaultDescription,
  Evaluation,
  EvaluationContextInput,
  keysDescription,
} from './evaluation.js';
import { Flag } from './flag.js';
import { viewerContext } from './viewer.js';

const FeaturesUpdate = builder.objectRef<FeaturesUpdateShape>('FeaturesUpdate').implement({
  description:
    'The first update is the whole set; each later one holds only what is different from what this subscriber was last sent.',
  fields: t => ({
    revision: t.exposeInt('revision', {
      description: 'The revision of the change log that these answers stand on, for `sinceRevision`.',
    }),
    snapshot: t.exposeBoolean('snapshot', { description: 'Whether this is the whole set.' }),
    features: t.field({
      type: [Evaluation],
      description: 'The answers, or those that changed.',
      resolve: ({ features }) => features,
    }),
    featureMap: t.field({
      type: 'JSONObject',
      description: 'The same as one JSON object, `{"new_dashboard": true}`: smaller, and quicker to produce.',
      resolve: ({ features }) => featureMap(features),
    }),
    removed: t.stringList({
      description: 'The keys of flags that are no more. Always empty when `keys` were named.',
      resolve: ({ removed }) => removed,
    }),
  }),
});

const FlagChange = builder.objectRef<FlagChangeShape>('FlagChange').implement({
  description: "A flag's definition came, went or became another.",
  fields: t => ({
    revision: t.exposeInt('revision', { description: 'The revision of the change log that made it so.' }),
    kind: t.expose('kind', { type: ChangeKindEnum, description: 'FLAG_CREATED, FLAG_UPDATED or FLAG_DELETED.' }),
    key: t.exposeString('key', { description: "The flag's key." }),
    flag: t.field({
      type: Flag,
      nullable: true,
      description: 'The flag as it is now; null when it is no more.',
      resolve: ({ key }, _args, { loaders }) => loaders.flagByKey.load(key),
    }),
  }),
});

/** What these make of an update follows from the update alone, whoever it is for; see `server/operations/known-operation.ts`. */
const shareable = { shareable: true };

builder.subscriptionFields(t => ({
  viewerFeatures: t.field({
    type: FeaturesUpdate,
    extensions: shareable,
    description: "The caller's features: the whole set at once, then what changes for this caller.",
    authScopes: { viewer: true },
    args: {
      keys: t.arg.stringList({ description: keysDescription }),
      sinceRevision: t.arg.int({
        description: 'Where the caller stood before: nothing older is sent, also by a server that lags behind.',
      }),
    },
    subscribe: (_root, { keys, sinceRevision }, { service, caller }) =>
      service.subscribe(viewerContext(caller), { keys: checkWatchedKeys(keys), sinceRevision: sinceRevision ?? null }),
    resolve: update => update,
  }),
  isEnabled: t.boolean({
    extensions: shareable,
    description: 'Whether one feature is on for the caller: at once, then each time that this changes.',
    authScopes: { viewer: true },
    args: {
      key: t.arg.string({ required: true, description: "The flag's key." }),
      default: t.arg.boolean({ description: defaultDescription }),
    },
    subscribe: (_root, args, { service, caller }) =>
      service.subscribe(viewerContext(caller), {
        keys: [checkKey(args.key)],
        fallback: args.default ?? null,
        isSame: (a, b) => a.enabled === b.enabled,
      }),
    resolve: ({ features }) => features[0]?.enabled ?? false,
  }),
  evaluations: t.field({
    type: FeaturesUpdate,
    extensions: shareable,
    description: 'Service, admin. Like `viewerFeatures` for a context that the caller states.',
    authScopes: { evaluator: true },
    args: {
      context: t.arg({ type: EvaluationContextInput, required: true, description: 'Whom to evaluate for.' }),
      keys: t.arg.stringList({ description: keysDescription }),
    },
    subscribe: (_root, { context, keys }, { service }) =>
      service.subscribe(checkContext(context, ['context']), { keys: checkWatchedKeys(keys) }),
    resolve: update => update,
  }),
  flagChanges: t.field({
    type: FlagChange,
    description: 'Admin. Each change of a flag from now on. Who reads slowly gets the last change of each flag.',
    authScopes: { admin: true },
    subscribe: (_root, _args, { service }) => service.flagChanges(),
    resolve: change => change,
  }),
}));
