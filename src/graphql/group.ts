import { ValidationError } from '../core/errors.js';
import { maxGroupUsers } from '../core/inputs.js';
import { compareNames, maxNameLength } from '../core/text.js';
import { builder } from './builder.js';
import { authorOf, type Context } from './context.js';
import { groupPlace, userPlace } from './cursors.js';
import { storable } from './errors.js';
import { Flag } from './flag.js';
import { type MemberRow, stillThere } from './loaders.js';
import { type Page, page, pageArgs } from './page.js';
import { User } from './user.js';
import { noteDescription, type Receipt, receipt, tellReceipt } from './written.js';

interface GroupShape {
  readonly name: string;
}

const Group = builder.objectRef<GroupShape>('Group');

/** A group exists while it has members or a flag names it. */
async function existingGroup(name: string, { loaders, service }: Context): Promise<GroupShape | null> {
  const exists = service.flagKeysNaming(name).length > 0 || (await loaders.memberCount.load(name)) > 0;
  return exists ? { name } : null;
}

const GroupMembersEdge = builder.objectRef<Page<MemberRow>['edges'][number]>('GroupMembersEdge').implement({
  description: 'A member on a page.',
  fields: t => ({
    cursor: t.exposeString('cursor', { description: 'The position of this member in the list. Pass it as `after`.' }),
    node: t.field({
      type: User,
      description: 'The member.',
      resolve: ({ node }, _args, { loaders }) => loaders.userById.load(node.userId).then(stillThere),
    }),
    addedAt: t.field({
      type: 'DateTime',
      description: 'The time when the user was added to the group.',
      resolve: ({ node }) => node.addedAt,
    }),
    addedBy: t.field({
      type: User,
      nullable: true,
      description:
        'The user who added the member. Null if the program that did it named no user, or if that user was deleted since.',
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
      description: 'The members of this page without their cursors.',
      resolve: ({ edges }, _args, { loaders }) =>
        Promise.all(edges.map(({ node }) => loaders.userById.load(node.userId).then(stillThere))),
    }),
    pageInfo: t.field({
      type: PageInfo,
      description: 'The position of this page in the list.',
      resolve: ({ pageInfo }) => pageInfo,
    }),
  }),
});

builder.node(Group, {
  id: { resolve: ({ name }) => name },
  loadManyWithoutCache: (names: readonly string[], context) =>
    Promise.all(names.map(name => existingGroup(name, context))),
  description:
    'A set of users that conditions and rules can name. A group exists while it has members or a flag names it.',
  fields: t => ({
    name: t.exposeString('name', { description: 'The name, as conditions use it.' }),
    memberCount: t.int({
      description: 'The number of members.',
      resolve: ({ name }, _args, { loaders }) => loaders.memberCount.load(name),
    }),
    members: t.field({
      type: GroupMembersConnection,
      description: 'The members, sorted by the UUIDs under which they are stored.',
      args: pageArgs,
      resolve: ({ name }, args, { loaders }) =>
        page(args, {
          name: 'group.members',
          placeOf: (member: MemberRow) => [member.userId],
          parse: userPlace,
          load: part => loaders.members.load({ of: name, ...part }),
        }),
    }),
    flags: t.field({
      type: [Flag],
      description: 'The flags whose conditions or rules name this group, sorted by key.',
      resolve: async ({ name }, _args, { loaders, service }) => {
        const flags = await Promise.all(service.flagKeysNaming(name).map(key => loaders.flagByKey.load(key)));
        return flags.filter(flag => flag !== null);
      },
    }),
  }),
});

const GroupConnection = builder.connectionObject(
  { type: Group, name: 'GroupConnection', description: 'A page of groups.' },
  { name: 'GroupEdge', description: 'A group on a page.' },
);

/** The names of the groups after a place: groups that have members and groups that flags name. */
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
    description: 'Reader, admin. The group with this name. Null if it has no members and no flag names it.',
    authScopes: { reader: true },
    args: { name: t.arg.string({ required: true, description: 'The name of the group.' }) },
    resolve: (_root, { name }, context) => existingGroup(storable(name, ['name'], maxNameLength), context),
  }),
  groups: t.field({
    type: GroupConnection,
    description: 'Reader, admin. The groups, sorted by name.',
    authScopes: { reader: true },
    args: pageArgs,
    resolve: (_root, args, context) =>
      page(args, {
        name: 'groups',
        placeOf: (group: { name: string }) => [group.name],
        parse: groupPlace,
        load: ({ from, limit }) => groupNames(from ?? '', limit, context),
      }),
  }),
}));

const most = maxGroupUsers.toLocaleString('en');

const AddToGroupInput = builder.inputType('AddToGroupInput', {
  description: 'The users to add to a group.',
  fields: t => ({
    group: t.string({
      required: true,
      description: 'The name of the group; 1 to 100 characters. A group that does not exist is created.',
    }),
    userIds: t.field({
      type: ['UserID'],
      required: true,
      description: `The ids of the users, at most ${most}. Unknown users are created.`,
    }),
    note: t.string({ description: noteDescription }),
  }),
});

const AddToGroupPayload = builder.objectRef<{ name: string; added: number } & Receipt>('AddToGroupPayload').implement({
  description: 'The users are members of the group.',
  fields: t => ({
    group: t.field({ type: Group, description: 'The group.', resolve: payload => payload }),
    added: t.exposeInt('added', { description: 'The number of users who were not members before.' }),
  }),
});

const RemoveFromGroupInput = builder.inputType('RemoveFromGroupInput', {
  description: 'The users to remove from a group.',
  fields: t => ({
    group: t.string({ required: true, description: 'The name of the group.' }),
    userIds: t.field({
      type: ['UserID'],
      required: true,
      description: `The ids of the users, at most ${most}.`,
    }),
    note: t.string({ description: noteDescription }),
  }),
});

const RemoveFromGroupPayload = builder
  .objectRef<{ name: string; removed: number } & Receipt>('RemoveFromGroupPayload')
  .implement({
    description: 'The users are not members of the group any more.',
    fields: t => ({
      group: t.field({ type: Group, description: 'The group. It may be empty now.', resolve: payload => payload }),
      removed: t.exposeInt('removed', { description: 'The number of users who were members before.' }),
    }),
  });

tellReceipt(AddToGroupPayload);
tellReceipt(RemoveFromGroupPayload);

builder.mutationFields(t => ({
  addToGroup: t.field({
    type: AddToGroupPayload,
    description:
      'Admin. Adds all these users to a group, or none of them if there is an error. Users who are members already are no error.',
    authScopes: { admin: true },
    errors: { types: [ValidationError], union: { name: 'AddToGroupResult', description: 'The group, or an error.' } },
    args: { input: t.arg({ type: AddToGroupInput, required: true, description: 'The users and the group.' }) },
    resolve: async (_root, { input }, { changes, caller }) => {
      const written = await changes().addToGroup(input, authorOf(caller));
      return receipt(written, { name: input.group, added: written.value });
    },
  }),
  removeFromGroup: t.field({
    type: RemoveFromGroupPayload,
    description:
      'Admin. Removes all these users from a group, or none of them if there is an error. Users who are not members are no error.',
    authScopes: { admin: true },
    errors: {
      types: [ValidationError],
      union: { name: 'RemoveFromGroupResult', description: 'The group, or an error.' },
    },
    args: { input: t.arg({ type: RemoveFromGroupInput, required: true, description: 'The users and the group.' }) },
    resolve: async (_root, { input }, { changes, caller }) => {
      const written = await changes().removeFromGroup(input, authorOf(caller));
      return receipt(written, { name: input.group, removed: written.value });
    },
  }),
}));
