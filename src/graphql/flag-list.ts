import { isFlagKey } from '../core/flag.js';
import { maxNameLength } from '../core/text.js';
import { type FeatureFlag, Prisma } from '../generated/prisma/client.js';
import { builder } from './builder.js';
import type { Context } from './context.js';
import { type Reader, readFlagKey, readTime } from './cursors.js';
import { storable } from './errors.js';
import { Flag } from './flag.js';
import { bothWaysArgs, page, totalCount } from './page.js';

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
  const contains = text == null || text === '' ? null : { contains: likeText(text), mode: 'insensitive' as const };
  return {
    ...(filter?.enabled == null ? {} : { enabled: filter.enabled }),
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

const FlagConnection = builder.connectionObject(
  {
    type: Flag,
    name: 'FlagConnection',
    description: 'A page of flags.',
    fields: t => ({ totalCount: t.int(totalCount) }),
  },
  { name: 'FlagEdge', description: 'A flag on a page.' },
);

builder.queryFields(t => ({
  flags: t.field({
    type: FlagConnection,
    description: 'Admin. The flags.',
    authScopes: { admin: true },
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
      return { ...flags, count: () => featureFlag.count({ where }) };
    },
  }),
}));
