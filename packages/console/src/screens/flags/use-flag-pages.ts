import { useEffect, useMemo, useRef, useState } from 'react';
import { type CombinedError, useClient } from 'urql';
import { pipe, subscribe } from 'wonka';
import type { FlagListQuery } from '../../data/generated/graphql.js';
import type { ListedFlag } from './documents.js';
import { type ListFilter, toApi } from './filter.js';
import { pageRequest } from './first-page.js';
import { noOrder, type Order, ordered } from './order.js';
import { useNewcomers } from './use-newcomers.js';

type Page = FlagListQuery['flags'];

export interface FlagPages {
  /** In the order that they had when they came. Null: nothing has come yet. */
  readonly flags: readonly ListedFlag[] | null;
  /** Ids of flags that have a row, and are in the list of the server no longer. */
  readonly gone: ReadonlySet<string>;
  /** Flags that have come, gone or moved since, or begun to match. */
  readonly changed: number;
  readonly total: number;
  readonly error: CombinedError | null;
  readonly hasMore: boolean;
  more(): void;
  retry(): void;
  /** Asks the server for the order, and takes it over. */
  refreshOrder(): void;
}

interface Loaded {
  readonly filter: string;
  /** From the first one on, without a gap. */
  readonly pages: readonly Page[];
  /** All flags that came, by id, as they are now. */
  readonly known: ReadonlyMap<string, ListedFlag>;
  readonly order: Order;
  readonly gone: ReadonlySet<string>;
  readonly waiting: readonly string[];
  readonly changed: number;
  readonly error: CombinedError | null;
}

/** A page that is followed. */
interface OpenPage {
  /** The cursor that it begins after. */
  readonly after: string | null;
  /** The cursor that the next page begins after. Null: there is none, or it is not known yet. */
  next: string | null;
  /** Null: it has not come yet. */
  data: Page | null;
  close: () => void;
}

/** The flags that match, page by page. Flags stay up to date in their rows. Until the first page of another filter comes, the last ones are shown. */
export function useFlagPages(filter: ListFilter): FlagPages {
  const client = useClient();
  const key = JSON.stringify(filter);
  const [loaded, setLoaded] = useState<Loaded>(() => ({ filter: key, ...nothing, error: null }));
  const [attempt, setAttempt] = useState(0);
  const more = useRef(() => {});
  const refreshOrder = useRef(() => {});
  // biome-ignore lint/correctness/useExhaustiveDependencies: another attempt asks again
  useEffect(() => {
    const wanted = JSON.parse(key) as ListFilter;
    const open: OpenPage[] = [];
    let isNewOrder = false;
    const dropFrom = (index: number) => {
      for (const page of open.splice(index)) page.close();
    };
    const show = () => {
      const missing = open.findIndex(({ data }) => data === null);
      const pages = open.slice(0, missing === -1 ? undefined : missing).map(({ data }) => data as Page);
      const takesOrder = isNewOrder && missing === -1;
      if (takesOrder) isNewOrder = false;
      if (pages.length > 0) setLoaded(before => arranged(before, pages, wanted, takesOrder));
    };
    const follow = (index: number, after: string | null, requestPolicy: 'cache-and-network' | 'network-only') => {
      open[index]?.close();
      const page: OpenPage = { after, next: null, data: null, close: () => {} };
      open[index] = page;
      const { unsubscribe } = pipe(
        client.executeQuery(pageRequest(toApi(wanted), after), { requestPolicy, freshness: 'flags' }),
        subscribe(({ data, error }) => {
          if (open[index] !== page) return;
          // Null, whatever its type says, where the server refuses the whole question.
          if (data == null) {
            // The reader's next step asks for this page again.
            if (index > 0) dropFrom(index);
            setLoaded(before => ({ ...before, error: error ?? null }));
            return;
          }
          const { hasNextPage, endCursor } = data.flags.pageInfo;
          page.data = data.flags;
          page.next = hasNextPage ? (endCursor ?? null) : null;
          const following = open[index + 1];
          if (page.next === null) dropFrom(index + 1);
          // A flag that was made or deleted moves all pages after it.
          else if (following !== undefined && following.after !== page.next)
            follow(index + 1, page.next, 'cache-and-network');
          show();
        }),
      );
      page.close = unsubscribe;
    };
    more.current = () => {
      const last = open.at(-1);
      if (last !== undefined && last.next !== null) follow(open.length, last.next, 'cache-and-network');
    };
    refreshOrder.current = () => {
      isNewOrder = true;
      for (const [index, { after }] of [...open].entries()) follow(index, after, 'network-only');
    };
    follow(0, null, 'cache-and-network');
    return () => {
      more.current = () => {};
      refreshOrder.current = () => {};
      dropFrom(0);
    };
  }, [client, key, attempt]);

  const { pages, known, order, gone, waiting, error } = loaded;
  const flags = useMemo(
    () => (pages.length === 0 ? null : order.ids.flatMap(id => known.get(id) ?? [])),
    [pages, order, known],
  );
  const newcomers = useNewcomers(filter, flags);
  const late = newcomers.ids.filter(id => !waiting.includes(id));
  const isEmpty = flags?.length === 0;
  // Where there is no row, none can move.
  useEffect(() => {
    if (isEmpty && late.length > 0) refreshOrder.current();
  }, [isEmpty, late.length]);
  return {
    flags,
    gone,
    changed: loaded.changed + late.length,
    total: newcomers.total ?? pages[0]?.totalCount ?? 0,
    error,
    hasMore: pages.at(-1)?.pageInfo.hasNextPage === true,
    more: () => more.current(),
    retry: () => setAttempt(count => count + 1),
    refreshOrder: () => refreshOrder.current(),
  };
}

const nothing = { pages: [], known: new Map(), order: noOrder, gone: new Set<string>(), waiting: [], changed: 0 };

/** @param takesOrder whether rows may move: the reader has asked for it. */
function arranged(before: Loaded, pages: readonly Page[], filter: ListFilter, takesOrder: boolean): Loaded {
  const key = JSON.stringify(filter);
  const start = before.filter === key ? before : { filter: key, ...nothing };
  const nodes = pages.flatMap(page => page.nodes);
  const hasMore = pages.at(-1)?.pageInfo.hasNextPage === true;
  return {
    filter: key,
    pages,
    known: new Map([...start.known, ...nodes.map(flag => [flag.id, flag] as const)]),
    ...ordered(takesOrder ? noOrder : start.order, nodes, hasMore, filter),
    error: null,
  };
}
