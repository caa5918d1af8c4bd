import type { ReactNode } from 'react';
import css from './empty.module.css';

/** What is not there: what it is, and what to do. */
export function Empty({ title, children }: { readonly title: string; readonly children: ReactNode }): ReactNode {
  return (
    <div className={css.empty}>
      <h2>{title}</h2>
      <p>{children}</p>
    </div>
  );
}
