import { encodeGlobalID } from '@pothos/plugin-relay';
import type { ChangeKind, Change as LogEntry } from '../backends/backend.js';
import { type Difference as DifferenceShape, differencesBetween } from '../core/differences.js';
import { maxFlagKeyLength } from '../core/flag.js';
import type { JsonObject } from '../core/json.js';
import { maxNameLength } from '../core/text.js';
import { storedUserId } from '../core/user-id.js';
import { type FeatureChange, type Prisma, ChangeKind as StoredKind } from '../generated/prisma/client.js';
import { builder } from './builder.js';
import { ChangeKindEnum } from './change-kind.js';
import { revisionPlace } from './cursors.js';
import { badUserInput, storable } from './errors.js';
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

export const Difference = builder.objectRef<DifferenceShape>('Difference').implement({
  description:
    'One difference between the states before and after a change. A field with more than 100 differences has one.',
  fields: t => ({
    path: t.stringList({
      description:
        'The field, and what is below it: variants by their keys, rules by their ids, the shares of a rule by their variants, attributes by their names, such as `["rules", "staff", "percentage"]`. The path of a list of variants, rules or shares itself, such as `["rules"]`, tells their order, if both values are lists of such names.',
      resolve: ({ path }) => path,
    }),
    before: t.field({
      type: 'JSON',
      nullable: true,
      description: 'The value before the change. Null if there was none, or if it was null.',
      resolve: ({ before }) => before ?? null,
    }),
    after: t.field({
      type: 'JSON',
      nullable: true,
      description: 'The value after the change. Null if there is none any more, or if it is null.',
      resolve: ({ after }) => after ?? null,
    }),
  }),
});

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
    kind: t.field({
      type: ChangeKindEnum,
      description: 'The kind of the change.',
      select: { kind: true, kindName: true },
      resolve: ({ kind, kindName }) => (kindName ?? kind) as ChangeKind,
    }),
    actorId: t.field({
      type: 'UserID',
      nullable: true,
      description:
        'The user who made the change. A user who was deleted since has the stored UUID here. Null if the program that made the change named no user.',
      select: { actorId: true },
      resolve: ({ actorId }, _args, { loaders }) => (actorId === null ? null : loaders.knownBy.load(actorId)),
    }),
    apiKeyId: t.id({
      nullable: true,
      description: 'The `id` of the API key that made the change. Null if none did.',
      select: { apiKeyId: true },
      resolve: ({ apiKeyId }) => (apiKeyId === null ? null : encodeGlobalID('ApiKey', apiKeyId)),
    }),
    flagKey: t.exposeString('flagKey', {
      nullable: true,
      description: 'The key of the flag that changed, or whose override changed. Null for changes of groups and users.',
    }),
    flag: t.field({
      type: Flag,
      nullable: true,
      description: 'The flag with this key as it is stored now. Null if there is none.',
      select: { flagKey: true },
      resolve: ({ flagKey }, _args, { loaders }) => (flagKey === null ? null : loaders.flagByKey.load(flagKey)),
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
    differences: t.field({
      type: [Difference],
      description:
        'The differences between `before` and `after`, without `version`, `updatedAt` and `createdById`; `id`, `key` and `createdAt` only if nothing else differs. Empty for changes of groups, whose `userIds` say it all.',
      select: { before: true, after: true },
      resolve: ({ before, after }) => differencesBetween(before as JsonObject | null, after as JsonObject | null),
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

type Filter = typeof ChangeFilter.$inferInput;

/** @throws GraphQLError `BAD_USER_INPUT` for a text that no database can hold. */
function checkFilter(filter: Filter | null | undefined): Filter {
  const { flagKey, group, ...rest } = filter ?? {};
  return {
    ...rest,
    flagKey: storable(flagKey, ['filter', 'flagKey'], maxFlagKeyLength),
    group: storable(group, ['filter', 'group'], maxNameLength),
  };
}

const about = (storedId: string) => ({ OR: [{ userId: storedId }, { userIds: { has: storedId } }] });

/** Rows of these kinds. Kinds that the enum of the database does not have stand in another column. */
function ofKinds(kinds: readonly ChangeKind[]): Prisma.FeatureChangeWhereInput {
  const stored = kinds.filter(isStoredKind);
  // In a list of its own: a filter by user has an OR too.
  return { AND: [{ OR: [{ kindName: { in: [...kinds] } }, { kindName: null, kind: { in: stored } }] }] };
}

const isStoredKind = (kind: ChangeKind): kind is StoredKind => Object.hasOwn(StoredKind, kind);

/** `features/change-filter.ts` has the same meaning in memory, and a test compares the two. */
function changesWhere(filter: Filter): Prisma.FeatureChangeWhereInput {
  const { flagKey, group, userId, actorId, batch, kinds, since, until } = filter;
  return {
    ...(flagKey == null ? {} : { flagKey }),
    ...(group == null ? {} : { groupName: group }),
    ...(userId == null ? {} : about(storedUserId(userId))),
    ...(actorId == null ? {} : { actorId: storedUserId(actorId) }),
    ...(batch == null ? {} : { batch }),
    ...(kinds == null ? {} : ofKinds(kinds)),
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
    description: 'Reader, admin. The change log, newest first.',
    authScopes: { reader: true },
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
              AND: [
                changesWhere(checkFilter(filter)),
                from === null ? {} : { revision: { [backwards ? 'gt' : 'lt']: from } },
              ],
            },
            orderBy: { revision: backwards ? 'asc' : 'desc' },
            take: limit,
          }),
      }),
  }),
}));

/** An entry of the log as the row that the type is built on. */
function changeRow({ revision, kind, userIds, before, after, reverts, ...entry }: LogEntry): FeatureChange {
  return {
    ...entry,
    ...(isStoredKind(kind) ? { kind, kindName: null } : { kind: StoredKind.MEMBERS_ADDED, kindName: kind }),
    revision: BigInt(revision),
    reverts: reverts === null ? null : BigInt(reverts),
    userIds: [...userIds],
    before: before as Prisma.JsonObject | null,
    after: after as Prisma.JsonObject | null,
  };
}

builder.subscriptionFields(t => ({
  changes: t.field({
    type: Change,
    description:
      'Reader, admin. The changes of the log as they are made, oldest first and without gaps, those by other nodes and programs included. It fails with the code `REVISION_NOT_FOUND` if the log does not have what follows `sinceRevision`, and when the database is restored from a backup or replaced.',
    authScopes: { reader: true },
    args: {
      filter: t.arg({ type: ChangeFilter, description: 'Selects changes. Default: all changes.' }),
      sinceRevision: t.arg.int({
        description:
          'The revision that the client knows. The changes after it come first, such as those that were made while the client was away. Default: only changes from now on.',
      }),
    },
    subscribe: async (_root, { filter, sinceRevision: since }, { service }) => {
      if (since != null && since < 0) {
        throw badUserInput({ path: ['sinceRevision'], message: `Expected 0 or more, found ${since}.` });
      }
      const changes = service.follow({ since, filter: checkFilter(filter) }, async () => changeRow);
      await changes.begin();
      return changes;
    },
    resolve: change => change,
  }),
}));

builder.prismaObjectField(Flag, 'changes', t =>
  t.field({
    type: ChangeConnection,
    description:
      'The changes of this flag, of its overrides, and of the groups that its conditions and rules name now, newest first.',
    args: pageArgs,
    select: { key: true },
    resolve: ({ key }, args, { loaders, service }) =>
      page(args, {
        name: 'flag.changes',
        ...byRevision,
        load: ({ from, limit }) =>
          loaders.flagHistory.load({ key, groups: service.groupsNamedBy(key), before: from, limit }),
      }),
  }),
);
