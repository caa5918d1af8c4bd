import { type ReactNode, useEffect, useRef, useState } from 'react';
import { useQuery } from 'urql';
import { useLocation } from 'wouter';
import { useAudiences } from '../../data/audience.js';
import { useConnection } from '../../data/connection.js';
import { useWho } from '../../data/who.js';
import { Bones } from '../../parts/bones.js';
import { Button } from '../../parts/button.js';
import { Empty } from '../../parts/empty.js';
import { Faulty } from '../../parts/faulty.js';
import { Outcome } from '../../parts/outcome.js';
import { PageHead } from '../../parts/page-head.js';
import { useNow } from '../../parts/use-now.js';
import { count, plural } from '../../words/numbers.js';
import { BulkBar } from './bulk-bar.js';
import type { ListedFlag } from './documents.js';
import { FlagFacets } from './documents.js';
import { useListAddress } from './filter.js';
import { Filters } from './filters.js';
import { FlagRow } from './flag-row.js';
import rowCss from './flag-row.module.css';
import css from './flags.module.css';
import { ListHead } from './list-head.js';
import { NewFlag } from './new-flag.js';
import { useBulk } from './use-bulk.js';
import { useFlagPages } from './use-flag-pages.js';
import { useListKeys } from './use-list-keys.js';
import { useRowsInView } from './use-rows-in-view.js';
import { useSelection } from './use-selection.js';

/** All flags: who gets them, and who has them now. */
export function FlagsScreen(): ReactNode {
  const { canEdit } = useWho();
  const [, go] = useLocation();
  const address = useListAddress();
  const [{ data: facets }, askFacets] = useQuery({ query: FlagFacets });
  const pages = useFlagPages(address.filter);
  const { flags, gone, changed, total, error, hasMore, more, retry, refreshOrder } = pages;
  const selection = useSelection(address.filter, pages);
  const [isCreating, setCreating] = useState(false);
  // Rounded, so that rows are rendered again only when a time that they show may differ.
  const now = Math.ceil(useNow() / 30_000) * 30_000;
  const isLive = useConnection().state === 'live';
  const table = useRef<HTMLDivElement>(null);
  const listed = flags ?? [];
  const isThere = ({ id }: ListedFlag) => !gone.has(id);
  const inView = useRowsInView(table, listed.length);
  const audiences = useAudiences(
    listed
      .slice(inView.from, inView.to)
      .filter(isThere)
      .map(({ key }) => key),
  );
  const { commit, busy, send, tag } = useBulk({
    onDone: () => askFacets({ requestPolicy: 'network-only' }),
    onMissing: key => selection.drop(listed.filter(flag => flag.key === key).map(({ id }) => id)),
  });
  const flip = (flag: ListedFlag) => {
    if (busy.has(flag.key) || !isLive || !isThere(flag)) return;
    void send(`${flag.name} is ${flag.enabled ? 'off' : 'on'}.`, [flag], ({ enabled }) => ({ enabled: !enabled }));
  };
  const keys = useListKeys(table, listed, {
    select: selection.toggle,
    selectAll: selection.add,
    flip: canEdit ? flip : () => {},
    open: flag => go(`/flags/${encodeURIComponent(flag.key)}`),
    create: canEdit ? () => setCreating(true) : () => {},
  });
  const { chosen } = selection;
  const many = plural(chosen.length, 'flag');
  const reorder = () => {
    refreshOrder();
    // The button goes when the order has come.
    keys.focus();
  };

  return (
    <>
      <PageHead title="Flags">
        <span role="status">
          {changed === 0 ? null : (
            <Button
              kind="link"
              title="Flags were made, renamed or deleted, or begin to match. Rows stay where they are until you ask"
              onClick={reorder}
            >
              {count(changed)} changed, refresh order
            </Button>
          )}
        </span>
        {canEdit ? (
          <Button kind="primary" icon="plus" onClick={() => setCreating(true)}>
            New flag
          </Button>
        ) : null}
      </PageHead>
      <Filters address={address} facets={facets} shown={total} />
      {commit.refusal === null ? null : (
        <p className={css.fault} role="alert">
          {commit.refusal}{' '}
          <Button kind="link" onClick={commit.clear}>
            Dismiss
          </Button>
        </p>
      )}
      {flags !== null && error !== null ? (
        <p className={css.fault} role="alert">
          {error.graphQLErrors[0]?.message ?? 'The server did not answer.'} The list may not be what you asked for.{' '}
          <Button kind="link" onClick={retry}>
            Try again
          </Button>
        </p>
      ) : null}
      {flags === null ? (
        error === null ? (
          <Bones rows={6} />
        ) : (
          <Faulty error={error} onRetry={retry} />
        )
      ) : flags.length === 0 ? (
        <Nothing
          isFiltered={address.isFiltered}
          canEdit={canEdit}
          onClear={address.clear}
          onCreate={() => setCreating(true)}
        />
      ) : (
        <>
          <div
            className={rowCss.table}
            data-offline={!isLive || undefined}
            role="table"
            aria-label="Flags"
            aria-rowcount={Math.max(total, flags.length) + 1}
            ref={table}
            onKeyDown={keys.onKeyDown}
          >
            <ListHead
              selected={chosen.length}
              selectable={selection.selectable.length + (hasMore ? 1 : 0)}
              canEdit={canEdit}
              onAll={isSelected => (isSelected ? selection.all() : selection.clear())}
            />
            {flags.map((flag, index) => (
              <FlagRow
                key={flag.id}
                flag={flag}
                index={index}
                audience={audiences.get(flag.key)}
                now={now}
                canEdit={canEdit}
                isCursor={index === keys.cursor}
                isSelected={selection.ids.has(flag.id)}
                isGone={gone.has(flag.id)}
                isBusy={busy.has(flag.key) || !isLive}
                onSwitch={keys.flip}
                onSelect={keys.select}
                onCursor={keys.setCursor}
              />
            ))}
          </div>
          {hasMore && error === null ? <More onSeen={more} /> : null}
          <div className={css.legend} data-hidden={chosen.length > 0 || undefined}>
            <span>On now counts the viewers who are connected.</span>
            <span>
              <kbd>↑</kbd> <kbd>↓</kbd> move <kbd>Space</kbd> switch <kbd>E</kbd> edit <kbd>?</kbd> all keys
            </span>
          </div>
        </>
      )}
      {chosen.length > 0 && canEdit ? (
        <BulkBar
          count={chosen.length}
          isBusy={commit.isBusy || !isLive || selection.isLoadingAll}
          onSwitch={enabled => void send(`${many} switched ${enabled ? 'on' : 'off'}.`, chosen, () => ({ enabled }))}
          onTag={name => tag(`${many} tagged ${name}.`, chosen, name)}
          onClear={() => {
            selection.clear();
            keys.focus();
          }}
        />
      ) : null}
      {isCreating ? <NewFlag onClose={() => setCreating(false)} /> : null}
      <Outcome commit={commit} />
    </>
  );
}

/** Asks for more when the reader comes near. */
function More({ onSeen }: { readonly onSeen: () => void }): ReactNode {
  const mark = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const observer = new IntersectionObserver(
      entries => {
        if (entries.some(({ isIntersecting }) => isIntersecting)) onSeen();
      },
      { rootMargin: '1200px' },
    );
    if (mark.current !== null) observer.observe(mark.current);
    return () => observer.disconnect();
  });
  return <div ref={mark} className={css.more} />;
}

interface NothingProps {
  readonly isFiltered: boolean;
  readonly canEdit: boolean;
  readonly onClear: () => void;
  readonly onCreate: () => void;
}

function Nothing({ isFiltered, canEdit, onClear, onCreate }: NothingProps): ReactNode {
  if (isFiltered) {
    return (
      <Empty title="No flag matches.">
        <Button onClick={onClear}>Clear filters</Button>
      </Empty>
    );
  }
  return (
    <Empty title="There is no flag yet.">
      A flag turns a feature on for some users, and off again without a release.{' '}
      {canEdit ? (
        <Button kind="primary" icon="plus" onClick={onCreate}>
          New flag
        </Button>
      ) : (
        'An admin creates the first one.'
      )}
    </Empty>
  );
}
