import type { ReactNode } from 'react';
import css from './bones.module.css';

/** Grey bars in place of rows that are on their way. They show after 150 ms. */
export function Bones({ rows }: { readonly rows: number }): ReactNode {
  return (
    <div className={css.bones} role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: all rows are alike
        <span key={row} />
      ))}
    </div>
  );
}
