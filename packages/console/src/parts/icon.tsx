import type { ReactNode } from 'react';
import css from './icon.module.css';

const paths = {
  check: 'M3 8.5l3.2 3L13 4.5',
  close: 'M4 4l8 8M12 4l-8 8',
  code: 'M5.5 4.5L2 8l3.5 3.5M10.5 4.5L14 8l-3.5 3.5',
  copy: 'M5.5 5.5h8v8h-8ZM10.5 5.5v-3h-8v8h3',
  dots: 'M3.5 8v.01M8 8v.01M12.5 8v.01',
  down: 'M4 6l4 4 4-4',
  plus: 'M8 3v10M3 8h10',
  flag: 'M3.5 14V2.5M3.5 3h8.2l-2 3 2 3H3.5',
  history: 'M2 8a6 6 0 1 0 2-4.5L2 5.3M2 2v3.3h3.3M8 4.8V8l2.2 1.5',
  key: 'M10.3 9.3a3.6 3.6 0 1 0-3.5-2.7L2 11.5V14h2.6v-1.7h1.7v-1.7l1.2-1.3c.8.3 1.8.2 2.8 0ZM11 5v.1',
  leave: 'M6 2.5H3v11h3M10 5l3 3-3 3M13 8H6.5',
  lock: 'M4 7h8v6.5H4ZM5.5 7V5a2.5 2.5 0 0 1 5 0v2',
  search: 'M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10ZM11 11l3 3',
  usage: 'M2 13.5h12M4 11V8M8 11V3M12 11V6',
  users:
    'M6 7.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM1.5 13.5c0-2.5 2-4 4.5-4s4.5 1.5 4.5 4M11 2.8a2.4 2.4 0 0 1 0 4.5M12.2 9.7c1.5.5 2.4 1.9 2.4 3.8',
  warn: 'M8 2.5l6 11H2ZM8 6.5v3M8 11.6v.01',
  why: 'M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM6 6.2c.2-1.1 1-1.7 2-1.7 1.2 0 2.1.8 2.1 1.9 0 1.6-2.1 1.7-2.1 3.1M8 11.6v.1',
} as const;

export type IconName = keyof typeof paths;

/** A picture beside words, or in place of a name that a screen reader gets in another way. */
export function Icon({ name }: { readonly name: IconName }): ReactNode {
  return (
    <svg className={css.icon} viewBox="0 0 16 16" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  );
}
