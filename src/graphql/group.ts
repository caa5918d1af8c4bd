import { ValidationError } from '../core/errors.js';
import { maxGroupUsers } from '../core/inputs.js';
import { compareNames, isName, maxNameLength } from '../core/text.js';
import { isUuid } from '../core/user-id.js';
import type { User as UserRow } from '../generated/prisma/client.js';
import { builder } from './builder.js';
import type { Context } from './context.js';
import { storable } from './errors.js';
import { Flag } from './flag.js';
import type { MemberRow } from './loaders.js';
import { type Page, page, pageArgs } from './page.js';
import { User } from './user.js';

const Group = builder.objectRef<{ readonly name: string }>('Group');

const GroupMembersEdge = builder.objectRef<Page<MemberRow>['edges'][number]>('GroupMembersEdge').implement({
  description: 'A member in a page.',
  fields: t => ({
    cursor: t.exposeString('cursor', { description: 'Names this place in the list, for `after`.' }),
    node: t.field({
      type: User,
      description: 'The member.',
      resolve: ({ node }, _args, { loaders }) => loaders.userById.load(node.userId).then(must),
    }),
    addedAt: t.field({ type: 'DateTime', description: 'When they were added.', resolve: ({ node }) => node.addedAt }),
    addedBy: t.field({
      type: User,
      nullable: true,
      description: 'Who added them, as far as known.',
      resolve: ({ node }, _args, { loaders }) =>
        node.addedById === null ? null : loaders.userById.load(node.addedById),
    }),
  }),
});

const PageInfo = builder.pageInfoRef();

const GroupMembersConnection = builder.objectRef<Page<MemberRow>>('GroupMembersConnection').implement({
  description: 'A page of members of a group.',
  fields: t => ({
    edges: t.field({
      type: [GroupMembersEdge],
      complexity: { multiplier: 1 },
      description: 'The members of this page, each with its cursor.',
      resolve: ({ edges }) => edges,
    }),
    nodes: t.field({
      type: [User],
      complexity: { multiplier: 1 },
      description: 'The members, for who needs no cursors.',
      resolve: ({ edges }, _args, { loaders }) =>
        Promise.all(edges.map(({ node }) => loaders.userById.load(node.userId).then(must))),
    }),
    pageInfo: t.field({
      type: PageInfo,
      description: 'Where this page stands.',
      resolve: ({ pageInfo }) => pageInfo,
    }),
  }),
});

Group.implement({
  description: 'A set of users that conditions can name. It exists while it has members or a flag names it.',
  fields: t => ({
    name: t.exposeString('name', { description: 'What conditions call it.' }),
    memberCount: t.int({
      description: 'How many members it has.',
      resolve: ({ name }, _args, { loaders }) => loaders.memberCount.load(name),
    }),
    members: t.field({
      type: GroupMembersConnection,
      description: 'The members, by user id.',
      args: pageArgs,
      resolve: ({ name }, args, { loaders }) =>
        page(args, {
          placeOf: (member: MemberRow) => member.userId,
          parse: place => (isUuid(place) ? place : null),
          load: (after, limit) => loaders.members.load({ name, after, limit }),
        }),
    }),
    flags: t.field({
      type: [Flag],
      description: 'The flags whose conditions name this group, by key.',
      resolve: async ({ name }, _args, { loaders, service }) => {
        const flags = await Promise.all(service.flagKeysNaming(name).map(key => loaders.flagByKey.load(key)));
        return flags.filter(flag => flag !== null);
      },
    }),
  }),
});

const GroupConnection = builder.connectionObject(
  { type: Group, name: 'GroupConnection', description: 'A page of groups.' },
  { name: 'GroupEdge', description: 'A group in a page.' },
);

/** The names of groups after a place: of those with members and those that flags name. */
async function groupNames(after: string, limit: number, { loaders, service }: Context): Promise<{ name: string }[]> {
  const named = service.groupsNamed().filter(name => compareNames(name, after) > 0);
  const withMembers = await loaders.groupsWithMembers(after, limit);
  return [...new Set([...named, ...withMembers])]
    .sort(compareNames)
    .slice(0, limit)
    .map(name => ({ name }));
}

builder.queryFields(t => ({
  group: t.field({
    type: Group,
    nullable: true,
    description: 'Admin. The group with this name; null when it has no members and no flag names it.',
    authScopes: { admin: true },
    args: { name: t.arg.string({ required: true, description: 'What conditions call it.' }) },
    resolve: async (_root, { name }, { loaders, service }) => {
      storable(name, ['name'], maxNameLength);
      const exists = service.flagKeysNaming(name).length > 0 || (await loaders.memberCount.load(name)) > 0;
      return exists ? { name } : null;
    },
  }),
  groups: t.field({
    type: GroupConnection,
    description: 'Admin. The groups, by name.',
    authScopes: { admin: true },
    args: pageArgs,
    resolve: (_root, args, context) =>
      page(args, {
        placeOf: (group: { name: string }) => group.name,
        parse: place => (isName(place) ? place : null),
        load: (after, limit) => groupNames(after ?? '', limit, context),
      }),
  }),
}));

const userIds = `Whom; up to ${maxGroupUsers} ids.`;

const AddToGroupInput = builder.inputType('AddToGroupInput', {
  description: 'Users to add to a group.',
  fields: t => ({
    group: t.string({ required: true, description: 'The name of the group; 1 to 100 characters. It need not exist.' }),
    userIds: t.field({
      type: ['UUID'],
      required: true,
      description: `${userIds} Who is not known yet is created.`,
    }),
  }),
});

const AddToGroupPayload = builder.objectRef<{ name: string; added: number }>('AddToGroupPayload').implement({
  description: 'They are members.',
  fields: t => ({
    group: t.field({ type: Group, description: 'The group.', resolve: payload => payload }),
    added: t.exposeInt('added', { description: 'How many were not members before.' }),
  }),
});

const RemoveFromGroupInput = builder.inputType('RemoveFromGroupInput', {
  description: 'Users to remove from a group.',
  fields: t => ({
    group: t.string({ required: true, description: 'The name of the group.' }),
    userIds: t.field({ type: ['UUID'], required: true, description: userIds }),
  }),
});

const RemoveFromGroupPayload = builder
  .objectRef<{ name: string; removed: number }>('RemoveFromGroupPayload')
  .implement({
    description: 'They are no members any more.',
    fields: t => ({
      group: t.field({ type: Group, description: 'The group, which may be empty now.', resolve: payload => payload }),
      removed: t.exposeInt('removed', { description: 'How many were members.' }),
    }),
  });

builder.mutationFields(t => ({
  addToGroup: t.field({
    type: AddToGroupPayload,
    description: 'Admin. Adds users to a group, all or none. That some are members already is no error.',
    authScopes: { admin: true },
    errors: { types: [ValidationError], union: { name: 'AddToGroupResult', description: 'Done, or why not.' } },
    args: { input: t.arg({ type: AddToGroupInput, required: true, description: 'Whom, and to which group.' }) },
    resolve: async (_root, { input }, { service, caller }) => ({
      name: input.group,
      added: await service.management.addToGroup(input, caller.userId),
    }),
  }),
  removeFromGroup: t.field({
    type: RemoveFromGroupPayload,
    description: 'Admin. Removes users from a group, all or none. That some are no members is no error.',
    authScopes: { admin: true },
    errors: { types: [ValidationError], union: { name: 'RemoveFromGroupResult', description: 'Done, or why not.' } },
    args: { input: t.arg({ type: RemoveFromGroupInput, required: true, description: 'Whom, and from which group.' }) },
    resolve: async (_root, { input }, { service, caller }) => ({
      name: input.group,
      removed: await service.management.removeFromGroup(input, caller.userId),
    }),
  }),
}));

// A member is deleted between the list and its rows: rare, and the next read is right.
function must(user: UserRow | null): UserRow {
  if (user === null) throw new Error('A member of a group was deleted while the group was read.');
  return user;
}
