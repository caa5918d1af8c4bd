import type { ReactNode } from 'react';
import { type ChangeShape, changeWords, type DifferenceShape, differenceText, instantAt } from '../words/changes.js';
import type { Json } from '../words/shapes.js';
import { exact, relative } from '../words/times.js';
import { initials } from '../words/values.js';
import css from './change-item.module.css';

/** An entry of the change log, as the API has it. */
export interface LoggedChange {
  readonly at: string;
  readonly kind: string;
  readonly actorId?: string | null;
  readonly apiKeyId?: string | null;
  readonly flagKey?: string | null;
  readonly group?: string | null;
  readonly userIds: readonly string[];
  readonly userCount: number;
  readonly note?: string | null;
  readonly reverts?: number | null;
  readonly differences: readonly {
    readonly path: readonly string[];
    readonly before?: unknown;
    readonly after?: unknown;
  }[];
}

export interface ChangeItemProps {
  readonly change: LoggedChange;
  readonly now: number;
  /** The names of API keys by their ids, where they are known. */
  readonly keyNames?: ReadonlyMap<string, string>;
  /** What was changed; left out where the place says it. */
  readonly about?: ReactNode;
  /** What can be done about it. */
  readonly children?: ReactNode;
}

/** A row of a history: who did what, why, when, and the difference. */
export function ChangeItem({ change, now, keyNames, about, children }: ChangeItemProps): ReactNode {
  const { at, note } = change;
  const actor = actorOf(change, keyNames);
  const { verb, name } = changeWords(change as ChangeShape);
  return (
    <li className={css.item}>
      <span className={css.avatar} aria-hidden="true">
        {initials(actor)}
      </span>
      <div>
        {about === undefined ? null : <p className={css.about}>{about}</p>}
        <p>
          <b>{actor}</b> {verb} {name === '' ? null : <span className={css.mono}>{name}</span>}
        </p>
        {note === null || note === undefined ? null : <p className={css.note}>“{note}”</p>}
        <Differences differences={shownDifferences(change)} />
      </div>
      <div className={css.go}>
        <time dateTime={at} title={exact(at)}>
          {relative(at, now)}
        </time>
        {children}
      </div>
    </li>
  );
}

/** Who made a change, as it stands before what was done. */
export function actorOf(
  { actorId, apiKeyId }: Pick<LoggedChange, 'actorId' | 'apiKeyId'>,
  keyNames?: ReadonlyMap<string, string>,
): string {
  if (actorId !== null && actorId !== undefined) return actorId;
  if (apiKeyId === null || apiKeyId === undefined) return 'Somebody';
  const name = keyNames?.get(apiKeyId);
  return name === undefined ? 'An API key' : `API key ${name}`;
}

/** Kinds whose differences say no more than the sentence: those of something that is new or gone. */
const whole: readonly string[] = [
  'FLAG_CREATED',
  'FLAG_DELETED',
  'OVERRIDE_REMOVED',
  'API_KEY_CREATED',
  'API_KEY_REVOKED',
];

const shownDifferences = ({ kind, differences }: LoggedChange) =>
  whole.includes(kind) ? [] : (differences as readonly DifferenceShape[]);

/** Paths with both values: the old one struck out, the new one behind an arrow. */
function Differences({ differences }: { readonly differences: readonly DifferenceShape[] }): ReactNode {
  if (differences.length === 0) return null;
  return (
    <div className={css.diff}>
      {differences.map(({ path, before, after }) => (
        <div key={path.join('/')}>
          <span className={css.path}>{path.join('.')}</span>
          <span className={css.change}>
            {isThere(before) ? <del title={exactly(path, before)}>{differenceText(path, before)}</del> : null}
            {isThere(before) ? <span className={css.to}>→</span> : null}
            <ins title={exactly(path, after)}>{differenceText(path, after)}</ins>
          </span>
        </div>
      ))}
    </div>
  );
}

const isThere = (value: Json | undefined) => value !== undefined && value !== null;

/** For the pointer, where a value is a time. */
function exactly(path: readonly string[], value: Json | undefined): string | undefined {
  const instant = instantAt(path, value);
  return instant === null ? undefined : exact(instant);
}
