import { FlagNotFoundError, refuse, ValidationError, VersionConflictError } from '../core/errors.js';
import { storedUserId } from '../core/user-id.js';
import { type ConfirmablePreview, ConfirmationRequiredError } from '../features/confirmation.js';
import { previewLimits } from '../features/preview.js';
import type { PrismaClient } from '../generated/prisma/client.js';
import { builder, unchecked } from './builder.js';
import { callerName } from './context.js';
import { ErrorInterface } from './error-types.js';
import { UpdateFlagInput } from './flag.js';
import { unstoredUser } from './user.js';

export const Population = builder.enumType('Population', {
  description: 'The users that a preview compares.',
  values: {
    CONNECTED: {
      description:
        'The viewers whose subscriptions the answering node holds now, with the attributes of their tokens. A user with several connections counts once, and so does a device.',
    },
    STORED: { description: 'The users of whom something is stored, with their stored attributes.' },
  } as const,
});

const { examples: maxExamples, time } = previewLimits;

export const FlagPreview = builder.objectRef<ConfirmablePreview>('FlagPreview').implement({
  description:
    'The effect of a change on users: their answers before and after it. If the change concerns several flags, the numbers from `on` to `changeVariant` are sums over the flags.',
  fields: t => ({
    counted: t.exposeInt('counted', { description: 'Users that were compared.' }),
    total: t.exposeInt('total', {
      description:
        'All users of the population. If `isComplete` is false and more than 100,000 users are stored, an estimate of the database.',
    }),
    isComplete: t.exposeBoolean('isComplete', {
      description: `Whether every user of the population was compared. A preview answers within ${time / 1_000} seconds, for the users that it has compared until then. Stored users are compared in the order of their stored ids.`,
    }),
    on: t.exposeInt('on', {
      description:
        'Users for whom the feature is on now. A flag that does not exist has the default answer of the server (`FEATURE_DEFAULT_ENABLED`) for everybody.',
    }),
    onAfter: t.exposeInt('onAfter', { description: 'Users for whom the feature would be on.' }),
    gain: t.exposeInt('gain', { description: 'Users for whom the feature is off now and would be on.' }),
    lose: t.exposeInt('lose', { description: 'Users for whom the feature is on now and would be off.' }),
    changeVariant: t.exposeInt('changeVariant', {
      description: 'Users for whom the feature stays on, or stays off, with another variant or another value.',
    }),
    gaining: t.prismaField({
      type: ['User'],
      complexity: { multiplier: maxExamples },
      description: `Examples of users who gain, at most ${maxExamples}. Visitors without a user are no examples.`,
      resolve: (query, { gaining }, _args, { prisma }) => usersOf(gaining, query, prisma),
    }),
    losing: t.prismaField({
      type: ['User'],
      complexity: { multiplier: maxExamples },
      description: `Examples of users who lose, at most ${maxExamples}. Visitors without a user are no examples.`,
      resolve: (query, { losing }, _args, { prisma }) => usersOf(losing, query, prisma),
    }),
    confirm: t.exposeString('confirm', {
      description:
        'The token that confirms the change on a protected server, as `confirm` of its input. It holds for ten minutes, for this caller and exactly this change, until one of the flags is changed.',
    }),
  }),
});

builder.objectType(ConfirmationRequiredError, {
  name: 'ConfirmationRequiredError',
  description:
    'The change would alter answers on a protected server and is not confirmed, or its confirmation does not fit (`CONFIRMATION_REQUIRED`). Nothing was changed. Send the same change with `confirm` of the preview.',
  interfaces: [ErrorInterface],
  fields: t => ({
    preview: t.field({
      type: FlagPreview,
      description:
        'The effect of the change on the connected viewers. After a deletion everybody has the default answer of the server (`FEATURE_DEFAULT_ENABLED`).',
      resolve: ({ preview }) => preview,
    }),
  }),
});

/** These users in this order. A connected user need not be stored. */
async function usersOf(userIds: readonly string[], query: object, prisma: PrismaClient) {
  const storedIds = userIds.map(storedUserId);
  const rows = await prisma.user.findMany({ ...query, where: { id: { in: storedIds } } });
  const byId = new Map(rows.map(row => [row.id, row]));
  return userIds.map((userId, index) => byId.get(storedIds[index] as string) ?? unstoredUser(userId));
}

builder.queryFields(t => ({
  previewFlag: t.field({
    type: FlagPreview,
    description:
      'Reader, admin. Previews `updateFlag` with this input: how many users would gain and lose the feature, with examples. Changes nothing.',
    authScopes: { reader: true },
    // Each preview evaluates for up to two seconds, so one operation may ask for a few.
    complexity: { field: 20_000 },
    errors: {
      types: [ValidationError, FlagNotFoundError, VersionConflictError],
      union: { name: 'PreviewFlagResult', description: 'The preview, or the error that the change would have.' },
    },
    args: {
      input: t.arg({ type: UpdateFlagInput, required: true, description: 'The flag, and the changes to preview.' }),
      population: t.arg({
        type: Population,
        required: true,
        defaultValue: 'CONNECTED',
        description: 'The users to compare.',
      }),
    },
    resolve: (_root, { input: { confirm, ...input }, population }, { service, caller }) => {
      if (confirm != null)
        refuse([{ path: ['confirm'], message: 'A preview changes nothing and needs no confirmation: leave it out.' }]);
      return service.confirmablePreview(unchecked(input), population, callerName(caller));
    },
  }),
}));
