import { memo, type ReactNode } from 'react';
import { Link } from 'wouter';
import type { Audience } from '../../data/audience.js';
import { Meter } from '../../parts/meter.js';
import { SentenceText } from '../../parts/sentence-text.js';
import { Switch } from '../../parts/switch.js';
import { percent, plural } from '../../words/numbers.js';
import { shortSentence } from '../../words/sentence.js';
import type { FlagShape } from '../../words/shapes.js';
import { exact, relative } from '../../words/times.js';
import type { ListedFlag } from './documents.js';
import css from './flag-row.module.css';

export interface FlagRowProps {
  readonly flag: ListedFlag;
  readonly index: number;
  readonly audience: Audience | undefined;
  readonly now: number;
  readonly canEdit: boolean;
  readonly isCursor: boolean;
  readonly isSelected: boolean;
  /** Whether it is in the list of the server no longer. */
  readonly isGone: boolean;
  readonly isBusy: boolean;
  readonly onSwitch: (flag: ListedFlag) => void;
  readonly onSelect: (index: number, isRange: boolean) => void;
  readonly onCursor: (index: number) => void;
}

/** One flag of the list. */
export const FlagRow = memo(function FlagRow(props: FlagRowProps): ReactNode {
  const { flag, index, audience, now, canEdit, isCursor, isSelected, isGone, isBusy } = props;
  const [stale] = flag.staleness;
  const tabIndex = isCursor ? 0 : -1;
  return (
    <div
      className={css.row}
      role="row"
      aria-rowindex={index + 2}
      data-index={index}
      data-cursor={isCursor || undefined}
      data-selected={isSelected || undefined}
      data-off={!flag.enabled || isGone || undefined}
      onFocus={() => props.onCursor(index)}
    >
      <span role="cell" className={css.select}>
        {canEdit && !isGone ? (
          <input
            className={css.check}
            type="checkbox"
            tabIndex={tabIndex}
            aria-label={`Select ${flag.name}`}
            checked={isSelected}
            onChange={event => props.onSelect(index, (event.nativeEvent as PointerEvent).shiftKey === true)}
          />
        ) : null}
      </span>
      <span role="cell" className={css.switch}>
        {isGone ? (
          <span className={css.word} title="It was deleted, or is no longer in this list.">
            Gone
          </span>
        ) : canEdit ? (
          <Switch
            label={flag.name}
            isOn={flag.enabled}
            isBusy={isBusy}
            tabIndex={tabIndex}
            onChange={() => props.onSwitch(flag)}
          />
        ) : (
          <span className={css.word}>{flag.enabled ? 'On' : 'Off'}</span>
        )}
      </span>
      <div className={css.name} role="cell">
        <div className={css.title}>
          <Link href={`/flags/${encodeURIComponent(flag.key)}`} tabIndex={tabIndex} dir="auto" data-link>
            {flag.name}
          </Link>
          {flag.type === 'BOOLEAN' ? null : (
            <span className={css.chip} data-line>
              {plural(flag.variants.length, 'variant')}
            </span>
          )}
        </div>
        <div className={css.sub}>
          <span className={css.key}>{flag.key}</span>
          {stale === undefined ? null : (
            <span className={css.chip} data-warn title={stale.text}>
              {staleWords(stale, now)}
            </span>
          )}
        </div>
      </div>
      <p className={css.says} role="cell">
        <SentenceText parts={shortSentence(flag as FlagShape)} />
      </p>
      <div className={css.roll} role="cell">
        <span className={css.pre}>Rollout </span>
        {percent(flag.percentage)}
      </div>
      <div className={css.live} role="cell">
        {audience === undefined || isGone ? null : (
          <Meter
            audience={audience}
            variants={flag.type === 'BOOLEAN' ? null : flag.variants.map(({ key }) => key)}
            offVariant={flag.offVariant}
            isOff={!flag.enabled}
          />
        )}
      </div>
      <div className={css.asked} role="cell">
        {flag.lastAskedAt == null ? (
          <span>never</span>
        ) : (
          <time dateTime={flag.lastAskedAt} title={exact(flag.lastAskedAt)}>
            {relative(flag.lastAskedAt, now)}
          </time>
        )}
      </div>
    </div>
  );
});

function staleWords({ kind, since }: ListedFlag['staleness'][number], now: number): string {
  const days = Math.max(1, Math.floor((now - Date.parse(since)) / 86_400_000));
  switch (kind) {
    case 'FULLY_ON':
      return `On for all, ${plural(days, 'day')}`;
    case 'FULLY_OFF':
      return `Off for all, ${plural(days, 'day')}`;
    case 'EXPIRED':
      return `Expected to end ${relative(since, now)}`;
    case 'UNUSED':
      return `Not asked for ${plural(days, 'day')}`;
  }
}
