import { type ReactNode, useState } from 'react';
import { useQuery } from 'urql';
import { Link } from 'wouter';
import { Button } from '../../parts/button.js';
import { Outcome } from '../../parts/outcome.js';
import { PageHead } from '../../parts/page-head.js';
import { flagPath, userPath } from '../../parts/paths.js';
import { useCommit } from '../../parts/use-commit.js';
import { count, plural } from '../../words/numbers.js';
import { exact, relative } from '../../words/times.js';
import { AddMembersForm } from './add-members.js';
import { GroupPage, RemoveMembers } from './documents.js';
import css from './groups.module.css';

export interface GroupScreenProps {
  readonly name: string;
  readonly canEdit: boolean;
}

/** One group: its members, and the flags that name it. */
export function GroupScreen({ name, canEdit }: GroupScreenProps): ReactNode {
  const [after, setAfter] = useState<string | null>(null);
  const [{ data, error }, ask] = useQuery({
    query: GroupPage,
    variables: { name, after },
    requestPolicy: 'cache-and-network',
  });
  const refresh = () => ask({ requestPolicy: 'network-only' });
  const group = data?.group;
  const members = group?.members.edges ?? [];

  const commit = useCommit({ onDone: refresh });
  const onRemove = (userId: string) =>
    commit.send(`Removed ${userId} from ${name}.`, RemoveMembers, { group: name, userIds: [userId] });
  return (
    <>
      <nav className={css.crumbs} aria-label="Path">
        <Link href="/groups">Groups</Link>
        <span aria-hidden="true">/</span>
        <span>{name}</span>
      </nav>
      <PageHead title={name}>{group ? plural(group.memberCount, 'member') : ''}</PageHead>
      {error === undefined ? null : (
        <p className={css.fault}>{error.graphQLErrors[0]?.message ?? 'The server does not answer.'}</p>
      )}
      <div className={css.columns}>
        <section aria-labelledby="h-members">
          <div className={css.cardHead}>
            <h2 id="h-members">Members</h2>
          </div>
          <p className={css.fault} role="alert">
            {commit.refusal}
          </p>
          {data !== undefined && members.length === 0 && after === null ? (
            <p className={css.faint}>No member yet. Paste ids to add some.</p>
          ) : null}
          <ul className={css.list}>
            {members.map(({ cursor, node, addedAt }) => (
              <li key={cursor} className={css.member}>
                <Link href={userPath(node.userId)}>{node.userId}</Link>
                <time className={css.faint} dateTime={addedAt} title={exact(addedAt)}>
                  {relative(addedAt, Date.now())}
                </time>
                {canEdit ? (
                  <Button
                    kind="plain"
                    small
                    icon="close"
                    label={`Remove ${node.userId}`}
                    busy={commit.isBusy}
                    onClick={() => onRemove(node.userId)}
                  />
                ) : null}
              </li>
            ))}
          </ul>
          <div className={css.actions}>
            {after === null ? null : <Button onClick={() => setAfter(null)}>First page</Button>}
            {group?.members.pageInfo.hasNextPage ? (
              <Button onClick={() => setAfter(group.members.pageInfo.endCursor ?? null)}>Next page</Button>
            ) : null}
          </div>
        </section>
        <aside className={css.rail} aria-label="Change and use">
          {canEdit ? (
            <AddMembersForm
              group={name}
              onDone={(label, revision) => {
                // Of several slices each is a batch of its own, so there is no one undo.
                commit.show({ label, revision, batch: null });
                refresh();
              }}
            />
          ) : null}
          <section className={css.card} aria-labelledby="h-flags">
            <div className={css.cardHead}>
              <h2 id="h-flags">Flags that name it</h2>
              <span className={css.faint}>{count(group?.flags.length ?? 0)}</span>
            </div>
            <ul className={css.flags}>
              {group?.flags.map(flag => (
                <li key={flag.id}>
                  <Link href={flagPath(flag.key)}>{flag.name}</Link>
                </li>
              ))}
            </ul>
          </section>
        </aside>
      </div>
      <Outcome commit={commit} />
    </>
  );
}
