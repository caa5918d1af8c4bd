import { type ReactNode, useId, useState } from 'react';
import { flushSync } from 'react-dom';
import { freeName } from '../../draft/draft.js';
import { issuesAt } from '../../draft/validate.js';
import { Button } from '../../parts/button.js';
import { isSame, type Json, type RuleShape } from '../../words/shapes.js';
import { ConditionWords } from './condition-words.js';
import { ConditionsEditor } from './conditions-editor.js';
import { below, type Editing } from './editing.js';
import { JsonEditor } from './json-editor.js';
import { RolloutField } from './rollout-field.js';
import { RuleRow } from './rule-row.js';
import css from './rules.module.css';

/** The rules in their order, and everyone else. */
export function Rules({ editing }: { readonly editing: Editing }): ReactNode {
  const { draft, dispatch, canEdit, issues } = editing;
  const { rules } = draft.fields;
  const [open, setOpen] = useState<string | null>(null);
  const [showsJson, showJson] = useState(false);

  const add = () => {
    const id = freeName(
      rules.map(rule => rule.id),
      'rule',
    );
    dispatch({ type: 'addRule', rule: { id, when: { attributes: { '': [] } }, percentage: 100, on: true, serve: [] } });
    setOpen(id);
  };
  const [said, say] = useState('');
  const move = (id: string, from: number, to: number) => {
    if (from === to) return;
    const focused = document.activeElement as HTMLElement | null;
    flushSync(() => {
      dispatch({ type: 'moveRule', id, to });
      say(`Rule ${id} is now ${to + 1} of ${rules.length}.`);
    });
    // The browser takes the focus away from what is moved in the page.
    focused?.focus();
    focused?.scrollIntoView({ block: 'nearest' });
  };
  return (
    <section className={css.sec} id="rules" aria-labelledby="h-rules">
      <div className={css.head}>
        <h2 id="h-rules">{rules.length === 0 ? 'Who gets this' : 'Rules, first match decides'}</h2>
        <span className={css.end}>
          <Button kind="plain" small icon="code" pressed={showsJson} onClick={() => showJson(!showsJson)}>
            JSON
          </Button>
          {canEdit ? (
            <Button small icon="plus" onClick={add}>
              Rule
            </Button>
          ) : null}
        </span>
      </div>
      {showsJson ? (
        <JsonEditor
          label="Rules as JSON"
          value={rules as unknown as Json}
          isReadOnly={!canEdit}
          onChange={value => dispatch({ type: 'setRules', rules: value as unknown as readonly RuleShape[] })}
          check={ruleListFault}
        />
      ) : null}
      {issuesAt(issues, ['rules'])
        .filter((_, index) => issues.some(({ path }) => path.length === 1 && path[0] === 'rules') && index === 0)
        .map(message => (
          <p key={message} className={css.fault}>
            {message}
          </p>
        ))}
      <ol className={css.rules}>
        {rules.map((rule, index) => (
          <RuleRow
            key={rule.id}
            rule={rule}
            place={index}
            editing={editing}
            isOpen={open === rule.id}
            onOpen={isOpen => setOpen(isOpen ? rule.id : null)}
            onMove={to => move(rule.id, index, to)}
            onRename={to => {
              dispatch({ type: 'renameRule', id: rule.id, to });
              setOpen(to);
            }}
          />
        ))}
        <Rest editing={editing} />
      </ol>
      <p className={css.hidden} role="status">
        {said}
      </p>
    </section>
  );
}

/** What is certain to be no list of rules. */
function ruleListFault(value: Json): string | null {
  if (!Array.isArray(value)) return 'Rules are a list.';
  const ids = value.map(rule => (rule as { id?: unknown } | null)?.id);
  if (!ids.every(id => typeof id === 'string')) return 'Each rule has an id.';
  if (new Set(ids).size !== ids.length) return 'Two rules have one id.';
  const isWhole = (rule: Partial<RuleShape>) =>
    rule.when !== undefined &&
    typeof rule.percentage === 'number' &&
    typeof rule.on === 'boolean' &&
    Array.isArray(rule.serve);
  return value.every(isWhole) ? null : 'Each rule has when, percentage, on and serve.';
}

/** Everyone for whom no rule decides. It is always last and cannot move. */
function Rest({ editing }: { readonly editing: Editing }): ReactNode {
  const { draft, dispatch, canEdit, issues } = editing;
  const { fields, saved } = draft;
  const [isOpen, setOpen] = useState(false);
  const [showsJson, showJson] = useState(false);
  const faultId = useId();
  const [fault] = issuesAt(issues, ['percentage']);
  const inConditions = below(issues, ['conditions']);
  const hasConditions = !isSame(fields.conditions, {});
  const changed = [fields.percentage !== saved.percentage, !isSame(fields.conditions, saved.conditions)].filter(
    Boolean,
  ).length;
  return (
    <li className={css.rest}>
      <span />
      <div className={css.body}>
        <div className={css.restHead}>
          <b>{fields.rules.length === 0 ? 'Everyone' : 'Everyone else'}</b>
          <span
            id={faultId}
            className={fault === undefined ? css.changed : css.fault}
            role={fault === undefined ? undefined : 'alert'}
          >
            {fault ?? (changed === 0 ? '' : changed === 1 ? '1 field changed' : `${changed} fields changed`)}
          </span>
        </div>
        {canEdit ? (
          <RolloutField
            value={fields.percentage}
            saved={saved.percentage}
            isBad={fault !== undefined}
            faultId={faultId}
            onChange={percentage => dispatch({ type: 'set', fields: { percentage } })}
          />
        ) : (
          <p className={css.when}>{fields.percentage} %</p>
        )}
        {isOpen || inConditions.length > 0 ? (
          <>
            <ConditionsEditor
              conditions={fields.conditions}
              issues={inConditions}
              onChange={conditions => dispatch({ type: 'set', fields: { conditions } })}
            />
            {showsJson ? (
              <JsonEditor
                label="Conditions as JSON"
                value={fields.conditions}
                isReadOnly={false}
                onChange={conditions => dispatch({ type: 'set', fields: { conditions } })}
              />
            ) : null}
            <div className={css.add}>
              <Button kind="link" onClick={() => showJson(!showsJson)}>
                {showsJson ? 'Hide JSON' : 'JSON'}
              </Button>
              <Button kind="link" onClick={() => setOpen(false)}>
                Done
              </Button>
            </div>
          </>
        ) : (
          <div className={css.when}>
            {hasConditions ? <span>if</span> : null}
            {hasConditions ? <ConditionWords conditions={fields.conditions} isInner /> : null}
            {canEdit ? (
              <Button kind="link" onClick={() => setOpen(true)}>
                {hasConditions ? 'Edit conditions' : 'Add condition'}
              </Button>
            ) : null}
          </div>
        )}
      </div>
    </li>
  );
}
