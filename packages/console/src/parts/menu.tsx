import { type ReactNode, useId, useRef } from 'react';
import { Icon } from './icon.js';
import css from './menu.module.css';

export interface MenuProps {
  readonly label: string;
  readonly actions: readonly { readonly label: string; readonly run: () => void }[];
}

/** Actions behind three dots. */
export function Menu({ label, actions }: MenuProps): ReactNode {
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const place = () => {
    const [at, menu] = [button.current?.getBoundingClientRect(), list.current];
    if (at === undefined || menu === null) return;
    menu.style.insetBlockStart = `${Math.min(at.bottom + 4, innerHeight - 40 * actions.length - 16)}px`;
    menu.style.insetInlineEnd = `${document.documentElement.clientWidth - at.right}px`;
  };
  return (
    <span className={css.place}>
      <button
        ref={button}
        type="button"
        className={css.button}
        aria-label={label}
        title={label}
        popoverTarget={id}
        onClick={place}
      >
        <Icon name="dots" />
      </button>
      <div ref={list} id={id} popover="auto" className={css.menu}>
        {actions.map(action => (
          <button
            key={action.label}
            type="button"
            onClick={() => {
              list.current?.hidePopover();
              action.run();
            }}
          >
            {action.label}
          </button>
        ))}
      </div>
    </span>
  );
}
