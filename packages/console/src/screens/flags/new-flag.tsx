import { type FormEvent, type ReactNode, useRef, useState } from 'react';
import { useMutation } from 'urql';
import { useLocation } from 'wouter';
import { Button } from '../../parts/button.js';
import { useModal } from '../../parts/use-modal.js';
import { noAnswer } from '../../words/errors.js';
import { CreateFlag } from './documents.js';
import css from './new-flag.module.css';

/** Letters that no mark can be taken from. */
const latin: Readonly<Record<string, string>> = { ß: 'ss', æ: 'ae', ø: 'o', ł: 'l', đ: 'd' };

/** A key that programs can use, from a name for people. */
export function keyFrom(name: string): string {
  return name
    .replace(/[ßæøłđ]/gi, letter => latin[letter.toLowerCase()] ?? '')
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '')
    .slice(0, 100);
}

type Faults = Readonly<Partial<Record<'name' | 'key' | 'all', string>>>;

/** Asks for the name and the key of a flag that is off, and opens it. */
export function NewFlag({ onClose }: { readonly onClose: () => void }): ReactNode {
  const dialog = useRef<HTMLDialogElement>(null);
  const [, go] = useLocation();
  const [{ fetching }, create] = useMutation(CreateFlag);
  const [name, setName] = useState('');
  const [ownKey, setOwnKey] = useState<string | null>(null);
  const [faults, setFaults] = useState<Faults>({});
  const key = ownKey ?? keyFrom(name);
  useModal(dialog);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (fetching) return;
    if (name.trim() === '') return setFaults({ name: 'A flag needs a name for people.' });
    if (key === '') return setFaults({ key: 'A flag needs a key for programs.' });
    const { data, error } = await create({ input: { name: name.trim(), key } });
    const result = data?.result;
    if (result === undefined) {
      return setFaults({ all: error?.graphQLErrors[0]?.message ?? noAnswer });
    }
    if (result.__typename === 'CreateFlagPayload') {
      onClose();
      return go(`/flags/${encodeURIComponent(result.flag.key)}`);
    }
    const issues =
      result.__typename === 'ValidationError' ? result.issues : [{ path: result.path ?? [], message: result.message }];
    const found: Partial<Record<keyof Faults, string>> = {};
    for (const { path, message } of issues)
      found[path[0] === 'name' || path[0] === 'key' ? path[0] : 'all'] ??= message;
    setFaults(found);
  };
  return (
    <dialog ref={dialog} className={css.dialog} aria-labelledby="new-flag" onClose={onClose}>
      <form onSubmit={submit} noValidate>
        <h2 id="new-flag">New flag</h2>
        <Field label="Name" id="new-name" fault={faults.name} value={name} onChange={setName} />
        <Field
          label="Key"
          id="new-key"
          hint="Programs ask for it. It never changes."
          fault={faults.key}
          isCode
          value={key}
          onChange={setOwnKey}
        />
        <p className={css.fault} role="alert">
          {faults.all}
        </p>
        <p className={css.hint}>It is off for everybody until you switch it on.</p>
        <div className={css.actions}>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" busy={fetching}>
            Create
          </Button>
        </div>
      </form>
    </dialog>
  );
}

interface FieldProps {
  readonly label: string;
  readonly id: string;
  readonly hint?: string;
  readonly fault: string | undefined;
  readonly isCode?: boolean;
  readonly value: string;
  readonly onChange: (value: string) => void;
}

function Field({ label, id, hint, fault, isCode, value, onChange }: FieldProps): ReactNode {
  return (
    <div className={css.field}>
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        autoComplete="off"
        spellCheck={isCode !== true}
        data-code={isCode || undefined}
        value={value}
        aria-invalid={fault !== undefined}
        aria-describedby={`${id}-said`}
        onChange={event => onChange(event.target.value)}
      />
      <p id={`${id}-said`} className={fault === undefined ? css.hint : css.fault}>
        {fault ?? hint}
      </p>
    </div>
  );
}
