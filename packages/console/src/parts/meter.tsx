import type { ReactNode } from 'react';
import { type Audience, turnedOnBy } from '../data/audience.js';
import { count, plural, share } from '../words/numbers.js';
import css from './meter.module.css';

export interface MeterProps {
  readonly audience: Audience;
  /** The variants in the order of the flag; null: it is on or off. */
  readonly variants: readonly string[] | null;
  readonly offVariant: string;
  readonly isOff: boolean;
}

/** How many of the connected viewers have a flag now. */
export function Meter({ audience, variants, offVariant, isOff }: MeterProps): ReactNode {
  const { viewers, on, behind } = audience;
  const turnedOn = variants === null ? null : turnedOnBy(audience, variants, offVariant);
  const parts = turnedOn === null ? [on] : (variants ?? []).map(key => turnedOn.get(key) ?? 0);
  return (
    <div
      className={css.meter}
      data-off={isOff || undefined}
      title={`On for ${count(on)} of ${plural(viewers, 'viewer')}`}
    >
      <span className={css.on}>{count(on)}</span>
      <span className={css.share}>
        {behind > 0 ? `${count(behind)} catching up` : viewers === 0 ? 'no viewer' : share(on, viewers)}
      </span>
      <span className={css.track}>
        {parts.map((part, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the parts are in the order of the variants
          <i key={index} style={{ inlineSize: viewers === 0 ? 0 : `${(100 * part) / viewers}%` }} />
        ))}
      </span>
    </div>
  );
}
