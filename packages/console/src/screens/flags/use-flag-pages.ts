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

/** The flags that match, page by page. Pages stay up to date. Until the first one of another filter comes, the last ones are shown. */
export function useFlagPages(filter: FlagFilter): FlagPages {
  const client = useClient();
  const key = JSON.stringify(filter);
  const [loaded, setLoaded] = useState<Loaded>({ filter: key, pages: [], error: null });
  const [attempt, setAttempt] = useState(0);
  const more = useRef(() => {});
  // biome-ignore lint/correctness/useExhaustiveDependencies: another attempt asks again
  useEffect(() => {
    const open: (() => void)[] = [];
    const follow = (index: number, after: string | null) => {
      const variables = { filter: JSON.parse(key) as FlagFilter, first: pageSize, after };
      const request = createRequest(FlagList, variables);
      const operation = client.executeQuery(request, { requestPolicy: 'cache-and-network', freshness: 'flags' });
      const { unsubscribe } = pipe(
        operation,
        subscribe(({ data, error }) =>
          setLoaded(before => {
            if (data === undefined) return { ...before, error: error ?? null };
            const pages = before.filter === key ? [...before.pages] : [];
            pages[index] = data.flags;
            return { filter: key, pages, error: null };
          }),
        ),
      );
      open[index] = unsubscribe;
    };
    more.current = () =>
      setLoaded(before => {
        const last = before.pages.at(-1);
        const next = before.pages.length;
        if (before.filter === key && last?.pageInfo.hasNextPage && open[next] === undefined) {
          open[next] = () => {};
          queueMicrotask(() => follow(next, last.pageInfo.endCursor ?? null));
        }
        return before;
      });
    follow(0, null);
    return () => {
      more.current = () => {};
      for (const close of open) close?.();
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
