import { type FormEvent, type ReactNode, useId, useRef, useState } from 'react';
import { Button } from './button.js';
import css from './confirm-dialog.module.css';
import { useModal } from './use-modal.js';

export interface ConfirmDialogProps {
  readonly title: string;
  /** What is to be typed; null: nothing. */
  readonly environment: string | null;
  /** Who gains and who loses. */
  readonly children: ReactNode;
  /** The word on the button. Default: Save. */
  readonly action?: string;
  /** Whether nobody can take it back. */
  readonly isFinal?: boolean;
  readonly onCancel: () => void;
  readonly onConfirm: () => void;
}

/** Asks for the name of a protected environment before its users see a change. */
export function ConfirmDialog({
  title,
  environment,
  children,
  action = 'Save',
  isFinal = false,
  onCancel,
  onConfirm,
}: ConfirmDialogProps): ReactNode {
  const dialog = useRef<HTMLDialogElement>(null);
  const [typed, setTyped] = useState('');
  const id = useId();
  useModal(dialog);
  const isMatch = environment === null || typed.trim() === environment;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (isMatch) onConfirm();
  };
  return (
    <dialog
      ref={dialog}
      className={css.dialog}
      aria-labelledby={`${id}-title`}
      onCancel={event => {
        event.preventDefault();
        onCancel();
      }}
    >
      <form onSubmit={submit}>
        <h2 id={`${id}-title`}>{title}</h2>
        <p>
          {children} {isFinal ? 'Nobody can take it back.' : 'You can take it back afterwards.'}
        </p>
        {environment === null ? null : (
          <>
            <label htmlFor={id}>
              Type <b>{environment}</b> to confirm
            </label>
            <input id={id} autoComplete="off" value={typed} onChange={event => setTyped(event.target.value)} />
          </>
        )}
        <div className={css.actions}>
          <Button onClick={onCancel}>Cancel</Button>
          <Button kind={isFinal ? 'danger' : 'primary'} type="submit" disabled={!isMatch}>
            {action}
          </Button>
        </div>
      </form>
    </dialog>
  );
}
