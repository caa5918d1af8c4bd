import { type ReactNode, useEffect, useState } from 'react';
import { Icon } from '../../parts/icon.js';
import { type FilterName, type Filters, kindGroups } from './filters.js';
import css from './history.module.css';

export interface FilterBarProps {
  readonly filters: Filters;
  readonly onChange: (changed: Partial<Filters>) => void;
}

/** Milliseconds after the last letter until the list follows. */
const pause = 250;

export function FilterBar({ filters, onChange }: FilterBarProps): ReactNode {
  return (
    <search className={css.filters}>
      <Typed name="flag" label="Flag" hint="Key of a flag" filters={filters} onChange={onChange} />
      <Typed name="by" label="By" hint="User id of the author" filters={filters} onChange={onChange} />
      <label>
        <span>Kind</span>
        <select className={css.input} value={filters.kind} onChange={event => onChange({ kind: event.target.value })}>
          <option value="">All changes</option>
          {Object.entries(kindGroups).map(([name, { label }]) => (
            <option key={name} value={name}>
              {label}
            </option>
          ))}
        </select>
      </label>
      {others.map(([name, label]) =>
        filters[name] === '' ? null : (
          <button key={name} type="button" className={css.chip} onClick={() => onChange({ [name]: '' })}>
            <span>
              {label} <b>{filters[name]}</b>
            </span>
            <Icon name="close" />
            <span className={css.hidden}>, clear this filter</span>
          </button>
        ),
      )}
    </search>
  );
}

/** Filters that links set. */
const others: readonly (readonly [FilterName, string])[] = [
  ['user', 'About user'],
  ['group', 'Group'],
  ['batch', 'Batch'],
];

interface TypedProps extends FilterBarProps {
  readonly name: 'flag' | 'by';
  readonly label: string;
  readonly hint: string;
}

function Typed({ name, label, hint, filters, onChange }: TypedProps): ReactNode {
  const value = filters[name];
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: only letters start the pause
  useEffect(() => {
    if (text.trim() === value) return;
    const timer = setTimeout(() => onChange({ [name]: text.trim() }), pause);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <label>
      <span>{label}</span>
      <input
        className={css.input}
        type="search"
        autoComplete="off"
        spellCheck={false}
        placeholder={hint}
        value={text}
        onChange={event => setText(event.target.value)}
      />
    </label>
  );
}
