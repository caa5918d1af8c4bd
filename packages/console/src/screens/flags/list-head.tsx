import { type ReactNode, useEffect, useRef } from 'react';
import css from './flag-row.module.css';

export interface ListHeadProps {
  /** How many rows are selected, and how many can be. */
  readonly selected: number;
  readonly selectable: number;
  readonly canEdit: boolean;
  readonly onAll: (isSelected: boolean) => void;
}

/** The names of the columns, and the checkbox of all rows. */
export function ListHead({ selected, selectable, canEdit, onAll }: ListHeadProps): ReactNode {
  const box = useRef<HTMLInputElement>(null);
  const isSome = selected > 0 && selected < selectable;
  useEffect(() => {
    // No attribute says it.
    if (box.current !== null) box.current.indeterminate = isSome;
  }, [isSome]);
  return (
    <div className={`${css.row} ${css.head}`} role="row" aria-rowindex={1}>
      <span role="columnheader">
        {canEdit ? (
          <input
            ref={box}
            className={css.check}
            type="checkbox"
            aria-label="Select all flags"
            title="Select all flags that match"
            checked={selectable > 0 && selected >= selectable}
            onChange={event => onAll(event.target.checked)}
          />
        ) : (
          <span className={css.hidden}>Select</span>
        )}
      </span>
      <span role="columnheader">On</span>
      <span role="columnheader">Flag</span>
      <span role="columnheader">Who gets this</span>
      <span role="columnheader">Rollout</span>
      <span role="columnheader">On now</span>
      <span role="columnheader" className={css.asked}>
        Asked
      </span>
    </div>
  );
}
