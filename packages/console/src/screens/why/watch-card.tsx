import { type ReactNode, useState } from 'react';
import { useSubscription } from 'urql';
import type { WatchUserSubscription } from '../../data/generated/graphql.js';
import { Switch } from '../../parts/switch.js';
import { Value } from '../../parts/value.js';
import { clock, exact } from '../../words/times.js';
import { WatchUser } from './documents.js';
import type { Question } from './question.js';
import css from './why.module.css';

/** Lines that are kept. */
const mostLines = 12;

interface Line {
  readonly id: string;
  readonly at: number;
  readonly key: string;
  readonly enabled: boolean;
  readonly variant: string | null;
  readonly isGone: boolean;
}

export interface WatchCardProps {
  readonly question: Question;
  readonly flagKey: string;
  /** The answer for the flag that is explained has changed. */
  readonly onFlagChanged: () => void;
}

/** This user's answers, as clients of this user receive them. */
export function WatchCard({ question, flagKey, onFlagChanged }: WatchCardProps): ReactNode {
  const [isOn, setOn] = useState(false);
  const context = {
    userId: question.userId,
    ...(question.attributes === null ? {} : { attributes: question.attributes }),
  };
  const follow = (lines: readonly Line[] = [], { evaluations }: WatchUserSubscription): readonly Line[] => {
    if (evaluations.snapshot) return lines;
    const fresh = linesOf(evaluations, Date.now());
    if (fresh.some(({ key }) => key === flagKey)) queueMicrotask(onFlagChanged);
    return [...fresh, ...lines].slice(0, mostLines);
  };
  const [{ data: lines = [], error }] = useSubscription(
    { query: WatchUser, variables: { context }, pause: !isOn },
    follow,
  );
  return (
    <section className={css.card} aria-labelledby="h-watch">
      <div className={css.cardHead}>
        <h2 id="h-watch">Watch live</h2>
        <span className={css.end}>
          <Switch label="Watch this user’s answers live" isOn={isOn} onChange={() => setOn(!isOn)} />
        </span>
      </div>
      <p className={css.tried}>
        {isOn && lines.length === 0
          ? 'Nothing has changed yet. Changes appear here.'
          : 'Answers as this user’s clients receive them.'}
      </p>
      {error === undefined ? null : <p className={css.fault}>{error.message}</p>}
      <ul className={css.feed}>
        {lines.map(({ id, at, key, enabled, variant, isGone }) => (
          <li key={id}>
            <time dateTime={new Date(at).toISOString()} title={exact(at)}>
              {clock(at, undefined, true)}
            </time>
            <span className={css.mono}>{key}</span>
            {isGone ? (
              <span className={css.tried}>deleted</span>
            ) : enabled && variant !== null && variant !== 'on' ? (
              <Value>{variant}</Value>
            ) : (
              <span className={enabled ? css.on : css.off}>{enabled ? 'On' : 'Off'}</span>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

function linesOf({ revision, features, removed }: WatchUserSubscription['evaluations'], at: number): readonly Line[] {
  const line = (key: string, rest: Omit<Line, 'id' | 'at' | 'key'>): Line => ({
    id: `${revision} ${key}`,
    at,
    key,
    ...rest,
  });
  return [
    ...features.map(({ key, enabled, variant }) => line(key, { enabled, variant: variant ?? null, isGone: false })),
    ...removed.map(key => line(key, { enabled: false, variant: null, isGone: true })),
  ];
}
