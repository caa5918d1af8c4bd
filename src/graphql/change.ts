import { maxFlagKeyLength } from '../core/flag.js';
import { bounded, maxNameLength } from '../core/text.js';
import type { FeatureChange, Prisma } from '../generated/prisma/client.js';
import { builder } from './builder.js';
import { ChangeKindEnum } from './change-kind.js';
import { storable } from './errors.js';
import { Flag } from './flag.js';
import { page, pageArgs } from './page.js';

const revisionPattern = bounded(/^\d{1,18}$/, 18);

/** User ids that one change shows; `userCount` says how many there are. */
const shownUsers = 100;

const Change = builder.prismaObject('FeatureChange', {
  name: 'Change',
  description: 'An entry of the change log: what was changed, by whom, from what to what.',
  fields: t => ({
    revision: t.int({
      description: 'Its place in the log, counted from 1 without gaps.',
      select: { revision: true },
      resolve: ({ revision }) => Number(revision),
    }),
    at: t.expose('at', { type: 'DateTime', description: 'When.' }),
    kind: t.expose('kind', { type: ChangeKindEnum, description: 'What it did.' }),
    actorId: t.expose('actorId', {
      type: 'UUID',
      nullable: true,
      description: 'The user who did it, also one who is known no more; null when another program did.',
    }),
    flagKey: t.exposeString('flagKey', { nullable: true, description: 'The flag concerned.' }),
    group: t.exposeString('groupName', { nullable: true, description: 'The group concerned.' }),
    userIds: t.field({
      type: ['UUID'],
      description: `The users concerned, the first ${shownUsers}.`,
      select: { userId: true, userIds: true },
      resolve: change => concerned(change).slice(0, shownUsers),
    }),
    userCount: t.int({
      description: 'How many users are concerned.',
      select: { userId: true, userIds: true },
      resolve: change => concerned(change).length,
    }),
    before: t.field({
      type: 'JSONObject',
      nullable: true,
      description: 'What stood before; null when there was nothing.',
      select: { before: true },
      resolve: ({ before }) => before as Prisma.JsonObject | null,
    }),
    after: t.field({
      type: 'JSONObject',
      nullable: true,
      description: 'What stands since; null when there is nothing.',
      select: { after: true },
      resolve: ({ after }) => after as Prisma.JsonObject | null,
    }),
  }),
});

function concerned({ userId, userIds }: { userId: string | null; userIds: string[] }): string[] {
  return userId === null ? userIds : [userId];
}

const ChangeConnection = builder.connectionObject(
  { type: Change, name: 'ChangeConnection', description: 'A page of changes.' },
  { name: 'ChangeEdge', description: 'A change in a page.' },
);

const ChangeFilter = builder.inputType('ChangeFilter', {
  description: 'Which changes to list. What is not stated does not matter.',
  fields: t => ({
    flagKey: t.string({ description: 'Changes of this flag and its overrides.' }),
    group: t.string({ description: 'Changes of this group.' }),
    userId: t.field({ type: 'UUID', description: 'Changes that concern this user.' }),
    actorId: t.field({ type: 'UUID', description: 'Changes that this user made.' }),
    kinds: t.field({ type: [ChangeKindEnum], description: 'Changes of these kinds.' }),
    since: t.field({ type: 'DateTime', description: 'Changes at this instant or later.' }),
    until: t.field({ type: 'DateTime', description: 'Changes before this instant.' }),
  }),
});

function changesWhere(filter: typeof ChangeFilter.$inferInput | null | undefined): Prisma.FeatureChangeWhereInput {
  const { flagKey, group, userId, actorId, kinds, since, until } = filter ?? {};
  return {
    ...(flagKey == null ? {} : { flagKey: storable(flagKey, ['filter', 'flagKey'], maxFlagKeyLength) }),
    ...(group == null ? {} : { groupName: storable(group, ['filter', 'group'], maxNameLength) }),
    ...(userId == null ? {} : { OR: [{ userId }, { userIds: { has: userId } }] }),
    ...(actorId == null ? {} : { actorId }),
    ...(kinds == null ? {} : { kind: { in: kinds } }),
    at: { ...(since == null ? {} : { gte: since }), ...(until == null ? {} : { lt: until }) },
  };
}

builder.queryFields(t => ({
  changes: t.prismaConnection(
    {
      type: Change,
      cursor: 'revision',
      description: 'Admin. The change log, newest first.',
      authScopes: { admin: true },
      args: { filter: t.arg({ type: ChangeFilter, description: 'Which changes to list.' }) },
      resolve: (query, _root, { filter }, { prisma }) =>
        prisma.featureChange.findMany({ ...query, where: changesWhere(filter), orderBy: { revision: 'desc' } }),
    },
    ChangeConnection,
  ),
}));

builder.prismaObjectField(Flag, 'changes', t =>
  t.field({
    type: ChangeConnection,
    description: 'What happened to this flag and its overrides, newest first.',
    args: pageArgs,
    select: { key: true },
    resolve: ({ key }, args, { loaders }) =>
      page(args, {
        placeOf: (change: FeatureChange) => String(change.revision),
        parse: place => (revisionPattern.test(place) ? BigInt(place) : null),
        load: (after, limit) => loaders.flagChanges.load({ name: key, after, limit }),
      }),
  }),
);
