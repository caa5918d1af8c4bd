import { maxUserIdLength } from '../core/user-id.js';
import { Prisma, type User as UserRow } from '../generated/prisma/client.js';
import { builder } from './builder.js';
import { knownByPlace, type ListPart } from './cursors.js';
import { storable } from './errors.js';
import { page, pageArgs } from './page.js';
import { knownBy, User } from './user.js';

/** No character comes after it. Repeated to the length of an id, it ends what begins with a text. */
const lastCharacter = '\u{10FFFF}';

/** How users are known, with the column or expression that an index sorts by. */
const kinds = [
  { known: Prisma.sql`external_id`, isKind: Prisma.sql`external_id IS NOT NULL`, form: (text: string) => text },
  // UUIDs are shown in lower case, and may be asked for in upper case.
  {
    known: Prisma.sql`id::text COLLATE "C"`,
    isKind: Prisma.sql`external_id IS NULL`,
    form: (text: string) => text.toLowerCase(),
  },
] as const;

/**
 * The users whose known id begins with a text, sorted by that id in the order of code points, as the collation "C" has it.
 * Each kind of user comes from its own index, from the place on, and no further than the part needs.
 */
export function selectUsers(search: string, { from, limit }: Pick<ListPart<string>, 'from' | 'limit'>): Prisma.Sql {
  const parts = kinds.map(({ known, isKind, form }) => {
    const begin = form(search);
    const end = begin + lastCharacter.repeat(maxUserIdLength);
    const beyond = from === null ? Prisma.empty : Prisma.sql`AND ${known} > ${from}`;
    return Prisma.sql`(
      SELECT id, external_id AS "externalId", attributes, created_at AS "createdAt", updated_at AS "updatedAt",
             ${known} AS known
      FROM users WHERE ${isKind} AND ${known} >= ${begin} AND ${known} <= ${end} ${beyond}
      ORDER BY ${known} LIMIT ${limit})`;
  });
  return Prisma.sql`
    SELECT id, "externalId", attributes, "createdAt", "updatedAt" FROM (${Prisma.join(parts, ' UNION ALL ')}) AS found
    ORDER BY known COLLATE "C" LIMIT ${limit}`;
}

const UserConnection = builder.connectionObject(
  { type: User, name: 'UserConnection', description: 'A page of users.' },
  { name: 'UserEdge', description: 'A user on a page.' },
);

builder.queryFields(t => ({
  users: t.field({
    type: UserConnection,
    description:
      'Reader, admin. The users for whom something is stored, sorted by the id that they are known by, in the order of code points.',
    authScopes: { reader: true },
    args: {
      search: t.arg.string({
        description: `Only users whose id begins with this text; up to ${maxUserIdLength} characters. Case matters, except in UUIDs. Default: all users.`,
      }),
      ...pageArgs,
    },
    resolve: (_root, { search, ...args }, { prisma }) => {
      const begin = storable(search, ['search'], maxUserIdLength) ?? '';
      return page(args, {
        name: 'users',
        placeOf: (user: UserRow) => [knownBy(user)],
        parse: knownByPlace,
        load: part => prisma.$queryRaw<UserRow[]>(selectUsers(begin, part)),
      });
    },
  }),
}));
