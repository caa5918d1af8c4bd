import { type FormEvent, type ReactNode, useLayoutEffect, useRef, useState } from 'react';
import { signIn } from '../../data/session.js';
import { Button } from '../../parts/button.js';
import css from './sign-in.module.css';

/** Asks for a credential. @property reason why one is needed again. */
export function SignIn({ reason }: { readonly reason: string | null }): ReactNode {
  const [credential, setCredential] = useState('');
  const [fault, setFault] = useState<string | null>(null);
  const field = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => {
    document.title = 'Sign in · Halyard';
    // The screen has this one purpose, and what had the focus before is gone. With the field, the reason is read out.
    field.current?.focus();
  }, []);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const text = credential.trim().replace(/^Bearer\s+/i, '');
    if (text === '') setFault('Paste a token or an API key.');
    else if (/\s/.test(text) || !/^[\x21-\x7e]+$/.test(text))
      setFault('A token or an API key has no blanks and no special letters. Copy it again.');
    else signIn(text);
  };
  const said = fault ?? reason;
  return (
    <main className={css.page}>
      <form className={css.card} onSubmit={submit} noValidate>
        <h1>Sign in to Halyard</h1>
        <p>
          Run <code>npx halyard console --open</code> where the server runs, or paste a token or an API key of an admin
          or a reader.
        </p>
        <label htmlFor="credential">Token or API key</label>
        <input
          ref={field}
          id="credential"
          type="password"
          autoComplete="off"
          spellCheck={false}
          value={credential}
          aria-invalid={said !== null}
          aria-describedby={said === null ? undefined : 'credential-fault'}
          onChange={event => {
            setCredential(event.target.value);
            setFault(null);
          }}
        />
        <p className={css.fault} id="credential-fault" role="alert">
          {said}
        </p>
        <Button kind="primary" type="submit">
          Sign in
        </Button>
        <p className={css.aside}>It is kept in this tab alone, until the tab is closed.</p>
      </form>
    </main>
  );
}
