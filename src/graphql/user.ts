import { ValidationError } from '../core/errors.js';
import { externalUserId, storedUserId } from '../core/user-id.js';
import { noUse } from '../features/usage-counter.js';
import type { Prisma, User as UserRow } from '../generated/prisma/client.js';
import { builder } from './builder.js';
import { authorOf } from './context.js';
import { answersCost, checkKeys, Evaluation, keysDescription } from './evaluation.js';
import { noteDescription, type Receipt, receipt, tellReceipt } from './written.js';

/** The id that a user is known by. */
export const knownBy = (user: { id: string; externalId: string | null }): string => user.externalId ?? user.id;

export const User = builder.prismaNode('User', {
  name: 'User',
  nullable: true,
  description:
    'A user. Of most users something is stored: attributes, a group, an override, or a change that the user made.',
  id: { field: 'id' },
  fields: t => ({
    userId: t.field({
      type: 'UserID',
      description: 'The id that the user is known by, as in tokens and overrides.',
      select: { id: true, externalId: true },
      resolve: knownBy,
    }),
    attributes: t.field({
      type: 'JSONObject',
      description: 'The stored attributes.',
      select: { attributes: true },
      resolve: ({ attributes }) => attributes as Prisma.JsonObject,
    }),
    groups: t.stringList({
      description: 'The groups that the user is in, sorted.',
      select: { memberships: { select: { groupName: true }, orderBy: { groupName: 'asc' } } },
      resolve: ({ memberships }) => memberships.map(({ groupName }) => groupName),
    }),
    features: t.field({
      type: [Evaluation],
      description:
        'The answers for this user with the stored attributes. Attributes from the token of the user are not known here. They are for people who look at the user, and count as no use of a flag.',
      args: { keys: t.arg.stringList({ description: keysDescription }) },
      complexity: answersCost,
      select: { id: true, externalId: true },
      resolve: async (user, { keys }, { service }) => {
        const evaluator = await service.evaluator({ userId: knownBy(user) }, noUse);
        return evaluator.evaluateAll(checkKeys(keys));
      },
    }),
  }),
});

/** The row of a user for whom nothing is stored, with the relations that the type selects. */
export function unstoredUser(userId: string): UserRow & { memberships: [] } {
  const [id, externalId] = [storedUserId(userId), externalUserId(userId)];
  // No field shows these times.
  const never = new Date(0);
  return { id, externalId, attributes: {}, memberships: [], createdAt: never, updatedAt: never };
}

builder.queryFields(t => ({
  user: t.prismaField({
    type: 'User',
    description:
      'Reader, admin. The user with this id. A user for whom nothing is stored has no attributes, groups and overrides, and `node` does not find it.',
    authScopes: { reader: true },
    args: { id: t.arg({ type: 'UserID', required: true, description: 'The id of the user.' }) },
    resolve: async (query, _root, { id }, { prisma }) =>
      (await prisma.user.findUnique({ ...query, where: { id: storedUserId(id) } })) ?? unstoredUser(id),
  }),
}));

const SetUserAttributesInput = builder.inputType('SetUserAttributesInput', {
  description: 'The user, and the attributes to store.',
  fields: t => ({
    userId: t.field({ type: 'UserID', required: true, description: 'The id of the user. Unknown users are created.' }),
    attributes: t.field({
      type: 'JSONObject',
      required: true,
      description: 'The new attributes. They replace all earlier attributes. At most 100, and 16,384 bytes of JSON.',
    }),
    note: t.string({ description: noteDescription }),
  }),
});

const SetUserAttributesPayload = builder.objectRef<{ userId: string } & Receipt>('SetUserAttributesPayload').implement({
  description: 'The attributes are stored.',
  fields: t => ({
    user: t.prismaField({
      type: 'User',
      description: 'The user.',
      resolve: (query, { userId }, _args, { prisma }) =>
        prisma.user.findUniqueOrThrow({ ...query, where: { id: storedUserId(userId) } }),
    }),
  }),
});

const DeleteUserInput = builder.inputType('DeleteUserInput', {
  description: 'The user to delete.',
  fields: t => ({
    userId: t.field({ type: 'UserID', required: true, description: 'The id of the user to delete.' }),
    note: t.string({ description: noteDescription }),
  }),
});

const DeleteUserPayload = builder
  .objectRef<{ userId: string; deleted: boolean } & Receipt>('DeleteUserPayload')
  .implement({
    description:
      'Nothing is stored for this user any more. The change log keeps what was done, without attributes and reasons, under the stored UUID of the user.',
    fields: t => ({
      userId: t.expose('userId', { type: 'UserID', description: 'The id of the user.' }),
      deleted: t.exposeBoolean('deleted', { description: 'Whether the user existed.' }),
    }),
  });

tellReceipt(SetUserAttributesPayload);
tellReceipt(DeleteUserPayload);

builder.mutationFields(t => ({
  setUserAttributes: t.field({
    type: SetUserAttributesPayload,
    description: 'Admin. Replaces the stored attributes of a user. Unknown users are created.',
    authScopes: { admin: true },
    errors: {
      types: [ValidationError],
      union: { name: 'SetUserAttributesResult', description: 'The user, or an error.' },
    },
    args: {
      input: t.arg({ type: SetUserAttributesInput, required: true, description: 'The user and the attributes.' }),
    },
    resolve: async (_root, { input }, { changes, caller }) => {
      const written = await changes().setUserAttributes(input, authorOf(caller));
      return receipt(written, { userId: written.value.id });
    },
  }),
  deleteUser: t.field({
    type: DeleteUserPayload,
    description:
      'Admin. Deletes a user with all memberships and overrides, and erases the user in the change log: it keeps the changes under a UUID, without attributes and reasons. Succeeds also if nothing is stored for the user.',
    authScopes: { admin: true },
    errors: {
      types: [ValidationError],
      union: { name: 'DeleteUserResult', description: 'The result of the deletion, or an error.' },
    },
    args: { input: t.arg({ type: DeleteUserInput, required: true, description: 'The user to delete.' }) },
    resolve: async (_root, { input }, { changes, caller }) => {
      const written = await changes().deleteUser(input, authorOf(caller));
      return receipt(written, { userId: input.userId, deleted: written.value });
    },
  }),
}));
