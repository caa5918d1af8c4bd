import { type ReactNode, useId, useState } from 'react';
import { freeName } from '../../draft/draft.js';
import { issuesAt } from '../../draft/validate.js';
import { Button } from '../../parts/button.js';
import { count, share } from '../../words/numbers.js';
import type { Json, VariantShape } from '../../words/shapes.js';
import type { Editing } from './editing.js';
import { NumberField } from './rollout-field.js';
import css from './variants.module.css';

/** Parts of the bar at most; the others are one. */
const mostParts = 6;

/** The variants of a flag that is more than on or off, and their weights. */
export function Variants({ editing }: { readonly editing: Editing }): ReactNode {
  const { draft, dispatch, canEdit, issues } = editing;
  const { variants, offVariant } = draft.fields;
  const [general] = issues.filter(
    ({ path }) => (path[0] === 'variants' && path.length === 1) || path[0] === 'offVariant',
  );
  const add = () => {
    const key = freeName(
      variants.map(one => one.key),
      'variant',
    );
    dispatch({ type: 'addVariant', variant: { key, value: firstValue(draft.saved.type, key), weight: 0 } });
  };
  return (
    <section className={css.sec} id="variants" aria-labelledby="h-variants">
      <div className={css.head}>
        <h2 id="h-variants">Variants</h2>
        {canEdit ? (
          <span className={css.end}>
            <Button small icon="plus" onClick={add}>
              Variant
            </Button>
          </span>
        ) : null}
      </div>
      {variants.length > 1 ? <WeightBar variants={variants} /> : null}
      <p className={css.fault} role="alert">
        {general?.message}
      </p>
      <ul className={css.list}>
        {variants.map((variant, index) => (
          <VariantRow
            key={variant.key}
            variant={variant}
            place={index}
            isOff={variant.key === offVariant}
            editing={editing}
          />
        ))}
      </ul>
    </section>
  );
}

function firstValue(type: string, key: string): Json {
  return { STRING: key, NUMBER: 0, OBJECT: {} }[type] ?? key;
}

/** The weights as one bar, in the order of definition. */
export function WeightBar({
  variants,
}: {
  readonly variants: readonly Pick<VariantShape, 'key' | 'weight'>[];
}): ReactNode {
  const weight = (one: { weight: number }) => (Number.isFinite(one.weight) ? Math.max(0, one.weight) : 0);
  const sum = variants.reduce((total, one) => total + weight(one), 0);
  if (sum === 0) return null;
  const shown = variants.length > mostParts ? variants.slice(0, mostParts - 1) : variants;
  const rest = variants.slice(shown.length);
  const parts = [
    ...shown.map(one => ({ label: one.key, weight: weight(one) })),
    ...(rest.length > 0
      ? [{ label: `${rest.length} others`, weight: rest.reduce((total, one) => total + weight(one), 0) }]
      : []),
  ];
  const words = parts.map(part => `${part.label} ${share(part.weight, sum)}`).join(', ');
  return (
    <div className={css.bar} role="img" aria-label={`Weights: ${words}`}>
      {parts.map((part, index) => (
        <span
          key={part.label}
          data-step={index % 3}
          style={{ '--v': `${(part.weight / sum) * 100}%` } as React.CSSProperties}
        >
          {part.weight / sum < 0.12 ? null : (
            <>
              {part.label}
              <em>{share(part.weight, sum)}</em>
            </>
          )}
        </span>
      ))}
    </div>
  );
}

interface VariantRowProps {
  readonly variant: VariantShape;
  readonly place: number;
  readonly isOff: boolean;
  readonly editing: Editing;
}

function VariantRow({ variant, place, isOff, editing }: VariantRowProps): ReactNode {
  const { draft, dispatch, canEdit, issues } = editing;
  const { key } = variant;
  const [isOpen, setOpen] = useState(false);
  const faultId = useId();
  const faults = issuesAt(issues, ['variants', key]);
  const isNew = !draft.saved.variants.some(one => one.key === key);
  const isOnly = draft.fields.variants.length === 1;
  return (
    <li>
      <span className={css.swatch} data-step={place % 3} />
      <span>{key}</span>
      <span className={css.value}>{JSON.stringify(variant.value)}</span>
      <span className={css.marks}>
        {isOff ? <span className={css.mark}>served when off</span> : null}
        {canEdit ? (
          <Button kind="link" onClick={() => setOpen(!isOpen)}>
            {isOpen ? 'Done' : 'Edit'}
          </Button>
        ) : null}
      </span>
      {canEdit ? (
        <NumberField
          label={`Weight of ${key}`}
          value={variant.weight}
          isBad={issuesAt(issues, ['variants', key, 'weight']).length > 0}
          faultId={faultId}
          onChange={weight => dispatch({ type: 'editVariant', key, edit: { weight } })}
        />
      ) : (
        <span className={css.weight}>{count(variant.weight)}</span>
      )}
      {isOpen || (isNew && faults.length > 0) ? (
        <div className={css.editor}>
          {isNew ? (
            <KeyField
              name={key}
              taken={draft.fields.variants.map(one => one.key)}
              onRename={to => dispatch({ type: 'renameVariant', key, to })}
            />
          ) : null}
          <ValueField
            value={variant.value}
            onChange={value => dispatch({ type: 'editVariant', key, edit: { value } })}
          />
          {isOff ? null : (
            <Button kind="link" onClick={() => dispatch({ type: 'set', fields: { offVariant: key } })}>
              Serve when off
            </Button>
          )}
          {isOff || isOnly ? null : (
            <Button kind="link" onClick={() => dispatch({ type: 'removeVariant', key })}>
              Remove
            </Button>
          )}
        </div>
      ) : null}
      <p className={css.fault} id={faultId}>
        {faults[0]}
      </p>
    </li>
  );
}

function KeyField({
  name,
  taken,
  onRename,
}: {
  name: string;
  taken: readonly string[];
  onRename: (to: string) => void;
}): ReactNode {
  const [text, setText] = useState(name);
  const isTaken = text !== name && taken.includes(text);
  return (
    <label>
      <span>Key</span>
      <input
        className={css.input}
        value={text}
        aria-invalid={isTaken}
        onChange={event => setText(event.target.value)}
        onBlur={() => (isTaken ? setText(name) : onRename(text))}
      />
      {isTaken ? <span className={css.fault}>Another variant has this key.</span> : null}
    </label>
  );
}

/** The value as JSON, kept as it is typed until it can be read. */
function ValueField({ value, onChange }: { value: Json; onChange: (value: Json) => void }): ReactNode {
  const [text, setText] = useState(() => JSON.stringify(value));
  const [isBad, setBad] = useState(false);
  const type = (typed: string) => {
    setText(typed);
    try {
      onChange(JSON.parse(typed) as Json);
      setBad(false);
    } catch {
      setBad(true);
    }
  };
  return (
    <label>
      <span>Value</span>
      <input className={css.input} value={text} aria-invalid={isBad} onChange={event => type(event.target.value)} />
      {isBad ? <span className={css.fault}>Write JSON, such as "blue".</span> : null}
    </label>
  );
}
