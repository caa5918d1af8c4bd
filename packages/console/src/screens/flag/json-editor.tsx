import { type ReactNode, useEffect, useState } from 'react';
import { isSame, type Json } from '../../words/shapes.js';
import css from './rules.module.css';

export interface JsonEditorProps {
  readonly label: string;
  readonly value: Json;
  readonly isReadOnly: boolean;
  readonly onChange: (value: Json) => void;
  /** What is wrong with JSON that can be read; null: nothing. */
  readonly check?: (value: Json) => string | null;
}

/** A value as JSON. What cannot be read stays in the field and changes nothing. */
export function JsonEditor({ label, value, isReadOnly, onChange, check }: JsonEditorProps): ReactNode {
  const [text, setText] = useState(() => written(value));
  const [fault, setFault] = useState<string | null>(null);
  useEffect(() => setText(before => (isSame(parsed(before), value) ? before : written(value))), [value]);
  const type = (typed: string) => {
    setText(typed);
    const read = parsed(typed);
    const found = read === undefined ? 'This is no JSON yet. The draft keeps its last state.' : (check?.(read) ?? null);
    setFault(found);
    if (found === null && read !== undefined) onChange(read);
  };
  return (
    <div className={css.json}>
      <textarea
        aria-label={label}
        aria-invalid={fault !== null}
        spellCheck={false}
        readOnly={isReadOnly}
        rows={Math.min(24, text.split('\n').length + 1)}
        value={text}
        onChange={event => type(event.target.value)}
      />
      <p className={css.fault} role="status">
        {fault}
      </p>
    </div>
  );
}

const written = (value: Json) => JSON.stringify(value, null, 2);

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}
