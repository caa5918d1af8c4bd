import { type FormEvent, type ReactNode, useState } from 'react';
import { useQuery } from 'urql';
import { Link } from 'wouter';
import { Button } from '../../parts/button.js';
import { Empty } from '../../parts/empty.js';
import { PageHead } from '../../parts/page-head.js';
import { groupPath } from '../../parts/paths.js';
import { plural } from '../../words/numbers.js';
import { GroupList } from './documents.js';
import css from './groups.module.css';

export interface GroupsScreenProps {
  readonly canEdit: boolean;
  readonly onOpen: (group: string) => void;
}

/** The groups that have members or that a flag names. */
export function GroupsScreen({ canEdit, onOpen }: GroupsScreenProps): ReactNode {
  const [after, setAfter] = useState<string | null>(null);
  const [{ data, error }] = useQuery({ query: GroupList, variables: { after }, requestPolicy: 'cache-and-network' });
  const groups = data?.groups.nodes ?? [];
  const next = data?.groups.pageInfo;
  return (
    <>
      <PageHead title="Groups">
        <Link className={css.other} href="/users">
          Users
        </Link>
        {canEdit ? <NewGroup onOpen={onOpen} /> : null}
      </PageHead>
      {error === undefined ? null : (
        <p className={css.fault}>{error.graphQLErrors[0]?.message ?? 'The server does not answer.'}</p>
      )}
      {data !== undefined && groups.length === 0 && after === null ? (
        <Empty title="There is no group yet.">
          A group is a list of users that rules can name. It is there as soon as it has a member.
        </Empty>
      ) : null}
      <ul className={css.list}>
        {groups.map(({ id, name, memberCount, flags }) => (
          <li key={id} className={css.row}>
            <Link href={groupPath(name)}>{name}</Link>
            <span className={css.number}>{plural(memberCount, 'member')}</span>
            <span className={css.faint}>
              {flags.length === 0 ? 'no flag names it' : `named by ${plural(flags.length, 'flag')}`}
            </span>
          </li>
        ))}
      </ul>
      <div className={css.actions}>
        {after === null ? null : <Button onClick={() => setAfter(null)}>First page</Button>}
        {next?.hasNextPage ? <Button onClick={() => setAfter(next.endCursor ?? null)}>Next page</Button> : null}
      </div>
    </>
  );
}

/** A group has no form of its own: it begins with its first member. */
function NewGroup({ onOpen }: { readonly onOpen: (group: string) => void }): ReactNode {
  const [name, setName] = useState('');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (name.trim() !== '') onOpen(name.trim());
  };
  return (
    <form className={css.new} onSubmit={submit}>
      <input
        className={css.input}
        aria-label="Name of a group"
        placeholder="Name of a group"
        maxLength={100}
        value={name}
        onChange={event => setName(event.target.value)}
      />
      <Button type="submit" disabled={name.trim() === ''}>
        Open
      </Button>
    </form>
  );
}
