import { type ReactNode, useState } from 'react';
import { useQuery } from 'urql';
import { useConnection } from '../../data/connection.js';
import type { ChangeFilter, LogEntryFragment } from '../../data/generated/graphql.js';
import { useKeyNames } from '../../data/key-names.js';
import { useWho } from '../../data/who.js';
import { Bones } from '../../parts/bones.js';
import { Button } from '../../parts/button.js';
import { ChangeItem } from '../../parts/change-item.js';
import { Empty } from '../../parts/empty.js';
import { Faulty } from '../../parts/faulty.js';
import { Outcome } from '../../parts/outcome.js';
import { PageHead } from '../../parts/page-head.js';
import { type Commit, useCommit } from '../../parts/use-commit.js';
import { useNow } from '../../parts/use-now.js';
import { count } from '../../words/numbers.js';
import { About } from './about.js';
import { LogPage } from './documents.js';
import { FilterBar } from './filter-bar.js';
import { filterOf, useFilters } from './filters.js';
import css from './history.module.css';

/** All changes, newest first, as they are made. */
export function HistoryScreen(): ReactNode {
  const { canEdit } = useWho();
  const isLive = useConnection().state === 'live';
  const [filters, setFilters] = useFilters();
  const [subject, setSubject] = useState<string | null>(null);
  const commit = useCommit();
  const isFiltered = Object.values(filters).some(value => value !== '');
  const acting: Acting = {
    commit,
    canEdit,
    now: useNow(),
    keyNames: useKeyNames(),
    subject,
    onSubject: setSubject,
  };
  return (
    <>
      <PageHead title="History">
        <span className={css.live} data-live={isLive || undefined}>
          {isLive ? 'Live, newest first' : 'Newest first'}
        </span>
      </PageHead>
      <FilterBar filters={filters} onChange={setFilters} />
      <Pages
        filter={filterOf(filters)}
        after={null}
        acting={acting}
        empty={
          isFiltered ? (
            <Empty title="No change matches.">
              <Button onClick={() => setFilters({ flag: '', by: '', kind: '', user: '', group: '', batch: '' })}>
                Clear filters
              </Button>
            </Empty>
          ) : (
            <Empty title="Nothing was changed yet.">
              Each change of a flag, an override, a group, a user or an API key is kept here, with its author.
            </Empty>
          )
        }
      />
      <Outcome commit={commit} />
    </>
  );
}

interface Acting {
  readonly commit: Commit;
  readonly canEdit: boolean;
  readonly now: number;
  readonly keyNames: ReadonlyMap<string, string>;
  /** The id of the change that was acted on last: its row has the fault. */
  readonly subject: string | null;
  readonly onSubject: (id: string) => void;
}

interface PagesProps {
  readonly filter: ChangeFilter;
  readonly after: string | null;
  readonly acting: Acting;
  /** Shown if there is no change. */
  readonly empty: ReactNode;
}

/** A page of changes, and those after it that somebody asked for. A page begins where the one before it ends, also when new changes come. */
function Pages({ filter, after, acting, empty }: PagesProps): ReactNode {
  const [isMore, setMore] = useState(false);
  const [{ data, error, fetching }, ask] = useQuery({ query: LogPage, variables: { filter, after } });
  if (data === undefined) {
    if (error !== undefined) return <Faulty error={error} onRetry={() => ask({ requestPolicy: 'network-only' })} />;
    return fetching ? <Bones rows={6} /> : null;
  }
  const { nodes, pageInfo } = data.changes;
  if (nodes.length === 0) return empty;
  const { endCursor } = pageInfo;
  return (
    <>
      <ol className={css.list}>
        {nodes.map((change, index) => (
          <Row
            key={change.id}
            change={change}
            isFirst={nodes[index - 1]?.batch !== change.batch}
            size={nodes.filter(({ batch }) => batch === change.batch).length}
            acting={acting}
          />
        ))}
      </ol>
      {!pageInfo.hasNextPage || endCursor == null ? null : isMore ? (
        <Pages filter={filter} after={endCursor} acting={acting} empty={null} />
      ) : (
        <p className={css.more}>
          <Button onClick={() => setMore(true)}>Show earlier changes</Button>
        </p>
      )}
    </>
  );
}

interface RowProps {
  readonly change: LogEntryFragment;
  /** Whether it is the first of its batch. */
  readonly isFirst: boolean;
  /** Changes of its batch on this page. */
  readonly size: number;
  readonly acting: Acting;
}

function Row({ change, isFirst, size, acting }: RowProps): ReactNode {
  const { commit, canEdit, subject, onSubject } = acting;
  const { revision, flagKey, batch } = change;
  const undo = () => {
    onSubject(change.id);
    return commit.undo(size > 1 ? 'Taken back, with the rest of its batch.' : 'Taken back.', batch);
  };
  const revert = () => {
    onSubject(change.id);
    return commit.revert(`Brought back revision ${count(revision)}.`, { key: flagKey, revision });
  };
  return (
    <ChangeItem change={change} now={acting.now} keyNames={acting.keyNames} about={<About change={change} />}>
      {canEdit && isFirst && canUndo(change) ? (
        <Button kind="link" busy={commit.isBusy} title={undoTitle(size)} onClick={undo}>
          {size > 1 ? `Undo all ${count(size)}` : 'Undo'}
        </Button>
      ) : null}
      {canEdit && canRevertTo(change) ? (
        <Button
          kind="link"
          busy={commit.isBusy}
          title="Brings the flag back to what it was after this change"
          onClick={revert}
        >
          Revert to this
        </Button>
      ) : null}
      {subject === change.id && commit.fault !== null ? (
        <p className={css.fault} role="alert">
          {commit.fault}
        </p>
      ) : null}
    </ChangeItem>
  );
}

const undoTitle = (size: number) =>
  size > 1 ? 'Takes back all changes that were made at once' : 'Takes back this change';

/** Kinds that stay as they are: what was erased or revoked does not come back. */
const final: readonly string[] = ['API_KEY_CREATED', 'API_KEY_REVOKED', 'USER_DELETED', 'RESET'];

const canUndo = ({ kind }: LogEntryFragment) => !final.includes(kind);
const canRevertTo = ({ kind }: LogEntryFragment) => kind === 'FLAG_CREATED' || kind === 'FLAG_UPDATED';
