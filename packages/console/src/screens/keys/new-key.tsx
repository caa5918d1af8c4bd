import { type FormEvent, type ReactNode, useLayoutEffect, useRef, useState } from 'react';
import { useMutation } from 'urql';
import type { ApiKeyRole } from '../../data/generated/graphql.js';
import { Button } from '../../parts/button.js';
import { noAnswer } from '../../words/errors.js';
import { CreateKey } from './documents.js';
import css from './keys.module.css';
import { Secret } from './secret.js';

const roles: readonly { readonly role: ApiKeyRole; readonly label: string; readonly meaning: string }[] = [
  { role: 'SERVICE', label: 'Service', meaning: 'Evaluates flags for any user. For backends.' },
  {
    role: 'READER',
    label: 'Reader',
    meaning: 'Reads everything and changes nothing. For build servers and support desks.',
  },
  { role: 'ADMIN', label: 'Admin', meaning: 'Reads and changes everything. For deployments.' },
];

const day = 86_400_000;
const lives: readonly { readonly label: string; readonly days: number | null }[] = [
  { label: 'In 30 days', days: 30 },
  { label: 'In 90 days', days: 90 },
  { label: 'In a year', days: 365 },
  { label: 'Never', days: null },
];

/** Makes a key, and shows its secret once. */
export function NewKey({ onClose }: { readonly onClose: () => void }): ReactNode {
  const [name, setName] = useState('');
  const [role, setRole] = useState<ApiKeyRole>('SERVICE');
  const [life, setLife] = useState(1);
  const [{ data, error, fetching }, create] = useMutation(CreateKey);
  const result = data?.result;
  const field = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => field.current?.focus(), []);
  if (result?.__typename === 'CreateApiKeyPayload') {
    return <Secret name={result.apiKey.name} secret={result.secret} onClose={onClose} />;
  }
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const days = lives[life]?.days ?? null;
    const expiresAt = days === null ? null : new Date(Date.now() + days * day).toISOString();
    void create({ input: { name: name.trim(), role, ...(expiresAt === null ? {} : { expiresAt }) } });
  };
  const issue = result?.__typename === 'ValidationError' ? result.issues[0]?.message : result?.message;
  const fault = issue ?? (error === undefined ? null : (error.graphQLErrors[0]?.message ?? noAnswer));
  return (
    <form className={css.form} onSubmit={submit} aria-label="New key">
      <label className={css.field}>
        <span>Name</span>
        <input
          ref={field}
          className={css.input}
          required
          maxLength={100}
          autoComplete="off"
          placeholder="build server"
          value={name}
          aria-invalid={fault !== null}
          aria-describedby="new-key-fault"
          onChange={event => setName(event.target.value)}
        />
      </label>
      <label className={css.field}>
        <span>Expires</span>
        <select className={css.input} value={life} onChange={event => setLife(Number(event.target.value))}>
          {lives.map(({ label }, index) => (
            <option key={label} value={index}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <fieldset className={css.roles}>
        <legend>Role</legend>
        {roles.map(({ role: value, label, meaning }) => (
          <label key={value}>
            <input type="radio" name="role" checked={role === value} onChange={() => setRole(value)} />
            <span>
              <b>{label}</b> {meaning}
            </span>
          </label>
        ))}
      </fieldset>
      <p className={css.fault} id="new-key-fault" role="alert">
        {fault}
      </p>
      <div className={css.actions}>
        <Button kind="primary" type="submit" disabled={fetching || name.trim() === ''}>
          Make key
        </Button>
        <Button onClick={onClose}>Cancel</Button>
      </div>
    </form>
  );
}
