import { useEffect, useState } from 'react';
import type { ListedFlag } from './documents.js';
import type { FlagPages } from './use-flag-pages.js';

export interface Selection {
  /** Ids of flags, also of some that the filter hides now. */
  readonly ids: ReadonlySet<string>;
  /** The selected flags that are listed. */
  readonly chosen: readonly ListedFlag[];
  /** The flags that are listed, and not deleted. */
  readonly selectable: readonly ListedFlag[];
  /** Whether the rest of the list is on its way, to be selected too. */
  readonly isLoadingAll: boolean;
  toggle(id: string): void;
  add(ids: readonly string[]): void;
  /** Takes flags out of the selection. */
  drop(ids: readonly string[]): void;
  /** Selects every flag that matches, also those whose pages have not been asked for. */
  all(): void;
  clear(): void;
}

/** @param filter it stands for the list: with another one, the rest of the last one is not selected any more. */
export function useSelection(filter: unknown, pages: FlagPages): Selection {
  const [ids, setIds] = useState<ReadonlySet<string>>(new Set());
  const [wanted, setWanted] = useState<unknown>(null);
  const { flags, gone, hasMore, error, more } = pages;
  const selectable = (flags ?? []).filter(({ id }) => !gone.has(id));
  const isLoadingAll = wanted === filter && hasMore && error === null;
  const add = (more: readonly string[]) => setIds(before => new Set([...before, ...more]));
  // biome-ignore lint/correctness/useExhaustiveDependencies: each page that comes is selected, and asks for the next one
  useEffect(() => {
    if (wanted !== filter) return;
    add(selectable.map(({ id }) => id));
    if (isLoadingAll) more();
    else setWanted(null);
  }, [wanted, filter, flags, isLoadingAll]);
  return {
    ids,
    chosen: selectable.filter(({ id }) => ids.has(id)),
    selectable,
    isLoadingAll,
    toggle: id =>
      setIds(before => {
        const next = new Set(before);
        if (!next.delete(id)) next.add(id);
        return next;
      }),
    add,
    drop: dropped => setIds(before => new Set([...before].filter(id => !dropped.includes(id)))),
    all: () => setWanted(filter),
    clear: () => {
      setIds(new Set());
      setWanted(null);
    },
  };
}
