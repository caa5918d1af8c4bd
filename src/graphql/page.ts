import { builder } from './builder.js';
import { defaultPageSize, maxPageSize, pageSize } from './connections.js';
import { decodePlace, encodePlace, type ListPart } from './cursors.js';
import { badUserInput, foreignCursor } from './errors.js';

export interface PageArgs {
  readonly first?: number | null | undefined;
  readonly after?: string | null | undefined;
  readonly last?: number | null | undefined;
  readonly before?: string | null | undefined;
}

/** The arguments of a list that can only be read forwards. */
export const pageArgs = builder.args(t => ({
  first: t.int({ description: `The number of items to return, 0 to ${maxPageSize}. Default: ${defaultPageSize}.` }),
  after: t.string({ description: 'A cursor. Only items after it are returned.' }),
}));

/** The arguments of a list that can also be read backwards, from its end. */
export const bothWaysArgs = builder.args(t => ({
  before: t.string({ description: 'A cursor. Only items before it are returned.' }),
  after: t.string({ description: 'A cursor. Only items after it are returned.' }),
  first: t.int({
    description: `The number of items to return from the start, 0 to ${maxPageSize}. Default: ${defaultPageSize}.`,
  }),
  last: t.int({ description: `The number of items to return from the end, 0 to ${maxPageSize}.` }),
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

/** A page of a list that can also be counted. */
export interface CountedPage<Item> extends Page<Item> {
  /** The number of items on all pages together. */
  readonly count: () => Promise<number>;
}

/** The options of the field `totalCount`. Every page of its connection must be a {@link CountedPage}. */
export const totalCount = {
  description: 'The number of items on all pages together.',
  // The type that Relay's plugin gives a page does not have our member.
  resolve: (counted: object) => (counted as CountedPage<unknown>).count(),
} as const;

/** A list that is read in pages. */
export interface PagedList<Item, Place> {
  /** Tells the cursors of this list from those of others. Lists that are sorted by other values have other names. */
  readonly name: string;
  /**
   * The values that the list is sorted by, the tie-breaker included. They are all that a cursor holds, so it keeps its place
   * when its item changes or is deleted. docs/decisions/0027-cursors-name-places.md explains.
   */
  readonly placeOf: (item: Item) => readonly string[];
  /** Reads a place back from its values; null when they are no place of this list. */
  readonly parse: (values: readonly string[]) => Place | null;
  readonly load: (slice: ListPart<Place>) => Promise<readonly Item[]>;
}

/**
 * Reads a page of a list, in either direction and from any place.
 * @throws GraphQLError `BAD_USER_INPUT` for arguments that do not go together, a page that is too large, and a cursor that
 *   does not belong to this list.
 */
export async function page<Item, Place>(args: PageArgs, list: PagedList<Item, Place>): Promise<Page<Item>> {
  checkArgs(args);
  const size = pageSize(args);
  const backwards = args.before != null || args.last != null;
  const from = readCursor(args, list);
  // One item more than asked for: if it is there, another page follows.
  const items = await list.load({ from, backwards, limit: size + 1 });
  const isMore = items.length > size;
  const shown = items.slice(0, size);
  const edges = (backwards ? shown.reverse() : shown).map(node => ({
    cursor: encodePlace(list.name, list.placeOf(node)),
    node,
  }));
  return {
    edges,
    pageInfo: {
      hasNextPage: backwards ? from !== null : isMore,
      hasPreviousPage: backwards ? isMore : from !== null,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  };
}

function readCursor<Item, Place>(args: PageArgs, { name, parse }: PagedList<Item, Place>): Place | null {
  const argument = args.before == null ? 'after' : 'before';
  const cursor = args[argument];
  if (cursor == null) return null;
  const values = decodePlace(name, cursor);
  const place = values === null ? null : parse(values);
  if (place === null) throw badUserInput({ path: [argument], message: foreignCursor });
  return place;
}

/** Pairs of arguments that contradict each other. The second one is reported. */
const contradictions = [
  ['first', 'last', '`first` reads from the start of the list, and `last` from its end. Write one of them.'],
  ['after', 'before', '`after` reads forwards, and `before` backwards. Write one of them.'],
  [
    'first',
    'before',
    '`before` reads backwards, and `first` forwards. Write `last` with `before`, or `first` with `after`.',
  ],
  [
    'last',
    'after',
    '`after` reads forwards, and `last` backwards. Write `first` with `after`, or `last` with `before`.',
  ],
] as const;

function checkArgs(args: PageArgs): void {
  for (const [one, other, message] of contradictions) {
    if (args[one] != null && args[other] != null) throw badUserInput({ path: [other], message });
  }
  for (const name of ['first', 'last'] as const) checkSize(args[name], name);
}

function checkSize(size: number | null | undefined, name: string): void {
  if (size != null && (size < 0 || size > maxPageSize)) {
    throw badUserInput({ path: [name], message: `Expected 0 to ${maxPageSize}, found ${size}.` });
  }
}

/** The argument of a list that has no pages: only its beginning can be read. */
export const firstArg = builder.args(t => ({
  first: t.int({ description: `The most items to return, 0 to ${maxPageSize}. Default: ${defaultPageSize}.` }),
}));

/**
 * The most items of a list that takes {@link firstArg}.
 * @throws GraphQLError `BAD_USER_INPUT` for a size that is out of range.
 */
export function mostItems({ first }: Pick<PageArgs, 'first'>): number {
  checkSize(first, 'first');
  return pageSize({ first });
}
