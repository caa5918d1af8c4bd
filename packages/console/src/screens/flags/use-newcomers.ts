import { useEffect, useRef, useState } from 'react';
import { useClient } from 'urql';
import { flagNews } from '../../data/flag-news.js';
import type { ListedFlag } from './documents.js';
import { FlagMatches } from './documents.js';
import { type ListFilter, toApi } from './filter.js';
import { newcomers } from './order.js';

/** The most that the API lists at once. */
const most = 100;

interface Matches {
  readonly filter: string;
  readonly ids: readonly string[];
  readonly isAll: boolean;
  readonly total: number;
}

export interface Newcomers {
  /** Ids of flags that match now, stand among the rows, and are none yet. */
  readonly ids: readonly string[];
  /** All flags that match now. Null: no flag has changed since the list came. */
  readonly total: number | null;
}

/**
 * Flags that begin to match by a change of somebody else. Pages are not asked for again because of them: a row that matches no longer would
 * lose its switch under the pointer.
 * @param flags the rows. Null: nothing has come yet.
 */
export function useNewcomers(filter: ListFilter, flags: readonly ListedFlag[] | null): Newcomers {
  const client = useClient();
  const key = JSON.stringify(filter);
  const [matches, setMatches] = useState<Matches | null>(null);
  const rows = useRef(0);
  rows.current = flags?.length ?? 0;
  useEffect(() => {
    // Without a filter every flag matches, and new ones are told by their pages.
    const wanted = toApi(JSON.parse(key) as ListFilter);
    if (Object.keys(wanted).length === 0) return;
    let isCurrent = true;
    let [isAsking, isDue] = [false, false];
    const ask = async () => {
      isDue = isAsking;
      if (isAsking) return;
      isAsking = true;
      // A page more than there are rows, so that those that newcomers push down are seen too.
      const found = await matching(rows.current + most);
      isAsking = false;
      if (!isCurrent) return;
      if (found !== null) setMatches({ filter: key, ...found });
      if (isDue) void ask();
    };
    const matching = async (length: number) => {
      const ids: string[] = [];
      for (let after: string | null = null; ; ) {
        const variables: { filter: typeof wanted; first: number; after: string | null } = {
          filter: wanted,
          first: most,
          after,
        };
        const { data } = await client.query(FlagMatches, variables, { requestPolicy: 'network-only' }).toPromise();
        if (data?.flags == null) return null;
        const { nodes, pageInfo, totalCount } = data.flags;
        ids.push(...nodes.map(({ id }) => id));
        if (!pageInfo.hasNextPage || ids.length >= length)
          return { ids, isAll: !pageInfo.hasNextPage, total: totalCount };
        after = pageInfo.endCursor ?? null;
      }
    };
    const unsubscribe = flagNews.subscribe(() => void ask());
    return () => {
      isCurrent = false;
      unsubscribe();
    };
  }, [client, key]);
  if (matches === null || matches.filter !== key || flags === null) return { ids: [], total: null };
  const shown = new Set(flags.map(({ id }) => id));
  return { ids: newcomers(shown, matches.ids, matches.isAll), total: matches.total };
}
