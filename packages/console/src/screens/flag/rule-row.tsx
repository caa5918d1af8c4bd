import { type KeyboardEvent, type ReactNode, useId, useState } from 'react';
import { itemsOf } from '../../draft/fields.js';
import { issuesAt } from '../../draft/validate.js';
import { Button } from '../../parts/button.js';
import { Menu } from '../../parts/menu.js';
import { Value } from '../../parts/value.js';
import { percent } from '../../words/numbers.js';
import type { RuleShape } from '../../words/shapes.js';
import { ConditionWords } from './condition-words.js';
import { ConditionsEditor } from './conditions-editor.js';
import { below, type Editing } from './editing.js';
import { JsonEditor } from './json-editor.js';
import { NumberField } from './rollout-field.js';
import css from './rules.module.css';
import { ServeSelect, ServeWeights } from './serve-field.js';
import { State } from './state.js';

export interface RuleRowProps {
  readonly rule: RuleShape;
  readonly place: number;
  readonly editing: Editing;
  readonly isOpen: boolean;
  readonly onOpen: (isOpen: boolean) => void;
  readonly onRename: (to: string) => void;
  /** @param to the place afterwards, from 0. */
  readonly onMove: (to: number) => void;
}

/** One rule: what it says, or its editor in the same place. */
export function RuleRow({ rule, place, editing, isOpen, onOpen, onRename, onMove }: RuleRowProps): ReactNode {
  const { draft, dispatch, canEdit, changes, issues } = editing;
  const last = draft.fields.rules.length - 1;
  const isChanged = changes.some(({ path }) => path[0] === 'rules' && path[1] === rule.id);
  const faults = issuesAt(issues, ['rules', rule.id]);
  const onKeyDown = (event: KeyboardEvent) => {
    if (!canEdit || !event.altKey || (event.key !== 'ArrowUp' && event.key !== 'ArrowDown')) return;
    event.preventDefault();
    onMove(Math.min(last, Math.max(0, place + (event.key === 'ArrowUp' ? -1 : 1))));
  };
  const actions = [
    { label: 'Edit', run: () => onOpen(true) },
    ...(place > 0 ? [{ label: 'Move up', run: () => onMove(place - 1) }] : []),
    ...(place < last ? [{ label: 'Move down', run: () => onMove(place + 1) }] : []),
    ...(isChanged
      ? [{ label: 'Take back changes', run: () => dispatch({ type: 'revert', path: ['rules', rule.id] }) }]
      : []),
    { label: 'Delete', run: () => dispatch({ type: 'removeRule', id: rule.id }) },
  ];
  return (
    <li
      className={css.rule}
      data-open={isOpen || undefined}
      data-changed={isChanged || undefined}
      onKeyDown={onKeyDown}
    >
      <span className={css.n}>{place + 1}</span>
      <div>
        <div className={css.when}>
          <ConditionWords conditions={rule.when} />
        </div>
        <span className={css.id}>
          {rule.id}
          <span className={css.aside}>{asideOf(rule)}</span>
        </span>
      </div>
      <div className={css.then}>
        <State isOn={rule.on} />
        {rule.percentage < 100 ? <span className={css.share}>for {percent(rule.percentage)}</span> : null}
        {rule.serve.length > 0 ? (
          <span>
            serves{' '}
            {rule.serve.map(({ variant, weight }) => (
              <Value key={variant}>{rule.serve.length === 1 ? variant : `${variant} ${weight}`}</Value>
            ))}
          </span>
        ) : null}
        {canEdit ? <Menu label={`Rule ${rule.id}: move, edit, delete`} actions={actions} /> : null}
      </div>
      {isOpen ? <RuleEditor rule={rule} editing={editing} onDone={() => onOpen(false)} onRename={onRename} /> : null}
      {!isOpen && faults.length > 0 ? (
        <p className={css.ruleFault}>
          {faults[0]}{' '}
          <Button kind="link" onClick={() => onOpen(true)}>
            Edit
          </Button>
        </p>
      ) : null}
    </li>
  );
}

function asideOf({ percentage }: RuleShape): string {
  if (percentage === 100) return '';
  if (percentage === 0) return 'decides for nobody';
  return percentage === 50 ? 'the other half goes on to the next step' : 'the others go on to the next step';
}

interface RuleEditorProps {
  readonly rule: RuleShape;
  readonly editing: Editing;
  readonly onDone: () => void;
  readonly onRename: (to: string) => void;
}

function RuleEditor({ rule, editing, onDone, onRename }: RuleEditorProps): ReactNode {
  const { draft, dispatch, issues } = editing;
  const variants = draft.saved.type === 'BOOLEAN' ? [] : draft.fields.variants;
  const [showsJson, showJson] = useState(false);
  const faultId = useId();
  const path = ['rules', rule.id];
  const [shareFault] = issuesAt(issues, [...path, 'percentage']);
  const edit = (fields: Partial<RuleShape>) => dispatch({ type: 'editRule', id: rule.id, edit: fields });
  const isNew = !itemsOf(draft.saved, 'rules').has(rule.id);
  const [serveFault] = issuesAt(issues, [...path, 'serve']);
  const isSplit = rule.on && rule.serve.length > 1;
  return (
    <div className={css.editor}>
      <ConditionsEditor
        conditions={rule.when}
        issues={below(issues, [...path, 'when'])}
        onChange={when => edit({ when })}
      />
      {showsJson ? (
        <JsonEditor label="Conditions as JSON" value={rule.when} isReadOnly={false} onChange={when => edit({ when })} />
      ) : null}
      <div className={css.outcome}>
        <label>
          <span>Then</span>
          <select
            className={css.input}
            value={rule.on ? 'on' : 'off'}
            onChange={event => edit(event.target.value === 'on' ? { on: true } : { on: false, serve: [] })}
          >
            <option value="on">On</option>
            <option value="off">Off</option>
          </select>
        </label>
        <span className={css.share}>
          <span>for</span>
          <NumberField
            label="Share in percent"
            value={rule.percentage}
            suffix="%"
            isBad={shareFault !== undefined}
            faultId={faultId}
            onChange={percentage => edit({ percentage })}
          />
        </span>
        {variants.length > 0 && rule.on ? (
          <ServeSelect shares={rule.serve} variants={variants} onChange={serve => edit({ serve })} />
        ) : null}
        {isNew ? <RuleId id={rule.id} taken={draft.fields.rules.map(({ id }) => id)} onRename={onRename} /> : null}
      </div>
      {isSplit ? (
        <ServeWeights shares={rule.serve} variants={variants} fault={serveFault} onChange={serve => edit({ serve })} />
      ) : null}
      <p className={css.fault} id={faultId}>
        {shareFault ?? issuesAt(issues, [...path, 'id'])[0] ?? (isSplit ? undefined : serveFault)}
      </p>
      <div className={css.add}>
        <Button kind="link" onClick={() => showJson(!showsJson)}>
          {showsJson ? 'Hide JSON' : 'JSON'}
        </Button>
        <Button kind="link" onClick={() => dispatch({ type: 'removeRule', id: rule.id })}>
          Delete rule
        </Button>
        <Button small onClick={onDone}>
          Done
        </Button>
      </div>
    </div>
  );
}

/** The id of a new rule. Later it stays, because its share of users hashes it. */
function RuleId({
  id,
  taken,
  onRename,
}: {
  id: string;
  taken: readonly string[];
  onRename: (to: string) => void;
}): ReactNode {
  const [text, setText] = useState(id);
  const isTaken = text !== id && taken.includes(text);
  return (
    <label>
      <span>Id</span>
      <input
        className={css.name}
        value={text}
        aria-invalid={isTaken}
        title="It cannot be changed later."
        onChange={event => setText(event.target.value)}
        onBlur={() => (isTaken || text === '' ? setText(id) : text !== id && onRename(text))}
      />
      {isTaken ? <span className={css.fault}>Another rule has this id.</span> : null}
    </label>
  );
}
