import { type ReactNode, useState } from 'react';
import type { DraftAction } from '../../draft/draft.js';
import type { Conflict } from '../../draft/merge.js';
import { Button } from '../../parts/button.js';
import { differenceText } from '../../words/changes.js';
import { plural } from '../../words/numbers.js';
import css from './conflicts.module.css';

export interface OtherSave {
  readonly by: string;
  readonly fields: number;
}

export interface ConflictBannerProps {
  readonly save: OtherSave;
  readonly changes: number;
  readonly conflicts: readonly Conflict[];
  readonly dispatch: (action: DraftAction) => void;
  readonly onDismiss: () => void;
}

/** Another person saved while there is a draft. Nothing of the draft is lost. */
export function ConflictBanner({ save, changes, conflicts, dispatch, onDismiss }: ConflictBannerProps): ReactNode {
  const [isOpen, setOpen] = useState(false);
  return (
    <div className={css.place}>
      <div className={css.banner} role="status">
        <span>
          <b>{`${save.by} saved ${plural(save.fields, 'field')}.`}</b>{' '}
          {changes === 1 ? 'Your change is kept.' : `Your ${changes} changes are kept.`}
        </span>
        {conflicts.length > 0 ? (
          <button type="button" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
            {isOpen ? 'Hide' : 'Compare'}
          </button>
        ) : (
          <Button kind="plain" small icon="close" label="Dismiss" onClick={onDismiss} />
        )}
      </div>
      {isOpen && conflicts.length > 0 ? (
        <section className={css.compare} aria-label="Fields that both changed">
          {conflicts.map(conflict => (
            <Compared key={conflict.path.join('/')} conflict={conflict} by={save.by} dispatch={dispatch} />
          ))}
        </section>
      ) : null}
    </div>
  );
}

function Compared({
  conflict,
  by,
  dispatch,
}: {
  conflict: Conflict;
  by: string;
  dispatch: (action: DraftAction) => void;
}): ReactNode {
  const { path, mine, theirs } = conflict;
  const name = path.join('.');
  const settle = (take: 'mine' | 'theirs') => dispatch({ type: 'resolve', path, take });
  return (
    <fieldset className={css.field}>
      <legend className={css.mono}>{name}</legend>
      <p>
        <span className={css.who}>Yours, chosen</span>
        <span className={css.mono}>{differenceText(path, mine)}</span>
        <Button small onClick={() => settle('mine')}>
          Keep mine
        </Button>
      </p>
      <p>
        <span className={css.who}>{by}</span>
        <span className={css.mono}>{differenceText(path, theirs)}</span>
        <Button small onClick={() => settle('theirs')}>
          Take theirs
        </Button>
      </p>
    </fieldset>
  );
}
