import type { ReactNode, Ref } from 'react';
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
  /** Whether it waits for the server. It does nothing meanwhile, and keeps the focus, which a disabled button would lose. */
  readonly busy?: boolean;
  /** Whether what it shows is open. Left out: it shows nothing. */
  readonly pressed?: boolean;
  readonly onClick?: () => void;
  readonly ref?: Ref<HTMLButtonElement>;
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
  busy,
  pressed,
  onClick,
  ref,
  children,
}: ButtonProps): ReactNode {
  return (
    <button
      ref={ref}
      type={type}
      className={css.button}
      data-kind={kind}
      data-small={small || undefined}
      data-only={children === undefined || undefined}
      disabled={disabled}
      aria-disabled={busy || undefined}
      aria-label={label}
      aria-pressed={pressed}
      title={title ?? label}
      onClick={busy ? undefined : onClick}
    >
      {icon === undefined ? null : <Icon name={icon} />}
      {children}
    </button>
  );
}
