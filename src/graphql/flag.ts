import { FlagExistsError, FlagNotFoundError, ValidationError, VersionConflictError } from '../core/errors.js';
import type { Flag as FlagShape } from '../core/flag.js';
import type { UpdateFlagInput as FlagChanges, CreateFlagInput as NewFlag } from '../core/inputs.js';
import type { FeatureFlag, Prisma } from '../generated/prisma/client.js';
import { builder } from './builder.js';
import type { Context } from './context.js';
import { storable } from './errors.js';
import { unchecked } from './input.js';

export const Flag = builder.prismaNode('FeatureFlag', {
  name: 'Flag',
  nullable: true,
  description: 'A feature flag: what it is called and whom it is on for.',
  id: { field: 'id', description: 'Global id, for `node(id:)` and client caches.' },
  fields: t => ({
    key: t.exposeString('key', { description: 'Unique; what programs ask for.' }),
    name: t.exposeString('name', { description: 'For people.' }),
    description: t.exposeString('description', { nullable: true, description: 'What the feature is, for people.' }),
    enabled: t.exposeBoolean('enabled', {
      description: 'The global switch. Off: off for everybody who has no override.',
    }),
    percentage: t.exposeInt('percentage', {
      description: 'The share of users that the flag is rolled out to, from 0 (nobody) to 100 (everybody).',
    }),
    conditions: t.expose('conditions', { type: 'Conditions', description: 'Whom it is for; `{}`: everybody.' }),
    version: t.exposeInt('version', {
      description:
        '1 at first, one more with each change; for `expectedVersion`. A flag created again goes on after the deleted one.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was created.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When it was last changed.' }),
    createdBy: t.relation('createdBy', { nullable: true, description: 'Who created it, as far as known.' }),
    overrides: t.relatedConnection(
      'overrides',
      {
        cursor: 'userId_flagKey',
        description: 'The overrides of this flag, by user id.',
        query: { orderBy: { userId: 'asc' } },
        totalCount: true,
      },
      { name: 'FlagOverridesConnection', description: 'A page of overrides of a flag.' },
      { name: 'FlagOverridesEdge', description: 'An override in a page.' },
    ),
  }),
});

/** A flag as the service knows it, as the row that the type stands on; what else is asked for is then loaded. */
export function flagRow(flag: FlagShape): FeatureFlag {
  return { ...flag, conditions: flag.conditions as Prisma.JsonObject };
}

const FlagFilter = builder.inputType('FlagFilter', {
  description: 'Which flags to list. What is not stated does not matter.',
  fields: t => ({
    search: t.string({
      description: 'Text in the key, the name or the description; upper and lower case are the same.',
    }),
    enabled: t.boolean({ description: 'Only flags whose global switch is on, or off.' }),
    group: t.string({ description: 'Only flags whose conditions name this group.' }),
  }),
});

const FlagOrderField = builder.enumType('FlagOrderField', {
  description: 'What flags can be sorted by.',
  values: {
    KEY: { value: 'key', description: 'The key.' },
    NAME: { value: 'name', description: 'The name, then the key.' },
    CREATED_AT: { value: 'createdAt', description: 'When it was created, then the key.' },
    UPDATED_AT: { value: 'updatedAt', description: 'When it was last changed, then the key.' },
  } as const,
});

const OrderDirection = builder.enumType('OrderDirection', {
  description: 'Which end comes first.',
  values: {
    ASC: { value: 'asc', description: 'The smallest, the oldest.' },
    DESC: { value: 'desc', description: 'The greatest, the newest.' },
  } as const,
});

const FlagOrder = builder.inputType('FlagOrder', {
  description: 'How to sort flags.',
  fields: t => ({
    field: t.field({ type: FlagOrderField, required: true, description: 'What to sort by.' }),
    direction: t.field({ type: OrderDirection, required: true, description: 'Which end comes first.' }),
  }),
});

function flagsWhere(filter: typeof FlagFilter.$inferInput | null | undefined, { service }: Context) {
  const text = storable(filter?.search, ['filter', 'search']);
  const contains = text == null || text === '' ? null : { contains: likeText(text), mode: 'insensitive' as const };
  return {
    ...(filter?.enabled == null ? {} : { enabled: filter.enabled }),
    ...(filter?.group == null ? {} : { key: { in: service.flagKeysNaming(filter.group) } }),
    ...(contains === null ? {} : { OR: [{ key: contains }, { name: contains }, { description: contains }] }),
  } satisfies Prisma.FeatureFlagWhereInput;
}

// Prisma passes the wildcards of LIKE on; a search for "a_b" means the underscore.
function likeText(text: string): string {
  return text.replaceAll(/[\\%_]/g, '\\$&');
}

builder.queryFields(t => ({
  flag: t.prismaField({
    type: 'FeatureFlag',
    nullable: true,
    description: 'Admin. The flag with this key; null when there is none.',
    authScopes: { admin: true },
    args: { key: t.arg.string({ required: true, description: "The flag's key." }) },
    resolve: (query, _root, { key }, { prisma }) =>
      prisma.featureFlag.findUnique({ ...query, where: { key: storable(key, ['key']) } }),
  }),
  flags: t.prismaConnection(
    {
      type: 'FeatureFlag',
      cursor: 'key',
      description: 'Admin. The flags, by key unless `orderBy` says otherwise.',
      authScopes: { admin: true },
      args: {
        filter: t.arg({ type: FlagFilter, description: 'Which flags to list.' }),
        orderBy: t.arg({ type: FlagOrder, description: 'How to sort them. Not stated: by key.' }),
      },
      totalCount: (_root, { filter }, context) =>
        context.prisma.featureFlag.count({ where: flagsWhere(filter, context) }),
      resolve: (query, _root, { filter, orderBy }, context) => {
        const { field, direction } = orderBy ?? { field: 'key', direction: 'asc' };
        return context.prisma.featureFlag.findMany({
          ...query,
          where: flagsWhere(filter, context),
          orderBy: field === 'key' ? { key: direction } : [{ [field]: direction }, { key: direction }],
        });
      },
    },
    { name: 'FlagConnection', description: 'A page of flags.' },
    { name: 'FlagEdge', description: 'A flag in a page.' },
  ),
}));

const CreateFlagInput = builder.inputType('CreateFlagInput', {
  description: 'A flag to create.',
  fields: t => ({
    key: t.string({
      required: true,
      description:
        '1 to 100 letters, digits, `.`, `_`, `:` or `-`, beginning with a letter or a digit. It never changes.',
    }),
    name: t.string({ required: true, description: 'For people; 1 to 200 characters.' }),
    description: t.string({ description: 'What the feature is, for people; up to 10,000 characters.' }),
    enabled: t.boolean({ defaultValue: false, description: 'The global switch.' }),
    percentage: t.int({ defaultValue: 100, description: 'The share of users to roll out to, from 0 to 100.' }),
    conditions: t.field({ type: 'Conditions', description: 'Whom it is for. Not stated, or `{}`: everybody.' }),
  }),
});

const UpdateFlagInput = builder.inputType('UpdateFlagInput', {
  description: 'What to change of a flag. What is not stated stays.',
  fields: t => ({
    key: t.string({ required: true, description: 'Which flag.' }),
    name: t.string({ description: 'For people; 1 to 200 characters.' }),
    description: t.string({ description: 'What the feature is, for people; null: nothing is said.' }),
    enabled: t.boolean({ description: 'The global switch.' }),
    percentage: t.int({ description: 'The share of users to roll out to, from 0 to 100.' }),
    conditions: t.field({
      type: 'Conditions',
      description: 'Whom it is for, in place of what stood; `{}`: everybody.',
    }),
    expectedVersion: t.int({
      description:
        'Change it only if it is at this version; otherwise a `VersionConflictError` with the flag as it is.',
    }),
  }),
});

const DeleteFlagInput = builder.inputType('DeleteFlagInput', {
  description: 'A flag to delete.',
  fields: t => ({ key: t.string({ required: true, description: 'Which flag.' }) }),
});

interface FlagPayload {
  readonly flag: FlagShape;
}

const CreateFlagPayload = builder.objectRef<FlagPayload>('CreateFlagPayload').implement({
  description: 'The flag was created.',
  fields: t => ({
    flag: t.field({ type: Flag, description: 'The flag.', resolve: ({ flag }) => flagRow(flag) }),
  }),
});

const UpdateFlagPayload = builder.objectRef<FlagPayload>('UpdateFlagPayload').implement({
  description: 'The flag is as asked.',
  fields: t => ({
    flag: t.field({ type: Flag, description: 'The flag as it is now.', resolve: ({ flag }) => flagRow(flag) }),
  }),
});

const DeleteFlagPayload = builder.objectRef<{ key: string; deleted: boolean }>('DeleteFlagPayload').implement({
  description: 'There is no such flag any more.',
  fields: t => ({
    key: t.exposeString('key', { description: 'Which flag.' }),
    deleted: t.exposeBoolean('deleted', { description: 'Whether there was one.' }),
  }),
});

builder.mutationFields(t => ({
  createFlag: t.field({
    type: CreateFlagPayload,
    description: 'Admin. Creates a flag.',
    authScopes: { admin: true },
    errors: {
      types: [ValidationError, FlagExistsError],
      union: { name: 'CreateFlagResult', description: 'The flag, or why not.' },
    },
    args: { input: t.arg({ type: CreateFlagInput, required: true, description: 'The flag.' }) },
    resolve: async (_root, { input }, { service, caller }) => ({
      flag: await service.management.createFlag(unchecked<NewFlag>(input), caller.userId),
    }),
  }),
  updateFlag: t.field({
    type: UpdateFlagPayload,
    description: 'Admin. Changes a flag. Everybody whose answer changes is sent it.',
    authScopes: { admin: true },
    errors: {
      types: [ValidationError, FlagNotFoundError, VersionConflictError],
      union: { name: 'UpdateFlagResult', description: 'The flag, or why not.' },
    },
    args: { input: t.arg({ type: UpdateFlagInput, required: true, description: 'What to change.' }) },
    resolve: async (_root, { input }, { service, caller }) => ({
      flag: await service.management.updateFlag(unchecked<FlagChanges>(input), caller.userId),
    }),
  }),
  deleteFlag: t.field({
    type: DeleteFlagPayload,
    description: 'Admin. Deletes a flag with its overrides. That there is none is no error.',
    authScopes: { admin: true },
    errors: { types: [ValidationError], union: { name: 'DeleteFlagResult', description: 'Done, or why not.' } },
    args: { input: t.arg({ type: DeleteFlagInput, required: true, description: 'Which flag.' }) },
    resolve: async (_root, { input }, { service, caller }) => ({
      key: input.key,
      deleted: await service.management.deleteFlag(input, caller.userId),
    }),
  }),
}));
