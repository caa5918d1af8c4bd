import type { ReactNode } from 'react';
import css from './rules.module.css';

/** On or off, told by the word as well as by the colour. */
export function State({ isOn }: { readonly isOn: boolean }): ReactNode {
  return <span className={isOn ? css.on : css.off}>{isOn ? 'On' : 'Off'}</span>;
}
