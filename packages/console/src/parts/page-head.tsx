import { type ReactNode, useEffect } from 'react';
import { useWho } from '../data/who.js';
import css from './page-head.module.css';

export interface PageHeadProps {
  readonly title: string;
  /** What stands at the end of the line, such as the main action. */
  readonly children?: ReactNode;
}

/** The title of the tab. */
export function useTitle(title: string): void {
  const { environment } = useWho().server;
  useEffect(() => {
    document.title = [title, ...(environment == null ? [] : [environment]), 'Halyard'].join(' · ');
  }, [title, environment]);
}

/** The title of a screen, also for the tab of the browser. */
export function PageHead({ title, children }: PageHeadProps): ReactNode {
  useTitle(title);
  return (
    <div className={css.head}>
      <h1 dir="auto">{title}</h1>
      <div className={css.end}>{children}</div>
    </div>
  );
}
