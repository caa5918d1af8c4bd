import { type FormEvent, type ReactNode, useRef, useState } from 'react';
import { Button } from '../../parts/button.js';
import { plural } from '../../words/numbers.js';
import css from './bulk-bar.module.css';

export interface BulkBarProps {
  readonly count: number;
  readonly isBusy: boolean;
  readonly onSwitch: (enabled: boolean) => void;
  /** Resolves with whether they have it now. */
  readonly onTag: (tag: string) => Promise<boolean>;
  readonly onClear: () => void;
}

/** The most flags that the API changes at once. */
const most = 500;

/** What can be done with all selected flags, as one change. */
export function BulkBar({ count, isBusy, onSwitch, onTag, onClear }: BulkBarProps): ReactNode {
  const [tag, setTag] = useState('');
  const field = useRef<HTMLInputElement>(null);
  const isOff = count > most;
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (tag.trim() === '' || isBusy || isOff) return;
    // What is refused stays in the field.
    if (await onTag(tag.trim())) setTag('');
    // Its button is off without a tag, and would take the focus away.
    field.current?.focus();
  };
  return (
    <section className={css.bar} aria-label="Selected flags">
      <span className={css.count}>
        {plural(count, 'flag')} selected{isOff ? `. At most ${most} can be changed at once.` : ''}
      </span>
      <Button busy={isBusy} disabled={isOff} onClick={() => onSwitch(true)}>
        Switch on
      </Button>
      <Button busy={isBusy} disabled={isOff} onClick={() => onSwitch(false)}>
        Switch off
      </Button>
      <form className={css.tag} onSubmit={submit}>
        <input
          ref={field}
          aria-label="Tag to add"
          placeholder="Add a tag"
          maxLength={50}
          value={tag}
          onChange={event => setTag(event.target.value)}
        />
        <Button type="submit" busy={isBusy} disabled={isOff || tag.trim() === ''}>
          Add
        </Button>
      </form>
      <Button kind="plain" icon="close" label="Clear selection" onClick={onClear} />
    </section>
  );
}
