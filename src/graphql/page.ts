import { builder } from './builder.js';
import { defaultPageSize, maxPageSize, pageSize } from './connections.js';
import { badUserInput, foreignCursor } from './errors.js';

export interface PageArgs {
  readonly first?: number | null | undefined;
  readonly after?: string | null | undefined;
}

/** The arguments of a list that can only be read forwards. */
export const pageArgs = builder.args(t => ({
  first: t.int({ description: `The number of items to return, 0 to ${maxPageSize}. Default: ${defaultPageSize}.` }),
  after: t.string({ description: 'A cursor. Only items after it are returned.' }),
}));

export interface Page<Item> {
  readonly edges: { readonly cursor: string; readonly node: Item }[];
  readonly pageInfo: {
    readonly hasNextPage: boolean;
    readonly hasPreviousPage: boolean;
    readonly startCursor: string | null;
    readonly endCursor: string | null;
  };
}

/**
 * Reads a page of a list, forwards from any place.
 *
 * @param placeOf gives the place of an item as text. The cursor is this text in base64, so that clients do not parse it.
 * @param parse reads a place back from its text; null when the text is not a place.
 * @param load loads at most `limit` items after a place; null means from the start.
 * @throws GraphQLError `BAD_USER_INPUT` for a cursor that does not belong to this list.
 */
export async function page<Item, Place>(
  args: PageArgs,
  options: {
    readonly placeOf: (item: Item) => string;
    readonly parse: (place: string) => Place | null;
    readonly load: (after: Place | null, limit: number) => Promise<readonly Item[]>;
  },
): Promise<Page<Item>> {
  const size = pageSize(args);
  const after = args.after == null ? null : options.parse(Buffer.from(args.after, 'base64url').toString());
  if (args.after != null && after === null) {
    throw badUserInput({ path: ['after'], message: foreignCursor });
  }
  // One item more than asked for: if it is there, another page follows.
  const items = await options.load(after, size + 1);
  const edges = items.slice(0, size).map(node => ({
    cursor: Buffer.from(options.placeOf(node)).toString('base64url'),
    node,
  }));
  return {
    edges,
    pageInfo: {
      hasNextPage: items.length > size,
      hasPreviousPage: after !== null,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  };
}
