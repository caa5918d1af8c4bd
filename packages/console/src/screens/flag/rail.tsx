import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { turnedOnBy, useAudiences } from '../../data/audience.js';
import type { PreviewFieldsFragment } from '../../data/generated/graphql.js';
import { Button } from '../../parts/button.js';
import { usagePath } from '../../parts/paths.js';
import { count, plural } from '../../words/numbers.js';
import type { Json } from '../../words/shapes.js';
import { exact, relative } from '../../words/times.js';
import { valueText } from '../../words/values.js';
import type { Editing } from './editing.js';
import type { FlagData } from './flag-head.js';
import css from './rail.module.css';
import type { Preview } from './use-preview.js';

export interface AudienceCardProps {
  readonly flagKey: string;
  /** In the order of definition; none for a flag that is on or off. */
  readonly variants: readonly string[];
  readonly offVariant: string;
  readonly isLive: boolean;
}

/** How many of the connected viewers have the flag now. */
export function AudienceCard({ flagKey, variants, offVariant, isLive }: AudienceCardProps): ReactNode {
  const audience = useAudiences([flagKey]).get(flagKey);
  const turnedOn = audience === undefined ? new Map<string, number>() : turnedOnBy(audience, variants, offVariant);
  return (
    <section className={css.card} id="live" aria-labelledby="h-live" data-stale={isLive ? undefined : true}>
      <div className={css.head}>
        <h2 id="h-live">On right now</h2>
        {isLive ? (
          <span className={css.live}>
            <span className={css.dot} />
            Live
          </span>
        ) : null}
      </div>
      {audience === undefined ? (
        <div className={css.bones} aria-hidden="true">
          <span />
          <span />
        </div>
      ) : (
        <>
          <div className={css.stat}>
            <span key={audience.on} className={css.big}>
              {count(audience.on)}
            </span>
            <span className={css.muted}>of {plural(audience.viewers, 'viewer')}</span>
          </div>
          <div className={css.track} aria-hidden="true">
            {variants.length > 1 ? (
              variants.map((key, index) => (
                <i key={key} data-step={index % 3} style={width(turnedOn.get(key) ?? 0, audience.viewers)} />
              ))
            ) : (
              <i style={width(audience.on, audience.viewers)} />
            )}
          </div>
          <dl className={css.pairs}>
            {(variants.length > 1 ? variants : []).map((key, index) => (
              <div key={key}>
                <dt>
                  <span className={css.swatch} data-step={index % 3} />
                  {key}
                </dt>
                <dd>{count(turnedOn.get(key) ?? 0)}</dd>
              </div>
            ))}
            <div className={css.faint}>
              <dt>
                <span className={css.none} />
                off
              </dt>
              <dd>{count(audience.viewers - audience.on)}</dd>
            </div>
          </dl>
          {audience.behind > 0 ? <p className={css.off}>{count(audience.behind)} catching up</p> : null}
        </>
      )}
    </section>
  );
}

export interface UsageCardProps {
  readonly flag: Pick<FlagData, 'key' | 'lastAskedAt' | 'staleness'>;
  readonly now: number;
}

/** When the flag was last asked for, and whether it can go. */
export function UsageCard({ flag, now }: UsageCardProps): ReactNode {
  const { key, lastAskedAt, staleness } = flag;
  return (
    <section className={css.card} aria-labelledby="h-usage">
      <div className={css.head}>
        <h2 id="h-usage">Usage</h2>
        <Link className={css.more} href={usagePath(key)}>
          By day and reason
        </Link>
      </div>
      <p className={css.muted}>
        {lastAskedAt == null ? (
          'No question has named it yet.'
        ) : (
          <>
            Last asked for by name{' '}
            <time dateTime={lastAskedAt} title={exact(lastAskedAt)}>
              {relative(lastAskedAt, now)}
            </time>
            .
          </>
        )}
      </p>
      {staleness.map(({ kind, text }) => (
        <p key={kind} className={css.muted}>
          {text}
        </p>
      ))}
    </section>
  );
}

const width = (part: number, whole: number) =>
  ({ '--v': `${whole === 0 ? 0 : (part / whole) * 100}%` }) as React.CSSProperties;

export interface DraftCardProps {
  readonly editing: Editing;
  readonly preview: Preview;
  readonly note: string;
  readonly onNote: (note: string) => void;
  readonly canSave: boolean;
  readonly isBusy: boolean;
  readonly fault: string | null;
  readonly onSave: () => void;
  readonly onDiscard: () => void;
}

/** What a save would do, and the save itself. */
export function DraftCard({
  editing,
  preview,
  note,
  onNote,
  canSave,
  isBusy,
  fault,
  onSave,
  onDiscard,
}: DraftCardProps): ReactNode {
  const { changes, issues } = editing;
  const { counted } = preview;
  return (
    <section className={css.draft} id="draft" aria-labelledby="h-draft" aria-busy={preview.isCounting}>
      <div className={css.head}>
        <h2 id="h-draft">If you save</h2>
        {counted === null ? null : (
          <span className={css.then}>
            {count(counted.on)} → <b>{count(counted.onAfter)}</b> on
          </span>
        )}
      </div>
      {issues.length > 0 ? (
        <p className={css.fault} role="alert">
          {`${plural(issues.length, 'fault')} to mend before this can be saved.`}
        </p>
      ) : null}
      {counted === null ? (
        <div className={css.deltaBones} />
      ) : (
        <Counts counted={counted} isCounting={preview.isCounting} conditions={changes.map(({ after }) => after)} />
      )}
      <label className={css.note}>
        <span className={css.hidden}>Note for the history</span>
        <input
          className={css.input}
          value={note}
          maxLength={500}
          placeholder="Why? (kept in the history)"
          onChange={event => onNote(event.target.value)}
        />
      </label>
      {fault === null ? null : (
        <p className={css.fault} role="alert">
          {fault}
        </p>
      )}
      <div className={css.actions}>
        {/* Not disabled while it saves: a button that is loses the focus, and a dialog could not give it back. */}
        <Button
          kind="primary"
          disabled={!canSave && !isBusy}
          onClick={onSave}
          title={canSave ? 'Ctrl + Enter' : undefined}
        >
          {isBusy ? 'Saving…' : saveWords(changes.length)}
        </Button>
        <Button onClick={onDiscard}>Discard</Button>
      </div>
    </section>
  );
}

export const saveWords = (changes: number) => `Save ${plural(changes, 'change')}`;

function Counts({
  counted,
  isCounting,
  conditions,
}: {
  counted: PreviewFieldsFragment;
  isCounting: boolean;
  conditions: readonly unknown[];
}): ReactNode {
  const { gain, lose, changeVariant, isComplete, gaining, losing } = counted;
  const number = (value: number) => `${isComplete ? '' : 'at least '}${count(value)}`;
  const named = JSON.stringify(conditions);
  const told = (attributes: unknown) =>
    Object.entries((attributes ?? {}) as { readonly [name: string]: Json })
      .filter(([name, value]) => named.includes(JSON.stringify(name)) && typeof value !== 'object')
      .slice(0, 3)
      .map(([, value]) => valueText(value))
      .join(', ');
  const people = [
    ...gaining.slice(0, lose > 0 ? 2 : 3).map(user => ({ user, sign: '+' })),
    ...losing.slice(0, gain > 0 ? 1 : 3).map(user => ({ user, sign: '−' })),
  ];
  return (
    <div data-counting={isCounting || undefined} className={css.counts}>
      <div className={css.delta} data-cells={changeVariant > 0 ? 3 : 2}>
        <div>
          <span className={css.gain}>+{number(gain)}</span>
          <span>{gain === 1 ? 'viewer gains it' : 'viewers gain it'}</span>
        </div>
        <div>
          <span className={css.lose}>−{number(lose)}</span>
          <span>{lose === 1 ? 'viewer loses it' : 'viewers lose it'}</span>
        </div>
        {changeVariant > 0 ? (
          <div>
            <span className={css.other}>{number(changeVariant)}</span>
            <span>change variant</span>
          </div>
        ) : null}
      </div>
      <ul className={css.people}>
        {people.map(({ user, sign }) => (
          <li key={`${sign}${user.id}`}>
            <span className={sign === '+' ? css.gain : css.lose}>
              <span className={css.hidden}>{sign === '+' ? 'gains' : 'loses'}</span>
              <span aria-hidden="true">{sign}</span>
            </span>
            <span className={css.mono}>{user.userId}</span>
            <span className={css.faint}>{told(user.attributes)}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
