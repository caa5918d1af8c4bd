import { type ReactNode, useEffect, useRef, useState } from 'react';
import type { FlagFacetsQuery } from '../../data/generated/graphql.js';
import { Icon } from '../../parts/icon.js';
import { count, plural } from '../../words/numbers.js';
import type { FilterName, ListAddress } from './filter.js';
import css from './filters.module.css';

/** Milliseconds without a letter before the server is asked. */
const pause = 120;

export interface FiltersProps {
  readonly address: ListAddress;
  readonly facets: FlagFacetsQuery | undefined;
  readonly shown: number;
}

interface Choice {
  readonly value: string;
  readonly label: string;
}

/** The search and the filters of the list. */
export function Filters({ address, facets, shown }: FiltersProps): ReactNode {
  const { filter, isFiltered } = address;
  const choices: readonly (readonly [FilterName, string, readonly Choice[]])[] = [
    [
      'state',
      'State',
      [
        { value: 'on', label: 'On' },
        { value: 'off', label: 'Off' },
      ],
    ],
    [
      'tag',
      'Tag',
      (facets?.flags.tags ?? []).map(({ tag, count: n }) => ({ value: tag, label: `${tag} (${count(n)})` })),
    ],
    [
      'owner',
      'Owner',
      (facets?.flags.owners ?? []).map(({ owner, count: n }) => ({ value: owner, label: `${owner} (${count(n)})` })),
    ],
    ['group', 'Group', (facets?.groups.nodes ?? []).map(({ name }) => ({ value: name, label: name }))],
  ];
  return (
    <div className={css.filters}>
      <Search value={filter.search} onChange={value => address.set('search', value)} />
      <div className={css.row}>
        {choices.map(([name, label, options]) => (
          <Filter
            key={name}
            label={label}
            value={filter[name]}
            options={options}
            onChange={value => address.set(name, value)}
          />
        ))}
        {isFiltered ? (
          <button className={css.clear} type="button" onClick={address.clear}>
            Clear filters
          </button>
        ) : null}
      </div>
      <span className={css.total}>
        {facets === undefined
          ? null
          : isFiltered
            ? `${count(shown)} of ${plural(facets.flags.totalCount, 'flag')}`
            : `${plural(facets.flags.totalCount, 'flag')}, ${count(facets.on.totalCount)} on`}
      </span>
    </div>
  );
}

interface FilterProps {
  readonly label: string;
  readonly value: string | null;
  readonly options: readonly Choice[];
  readonly onChange: (value: string) => void;
}

function Filter({ label, value, options, onChange }: FilterProps): ReactNode {
  const isKnown = value === null || options.some(option => option.value === value);
  if (options.length === 0 && value === null) return null;
  return (
    <label className={css.filter} data-set={value !== null || undefined}>
      <span className={css.hidden}>{label}</span>
      <select value={value ?? ''} onChange={event => onChange(event.target.value)}>
        <option value="">{label}</option>
        {isKnown ? null : <option value={value}>{value}</option>}
        {options.map(option => (
          <option key={option.value} value={option.value}>
            {option.label}
          </option>
        ))}
      </select>
      <Icon name="down" />
    </label>
  );
}

/** Shows each letter at once, and asks the server when the reader pauses. */
function Search({
  value,
  onChange,
}: {
  readonly value: string;
  readonly onChange: (value: string) => void;
}): ReactNode {
  const [text, setText] = useState(value);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const sent = useRef(value);
  useEffect(() => {
    // Back, forward, and "Clear filters".
    if (value !== sent.current) setText(value);
    sent.current = value;
  }, [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const change = (next: string, wait = pause) => {
    setText(next);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      sent.current = next;
      onChange(next);
    }, wait);
  };
  return (
    <label className={css.search}>
      <Icon name="search" />
      <span className={css.hidden}>Search flags</span>
      <input
        id="search"
        type="search"
        placeholder="Search by name, key or description"
        maxLength={200}
        autoComplete="off"
        value={text}
        onChange={event => change(event.target.value)}
        onKeyDown={event => {
          if (event.key !== 'Escape') return;
          event.preventDefault();
          if (text === '') event.currentTarget.blur();
          else change('', 0);
        }}
      />
      <kbd>/</kbd>
    </label>
  );
}
