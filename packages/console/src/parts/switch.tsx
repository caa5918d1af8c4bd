import type { ReactNode } from 'react';
import css from './switch.module.css';

export interface SwitchProps {
  readonly label: string;
  readonly isOn: boolean;
  /** Keeps its old place until the server answers. */
  readonly isBusy?: boolean;
  readonly isBig?: boolean;
  readonly tabIndex?: number;
  readonly onChange: () => void;
}

export function Switch({ label, isOn, isBusy = false, isBig = false, tabIndex, onChange }: SwitchProps): ReactNode {
  return (
    <input
      className={css.switch}
      type="checkbox"
      role="switch"
      tabIndex={tabIndex}
      aria-label={label}
      aria-checked={isOn}
      aria-busy={isBusy}
      data-big={isBig || undefined}
      checked={isOn}
      onChange={() => {
        if (!isBusy) onChange();
      }}
    />
  );
}
