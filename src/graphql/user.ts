import { ValidationError } from '../core/errors.js';
import type { Attributes } from '../core/evaluate.js';
import type { Prisma } from '../generated/prisma/client.js';
import { builder } from './builder.js';
import { answersCost, checkKeys, Evaluation, keysDescription } from './evaluation.js';

export const User = builder.prismaNode('User', {
  name: 'User',
  nullable: true,
  description: 'Somebody known: who has attributes, a group or an override, or made a change.',
  id: { field: 'id', description: 'Global id, for `node(id:)` and client caches.' },
  fields: t => ({
    userId: t.expose('id', { type: 'UUID', description: 'The id that tokens and overrides name.' }),
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
    overrides: t.relatedConnection(
      'overrides',
      {
        cursor: 'userId_flagKey',
        description: "The user's overrides, by flag key.",
        query: { orderBy: { flagKey: 'asc' } },
        totalCount: true,
      },
      { name: 'UserOverridesConnection', description: 'A page of overrides of a user.' },
      { name: 'UserOverridesEdge', description: 'An override in a page.' },
    ),
    features: t.field({
      type: [Evaluation],
      description: 'The answers for this user, on the stored attributes alone: what a token adds is not known here.',
      args: { keys: t.arg.stringList({ description: keysDescription }) },
      complexity: answersCost,
      resolve: async ({ id }, { keys }, { service }) => {
        const evaluator = await service.evaluator({ userId: id });
        return evaluator.evaluateAll(checkKeys(keys));
      },
    }),
  }),
});

builder.queryFields(t => ({
  user: t.prismaField({
    type: 'User',
    nullable: true,
    description: 'Admin. The user with this id; null when nobody is known by it.',
    authScopes: { admin: true },
    args: { id: t.arg({ type: 'UUID', required: true, description: "The user's UUID." }) },
    resolve: (query, _root, { id }, { prisma }) => prisma.user.findUnique({ ...query, where: { id } }),
  }),
}));

const SetUserAttributesInput = builder.inputType('SetUserAttributesInput', {
  description: "A user's attributes.",
  fields: t => ({
    userId: t.field({ type: 'UUID', required: true, description: 'Whose. Who is not known yet is created.' }),
    attributes: t.field({
      type: 'JSONObject',
      required: true,
      description: 'All attributes, in place of those that stood. Up to 100, and 16,384 bytes of JSON.',
    }),
  }),
});

const SetUserAttributesPayload = builder
  .objectRef<{ userId: string; attributes: Attributes }>('SetUserAttributesPayload')
  .implement({
    description: 'The attributes are as asked.',
    fields: t => ({
      user: t.prismaField({
        type: 'User',
        description: 'The user.',
        resolve: (query, { userId }, _args, { prisma }) =>
          prisma.user.findUniqueOrThrow({ ...query, where: { id: userId } }),
      }),
    }),
  });

const DeleteUserInput = builder.inputType('DeleteUserInput', {
  description: 'A user to delete.',
  fields: t => ({ userId: t.field({ type: 'UUID', required: true, description: 'Whom.' }) }),
});

const DeleteUserPayload = builder.objectRef<{ userId: string; deleted: boolean }>('DeleteUserPayload').implement({
  description: 'Nobody is known by this id any more.',
  fields: t => ({
    userId: t.expose('userId', { type: 'UUID', description: 'Whom.' }),
    deleted: t.exposeBoolean('deleted', { description: 'Whether somebody was.' }),
  }),
});

builder.mutationFields(t => ({
  setUserAttributes: t.field({
    type: SetUserAttributesPayload,
    description: "Admin. Replaces a user's stored attributes; who is not known yet is created.",
    authScopes: { admin: true },
    errors: {
      types: [ValidationError],
      union: { name: 'SetUserAttributesResult', description: 'The user, or why not.' },
    },
    args: { input: t.arg({ type: SetUserAttributesInput, required: true, description: 'Whose, and what.' }) },
    resolve: async (_root, { input }, { service, caller }) => {
      const { id, attributes } = await service.management.setUserAttributes(input, caller.userId);
      return { userId: id, attributes };
    },
  }),
  deleteUser: t.field({
    type: DeleteUserPayload,
    description: "Admin. Deletes a user with memberships and overrides; the change log keeps the user's id.",
    authScopes: { admin: true },
    errors: { types: [ValidationError], union: { name: 'DeleteUserResult', description: 'Done, or why not.' } },
    args: { input: t.arg({ type: DeleteUserInput, required: true, description: 'Whom.' }) },
    resolve: async (_root, { input }, { service, caller }) => ({
      userId: input.userId,
      deleted: await service.management.deleteUser(input, caller.userId),
    }),
  }),
}));
