import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { changesOf, type Draft } from '../../draft/draft.js';
import { Empty } from '../../parts/empty.js';
import { historyPath } from '../../parts/paths.js';
import { differenceText } from '../../words/changes.js';
import { plural } from '../../words/numbers.js';
import css from './deleted-flag.module.css';

/** A flag that somebody deleted while it was being edited. What was typed is shown, and waits for the flag. */
export function DeletedFlag({ draft }: { readonly draft: Draft }): ReactNode {
  const { key, name } = draft.saved;
  const changes = changesOf(draft);
  return (
    <>
      <Empty title={`${name} was deleted.`}>
        {plural(changes.length, 'unsaved change is kept', 'unsaved changes are kept')}, and stand
        {changes.length === 1 ? 's' : ''} in the form again when the flag is back.{' '}
        <Link className={css.link} href={historyPath(key)}>
          Bring it back in the history
        </Link>
      </Empty>
      <dl className={css.changes} aria-label="Unsaved changes">
        {changes.map(({ path, before, after }) => (
          <div key={path.join('/')}>
            <dt>{path.join('.')}</dt>
            <dd>
              {differenceText(path, before)} → {differenceText(path, after)}
            </dd>
          </div>
        ))}
      </dl>
    </>
  );
}
