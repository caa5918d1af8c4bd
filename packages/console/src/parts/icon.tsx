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
