import type { ReactNode } from 'react';
import type { FlagHistoryFieldsFragment } from '../../data/generated/graphql.js';
import { Button } from '../../parts/button.js';
import { changeWords, type DifferenceShape, differenceText } from '../../words/changes.js';
import type { Json } from '../../words/shapes.js';
import { exact, relative } from '../../words/times.js';
import css from './history.module.css';

export interface FlagHistoryProps {
  readonly changes: readonly FlagHistoryFieldsFragment[];
  readonly now: number;
  readonly canEdit: boolean;
  readonly isLive: boolean;
  readonly onRevert: (change: FlagHistoryFieldsFragment) => void;
}

/** What was done to the flag, newest first. */
export function FlagHistory({ changes, now, canEdit, isLive, onRevert }: FlagHistoryProps): ReactNode {
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
      <ol className={css.list}>
        {changes.map((change, index) => (
          <li key={change.id}>
            <span className={css.avatar} aria-hidden="true">
              {initials(actorOf(change))}
            </span>
            <div>
              <Said change={change} />
              {change.note === null || change.note === undefined ? null : <p className={css.note}>“{change.note}”</p>}
              <Differences differences={shownDifferences(change)} />
            </div>
            <div className={css.go}>
              <time dateTime={String(change.at)} title={exact(String(change.at))}>
                {relative(String(change.at), now)}
              </time>
              {canEdit && index > 0 && change.kind.startsWith('FLAG_') && change.kind !== 'FLAG_DELETED' ? (
                <Button
                  kind="link"
                  title="Brings the flag back to what it was after this change"
                  onClick={() => onRevert(change)}
                >
                  Revert to this
                </Button>
              ) : null}
            </div>
          </li>
        ))}
      </ol>
    </section>
  );
}

function Said({ change }: { readonly change: FlagHistoryFieldsFragment }): ReactNode {
  const { verb, name } = changeWords(change as never);
  return (
    <p>
      <b>{actorOf(change)}</b> {verb} {name === '' ? null : <span className={css.mono}>{name}</span>}
    </p>
  );
}

export function actorOf({ actorId, apiKeyId }: Pick<FlagHistoryFieldsFragment, 'actorId' | 'apiKeyId'>): string {
  if (actorId !== null && actorId !== undefined) return actorId;
  return apiKeyId === null || apiKeyId === undefined ? 'Somebody' : 'An API key';
}

function initials(name: string): string {
  const letters = (name.split(/[|/]/).at(-1) ?? name).split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  return (
    letters.length > 1
      ? letters
          .slice(0, 2)
          .map(part => part.charAt(0))
          .join('')
      : (letters[0] ?? '').slice(0, 2)
  ).toUpperCase();
}

/** A creation and a deletion have a difference for each field, which say no more than the flag itself. */
function shownDifferences({ kind, differences }: FlagHistoryFieldsFragment): readonly DifferenceShape[] {
  return kind === 'FLAG_CREATED' || kind === 'FLAG_DELETED' ? [] : (differences as readonly DifferenceShape[]);
}

/** Paths with both values: the old one struck out, the new one behind an arrow. */
export function Differences({ differences }: { readonly differences: readonly DifferenceShape[] }): ReactNode {
  if (differences.length === 0) return null;
  return (
    <div className={css.diff}>
      {differences.map(({ path, before, after }) => (
        <div key={path.join('/')}>
          <span className={css.path}>{path.join('.')}</span>
          <span className={css.change}>
            {isThere(before) ? <del>{differenceText(path, before)}</del> : null}
            {isThere(before) ? <span className={css.to}>→</span> : null}
            <ins>{differenceText(path, after)}</ins>
          </span>
        </div>
      ))}
    </div>
  );
}

const isThere = (value: Json | undefined) => value !== undefined && value !== null;
