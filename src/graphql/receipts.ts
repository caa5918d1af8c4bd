import type { FlagAudience as FlagAudienceShape, Propagation as PropagationShape } from '../core/receipt.js';
import { builder } from './builder.js';
import { badUserInput } from './errors.js';
import { checkWatchedKeys } from './evaluation.js';
import { Flag } from './flag.js';

const Propagation = builder.objectRef<PropagationShape>('Propagation').implement({
  description:
    'The progress of a change on its way to the viewers that are connected. A viewer is a subscription: a user with two open pages counts twice. The numbers are those of the whole batch that the revision belongs to, added up over all nodes that are known.',
  fields: t => ({
    revision: t.exposeInt('revision', { description: 'The revision that was asked for.' }),
    affected: t.exposeInt('affected', { description: 'Viewers with at least one answer that the change has altered.' }),
    handed: t.exposeInt('handed', {
      description:
        'The affected viewers whose connection has taken the update: the operating system has its bytes. It does not mean that they have arrived. Viewers who leave before that stay affected.',
    }),
    behind: t.exposeInt('behind', {
      description:
        'Viewers who are still to be evaluated, or whose connection has not taken the update yet, such as slow readers.',
    }),
    nodes: t.exposeInt('nodes', {
      description: 'The nodes that are known: those that have answered within five seconds.',
    }),
    nodesApplied: t.exposeInt('nodesApplied', { description: 'The nodes that have applied the change.' }),
    p50: t.exposeFloat('p50', {
      nullable: true,
      description:
        'The time in milliseconds from a node applying the change to a connection taking the update, for half of those handed; rounded up by at most a fifth. Null: none was handed yet.',
    }),
    p99: t.exposeFloat('p99', { nullable: true, description: 'The same time, for 99 % of those handed.' }),
    isDone: t.exposeBoolean('isDone', {
      description:
        'Whether all nodes that are known have applied the change, and no viewer is behind. Other nodes have two seconds to answer first.',
    }),
  }),
});

const FlagAudience = builder.objectRef<FlagAudienceShape>('FlagAudience').implement({
  description:
    'The viewers that are connected and follow a flag, by the answer that they were sent last. A viewer is a subscription: a user with two open pages counts twice.',
  fields: t => ({
    key: t.exposeString('key', { description: 'The key of the flag.' }),
    viewers: t.exposeInt('viewers', { description: 'Viewers that follow the flag.' }),
    on: t.exposeInt('on', { description: 'Viewers for whom it is on.' }),
    variants: t.field({
      type: 'JSONObject',
      description:
        'Viewers by the key of their variant, such as `{"on": 12, "off": 30}`. Answers without a variant, of flags whose stored variants or rules are not valid, are left out.',
      resolve: ({ variants }) => variants,
    }),
    behind: t.exposeInt('behind', {
      description:
        'Viewers who are still to be evaluated again, or whose connection has not taken their last update yet.',
    }),
  }),
});

builder.prismaObjectField(Flag, 'audience', t =>
  t.field({
    type: FlagAudience,
    description:
      'The viewers of the flag that are connected to the answering node. The subscription `flagAudience` adds up over all nodes.',
    complexity: { field: 5 },
    select: { key: true },
    resolve: ({ key }, _args, { loaders }) => loaders.audience.load(key),
  }),
);

builder.subscriptionFields(t => ({
  propagation: t.field({
    type: Propagation,
    description:
      'Reader, admin. The progress of the change of a revision, and of all others of its batch, on the way to viewers: now, and once a second if it has come further. It ends when it is done, or after a minute. It fails with the code `REVISION_NOT_FOUND` if there is no such revision, or if it is older than a minute.',
    authScopes: { reader: true },
    args: {
      revision: t.arg.int({ required: true, description: 'The `revision` that a mutation has answered.' }),
    },
    subscribe: (_root, { revision }, { service }) => {
      if (revision < 1) {
        throw badUserInput({ path: ['revision'], message: `Expected 1 or more, found ${revision}.` });
      }
      return service.receipts.propagation(revision);
    },
    resolve: propagation => propagation,
  }),
  flagAudience: t.field({
    type: FlagAudience,
    // All who watch are told the same objects.
    extensions: { shareable: true },
    description:
      'Reader, admin. The viewers of flags, over all nodes: first an update for each flag, then one each time that the numbers of a flag have changed, at most two a second for each flag.',
    authScopes: { reader: true },
    args: { keys: t.arg.stringList({ description: 'The keys of the flags to follow. Default: all flags.' }) },
    subscribe: (_root, { keys }, { service }) => service.receipts.flagAudience(checkWatchedKeys(keys)),
    resolve: audience => audience,
  }),
}));
