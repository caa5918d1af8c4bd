import { type ReactNode, useLayoutEffect, useRef, useState } from 'react';
import { Button } from '../../parts/button.js';
import css from './keys.module.css';

export interface SecretProps {
  readonly name: string;
  readonly secret: string;
  readonly onClose: () => void;
}

/** The secret of a new key: here, this once. */
export function Secret({ name, secret, onClose }: SecretProps): ReactNode {
  const field = useRef<HTMLInputElement>(null);
  const [said, say] = useState('');
  useLayoutEffect(() => field.current?.focus(), []);
  const copy = async () => {
    field.current?.select();
    try {
      await navigator.clipboard.writeText(secret);
      say('Copied.');
    } catch {
      // A page without TLS may not write to the clipboard.
      say('Press Ctrl+C or Cmd+C to copy it.');
    }
  };
  return (
    <section className={css.form} aria-labelledby="secret-title">
      <h2 id="secret-title">The secret of {name}</h2>
      <p>It is shown this once: the server keeps only a hash of it. Give it to the program, and to nobody else.</p>
      <div className={css.secret}>
        <input
          ref={field}
          className={css.input}
          readOnly
          aria-label="Secret"
          value={secret}
          onFocus={event => event.target.select()}
        />
        <Button kind="primary" icon="copy" onClick={copy}>
          Copy
        </Button>
      </div>
      <p className={css.said} role="status">
        {said}
      </p>
      <div className={css.actions}>
        <Button onClick={onClose}>Done</Button>
      </div>
    </section>
  );
}
