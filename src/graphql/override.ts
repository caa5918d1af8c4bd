import type { Override as StoredOverride } from '../backends/backend.js';
import { FlagNotFoundError, ValidationError } from '../core/errors.js';
import { isFlagKey } from '../core/flag.js';
import { isUuid, storedUserId } from '../core/user-id.js';
import type { Override as OverrideRow } from '../generated/prisma/client.js';
import { builder, unchecked } from './builder.js';
import { authorOf } from './context.js';
import { flagKeyPlace, userPlace } from './cursors.js';
import { Flag } from './flag.js';
import { stillThere } from './loaders.js';
import { bothWaysArgs, page, totalCount } from './page.js';
import { User } from './user.js';
import { noteDescription, type Receipt, receipt, tellReceipt } from './written.js';

/** The parts of the id in the global id of an override: the key of the flag, which has no slash, and the stored id of the user. */
const partsOf = (id: string): string[] => id.split('/');

export function isOverrideId(id: string): boolean {
  const [flagKey = '', userId = '', ...more] = partsOf(id);
  return isFlagKey(flagKey) && isUuid(userId) && more.length === 0;
}

export const Override = builder.prismaNode('Override', {
  name: 'Override',
  nullable: true,
  id: { resolve: ({ flagKey, userId }) => `${flagKey}/${userId}` },
  findUnique: id => {
    const [flagKey = '', userId = ''] = partsOf(id);
    return { userId_flagKey: { userId, flagKey } };
  },
  description:
    'An answer that is set for one flag and one user. It takes precedence over the global switch, the percentage and the conditions of the flag.',
  fields: t => ({
    user: t.field({
      type: User,
      description: 'The user.',
      resolve: ({ userId }, _args, { loaders }) => loaders.userById.load(userId).then(stillThere),
    }),
    flag: t.field({
      type: Flag,
      description: 'The flag.',
      resolve: ({ flagKey }, _args, { loaders }) => loaders.flagByKey.load(flagKey).then(stillThere),
    }),
    enabled: t.exposeBoolean('enabled', { description: 'Whether the feature is on for this user.' }),
    variant: t.exposeString('variant', {
      nullable: true,
      description: "The key of the variant that the user has. Null: the flag's weights choose.",
    }),
    reason: t.exposeString('reason', {
      nullable: true,
      description: 'The reason, for people. Null if none was given.',
    }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'The time when the override expires. From then on it has no effect. Null means never.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'The time when the override was last set.' }),
    createdBy: t.field({
      type: User,
      nullable: true,
      description:
        'The user who set the override. Null if the program that set it named no user, or if that user was deleted since.',
      resolve: ({ createdById }, _args, { loaders }) =>
        createdById === null ? null : loaders.userById.load(createdById),
    }),
  }),
});

const FlagOverridesConnection = builder.connectionObject(
  {
    type: Override,
    name: 'FlagOverridesConnection',
    description: 'A page of overrides of a flag.',
    fields: t => ({ totalCount: t.int(totalCount) }),
  },
  { name: 'FlagOverridesEdge', description: 'An override on a page.' },
);

builder.prismaObjectField(Flag, 'overrides', t =>
  t.field({
    type: FlagOverridesConnection,
    description:
      'The overrides of this flag, sorted by the UUIDs under which their users are stored, including those that have expired.',
    args: bothWaysArgs,
    select: { key: true },
    resolve: async ({ key }, args, { loaders }) => {
      const overrides = await page(args, {
        name: 'flag.overrides',
        placeOf: ({ userId }: OverrideRow) => [userId],
        parse: userPlace,
        load: part => loaders.overridesOfFlag.load({ of: key, ...part }),
      });
      return { ...overrides, count: () => loaders.overrideCountOfFlag.load(key) };
    },
  }),
);

const UserOverridesConnection = builder.connectionObject(
  {
    type: Override,
    name: 'UserOverridesConnection',
    description: 'A page of overrides of a user.',
    fields: t => ({ totalCount: t.int(totalCount) }),
  },
  { name: 'UserOverridesEdge', description: 'An override on a page.' },
);

builder.prismaObjectField(User, 'overrides', t =>
  t.field({
    type: UserOverridesConnection,
    description: "The user's overrides, sorted by flag key, including those that have expired.",
    args: bothWaysArgs,
    select: { id: true },
    resolve: async ({ id }, args, { loaders }) => {
      const overrides = await page(args, {
        name: 'user.overrides',
        placeOf: ({ flagKey }: OverrideRow) => [flagKey],
        parse: flagKeyPlace,
        load: part => loaders.overridesOfUser.load({ of: id, ...part }),
      });
      return { ...overrides, count: () => loaders.overrideCountOfUser.load(id) };
    },
  }),
);

const SetOverrideInput = builder.inputType('SetOverrideInput', {
  description: 'The override to set. It replaces an earlier override of the same flag for the same user.',
  fields: t => ({
    userId: t.field({ type: 'UserID', required: true, description: 'The id of the user. Unknown users are created.' }),
    flagKey: t.string({ required: true, description: 'The key of the flag.' }),
    enabled: t.boolean({ required: true, description: 'Whether the feature is on for this user.' }),
    variant: t.string({
      description:
        "The key of the variant that the user has, if the feature is on. Default: the flag's weights choose.",
    }),
    reason: t.string({ description: 'The reason, for people; at most 500 characters.' }),
    expiresAt: t.field({
      type: 'DateTime',
      description: 'The time when the override expires, in the future. Default: never.',
    }),
    note: t.string({ description: noteDescription }),
  }),
});

/** Turns an override of the service into the row that the type is built on. */
export function overrideRow({ userId, createdById, ...rest }: StoredOverride): OverrideRow {
  return {
    ...rest,
    userId: storedUserId(userId),
    createdById: createdById === null ? null : storedUserId(createdById),
  };
}

const SetOverridePayload = builder.objectRef<{ override: StoredOverride } & Receipt>('SetOverridePayload').implement({
  description: 'The override is set.',
  fields: t => ({
    override: t.field({
      type: Override,
      description: 'The override as it is stored now.',
      resolve: ({ override }) => overrideRow(override),
    }),
  }),
});

const RemoveOverrideInput = builder.inputType('RemoveOverrideInput', {
  description: 'The override to remove.',
  fields: t => ({
    userId: t.field({ type: 'UserID', required: true, description: 'The id of the user.' }),
    flagKey: t.string({ required: true, description: 'The key of the flag.' }),
    note: t.string({ description: noteDescription }),
  }),
});

const RemoveOverridePayload = builder.objectRef<{ removed: boolean } & Receipt>('RemoveOverridePayload').implement({
  description: 'The user has no override of this flag any more.',
  fields: t => ({ removed: t.exposeBoolean('removed', { description: 'Whether there was an override.' }) }),
});

tellReceipt(SetOverridePayload);
tellReceipt(RemoveOverridePayload);

builder.mutationFields(t => ({
  setOverride: t.field({
    type: SetOverridePayload,
    description: 'Admin. Sets the answer of one flag for one user, whatever the rules of the flag are.',
    authScopes: { admin: true },
    errors: {
      types: [ValidationError, FlagNotFoundError],
      union: { name: 'SetOverrideResult', description: 'The override, or an error.' },
    },
    args: { input: t.arg({ type: SetOverrideInput, required: true, description: 'The override to set.' }) },
    resolve: async (_root, { input }, { changes, caller }) => {
      const written = await changes().setOverride(unchecked(input), authorOf(caller));
      return receipt(written, { override: written.value });
    },
  }),
  removeOverride: t.field({
    type: RemoveOverridePayload,
    description: 'Admin. Removes an override. Succeeds also if there is none.',
    authScopes: { admin: true },
    errors: {
      types: [ValidationError],
      union: { name: 'RemoveOverrideResult', description: 'The result of the removal, or an error.' },
    },
    args: { input: t.arg({ type: RemoveOverrideInput, required: true, description: 'The override to remove.' }) },
    resolve: async (_root, { input }, { changes, caller }) => {
      const written = await changes().removeOverride(input, authorOf(caller));
      return receipt(written, { removed: written.value });
    },
  }),
}));
