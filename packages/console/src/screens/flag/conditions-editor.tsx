import { type ReactNode, useState } from 'react';
import {
  removeAt,
  renameAt,
  setAt,
  type Test,
  takesList,
  testsOf,
  valueIn,
  wishOf,
  withCondition,
  wrapAt,
} from '../../draft/condition-edits.js';
import type { Path } from '../../draft/fields.js';
import { type Issue, issuesAt } from '../../draft/validate.js';
import { Button } from '../../parts/button.js';
import { isList, isObject, type Json } from '../../words/shapes.js';
import { Operator, operatorFor } from './operator.js';
import css from './rules.module.css';
import { ValuesField } from './values-field.js';

export interface ConditionsEditorProps {
  readonly conditions: Json;
  /** Faults, with paths from these conditions. */
  readonly issues: readonly Issue[];
  readonly onChange: (conditions: Json) => void;
}

/** Conditions as rows that can be edited, in their forms. */
export function ConditionsEditor({ conditions, issues, onChange }: ConditionsEditorProps): ReactNode {
  const edit: Edit = {
    root: conditions,
    issues,
    set: (path, value) => onChange(setAt(conditions, path, value)),
    remove: path => onChange(removeAt(conditions, path)),
    rename: (path, to) => onChange(renameAt(conditions, path, to)),
    change: onChange,
  };
  return (
    <div className={css.builder}>
      <Form part={conditions} path={[]} edit={edit} />
      <div className={css.add}>
        <Button kind="link" onClick={() => onChange(withCondition(conditions, { attributes: { '': [] } }))}>
          Add condition
        </Button>
        <Button kind="link" onClick={() => onChange(withCondition(conditions, { groups: [''] }))}>
          Add group
        </Button>
      </div>
    </div>
  );
}

interface Edit {
  readonly root: Json;
  readonly issues: readonly Issue[];
  readonly set: (path: Path, value: Json) => void;
  readonly remove: (path: Path) => void;
  readonly rename: (path: Path, to: string) => void;
  readonly change: (conditions: Json) => void;
}

interface PartProps {
  readonly part: Json;
  readonly path: Path;
  readonly edit: Edit;
}

function Form({ part, path, edit }: PartProps): ReactNode {
  if (!isObject(part)) return <p className={css.fault}>These conditions cannot be read. Edit them as JSON.</p>;
  const { not, all, any, attributes, groups } = part;
  if (not !== undefined) {
    return (
      <fieldset className={css.nest}>
        <legend>
          Not
          <Button kind="link" onClick={() => edit.set(path, not)}>
            Remove “not”
          </Button>
        </legend>
        <Form part={not} path={[...path, 'not']} edit={edit} />
      </fieldset>
    );
  }
  const form = all === undefined ? 'any' : 'all';
  const list = all ?? any;
  if (isList(list)) return <Several form={form} list={list} path={path} edit={edit} />;
  const rows = isObject(attributes) ? Object.entries(attributes) : [];
  return (
    <>
      {rows.map(([name, wish], index) => (
        <Attribute
          // biome-ignore lint/suspicious/noArrayIndexKey: the name changes while it is typed, the place does not
          key={index}
          name={name}
          wish={wish}
          path={[...path, 'attributes', name]}
          edit={edit}
          isFirst={index === 0}
        />
      ))}
      {isList(groups) ? (
        <Groups groups={groups} path={[...path, 'groups']} edit={edit} isFirst={rows.length === 0} />
      ) : null}
      {Object.keys(part).length === 0 ? <p className={css.everybody}>Everybody. A condition narrows it.</p> : null}
    </>
  );
}

function Several({
  form,
  list,
  path,
  edit,
}: {
  form: 'all' | 'any';
  list: readonly Json[];
  path: Path;
  edit: Edit;
}): ReactNode {
  const other = form === 'all' ? 'any' : 'all';
  return (
    <fieldset className={css.nest}>
      <legend>
        <select
          className={css.input}
          aria-label="How many must match"
          value={form}
          onChange={() => edit.set(path, { [other]: list })}
        >
          <option value="all">All of</option>
          <option value="any">Any of</option>
        </select>
        <Button kind="link" onClick={() => edit.set([...path, form], [...list, { attributes: { '': [] } }])}>
          Add to this
        </Button>
      </legend>
      {list.map((part, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: parts have nothing but their places
        <div key={index} className={css.part}>
          <Form part={part} path={[...path, form, String(index)]} edit={edit} />
        </div>
      ))}
    </fieldset>
  );
}

function Attribute({
  name,
  wish,
  path,
  edit,
  isFirst,
}: {
  name: string;
  wish: Json;
  path: Path;
  edit: Edit;
  isFirst: boolean;
}): ReactNode {
  const [typed, setTyped] = useState<string | null>(null);
  const tests = testsOf(wish);
  const messages = issuesAt(edit.issues, path);
  const siblings = valueIn(edit.root, path.slice(0, -1));
  const isTaken = typed !== null && typed !== name && isObject(siblings) && Object.hasOwn(siblings, typed);
  const rename = (to: string) => {
    setTyped(to);
    edit.rename(path, to.trim());
  };
  const setTest = (at: number, test: Test) =>
    edit.set(path, wishOf(tests.map((one, index) => (index === at ? test : one))));
  return (
    <>
      {tests.map((test, index) => (
        <div className={css.test} key={test.operator}>
          <span className={css.joint}>{isFirst && index === 0 ? '' : 'and'}</span>
          <input
            className={css.name}
            aria-label="Attribute"
            placeholder="Attribute"
            value={typed ?? name}
            aria-invalid={name === '' || isTaken}
            onChange={event => rename(event.target.value)}
            onBlur={() => setTyped(null)}
          />
          <Operator test={test} onChange={changed => setTest(index, changed)} />
          {test.operator === 'exists' ? (
            <span />
          ) : (
            <ValuesField
              label={`Values of ${name || 'the attribute'}`}
              attribute={name}
              operator={test.operator}
              values={test.values}
              isList={takesList(test.operator) || test.operator === 'eq'}
              isBad={messages.length > 0 && name !== ''}
              onChange={values =>
                setTest(index, { ...test, operator: operatorFor(test.operator, values.length), values })
              }
            />
          )}
          <Remove
            what={`condition on ${name || 'nothing'}`}
            path={path}
            edit={edit}
            onRemove={() =>
              tests.length === 1 ? edit.remove(path) : edit.set(path, wishOf(tests.filter((_, at) => at !== index)))
            }
          />
        </div>
      ))}
      {isTaken ? <p className={css.fault}>Another condition names {typed} already.</p> : null}
      {messages.map(message => (
        <p className={css.fault} key={message}>
          {message}
        </p>
      ))}
    </>
  );
}

function Groups({
  groups,
  path,
  edit,
  isFirst,
}: {
  groups: readonly Json[];
  path: Path;
  edit: Edit;
  isFirst: boolean;
}): ReactNode {
  const messages = issuesAt(edit.issues, path);
  return (
    <>
      <div className={css.test}>
        <span className={css.joint}>{isFirst ? '' : 'or'}</span>
        <span className={css.fixed}>in group</span>
        <span />
        <ValuesField
          label="Groups"
          attribute=""
          operator="contains"
          values={groups}
          isList
          isBad={messages.length > 0}
          onChange={values => edit.set(path, values)}
        />
        <Remove what="condition on groups" path={path} edit={edit} onRemove={() => edit.remove(path)} />
      </div>
      {messages.map(message => (
        <p className={css.fault} key={message}>
          {message}
        </p>
      ))}
    </>
  );
}

/** The form of a row can be turned around, or the row taken away. */
function Remove({
  what,
  path,
  edit,
  onRemove,
}: {
  what: string;
  path: Path;
  edit: Edit;
  onRemove: () => void;
}): ReactNode {
  const form = path.slice(0, Math.max(path.lastIndexOf('attributes'), path.lastIndexOf('groups')));
  return (
    <span className={css.rowActions}>
      <Button
        kind="plain"
        small
        title={`Turn the ${what} around`}
        onClick={() => edit.change(wrapAt(edit.root, form, 'not'))}
      >
        Not
      </Button>
      <Button kind="plain" small icon="close" label={`Remove the ${what}`} onClick={onRemove} />
    </span>
  );
}
