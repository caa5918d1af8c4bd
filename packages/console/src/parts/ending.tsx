import type { ReactNode } from 'react';
import { ending, exact } from '../words/times.js';

/** When something ends, with the exact instant under the pointer. @property at null: never. */
export function Ending({
  at,
  now,
  className,
}: {
  readonly at: string | null | undefined;
  readonly now: number;
  readonly className?: string | undefined;
}): ReactNode {
  if (at == null) return <span className={className}>{ending(at, now)}</span>;
  return (
    <time className={className} dateTime={at} title={exact(at)}>
      {ending(at, now)}
    </time>
  );
}
