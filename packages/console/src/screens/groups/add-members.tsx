import { type ReactNode, useRef, useState } from 'react';
import { useClient } from 'urql';
import { pastedIds, slicesOf } from '../../draft/pasted-ids.js';
import { Button } from '../../parts/button.js';
import { errorText, noAnswer } from '../../words/errors.js';
import { count, plural } from '../../words/numbers.js';
import { AddMembers } from './documents.js';
import css from './groups.module.css';

export interface AddMembersFormProps {
  readonly group: string;
  /** @param added users who were no members before. */
  readonly onDone: (added: number, revision: number) => void;
}

/** Adds pasted ids in slices, so that progress is seen. What could not be added stays in the field. */
export function AddMembersForm({ group, onDone }: AddMembersFormProps): ReactNode {
  const client = useClient();
  const [text, setText] = useState('');
  const [progress, setProgress] = useState<{ done: number; total: number } | null>(null);
  const [fault, setFault] = useState<string | null>(null);
  const isStopped = useRef(false);
  const field = useRef<HTMLTextAreaElement>(null);
  const ids = pastedIds(text);

  const add = async () => {
    isStopped.current = false;
    setFault(null);
    let [done, added, revision] = [0, 0, 0];
    for (const slice of slicesOf(ids)) {
      if (isStopped.current) break;
      setProgress({ done, total: ids.length });
      const answer = await client.mutation(AddMembers, { input: { group, userIds: [...slice] } });
      const result = answer.data?.result;
      if (result?.__typename !== 'AddToGroupPayload') {
        setFault(result === undefined ? (answer.error?.graphQLErrors[0]?.message ?? noAnswer) : faultOf(result, slice));
        break;
      }
      done += slice.length;
      added += result.added;
      revision = result.revision;
    }
    setProgress(null);
    setText(ids.slice(done).join('\n'));
    if (done > 0) onDone(added, revision);
    // The button has nothing more to add, and a disabled one takes no focus. What is left, or comes next, is in the field.
    field.current?.focus();
  };
  return (
    <section className={css.card} aria-labelledby="h-add">
      <div className={css.cardHead}>
        <h2 id="h-add">Add users</h2>
        <span className={css.faint}>{ids.length === 0 ? '' : plural(ids.length, 'id')}</span>
      </div>
      <textarea
        ref={field}
        className={css.paste}
        aria-label="User ids, one a line"
        rows={6}
        spellCheck={false}
        placeholder="Paste user ids, one a line"
        value={text}
        readOnly={progress !== null}
        onChange={event => setText(event.target.value)}
      />
      {progress === null ? null : (
        <p className={css.faint} role="status">
          <progress className={css.progress} max={progress.total} value={progress.done} aria-label="Added" />
          {`${count(progress.done)} of ${count(progress.total)} added`}
        </p>
      )}
      <p className={css.fault} role="alert">
        {fault}
      </p>
      <div className={css.actions}>
        <Button kind="primary" disabled={ids.length === 0} busy={progress !== null} onClick={add}>
          {ids.length === 0 ? 'Add' : `Add ${plural(ids.length, 'user')}`}
        </Button>
        {progress === null ? null : (
          <Button
            onClick={() => {
              isStopped.current = true;
            }}
          >
            Stop
          </Button>
        )}
      </div>
    </section>
  );
}

/** Names the id that is refused, which the path counts. */
function faultOf(
  error: {
    readonly code: string;
    readonly message: string;
    readonly issues: readonly { readonly path: readonly string[]; readonly message: string }[];
  },
  slice: readonly string[],
): string {
  const [issue] = error.issues;
  const place = issue?.path[0] === 'userIds' ? slice[Number(issue.path[1])] : undefined;
  return place === undefined || issue === undefined
    ? errorText(error)
    : `${place}: ${issue.message} Nothing of this slice was added.`;
}
