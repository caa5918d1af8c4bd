import { useEffect, useMemo, useRef, useState } from 'react';
import { type CombinedError, createRequest, useClient } from 'urql';
import { pipe, subscribe } from 'wonka';
import type { FlagFilter, FlagListQuery } from '../../data/generated/graphql.js';
import { FlagList } from './documents.js';

export type ListedFlag = FlagListQuery['flags']['nodes'][number];

type Page = FlagListQuery['flags'];

export interface FlagPages {
  /** In the order of their names. Null: nothing has come yet. */
  readonly flags: readonly ListedFlag[] | null;
  readonly total: number;
  readonly error: CombinedError | null;
  readonly hasMore: boolean;
  more(): void;
  retry(): void;
}

const pageSize = 50;

interface Loaded {
  readonly filter: string;
  readonly pages: readonly (Page | undefined)[];
  readonly error: CombinedError | null;
}

/** A page that is followed. */
interface OpenPage {
  /** The cursor that it begins after. */
  readonly after: string | null;
  /** The cursor that the next page begins after. Null: there is none, or it is not known yet. */
  next: string | null;
  close: () => void;
}

/** The flags that match, page by page. Pages stay up to date. Until the first one of another filter comes, the last ones are shown. */
export function useFlagPages(filter: FlagFilter): FlagPages {
  const client = useClient();
  const key = JSON.stringify(filter);
  const [loaded, setLoaded] = useState<Loaded>({ filter: key, pages: [], error: null });
  const [attempt, setAttempt] = useState(0);
  const more = useRef(() => {});
  // biome-ignore lint/correctness/useExhaustiveDependencies: another attempt asks again
  useEffect(() => {
    const open: OpenPage[] = [];
    const dropFrom = (index: number) => {
      for (const page of open.splice(index)) page.close();
    };
    const follow = (index: number, after: string | null) => {
      open[index]?.close();
      const page: OpenPage = { after, next: null, close: () => {} };
      open[index] = page;
      const request = createRequest(FlagList, { filter: JSON.parse(key) as FlagFilter, first: pageSize, after });
      const { unsubscribe } = pipe(
        client.executeQuery(request, { requestPolicy: 'cache-and-network', freshness: 'flags' }),
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
          page.next = hasNextPage ? (endCursor ?? null) : null;
          const following = open[index + 1];
          const isLast = page.next === null;
          setLoaded(before => {
            const pages = before.filter === key ? before.pages.slice(0, isLast ? index : undefined) : [];
            pages[index] = data.flags;
            return { filter: key, pages, error: null };
          });
          if (isLast) dropFrom(index + 1);
          // A flag that was made or deleted moves all pages after it.
          else if (following !== undefined && following.after !== page.next) follow(index + 1, page.next);
        }),
      );
      page.close = unsubscribe;
    };
    more.current = () => {
      const last = open.at(-1);
      if (last !== undefined && last.next !== null) follow(open.length, last.next);
    };
    follow(0, null);
    return () => {
      more.current = () => {};
      dropFrom(0);
    };
  }, [client, key, attempt]);

  const { pages, error } = loaded;
  const flags = useMemo(() => {
    if (pages.length === 0) return null;
    const byId = new Map(pages.flatMap(page => page?.nodes ?? []).map(flag => [flag.id, flag]));
    return [...byId.values()];
  }, [pages]);
  return {
    flags,
    total: pages[0]?.totalCount ?? 0,
    error,
    hasMore: pages.at(-1)?.pageInfo.hasNextPage === true,
    more: () => more.current(),
    retry: () => setAttempt(count => count + 1),
  };
}
