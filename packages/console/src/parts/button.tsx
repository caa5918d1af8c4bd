import type { ReactNode } from 'react';
import css from './button.module.css';
import { Icon, type IconName } from './icon.js';

export interface ButtonProps {
  readonly kind?: 'normal' | 'primary' | 'danger' | 'plain' | 'link';
  readonly type?: 'button' | 'submit';
  readonly icon?: IconName;
  /** The name of a button that shows an icon alone. */
  readonly label?: string;
  readonly title?: string | undefined;
  readonly small?: boolean;
  readonly disabled?: boolean;
  /** Whether what it shows is open. Left out: it shows nothing. */
  readonly pressed?: boolean;
  readonly onClick?: () => void;
  readonly children?: ReactNode;
}

export function Button({
  kind = 'normal',
  type = 'button',
  icon,
  label,
  title,
  small,
  disabled,
  pressed,
  onClick,
  children,
}: ButtonProps): ReactNode {
  return (
    <button
      type={type}
      className={css.button}
      data-kind={kind}
      data-small={small || undefined}
      data-only={children === undefined || undefined}
      disabled={disabled}
      aria-label={label}
      aria-pressed={pressed}
      title={title ?? label}
      onClick={onClick}
    >
      {icon === undefined ? null : <Icon name={icon} />}
      {children}
    </button>
  );
}
