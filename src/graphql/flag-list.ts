import { isFlagKey, maxOwnerLength, maxTagLength, maxTags } from '../core/flag.js';
import { compareNames, maxNameLength } from '../core/text.js';
import { type FeatureFlag, Prisma } from '../generated/prisma/client.js';
import { builder } from './builder.js';
import type { Context } from './context.js';
import { type Reader, readFlagKey, readTime } from './cursors.js';
import { badUserInput, storable } from './errors.js';
import { Flag } from './flag.js';
import { bothWaysArgs, type CountedPage, firstArg, mostItems, page, totalCount } from './page.js';
import { ValueType } from './values.js';

/** Longest text to search flags for, in characters: no name is longer. */
export const maxSearchLength = 200;

const FlagFilter = builder.inputType('FlagFilter', {
  description: 'Selects flags. A flag must match all filters that are given; omitted filters match everything.',
  fields: t => ({
    search: t.string({
      description: `Only flags with this text in the key, the name or the description; up to ${maxSearchLength} characters. Upper and lower case are the same.`,
    }),
    enabled: t.boolean({ description: 'Only flags whose global switch is on (true) or off (false).' }),
    group: t.string({ description: 'Only flags whose conditions or rules name this group.' }),
    type: t.field({ type: ValueType, description: 'Only flags with values of this type.' }),
    tags: t.stringList({ description: `Only flags with all of these tags, at most ${maxTags}. Case matters.` }),
    owner: t.string({ description: 'Only flags with this owner. Case matters.' }),
    hasOwner: t.boolean({ description: 'Only flags with an owner (true) or without one (false).' }),
    expectedBefore: t.field({
      type: 'DateTime',
      description:
        'Only flags whose `expectedUntil` is before this time. The time of now selects those that are overdue.',
    }),
  }),
});

const FlagOrderField = builder.enumType('FlagOrderField', {
  description: 'A field that flags can be sorted by.',
  values: {
    KEY: { value: 'key', description: 'Sort by key.' },
    NAME: { value: 'name', description: 'Sort by name, then by key.' },
    CREATED_AT: { value: 'createdAt', description: 'Sort by time of creation, then by key.' },
    UPDATED_AT: { value: 'updatedAt', description: 'Sort by time of the last change, then by key.' },
  } as const,
});

const OrderDirection = builder.enumType('OrderDirection', {
  description: 'The direction of a sort.',
  values: {
    ASC: { value: 'asc', description: 'Smallest or oldest first.' },
    DESC: { value: 'desc', description: 'Greatest or newest first.' },
  } as const,
});

const FlagOrder = builder.inputType('FlagOrder', {
  description: 'The order of a list of flags.',
  fields: t => ({
    field: t.field({ type: FlagOrderField, required: true, description: 'The field to sort by.' }),
    direction: t.field({ type: OrderDirection, required: true, description: 'The direction of the sort.' }),
  }),
});

function flagsWhere(filter: typeof FlagFilter.$inferInput | null | undefined, { service }: Context) {
  const text = storable(filter?.search, ['filter', 'search'], maxSearchLength);
  const group = storable(filter?.group, ['filter', 'group'], maxNameLength);
  const owner = storable(filter?.owner, ['filter', 'owner'], maxOwnerLength);
  const tags = filter?.tags ?? [];
  if (tags.length > maxTags) {
    throw badUserInput({
      path: ['filter', 'tags'],
      message: `Expected at most ${maxTags} tags, found ${tags.length}.`,
    });
  }
  for (const [index, tag] of tags.entries()) storable(tag, ['filter', 'tags', String(index)], maxTagLength);
  const contains = text == null || text === '' ? null : { contains: likeText(text), mode: 'insensitive' as const };
  return {
    ...(filter?.enabled == null ? {} : { enabled: filter.enabled }),
    ...(filter?.type == null ? {} : { type: filter.type }),
    ...(tags.length === 0 ? {} : { tags: { hasEvery: tags } }),
    ...(filter?.expectedBefore == null ? {} : { expectedUntil: { lt: filter.expectedBefore } }),
    AND: [
      owner == null ? {} : { owner },
      filter?.hasOwner == null ? {} : { owner: filter.hasOwner ? { not: null } : null },
    ],
    ...(group == null ? {} : { key: { in: service.flagKeysNaming(group) } }),
    ...(contains === null ? {} : { OR: [{ key: contains }, { name: contains }, { description: contains }] }),
  } satisfies Prisma.FeatureFlagWhereInput;
}

// Prisma does not escape the wildcards of LIKE. In a search for "a_b" the underscore is an underscore.
function likeText(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('%', '\\%').replaceAll('_', '\\_');
}

type OrderField = typeof FlagOrderField.$inferType;

/** Where a flag stands among others: what they are sorted by, then the key. */
interface FlagPlace {
  readonly field: OrderField;
  readonly value: string | Date;
  readonly key: string;
}

/** What the places of flags look like in cursors. */
function flagPlaces(field: OrderField) {
  const readValue: Reader<string | Date> = field === 'key' ? readFlagKey : field === 'name' ? text => text : readTime;
  return {
    name: `flags.${field}`,
    placeOf: (flag: FeatureFlag) => {
      const value = flag[field];
      return [value instanceof Date ? String(value.getTime()) : value, flag.key];
    },
    parse: ([text = '', key = '', ...others]: readonly string[]): FlagPlace | null => {
      const value = readValue(text);
      return value === null || !isFlagKey(key) || others.length > 0 ? null : { field, value, key };
    },
  };
}

/** The flags on one side of a place. The first condition follows from the second one; an index can answer it. */
function beyond({ field, value, key }: FlagPlace, isAscending: boolean): Prisma.FeatureFlagWhereInput {
  const [than, orSame] = isAscending ? (['gt', 'gte'] as const) : (['lt', 'lte'] as const);
  return {
    AND: [{ [field]: { [orSame]: value } }, { OR: [{ [field]: { [than]: value } }, { key: { [than]: key } }] }],
  };
}

interface LabelCount {
  readonly label: string;
  readonly count: number;
}

const FlagTag = builder.objectRef<LabelCount>('FlagTag').implement({
  description: 'A tag, with the number of flags that have it.',
  fields: t => ({
    tag: t.exposeString('label', { description: 'The tag.' }),
    count: t.exposeInt('count', { description: 'The number of flags with this tag.' }),
  }),
});

const FlagOwner = builder.objectRef<LabelCount>('FlagOwner').implement({
  description: 'An owner, with the number of flags that have it.',
  fields: t => ({
    owner: t.exposeString('label', { description: 'The owner.' }),
    count: t.exposeInt('count', { description: 'The number of flags with this owner.' }),
  }),
});

/** A page of flags, and what can be counted of the flags on all pages together. */
interface FlagPage extends CountedPage<FeatureFlag> {
  readonly tags: (limit: number) => Promise<LabelCount[]>;
  readonly owners: (limit: number) => Promise<LabelCount[]>;
}

type Flags = Context['prisma']['featureFlag'];

/** The tags of these flags, the most frequent first. */
async function countTags(flags: Flags, where: Prisma.FeatureFlagWhereInput, limit: number): Promise<LabelCount[]> {
  // Flags with the same tags come as one row.
  const sets = await flags.groupBy({
    by: ['tags'],
    where: { AND: [where, { tags: { isEmpty: false } }] },
    _count: true,
  });
  const counts = new Map<string, number>();
  for (const { tags, _count } of sets) for (const tag of tags) counts.set(tag, (counts.get(tag) ?? 0) + _count);
  return [...counts]
    .map(([label, count]) => ({ label, count }))
    .sort((a, b) => b.count - a.count || compareNames(a.label, b.label))
    .slice(0, limit);
}

/** The owners of these flags, the one with the most flags first. */
async function countOwners(flags: Flags, where: Prisma.FeatureFlagWhereInput, limit: number): Promise<LabelCount[]> {
  const owners = await flags.groupBy({
    by: ['owner'],
    where: { AND: [where, { owner: { not: null } }] },
    _count: { owner: true },
    orderBy: [{ _count: { owner: Prisma.SortOrder.desc } }, { owner: Prisma.SortOrder.asc }],
    take: limit,
  });
  return owners.map(({ owner, _count }) => ({ label: owner as string, count: _count.owner }));
}

const FlagConnection = builder.connectionObject(
  {
    type: Flag,
    name: 'FlagConnection',
    description: 'A page of flags.',
    // The type that Relay's plugin gives a page does not have our members.
    fields: t => ({
      totalCount: t.int(totalCount),
      tags: t.field({
        type: [FlagTag],
        description:
          'The tags of the flags on all pages together, the most frequent first; those of one number are sorted.',
        args: firstArg,
        resolve: (flags: object, args) => (flags as FlagPage).tags(mostItems(args)),
      }),
      owners: t.field({
        type: [FlagOwner],
        description:
          'The owners of the flags on all pages together, the one with the most flags first; those of one number are sorted.',
        args: firstArg,
        resolve: (flags: object, args) => (flags as FlagPage).owners(mostItems(args)),
      }),
    }),
  },
  { name: 'FlagEdge', description: 'A flag on a page.' },
);

builder.queryFields(t => ({
  flags: t.field({
    type: FlagConnection,
    description: 'Reader, admin. The flags.',
    authScopes: { reader: true },
    args: {
      filter: t.arg({ type: FlagFilter, description: 'Selects flags. Default: all flags.' }),
      orderBy: t.arg({ type: FlagOrder, description: 'The order of the list. Default: by key, ascending.' }),
      ...bothWaysArgs,
    },
    resolve: async (_root, { filter, orderBy, ...args }, context) => {
      const { field, direction } = orderBy ?? { field: 'key', direction: 'asc' };
      const where = flagsWhere(filter, context);
      const { featureFlag } = context.prisma;
      const flags = await page(args, {
        ...flagPlaces(field),
        load: ({ from, backwards, limit }) => {
          const isAscending = (direction === 'asc') !== backwards;
          const order = isAscending ? Prisma.SortOrder.asc : Prisma.SortOrder.desc;
          return featureFlag.findMany({
            where: { AND: [where, from === null ? {} : beyond(from, isAscending)] },
            orderBy: [...new Set([field, 'key'])].map(name => ({ [name]: order })),
            take: limit,
          });
        },
      });
      return {
        ...flags,
        count: () => featureFlag.count({ where }),
        tags: (limit: number) => countTags(featureFlag, where, limit),
        owners: (limit: number) => countOwners(featureFlag, where, limit),
      };
    },
  }),
}));
