import { type FormEvent, type ReactNode, useState } from 'react';
import { Button } from '../../parts/button.js';
import { Ending } from '../../parts/ending.js';
import { RemoveOverride, SetOverride } from '../../parts/flag-mutations.js';
import { Outcome } from '../../parts/outcome.js';
import { useCommit } from '../../parts/use-commit.js';
import { useNow } from '../../parts/use-now.js';
import { instantOf, latestMinute } from '../../words/times.js';
import css from './why.module.css';

export interface OverrideCardProps {
  readonly userId: string;
  readonly flagKey: string;
  readonly variants: readonly string[];
  readonly override: {
    readonly enabled: boolean;
    readonly variant?: string | null;
    readonly expiresAt?: string | null;
  } | null;
  readonly onChanged: () => void;
}

/** Sets or removes this user's own answer. */
export function OverrideCard({ userId, flagKey, variants, override, onChanged }: OverrideCardProps): ReactNode {
  const commit = useCommit({ onDone: onChanged });
  const now = useNow();
  const [answer, setAnswer] = useState('on');
  const [ends, setEnds] = useState('');

  const onSet = (event: FormEvent) => {
    event.preventDefault();
    if (commit.isBusy) return;
    const enabled = answer !== 'off';
    const variant = answer.startsWith('variant ') ? answer.slice('variant '.length) : null;
    const expiresAt = instantOf(ends);
    const input = { userId, flagKey, enabled, variant, expiresAt };
    void commit.send(`Turned ${enabled ? 'on' : 'off'} for ${userId}.`, SetOverride, input);
  };
  const onRemove = () => commit.send('Removed the override.', RemoveOverride, { userId, flagKey });
  return (
    <section className={css.card} aria-labelledby="h-override">
      <div className={css.cardHead}>
        <h2 id="h-override">Override</h2>
      </div>
      {override === null ? null : (
        <p className={css.tried}>
          {`${override.enabled ? 'On' : 'Off'}${override.variant ? `, ${override.variant}` : ''}, `}
          <Ending at={override.expiresAt} now={now} />
          {'. '}
          <Button kind="link" busy={commit.isBusy} onClick={onRemove}>
            Remove
          </Button>
        </p>
      )}
      {/* A form, so that the browser refuses a time that is written by half: it would be no time, and the override would never end. */}
      <form onSubmit={onSet}>
        <div className={css.override}>
          <label>
            <span>Answer</span>
            <select className={css.input} value={answer} onChange={event => setAnswer(event.target.value)}>
              <option value="on">On</option>
              {variants.map(key => (
                <option key={key} value={`variant ${key}`}>
                  On, {key}
                </option>
              ))}
              <option value="off">Off</option>
            </select>
          </label>
          <label>
            <span>Ends</span>
            <input
              className={css.input}
              type="datetime-local"
              max={latestMinute}
              value={ends}
              onChange={event => setEnds(event.target.value)}
            />
          </label>
        </div>
        <p className={css.fault} role="alert">
          {commit.refusal}
        </p>
        <div className={css.actions}>
          <Button type="submit" busy={commit.isBusy}>
            {answer === 'off' ? 'Turn off for this user' : 'Turn on for this user'}
          </Button>
        </div>
      </form>
      <Outcome commit={commit} />
    </section>
  );
}
