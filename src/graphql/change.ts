import { maxFlagKeyLength } from '../core/flag.js';
import { maxNameLength } from '../core/text.js';
import { storedUserId } from '../core/user-id.js';
import type { FeatureChange, Prisma } from '../generated/prisma/client.js';
import { builder } from './builder.js';
import { ChangeKindEnum } from './change-kind.js';
import { revisionPlace } from './cursors.js';
import { storable } from './errors.js';
import { Flag } from './flag.js';
import type { Loaders } from './loaders.js';
import { bothWaysArgs, page, pageArgs } from './page.js';

/** The most user ids that one change lists; `userCount` is the number of all. */
const shownUsers = 100;

/** Whether this is the id in the global id of a change: its revision, without zeros in front. */
export function isChangeId(id: string): boolean {
  const revision = revisionPlace([id]);
  return revision !== null && String(revision) === id;
}

const Change = builder.prismaNode('FeatureChange', {
  name: 'Change',
  nullable: true,
  id: { resolve: ({ revision }) => String(revision) },
  findUnique: id => ({ revision: BigInt(id) }),
  description: 'An entry of the change log: the object that was changed, the actor, and the state before and after.',
  fields: t => ({
    revision: t.int({
      description: 'The position of this change in the log, counted from 1 without gaps.',
      select: { revision: true },
      resolve: ({ revision }) => Number(revision),
    }),
    at: t.expose('at', { type: 'DateTime', description: 'The time of the change.' }),
    kind: t.expose('kind', { type: ChangeKindEnum, description: 'The kind of the change.' }),
    actorId: t.field({
      type: 'UserID',
      nullable: true,
      description:
        'The user who made the change. A user who was deleted since has the stored UUID here. Null if the program that made the change named no user.',
      select: { actorId: true },
      resolve: ({ actorId }, _args, { loaders }) => (actorId === null ? null : loaders.knownBy.load(actorId)),
    }),
    flagKey: t.exposeString('flagKey', {
      nullable: true,
      description: 'The key of the flag that changed, or whose override changed. Null for changes of groups and users.',
    }),
    group: t.exposeString('groupName', {
      nullable: true,
      description: 'The name of the group whose members changed. Null for other changes.',
    }),
    userIds: t.field({
      type: ['UserID'],
      description: `The users that the change is about, at most the first ${shownUsers}. Users who were deleted since have their stored UUIDs here. Empty for changes of flags.`,
      select: { userId: true, userIds: true },
      resolve: (change, _args, { loaders }) =>
        Promise.all(
          usersOf(change)
            .slice(0, shownUsers)
            .map(id => loaders.knownBy.load(id)),
        ),
    }),
    userCount: t.int({
      description: 'The number of users that the change is about.',
      select: { userId: true, userIds: true },
      resolve: change => usersOf(change).length,
    }),
    before: t.field({
      type: 'JSONObject',
      nullable: true,
      description: 'The state before the change. Null if there was none, and for changes of groups.',
      select: { before: true },
      resolve: ({ before }, _args, { loaders }) => shownState(before as Prisma.JsonObject | null, loaders),
    }),
    after: t.field({
      type: 'JSONObject',
      nullable: true,
      description: 'The state after the change. Null if there is none, and for changes of groups.',
      select: { after: true },
      resolve: ({ after }, _args, { loaders }) => shownState(after as Prisma.JsonObject | null, loaders),
    }),
    note: t.exposeString('note', {
      nullable: true,
      description: 'The reason for the change, as its author wrote it. Null if the author wrote nothing.',
    }),
    batch: t.expose('batch', {
      type: 'UUID',
      description:
        'The batch of the change. All changes of one mutation, and of one transaction of another program, have the same batch.',
    }),
    reverts: t.int({
      nullable: true,
      description:
        'The revision that the change goes back to: of a revert the revision that was reverted to, of an undo the first revision of the undone batch. Null for other changes.',
      select: { reverts: true },
      resolve: ({ reverts }) => (reverts === null ? null : Number(reverts)),
    }),
  }),
});

/** A state of the log, with its creator by the id that the creator is known by. */
async function shownState(state: Prisma.JsonObject | null, { knownBy }: Loaders): Promise<Prisma.JsonObject | null> {
  const creator = state?.['createdById'];
  return typeof creator === 'string' ? { ...state, createdById: await knownBy.load(creator) } : state;
}

function usersOf({ userId, userIds }: { userId: string | null; userIds: string[] }): string[] {
  return userId === null ? userIds : [userId];
}

const ChangeConnection = builder.connectionObject(
  { type: Change, name: 'ChangeConnection', description: 'A page of changes.' },
  { name: 'ChangeEdge', description: 'A change on a page.' },
);

const ChangeFilter = builder.inputType('ChangeFilter', {
  description: 'Selects changes. A change must match all filters that are given; omitted filters match everything.',
  fields: t => ({
    flagKey: t.string({ description: 'Only changes of the flag with this key and of its overrides.' }),
    group: t.string({ description: 'Only changes of the group with this name.' }),
    userId: t.field({
      type: 'UserID',
      description: 'Only changes about this user: attributes, memberships, overrides.',
    }),
    actorId: t.field({ type: 'UserID', description: 'Only changes that this user made.' }),
    batch: t.field({ type: 'UUID', description: 'Only changes of this batch.' }),
    kinds: t.field({ type: [ChangeKindEnum], description: 'Only changes of these kinds.' }),
    since: t.field({ type: 'DateTime', description: 'Only changes at this time or later.' }),
    until: t.field({ type: 'DateTime', description: 'Only changes before this time.' }),
  }),
});

const about = (storedId: string) => ({ OR: [{ userId: storedId }, { userIds: { has: storedId } }] });

function changesWhere(filter: typeof ChangeFilter.$inferInput | null | undefined): Prisma.FeatureChangeWhereInput {
  const { flagKey, group, userId, actorId, batch, kinds, since, until } = filter ?? {};
  return {
    ...(flagKey == null ? {} : { flagKey: storable(flagKey, ['filter', 'flagKey'], maxFlagKeyLength) }),
    ...(group == null ? {} : { groupName: storable(group, ['filter', 'group'], maxNameLength) }),
    ...(userId == null ? {} : about(storedUserId(userId))),
    ...(actorId == null ? {} : { actorId: storedUserId(actorId) }),
    ...(batch == null ? {} : { batch }),
    ...(kinds == null ? {} : { kind: { in: kinds } }),
    at: { ...(since == null ? {} : { gte: since }), ...(until == null ? {} : { lt: until }) },
  };
}

/** The place of a change in the log, and in every list of changes. */
const byRevision = {
  placeOf: (change: FeatureChange) => [String(change.revision)],
  parse: revisionPlace,
};

builder.queryFields(t => ({
  changes: t.field({
    type: ChangeConnection,
    description: 'Admin. The change log, newest first.',
    authScopes: { admin: true },
    args: {
      filter: t.arg({ type: ChangeFilter, description: 'Selects changes. Default: all changes.' }),
      ...bothWaysArgs,
    },
    resolve: (_root, { filter, ...args }, { prisma }) =>
      page(args, {
        name: 'changes',
        ...byRevision,
        load: ({ from, backwards, limit }) =>
          prisma.featureChange.findMany({
            where: {
              AND: [changesWhere(filter), from === null ? {} : { revision: { [backwards ? 'gt' : 'lt']: from } }],
            },
            orderBy: { revision: backwards ? 'asc' : 'desc' },
            take: limit,
          }),
      }),
  }),
}));

builder.prismaObjectField(Flag, 'changes', t =>
  t.field({
    type: ChangeConnection,
    description: 'The changes of this flag and its overrides, newest first.',
    args: pageArgs,
    select: { key: true },
    resolve: ({ key }, args, { loaders }) =>
      page(args, {
        name: 'flag.changes',
        ...byRevision,
        load: part => loaders.flagChanges.load({ of: key, ...part }),
      }),
  }),
);
