import { type KeyboardEvent, type ReactNode, useEffect, useState } from 'react';
import { percent } from '../../words/numbers.js';
import css from './rules.module.css';

export interface RolloutFieldProps {
  readonly value: number;
  /** The thin mark. */
  readonly saved: number;
  readonly isBad: boolean;
  /** Of the element that tells the fault. */
  readonly faultId: string;
  readonly onChange: (value: number) => void;
}

/** One share, two ways in: a slider and a number. */
export function RolloutField({ value, saved, isBad, faultId, onChange }: RolloutFieldProps): ReactNode {
  const shown = Number.isNaN(value) ? saved : Math.min(100, Math.max(0, value));
  const leap = (event: KeyboardEvent) => {
    const step = { ArrowRight: 10, ArrowUp: 10, ArrowLeft: -10, ArrowDown: -10 }[event.key];
    if (!event.shiftKey || step === undefined) return;
    event.preventDefault();
    onChange(Math.min(100, Math.max(0, shown + step)));
  };
  return (
    <div className={css.slider}>
      <label className={css.range} style={{ '--v': `${shown}%`, '--was': saved / 100 } as React.CSSProperties}>
        <input
          type="range"
          aria-label="Rollout in percent"
          min="0"
          max="100"
          step="1"
          value={shown}
          onChange={event => onChange(Number(event.target.value))}
          onKeyDown={leap}
        />
        <span className={css.was} title={`Saved: ${percent(saved)}`} />
      </label>
      <NumberField
        label="Rollout in percent"
        value={value}
        suffix="%"
        isBad={isBad}
        faultId={faultId}
        onChange={onChange}
      />
    </div>
  );
}

export interface NumberFieldProps {
  readonly label: string;
  readonly value: number;
  readonly suffix?: string;
  readonly isBad: boolean;
  readonly faultId?: string;
  readonly onChange: (value: number) => void;
}

/** A number as it is typed. What is no number is kept as text, and is `NaN` to the draft. */
export function NumberField({ label, value, suffix, isBad, faultId, onChange }: NumberFieldProps): ReactNode {
  const [text, setText] = useState(String(value));
  useEffect(() => setText(before => (Object.is(read(before), value) ? before : String(value))), [value]);
  return (
    <label className={css.number} data-bad={isBad || undefined}>
      <input
        aria-label={label}
        inputMode="decimal"
        value={text}
        aria-invalid={isBad}
        aria-describedby={isBad ? faultId : undefined}
        onChange={event => {
          setText(event.target.value);
          onChange(read(event.target.value));
        }}
      />
      {suffix === undefined ? null : <span>{suffix}</span>}
    </label>
  );
}

function read(text: string): number {
  const typed = text.trim().replace(',', '.');
  return /^-?(\d+\.?\d*|\.\d+)$/.test(typed) ? Number(typed) : Number.NaN;
}
