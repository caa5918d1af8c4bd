import type { ReactNode } from 'react';
import css from './value.module.css';

/** A value of a user or a flag, as it is stored. */
export function Value({ children }: { readonly children: ReactNode }): ReactNode {
  return <span className={css.value}>{children}</span>;
}
