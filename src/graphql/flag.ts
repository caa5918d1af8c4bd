import { FlagExistsError, FlagNotFoundError, ValidationError, VersionConflictError } from '../core/errors.js';
import { type Flag as FlagShape, maxFlagKeyLength, maxOwnerLength, maxTagLength, maxTags } from '../core/flag.js';
import { ConfirmationRequiredError } from '../features/confirmation.js';
import type { FeatureFlag, Prisma } from '../generated/prisma/client.js';
import { builder, unchecked } from './builder.js';
import { confirmField } from './confirm.js';
import { authorOf } from './context.js';
import { storable } from './errors.js';
import { FlagRule, FlagRuleInput, rulesOf, ValueType, Variant, VariantInput, variantsOf } from './values.js';
import { noteDescription, type Receipt, receipt, tellReceipt } from './written.js';

const bucketByDescription =
  'The source of the text that the rollout, the rules and the split hash: `$id` (the user id), `$device`, or the name of an attribute. Null: the targeting key, else the user id, else the device.';

const tagsDescription = `The tags, for people to find flags by: at most ${maxTags} different ones of 1 to ${maxTagLength} characters, without blanks at the ends.`;
const ownerDescription = `The person or the team that is responsible for the flag, as text of 1 to ${maxOwnerLength} characters without blanks at the ends.`;
const expectedUntilDescription =
  'The time until which the flag is expected to be needed; it may be past. Nothing happens at this time.';

export const Flag = builder.prismaNode('FeatureFlag', {
  name: 'Flag',
  nullable: true,
  description: 'A feature flag: its name, and the rules that decide for which users the feature is on.',
  id: { field: 'id' },
  fields: t => ({
    key: t.exposeString('key', { description: 'The key that programs ask for. Unique; it never changes.' }),
    name: t.exposeString('name', { description: 'The name, for people.' }),
    description: t.exposeString('description', {
      nullable: true,
      description: 'The description of the feature, for people. Null if there is none.',
    }),
    enabled: t.exposeBoolean('enabled', {
      description: 'The global switch. If false, the feature is off for every user without an override.',
    }),
    percentage: t.exposeInt('percentage', {
      description: 'The percentage of users that the flag is rolled out to, from 0 (nobody) to 100 (everybody).',
    }),
    conditions: t.expose('conditions', {
      type: 'Conditions',
      description: 'The conditions that a user must match; `{}` matches everybody.',
    }),
    type: t.expose('type', { type: ValueType, description: "The type of the flag's values." }),
    variants: t.field({
      type: [Variant],
      select: { type: true, variants: true },
      description: 'The values that the flag can have. A BOOLEAN flag has `on` and `off`.',
      resolve: variantsOf,
    }),
    offVariant: t.exposeString('offVariant', {
      description: 'The key of the variant of users for whom the flag is off.',
    }),
    rules: t.field({
      type: [FlagRule],
      select: { rules: true },
      description:
        'The rules, asked in order before the percentage and the conditions. The first rule that matches decides.',
      resolve: rulesOf,
    }),
    bucketBy: t.exposeString('bucketBy', {
      nullable: true,
      description: bucketByDescription,
    }),
    tags: t.exposeStringList('tags', { description: 'The tags, for people to find flags by. Sorted.' }),
    owner: t.exposeString('owner', {
      nullable: true,
      description: 'The person or the team that is responsible for the flag, as text. Null if nobody is.',
    }),
    expectedUntil: t.expose('expectedUntil', {
      type: 'DateTime',
      nullable: true,
      description:
        'The time until which the flag is expected to be needed. Null if that is not known. Nothing happens at this time.',
    }),
    version: t.exposeInt('version', {
      description:
        'The version: 1 for a new flag, and 1 more with each change. A flag that is created again continues after the deleted one. Pass it as `expectedVersion`.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'The time of creation.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'The time of the last change.' }),
    createdBy: t.relation('createdBy', {
      nullable: true,
      description:
        'The user who created the flag. Null if the program that created it named no user, or if that user was deleted since.',
    }),
  }),
});

/** Turns a flag of the service into the row that the type is built on. Relations are loaded when they are selected. */
export function flagRow(flag: FlagShape): FeatureFlag {
  const { conditions, variants, rules, tags } = flag;
  return {
    ...flag,
    tags: [...tags],
    conditions: conditions as Prisma.JsonObject,
    variants: variants as unknown as Prisma.JsonArray,
    rules: rules as unknown as Prisma.JsonArray,
  };
}

builder.queryFields(t => ({
  flag: t.prismaField({
    type: 'FeatureFlag',
    nullable: true,
    description: 'Reader, admin. The flag with this key. Null if no flag has it.',
    authScopes: { reader: true },
    args: { key: t.arg.string({ required: true, description: 'The key of the flag.' }) },
    resolve: (query, _root, { key }, { prisma }) =>
      prisma.featureFlag.findUnique({ ...query, where: { key: storable(key, ['key'], maxFlagKeyLength) } }),
  }),
}));

export const CreateFlagInput = builder.inputType('CreateFlagInput', {
  description: 'The flag to create.',
  fields: t => ({
    key: t.string({
      required: true,
      description:
        'The key that programs ask for: 1 to 100 letters, digits, `.`, `_`, `:` or `-`, beginning with a letter or a digit. It never changes.',
    }),
    name: t.string({ required: true, description: 'The name, for people; 1 to 200 characters.' }),
    description: t.string({ description: 'The description of the feature, for people; at most 10,000 characters.' }),
    enabled: t.boolean({
      defaultValue: false,
      description: 'The global switch. If false, the feature is off for every user without an override.',
    }),
    percentage: t.int({
      defaultValue: 100,
      description: 'The percentage of users to roll the flag out to, from 0 to 100.',
    }),
    conditions: t.field({
      type: 'Conditions',
      description: 'The conditions that a user must match. Default: `{}`, which matches everybody.',
    }),
    type: t.field({
      type: ValueType,
      description: "The type of the flag's values. It never changes. Default: BOOLEAN.",
    }),
    variants: t.field({
      type: [VariantInput],
      description:
        'The values that the flag can have, at least one. A BOOLEAN flag has `on` and `off`, and takes none here.',
    }),
    offVariant: t.string({
      description: 'The key of the variant of users for whom the flag is off. Default: `off`.',
    }),
    rules: t.field({
      type: [FlagRuleInput],
      description: 'The rules, asked in order before the percentage and the conditions. Default: none.',
    }),
    bucketBy: t.string({ description: bucketByDescription }),
    tags: t.stringList({ description: `${tagsDescription} Default: none.` }),
    owner: t.string({ description: ownerDescription }),
    expectedUntil: t.field({ type: 'DateTime', description: expectedUntilDescription }),
    note: t.string({ description: noteDescription }),
  }),
});

export const UpdateFlagInput = builder.inputType('UpdateFlagInput', {
  description:
    'The changes to make to a flag. Fields that are omitted or null keep their value, except `description`, `bucketBy`, `owner` and `expectedUntil`.',
  fields: t => ({
    key: t.string({ required: true, description: 'The key of the flag to change.' }),
    name: t.string({ description: 'The new name, for people; 1 to 200 characters.' }),
    description: t.string({
      description: 'The new description, for people; at most 10,000 characters. Null removes it.',
    }),
    enabled: t.boolean({ description: 'The global switch: true turns the flag on, false off.' }),
    percentage: t.int({ description: 'The percentage of users to roll the flag out to, from 0 to 100.' }),
    conditions: t.field({
      type: 'Conditions',
      description:
        'The conditions that a user must match. They replace all earlier conditions; `{}` matches everybody.',
    }),
    variants: t.field({ type: [VariantInput], description: 'The new variants. They replace all earlier variants.' }),
    offVariant: t.string({ description: 'The key of the variant of users for whom the flag is off.' }),
    rules: t.field({ type: [FlagRuleInput], description: 'The new rules, in order. They replace all earlier rules.' }),
    bucketBy: t.string({ description: `${bucketByDescription} Null removes it.` }),
    tags: t.stringList({ description: `${tagsDescription} They replace all earlier tags.` }),
    owner: t.string({ description: `${ownerDescription} Null removes it.` }),
    expectedUntil: t.field({ type: 'DateTime', description: `${expectedUntilDescription} Null removes it.` }),
    confirm: confirmField(t),
    expectedVersion: t.int({
      description:
        'Change the flag only if it is at this version; otherwise return a `VersionConflictError`. Default: change any version.',
    }),
    note: t.string({ description: noteDescription }),
  }),
});

const DeleteFlagInput = builder.inputType('DeleteFlagInput', {
  description: 'The flag to delete.',
  fields: t => ({
    key: t.string({ required: true, description: 'The key of the flag to delete.' }),
    note: t.string({ description: noteDescription }),
    confirm: confirmField(t),
  }),
});

interface FlagPayload extends Receipt {
  readonly flag: FlagShape;
}

const CreateFlagPayload = builder.objectRef<FlagPayload>('CreateFlagPayload').implement({
  description: 'The flag was created.',
  fields: t => ({
    flag: t.field({ type: Flag, description: 'The new flag.', resolve: ({ flag }) => flagRow(flag) }),
  }),
});

const UpdateFlagPayload = builder.objectRef<FlagPayload>('UpdateFlagPayload').implement({
  description: 'The flag was changed, or had these values already.',
  fields: t => ({
    flag: t.field({ type: Flag, description: 'The flag as it is now.', resolve: ({ flag }) => flagRow(flag) }),
  }),
});

const DeleteFlagPayload = builder
  .objectRef<{ key: string; deleted: boolean } & Receipt>('DeleteFlagPayload')
  .implement({
    description: 'The flag does not exist any more.',
    fields: t => ({
      key: t.exposeString('key', { description: 'The key of the flag.' }),
      deleted: t.exposeBoolean('deleted', { description: 'Whether the flag existed.' }),
    }),
  });

tellReceipt(CreateFlagPayload);
tellReceipt(UpdateFlagPayload);
tellReceipt(DeleteFlagPayload);

builder.mutationFields(t => ({
  createFlag: t.field({
    type: CreateFlagPayload,
    description: 'Admin. Creates a flag.',
    authScopes: { admin: true },
    errors: {
      types: [ValidationError, FlagExistsError],
      union: { name: 'CreateFlagResult', description: 'The new flag, or an error.' },
    },
    args: { input: t.arg({ type: CreateFlagInput, required: true, description: 'The flag to create.' }) },
    resolve: async (_root, { input }, { changes, caller }) => {
      const written = await changes().createFlag(unchecked(input), authorOf(caller));
      return receipt(written, { flag: written.value });
    },
  }),
  updateFlag: t.field({
    type: UpdateFlagPayload,
    description: 'Admin. Changes a flag. Every connected client whose answer changes gets an update.',
    authScopes: { admin: true },
    errors: {
      types: [ValidationError, FlagNotFoundError, VersionConflictError, ConfirmationRequiredError],
      union: { name: 'UpdateFlagResult', description: 'The changed flag, or an error.' },
    },
    args: {
      input: t.arg({ type: UpdateFlagInput, required: true, description: 'The flag, and the changes to make.' }),
    },
    resolve: async (_root, { input: { confirm, ...input } }, { changes, caller }) => {
      const written = await changes(confirm).updateFlag(unchecked(input), authorOf(caller));
      return receipt(written, { flag: written.value });
    },
  }),
  deleteFlag: t.field({
    type: DeleteFlagPayload,
    description: 'Admin. Deletes a flag with its overrides. Succeeds also if no flag has this key.',
    authScopes: { admin: true },
    errors: {
      types: [ValidationError, ConfirmationRequiredError],
      union: { name: 'DeleteFlagResult', description: 'The result of the deletion, or an error.' },
    },
    args: { input: t.arg({ type: DeleteFlagInput, required: true, description: 'The flag to delete.' }) },
    resolve: async (_root, { input: { confirm, ...input } }, { changes, caller }) => {
      const written = await changes(confirm).deleteFlag(input, authorOf(caller));
      return receipt(written, { key: input.key, deleted: written.value });
    },
  }),
}));
