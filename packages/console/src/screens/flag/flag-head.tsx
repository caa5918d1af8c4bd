import { type ReactNode, useState } from 'react';
import { Link } from 'wouter';
import type { FlagPageQuery } from '../../data/generated/graphql.js';
import type { SavedFlag } from '../../draft/fields.js';
import { Icon } from '../../parts/icon.js';
import { useTitle } from '../../parts/page-head.js';
import { whyPath } from '../../parts/paths.js';
import { SentenceText } from '../../parts/sentence-text.js';
import { Switch } from '../../parts/switch.js';
import { count } from '../../words/numbers.js';
import { sentence } from '../../words/sentence.js';
import css from './flag.module.css';

export type FlagData = NonNullable<FlagPageQuery['flag']>;

export interface HeadProps {
  readonly flag: FlagData;
  readonly canEdit: boolean;
  readonly isBusy: boolean;
  readonly onToggle: () => void;
}

/** Where one is, the switch, and who gets the flag as it is saved. */
export function Head({ flag, canEdit, isBusy, onToggle }: HeadProps): ReactNode {
  useTitle(flag.name);
  const shape = flag as unknown as SavedFlag;
  const overrides = flag.overrides.nodes;
  const isWhole = overrides.length === flag.overrides.totalCount;
  const on = overrides.filter(({ enabled }) => enabled).length;
  const counted = isWhole ? { overrides: { on, off: overrides.length - on } } : {};
  return (
    <>
      <nav className={css.crumbs} aria-label="Path">
        <Link href="/">Flags</Link>
        <span aria-hidden="true">/</span>
        <span className={css.mono}>{flag.key}</span>
        <Link className={css.why} href={whyPath('', flag.key)}>
          <Icon name="why" />
          Why
        </Link>
      </nav>
      <div className={css.title}>
        {canEdit ? (
          <Switch isBig isOn={flag.enabled} isBusy={isBusy} label={flag.name} onChange={onToggle} />
        ) : (
          <span className={css.word}>{flag.enabled ? 'On' : 'Off'}</span>
        )}
        <h1 dir="auto">{flag.name}</h1>
      </div>
      <p className={css.sentence}>
        <SentenceText parts={sentence(shape, counted)} />
      </p>
    </>
  );
}

/** The sections of the page. */
export function Tabs({ flag }: { readonly flag: FlagData }): ReactNode {
  const [current, setCurrent] = useState('rules');
  const tabs = [
    ['rules', 'Who gets this', null],
    ...(flag.type !== 'BOOLEAN' ? [['variants', 'Variants', flag.variants.length]] : []),
    ['overrides', 'Overrides', flag.overrides.totalCount],
    ['details', 'Details', null],
    ['history', 'History', null],
  ] as readonly (readonly [string, string, number | null])[];
  return (
    <nav className={css.tabs} aria-label="Sections">
      {tabs.map(([id, label, number]) => (
        <a
          key={id}
          href={`#${id}`}
          aria-current={id === current}
          onClick={event => {
            event.preventDefault();
            setCurrent(id);
            document.getElementById(id)?.scrollIntoView();
          }}
        >
          {label} {number === null ? null : <span className={css.num}>{count(number)}</span>}
        </a>
      ))}
    </nav>
  );
}
