import { builder } from './builder.js';
import { defaultPageSize, maxPageSize, pageSize } from './connections.js';
import { badUserInput } from './errors.js';

export interface PageArgs {
  readonly first?: number | null | undefined;
  readonly after?: string | null | undefined;
}

/** The arguments of a list that is read forwards. */
export const pageArgs = builder.args(t => ({
  first: t.int({ description: `How many to return, up to ${maxPageSize}. Not stated: ${defaultPageSize}.` }),
  after: t.string({ description: 'Return what follows on this cursor.' }),
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
 * A page of a list that can be read from any place forwards.
 *
 * @param placeOf names the place of an item as text; the cursor is that, wrapped so that nobody builds on it.
 * @param parse reads the place back; null when it names none.
 * @param load the items after a place (null: from the start), at most `limit`.
 * @throws GraphQLError `BAD_USER_INPUT` for a cursor that is none.
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
    throw badUserInput({ path: ['after'], message: 'This is no cursor of this list.' });
  }
  // One more than asked: whether it is there tells whether more follow.
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
