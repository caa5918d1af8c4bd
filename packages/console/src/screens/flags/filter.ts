import { useMemo } from 'react';
import { useSearchParams } from 'wouter';
import type { FlagFilter } from '../../data/generated/graphql.js';

/** What the address says about the list. */
export interface ListFilter {
  readonly search: string;
  readonly state: 'on' | 'off' | null;
  readonly tag: string | null;
  readonly owner: string | null;
  readonly group: string | null;
}

export type FilterName = keyof ListFilter;

export interface ListAddress {
  readonly filter: ListFilter;
  readonly isFiltered: boolean;
  /** @param value null or empty: everything. */
  set(name: FilterName, value: string | null): void;
  clear(): void;
}

export function filterIn(params: URLSearchParams): ListFilter {
  const state = params.get('state');
  return {
    search: params.get('search') ?? '',
    state: state === 'on' || state === 'off' ? state : null,
    tag: params.get('tag'),
    owner: params.get('owner'),
    group: params.get('group'),
  };
}

/** The filter of the list is kept in the address, so that it survives a reload and can be sent to others. */
export function useListAddress(): ListAddress {
  const [params, setParams] = useSearchParams();
  const filter = useMemo(() => filterIn(params), [params]);
  return {
    filter,
    isFiltered: Object.values(filter).some(value => value !== null && value !== ''),
    set: (name, value) =>
      setParams(
        before => {
          const after = new URLSearchParams(before);
          if (value === null || value === '') after.delete(name);
          else after.set(name, value);
          return after;
        },
        // One entry of the history for each search, not for each letter.
        { replace: name === 'search' },
      ),
    clear: () => setParams(new URLSearchParams()),
  };
}

/** The filter as the API has it. */
export function toApi({ search, state, tag, owner, group }: ListFilter): FlagFilter {
  return {
    ...(search.trim() === '' ? {} : { search: search.trim() }),
    ...(state === null ? {} : { enabled: state === 'on' }),
    ...(tag === null ? {} : { tags: [tag] }),
    ...(owner === null ? {} : { owner }),
    ...(group === null ? {} : { group }),
  };
}
