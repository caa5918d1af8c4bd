import { useSearchParams } from 'wouter';
import type { ChangeFilter, ChangeKind } from '../../data/generated/graphql.js';

/** Groups of kinds, by their names in the address. */
export const kindGroups = {
  flags: { label: 'Flags', kinds: ['FLAG_CREATED', 'FLAG_UPDATED', 'FLAG_DELETED'] },
  overrides: { label: 'Overrides', kinds: ['OVERRIDE_SET', 'OVERRIDE_REMOVED'] },
  groups: { label: 'Groups', kinds: ['MEMBERS_ADDED', 'MEMBERS_REMOVED'] },
  users: { label: 'Users', kinds: ['USER_UPDATED', 'USER_DELETED'] },
  keys: { label: 'API keys', kinds: ['API_KEY_CREATED', 'API_KEY_REVOKED'] },
  resets: { label: 'Emptied tables', kinds: ['RESET'] },
} as const satisfies Readonly<Record<string, { readonly label: string; readonly kinds: readonly ChangeKind[] }>>;

/** What the address selects, by its names there. Empty: everything. */
export const filterNames = ['flag', 'by', 'kind', 'user', 'group', 'batch'] as const;
export type FilterName = (typeof filterNames)[number];
export type Filters = Readonly<Record<FilterName, string>>;

const isKind = (name: string): name is keyof typeof kindGroups => Object.hasOwn(kindGroups, name);
const uuid = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

/** The filter for the API; what is empty or no filter is left out. */
export function filterOf({ flag, by, kind, user, group, batch }: Filters): ChangeFilter {
  return {
    ...(flag === '' ? {} : { flagKey: flag }),
    ...(by === '' ? {} : { actorId: by }),
    ...(isKind(kind) ? { kinds: [...kindGroups[kind].kinds] } : {}),
    ...(user === '' ? {} : { userId: user }),
    ...(group === '' ? {} : { group }),
    ...(uuid.test(batch) ? { batch } : {}),
  };
}

/** The filters in the address, and how to set some of them. */
export function useFilters(): readonly [Filters, (changed: Partial<Filters>) => void] {
  const [params, setParams] = useSearchParams();
  const filters = Object.fromEntries(filterNames.map(name => [name, params.get(name) ?? ''])) as Filters;
  const change = (changed: Partial<Filters>) => {
    const all = { ...filters, ...changed };
    // Typing is no step to go back to.
    setParams(new URLSearchParams(Object.entries(all).filter(([, value]) => value !== '')), { replace: true });
  };
  return [filters, change];
}
