import type { ListedFlag } from './documents.js';
import type { ListFilter } from './filter.js';

/** The order of the rows as the reader sees it. It stays until the reader asks for the order of the server. */
export interface Order {
  /** Ids of flags. */
  readonly ids: readonly string[];
  /** The flags by id, as they were when they got their places. */
  readonly placed: ReadonlyMap<string, ListedFlag>;
}

export interface Ordered {
  readonly order: Order;
  /** Flags that have a row and are not on the server's pages any more: deleted, or no longer matching. */
  readonly gone: ReadonlySet<string>;
  /** Ids of flags that would come with the order of the server. */
  readonly waiting: readonly string[];
  /** Flags that would come, go or move with it. */
  readonly changed: number;
}

export const noOrder: Order = { ids: [], placed: new Map() };

/**
 * Rows stay where they are. What only continues the list is appended, since it moves no row.
 * @param pages what the server has, from its first flag on without a gap.
 * @param hasMore whether the server has more flags after these.
 */
export function ordered(
  { ids, placed }: Order,
  pages: readonly ListedFlag[],
  hasMore: boolean,
  filter: ListFilter,
): Ordered {
  const there = new Map(pages.map(flag => [flag.id, flag]));
  const isRenamed = (id: string) => there.has(id) && there.get(id)?.name !== placed.get(id)?.name;
  const kept = new Set(ids);
  const last = pages.findLastIndex(({ id }) => kept.has(id) && !isRenamed(id));
  const fresh = pages.filter(({ id }) => !kept.has(id));
  const appended = pages.slice(last + 1).filter(({ id }) => !kept.has(id));
  const waiting = fresh.flatMap(flag => (appended.includes(flag) || !matches(flag, filter) ? [] : [flag.id]));
  const lastShown = hasMore ? ids.findLastIndex(id => there.has(id) && !isRenamed(id)) : ids.length;
  const gone = new Set(ids.filter((id, place) => place < lastShown && !there.has(id)));
  const moved = ids.filter(id => !gone.has(id) && (isRenamed(id) || !matches(there.get(id), filter)));
  return {
    order:
      appended.length === 0
        ? { ids, placed }
        : {
            ids: [...ids, ...appended.map(({ id }) => id)],
            placed: new Map([...placed, ...appended.map(flag => [flag.id, flag] as const)]),
          },
    gone,
    waiting,
    changed: waiting.length + gone.size + moved.length,
  };
}

/**
 * Flags that have begun to match since the rows came. They are no rows until the reader asks for the order.
 * @param matching ids that match now, from the first one on without a gap.
 * @param isAll whether no flag matches after these.
 */
export function newcomers(shown: ReadonlySet<string>, matching: readonly string[], isAll: boolean): readonly string[] {
  // What comes after the last row comes by itself with the next page.
  const end = isAll ? matching.length : matching.findLastIndex(id => shown.has(id));
  return matching.slice(0, Math.max(0, end)).filter(id => !shown.has(id));
}

/** Whether a flag that has changed is certain to match no longer is false; what only the server can tell counts as matching. */
function matches(flag: ListedFlag | undefined, { state, tag, owner }: ListFilter): boolean {
  if (flag === undefined) return true;
  if (state !== null && flag.enabled !== (state === 'on')) return false;
  return (tag === null || flag.tags.includes(tag)) && (owner === null || flag.owner === owner);
}
