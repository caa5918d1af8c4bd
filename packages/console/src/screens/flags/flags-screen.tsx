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
import { useCommit } from '../../parts/use-commit.js';
import { useNow } from '../../parts/use-now.js';
import { count, plural } from '../../words/numbers.js';
import { BulkBar } from './bulk-bar.js';
import type { ListedFlag } from './documents.js';
import { FlagFacets, UpdateFlags } from './documents.js';
import { useListAddress } from './filter.js';
import { Filters } from './filters.js';
import { FlagRow } from './flag-row.js';
import rowCss from './flag-row.module.css';
import css from './flags.module.css';
import { NewFlag } from './new-flag.js';
import { useFlagPages } from './use-flag-pages.js';
import { useListKeys } from './use-list-keys.js';
import { useRowsInView } from './use-rows-in-view.js';

/** All flags: who gets them, and who has them now. */
export function FlagsScreen(): ReactNode {
  const { canEdit } = useWho();
  const [, go] = useLocation();
  const address = useListAddress();
  const [{ data: facets }, askFacets] = useQuery({ query: FlagFacets });
  const { flags, gone, changed, total, error, hasMore, more, retry, refreshOrder } = useFlagPages(address.filter);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [busy, setBusy] = useState<ReadonlySet<string>>(new Set());
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
  const commit = useCommit();

  const send = async (label: string, changed: readonly ListedFlag[], change: (flag: ListedFlag) => object) => {
    const names = changed.map(({ key }) => key);
    setBusy(before => new Set([...before, ...names]));
    const input = { flags: changed.map(flag => ({ key: flag.key, ...change(flag) })) };
    const isDone = await commit.send(label, UpdateFlags, input);
    setBusy(before => new Set([...before].filter(name => !names.includes(name))));
    if (isDone) askFacets({ requestPolicy: 'network-only' });
    return isDone;
  };
  const flip = (flag: ListedFlag) => {
    if (busy.has(flag.key) || !isLive || !isThere(flag)) return;
    void send(`${flag.name} is ${flag.enabled ? 'off' : 'on'}.`, [flag], ({ enabled }) => ({ enabled: !enabled }));
  };
  const keys = useListKeys(table, listed, {
    select: id => setSelected(before => toggled(before, id)),
    selectAll: ids => setSelected(before => new Set([...before, ...ids])),
    flip: canEdit ? flip : () => {},
    open: flag => go(`/flags/${encodeURIComponent(flag.key)}`),
    create: canEdit ? () => setCreating(true) : () => {},
  });
  const chosen = listed.filter(flag => selected.has(flag.id) && isThere(flag));
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
              title="Flags were made, renamed or deleted. Rows stay where they are until you ask"
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
            <div className={`${rowCss.row} ${rowCss.head}`} role="row" aria-rowindex={1}>
              <span role="columnheader">
                <span className={css.hidden}>Select</span>
              </span>
              <span role="columnheader">On</span>
              <span role="columnheader">Flag</span>
              <span role="columnheader">Who gets this</span>
              <span role="columnheader">Rollout</span>
              <span role="columnheader">On now</span>
              <span role="columnheader" className={rowCss.asked}>
                Asked
              </span>
            </div>
            {flags.map((flag, index) => (
              <FlagRow
                key={flag.id}
                flag={flag}
                index={index}
                audience={audiences.get(flag.key)}
                now={now}
                canEdit={canEdit}
                isCursor={index === keys.cursor}
                isSelected={selected.has(flag.id)}
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
          isBusy={commit.isBusy || !isLive}
          onSwitch={enabled =>
            void send(`${plural(chosen.length, 'flag')} switched ${enabled ? 'on' : 'off'}.`, chosen, () => ({
              enabled,
            }))
          }
          onTag={tag =>
            void send(`${plural(chosen.length, 'flag')} tagged ${tag}.`, chosen, ({ tags }) => ({
              tags: [...new Set([...tags, tag])],
            }))
          }
          onClear={() => {
            setSelected(new Set());
            keys.focus();
          }}
        />
      ) : null}
      {isCreating ? <NewFlag onClose={() => setCreating(false)} /> : null}
      <Outcome commit={commit} />
    </>
  );
}

function toggled(set: ReadonlySet<string>, id: string): ReadonlySet<string> {
  const next = new Set(set);
  if (!next.delete(id)) next.add(id);
  return next;
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
