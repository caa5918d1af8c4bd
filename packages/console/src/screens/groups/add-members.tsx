import { type ReactNode, useEffect, useLayoutEffect, useMemo, useRef, useSyncExternalStore } from 'react';
import { useClient } from 'urql';
import { type PastedIds, pastedIds } from '../../draft/pasted-ids.js';
import { Button } from '../../parts/button.js';
import { useLeaveWarning } from '../../parts/use-leave-warning.js';
import { count, plural } from '../../words/numbers.js';
import { additionOf } from './addition.js';
import css from './groups.module.css';

export interface AddMembersFormProps {
  readonly group: string;
  readonly onDone: (label: string, revision: number) => void;
}

/** Adds pasted ids in slices, so that progress is seen. What could not be added stays in the field. */
export function AddMembersForm({ group, onDone }: AddMembersFormProps): ReactNode {
  const client = useClient();
  const addition = additionOf(client, group);
  const { text, progress, ended, added } = useSyncExternalStore(addition.state.subscribe, addition.state.get);
  const pasted = useMemo(() => pastedIds(text), [text]);
  const size = pasted.ids.length;
  const tell = useRef(onDone);
  tell.current = onDone;
  useEffect(() => {
    if (added === null) return;
    addition.noteSeen();
    tell.current(added.label, added.revision);
  }, [added, addition]);
  useLeaveWarning(text.trim() !== '');
  const field = useRef<HTMLTextAreaElement>(null);
  const isRunning = progress !== null;
  const wasRunning = useRef(isRunning);
  useLayoutEffect(() => {
    // The button has nothing more to add, and a disabled one takes no focus. What is left, or comes next, is in the field.
    if (wasRunning.current && !isRunning) field.current?.focus();
    wasRunning.current = isRunning;
  }, [isRunning]);

  return (
    <section className={css.card} aria-labelledby="h-add">
      <div className={css.cardHead}>
        <h2 id="h-add">Add users</h2>
        <span className={css.faint}>{sizeWords(pasted)}</span>
      </div>
      <textarea
        ref={field}
        className={css.paste}
        aria-label="User ids, one a line"
        aria-describedby="add-refused"
        rows={6}
        spellCheck={false}
        placeholder="Paste user ids, one a line"
        value={text}
        readOnly={progress !== null}
        onChange={event => addition.write(event.target.value)}
      />
      {progress === null ? null : (
        <p className={css.faint} role="status">
          <progress className={css.progress} max={progress.total} value={progress.done} aria-label="Added" />
          {`${count(progress.done)} of ${count(progress.total)} added`}
        </p>
      )}
      <div className={css.refused} id="add-refused">
        <Refused refused={pasted.refused} />
      </div>
      <p className={css.fault} role="alert">
        {ended}
      </p>
      <div className={css.actions}>
        {progress === null ? (
          <Button kind="primary" disabled={size === 0} onClick={() => void addition.add()}>
            {size === 0 ? 'Add' : `Add ${plural(size, 'user')}`}
          </Button>
        ) : (
          <Button onClick={() => addition.stop()}>Stop</Button>
        )}
      </div>
    </section>
  );
}

function sizeWords({ ids, repeated }: PastedIds): string {
  if (ids.length === 0) return '';
  return repeated === 0 ? plural(ids.length, 'id') : `${plural(ids.length, 'id')}, ${count(repeated)} repeated`;
}

/** Refused ids that are named, and letters of each. The others are counted. */
const [mostNamed, mostLetters] = [10, 60];

function Refused({ refused }: Pick<PastedIds, 'refused'>): ReactNode {
  if (refused.length === 0) return null;
  return (
    <>
      <p>{`${plural(refused.length, 'text is no id, and stays', 'texts are no ids, and stay')} in the field:`}</p>
      <ul>
        {refused.slice(0, mostNamed).map(({ id, fault }) => (
          <li key={id}>
            <b>{id.length > mostLetters ? `${id.slice(0, mostLetters)}…` : id}</b> {fault}
          </li>
        ))}
      </ul>
      {refused.length > mostNamed ? <p>{`And ${count(refused.length - mostNamed)} more.`}</p> : null}
    </>
  );
}
