import { type ReactNode, useState } from 'react';
import { useQuery } from 'urql';
import { Link } from 'wouter';
import type { UserListQuery } from '../../data/generated/graphql.js';
import { Button } from '../../parts/button.js';
import { Empty } from '../../parts/empty.js';
import { PageHead } from '../../parts/page-head.js';
import { userPath } from '../../parts/paths.js';
import { plural } from '../../words/numbers.js';
import type { Json } from '../../words/shapes.js';
import { valueText } from '../../words/values.js';
import { UserList } from './documents.js';
import css from './users.module.css';

export interface UsersScreenProps {
  /** What the ids begin with; it stands in the address. */
  readonly search: string;
  readonly onSearch: (search: string) => void;
  readonly onOpen: (userId: string) => void;
}

/** The users for whom something is stored, and any other by its id. */
export function UsersScreen({ search, onSearch, onOpen }: UsersScreenProps): ReactNode {
  const [pages, setPages] = useState<readonly (string | null)[]>([null]);
  return (
    <>
      <PageHead title="Users">
        <Link className={css.other} href="/groups">
          Groups
        </Link>
      </PageHead>
      <form
        className={css.search}
        onSubmit={event => {
          event.preventDefault();
          if (search.trim() !== '') onOpen(search.trim());
        }}
      >
        <label>
          <span className={css.hidden}>Search users by the beginning of their id</span>
          <input
            className={css.input}
            type="search"
            data-search
            placeholder="Search by the beginning of a user id"
            value={search}
            onChange={event => {
              setPages([null]);
              onSearch(event.target.value);
            }}
          />
        </label>
        <Button type="submit" disabled={search.trim() === ''}>
          Open this id
        </Button>
      </form>
      <ul className={css.list}>
        {pages.map((after, index) => (
          <UserPageRows
            key={`${search} ${after}`}
            search={search}
            after={after}
            onMore={index === pages.length - 1 ? cursor => setPages([...pages, cursor]) : null}
          />
        ))}
      </ul>
    </>
  );
}

interface RowsProps extends Pick<UsersScreenProps, 'search'> {
  readonly after: string | null;
  /** Null: another page follows already. */
  readonly onMore: ((cursor: string) => void) | null;
}

function UserPageRows({ search, after, onMore }: RowsProps): ReactNode {
  const [{ data, error }] = useQuery({ query: UserList, variables: { search: search === '' ? null : search, after } });
  if (error !== undefined)
    return <li className={css.fault}>{error.graphQLErrors[0]?.message ?? 'The server does not answer.'}</li>;
  if (data === undefined) return <li className={css.bone} />;
  const { nodes, pageInfo } = data.users;
  if (nodes.length === 0 && after === null) {
    return (
      <li>
        {search === '' ? (
          <Empty title="No user is stored yet.">
            A user is stored with attributes, a group or an override. Any id can be opened above.
          </Empty>
        ) : (
          <Empty title={`No stored user’s id begins with ${search}.`}>
            Press Enter to open this id, or search for another.
          </Empty>
        )}
      </li>
    );
  }
  return (
    <>
      {nodes.map(user => (
        <li key={user.id} className={css.row}>
          <Link href={userPath(user.userId)}>{user.userId}</Link>
          <span className={css.facts}>{factsOf(user)}</span>
          <span className={css.groups}>{user.groups.length === 0 ? '' : groupWords(user.groups)}</span>
        </li>
      ))}
      {pageInfo.hasNextPage && typeof pageInfo.endCursor === 'string' && onMore !== null ? (
        <li className={css.more}>
          <Button onClick={() => onMore(pageInfo.endCursor as string)}>More users</Button>
        </li>
      ) : null}
    </>
  );
}

const groupWords = (groups: readonly string[]) =>
  groups.length < 3
    ? groups.join(', ')
    : `${groups.slice(0, 2).join(', ')} and ${plural(groups.length - 2, 'more group')}`;

/** The first attributes that are short. */
function factsOf({ attributes }: UserListQuery['users']['nodes'][number]): string {
  const entries = Object.entries(attributes as { readonly [name: string]: Json }).filter(
    ([, value]) => typeof value !== 'object',
  );
  return entries
    .slice(0, 4)
    .map(([name, value]) => `${name} ${valueText(value)}`)
    .join(', ');
}
