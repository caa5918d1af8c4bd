import { type ReactNode, useState } from 'react';
import { Button } from '../../parts/button.js';
import { RemoveOverride, SetOverride } from '../../parts/flag-mutations.js';
import { Outcome } from '../../parts/outcome.js';
import { useCommit } from '../../parts/use-commit.js';
import { ending, instantOf, latestMinute } from '../../words/times.js';
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
  const [answer, setAnswer] = useState('on');
  const [ends, setEnds] = useState('');

  const onSet = () => {
    const enabled = answer !== 'off';
    const variant = answer.startsWith('variant ') ? answer.slice('variant '.length) : null;
    const expiresAt = instantOf(ends);
    const input = { userId, flagKey, enabled, variant, expiresAt };
    return commit.send(`Turned ${enabled ? 'on' : 'off'} for ${userId}.`, SetOverride, input);
  };
  const onRemove = () => commit.send('Removed the override.', RemoveOverride, { userId, flagKey });
  return (
    <section className={css.card} aria-labelledby="h-override">
      <div className={css.cardHead}>
        <h2 id="h-override">Override</h2>
      </div>
      {override === null ? null : (
        <p className={css.tried}>
          {`${override.enabled ? 'On' : 'Off'}${override.variant ? `, ${override.variant}` : ''}, ${ending(override.expiresAt, Date.now())}. `}
          <Button kind="link" disabled={commit.isBusy} onClick={onRemove}>
            Remove
          </Button>
        </p>
      )}
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
        <Button disabled={commit.isBusy} onClick={onSet}>
          {answer === 'off' ? 'Turn off for this user' : 'Turn on for this user'}
        </Button>
      </div>
      <Outcome commit={commit} />
    </section>
  );
}
