import type { ReactNode } from 'react';
import { Link } from 'wouter';
import type { FlagHistoryFieldsFragment } from '../../data/generated/graphql.js';
import { useKeyNames } from '../../data/key-names.js';
import { Button } from '../../parts/button.js';
import { ChangeItem } from '../../parts/change-item.js';
import { historyPath } from '../../parts/paths.js';
import css from './history.module.css';

export interface FlagHistoryProps {
  readonly flagKey: string;
  readonly changes: readonly FlagHistoryFieldsFragment[];
  /** Whether there are earlier ones. */
  readonly hasMore: boolean;
  readonly now: number;
  readonly canEdit: boolean;
  readonly isLive: boolean;
  readonly onRevert: (change: FlagHistoryFieldsFragment) => void;
}

/** What was done to the flag, newest first. */
export function FlagHistory({
  flagKey,
  changes,
  hasMore,
  now,
  canEdit,
  isLive,
  onRevert,
}: FlagHistoryProps): ReactNode {
  const keyNames = useKeyNames();
  return (
    <section className={css.sec} id="history" aria-labelledby="h-history">
      <div className={css.head}>
        <h2 id="h-history">History</h2>
        {isLive ? (
          <span className={css.live}>
            <span className={css.dot} />
            Live
          </span>
        ) : null}
      </div>
      <ol>
        {changes.map((change, index) => (
          <ChangeItem key={change.id} change={change} now={now} keyNames={keyNames}>
            {canEdit && index > 0 && change.kind.startsWith('FLAG_') && change.kind !== 'FLAG_DELETED' ? (
              <Button
                kind="link"
                title="Brings the flag back to what it was after this change"
                onClick={() => onRevert(change)}
              >
                Revert to this
              </Button>
            ) : null}
          </ChangeItem>
        ))}
      </ol>
      {hasMore ? <Link href={historyPath(flagKey)}>Earlier changes</Link> : null}
    </section>
  );
}
