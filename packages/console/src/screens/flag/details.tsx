import { type ReactNode, useEffect, useState } from 'react';
import { issuesAt } from '../../draft/validate.js';
import { date, dateFieldOf, exact, latestMinute, startOf } from '../../words/times.js';
import type { Editing } from './editing.js';
import css from './overrides.module.css';

/** What people find and judge a flag by. It decides no answer. */
export function Details({ editing }: { readonly editing: Editing }): ReactNode {
  const { draft, dispatch, canEdit, issues } = editing;
  const { fields } = draft;
  if (!canEdit) return <ReadDetails editing={editing} />;
  const fault = (field: string) => <span className={css.fault}>{issuesAt(issues, [field])[0]}</span>;
  return (
    <section className={css.sec} id="details" aria-labelledby="h-details">
      <div className={css.head}>
        <h2 id="h-details">Details</h2>
      </div>
      <div className={css.form}>
        <label className={css.wide}>
          <span>Name</span>
          <input
            className={css.input}
            value={fields.name}
            onChange={event => dispatch({ type: 'set', fields: { name: event.target.value } })}
          />
          {fault('name')}
        </label>
        <label className={css.wide}>
          <span>Description</span>
          <textarea
            className={css.input}
            rows={2}
            value={fields.description ?? ''}
            onChange={event =>
              dispatch({ type: 'set', fields: { description: event.target.value === '' ? null : event.target.value } })
            }
          />
          {fault('description')}
        </label>
        <label>
          <span>Owner</span>
          <input
            className={css.input}
            value={fields.owner ?? ''}
            onChange={event =>
              dispatch({ type: 'set', fields: { owner: event.target.value === '' ? null : event.target.value } })
            }
          />
          {fault('owner')}
        </label>
        <TagsField tags={fields.tags} onChange={tags => dispatch({ type: 'set', fields: { tags } })}>
          {fault('tags')}
        </TagsField>
        <label>
          <span>Expected until</span>
          <input
            className={css.input}
            type="date"
            max={latestMinute.slice(0, 10)}
            value={dateFieldOf(fields.expectedUntil)}
            title={fields.expectedUntil === null ? undefined : exact(fields.expectedUntil)}
            onChange={event => dispatch({ type: 'set', fields: { expectedUntil: startOf(event.target.value) } })}
          />
          {fault('expectedUntil')}
        </label>
      </div>
    </section>
  );
}

/** Tags as text with commas; the draft follows each key. */
function TagsField({
  tags,
  onChange,
  children,
}: {
  tags: readonly string[];
  onChange: (tags: readonly string[]) => void;
  children: ReactNode;
}): ReactNode {
  const [text, setText] = useState(tags.join(', '));
  useEffect(
    () => setText(before => (readTags(before).join() === [...tags].sort().join() ? before : tags.join(', '))),
    [tags],
  );
  return (
    <label>
      <span>Tags, with commas</span>
      <input
        className={css.input}
        value={text}
        onChange={event => {
          setText(event.target.value);
          onChange(readTags(event.target.value));
        }}
      />
      {children}
    </label>
  );
}

function ReadDetails({ editing }: { readonly editing: Editing }): ReactNode {
  const { description, owner, tags, expectedUntil } = editing.draft.fields;
  const rows = [
    ['Description', description],
    ['Owner', owner],
    ['Tags', tags.join(', ')],
    [
      'Expected until',
      expectedUntil === null ? null : (
        <time key="expectedUntil" dateTime={expectedUntil} title={exact(expectedUntil)}>
          {date(expectedUntil)}
        </time>
      ),
    ],
  ] as const;
  const told = rows.filter(([, value]) => value !== null && value !== '');
  if (told.length === 0) return null;
  return (
    <section className={css.sec} id="details" aria-labelledby="h-details">
      <div className={css.head}>
        <h2 id="h-details">Details</h2>
      </div>
      <dl className={css.pairs}>
        {told.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function readTags(typed: string): readonly string[] {
  return typed
    .split(',')
    .map(tag => tag.trim())
    .filter((tag, index, all) => tag !== '' && all.indexOf(tag) === index)
    .sort();
}
