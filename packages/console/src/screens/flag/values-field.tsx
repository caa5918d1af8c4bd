import { type KeyboardEvent, type ReactNode, useId, useState } from 'react';
import { useQuery } from 'urql';
import { graphql } from '../../data/generated/index.js';
import { typedValue } from '../../draft/condition-edits.js';
import type { Json } from '../../words/shapes.js';
import { valueText } from '../../words/values.js';
import css from './rules.module.css';

const Suggestions = graphql(`
  query AttributeSuggestions($name: String!) {
    attributeValues(name: $name, first: 20) {
      values {
        value
      }
    }
  }
`);

export interface ValuesFieldProps {
  readonly label: string;
  /** The name of the attribute, or of nothing for groups. */
  readonly attribute: string;
  readonly operator: string;
  readonly values: readonly Json[];
  readonly isList: boolean;
  readonly isBad: boolean;
  readonly onChange: (values: readonly Json[]) => void;
}

/** Values as chips, and a field for the next one. Enter, a comma or leaving the field takes over what is typed. */
export function ValuesField({
  label,
  attribute,
  operator,
  values,
  isList,
  isBad,
  onChange,
}: ValuesFieldProps): ReactNode {
  const [text, setText] = useState('');
  const [isAsked, ask] = useState(false);
  const id = useId();
  const [{ data }] = useQuery({
    query: Suggestions,
    variables: { name: attribute },
    pause: !isAsked || attribute === '',
  });

  const add = (texts: readonly string[]) => {
    const typed = texts.filter(one => one.trim() !== '').map(one => typedValue(one, attribute, operator));
    if (typed.length === 0) return;
    const others = values.filter(one => one !== '' && !typed.includes(one));
    onChange(isList ? [...others, ...new Set(typed)] : typed.slice(-1));
  };
  const take = () => {
    add([text]);
    setText('');
  };
  /** Several values may be pasted at once; the last one may go on. */
  const type = (typed: string) => {
    const parts = !isList || typed.includes('"') ? [typed] : typed.split(/[,\n]/);
    add(parts.slice(0, -1));
    setText(parts.at(-1) ?? '');
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      take();
    }
    if (event.key === 'Backspace' && text === '' && values.length > 0) onChange(values.slice(0, -1));
  };
  const shown = values.filter(value => value !== '');
  return (
    <span className={css.values} data-bad={isBad || undefined}>
      {shown.map(value => (
        <button
          key={valueText(value)}
          type="button"
          className={css.valueChip}
          aria-label={`Remove ${valueText(value)}`}
          title={typeof value === 'string' ? 'Text' : typeof value}
          onClick={() => onChange(values.filter(one => one !== value))}
        >
          {valueText(value)}
          <span aria-hidden="true">×</span>
        </button>
      ))}
      <input
        aria-label={label}
        aria-invalid={isBad}
        value={text}
        list={id}
        autoComplete="off"
        placeholder={shown.length === 0 ? 'Value' : ''}
        onFocus={() => ask(true)}
        onChange={event => type(event.target.value)}
        onKeyDown={onKeyDown}
        onBlur={take}
      />
      <datalist id={id}>
        {data?.attributeValues.values.map(({ value }) => (
          <option key={JSON.stringify(value)} value={valueText(value as Json)} />
        ))}
      </datalist>
    </span>
  );
}
