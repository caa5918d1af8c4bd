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

  const take = () => {
    if (text.trim() === '') return;
    const value = typedValue(text, attribute, operator);
    onChange(isList ? [...values.filter(one => one !== value && one !== ''), value] : [value]);
    setText('');
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if ((event.key === 'Enter' && !event.ctrlKey && !event.metaKey) || (event.key === ',' && !text.startsWith('"'))) {
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
        onChange={event => setText(event.target.value)}
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
