import { type FormEvent, type ReactNode, useState } from 'react';
import { Button } from '../../parts/button.js';
import { DecisionFields, decisionOf, firstDecision } from '../../parts/decision-fields.js';
import { Ending } from '../../parts/ending.js';
import { RemoveOverride, SetOverride } from '../../parts/flag-mutations.js';
import { Outcome } from '../../parts/outcome.js';
import { useCommit } from '../../parts/use-commit.js';
import { useNow } from '../../parts/use-now.js';
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
  const [picked, setPicked] = useState(firstDecision);

  const onSet = (event: FormEvent) => {
    event.preventDefault();
    if (commit.isBusy) return;
    const decision = decisionOf(picked);
    const label = `Turned ${decision.enabled ? 'on' : 'off'} for ${userId}.`;
    void commit.send(label, SetOverride, { userId, flagKey, ...decision });
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
      <form onSubmit={onSet}>
        <div className={css.override}>
          <DecisionFields picked={picked} variants={variants} className={css.input} onPick={setPicked} />
        </div>
        <p className={css.fault} role="alert">
          {commit.refusal}
        </p>
        <div className={css.actions}>
          <Button type="submit" busy={commit.isBusy}>
            {picked.answer === 'off' ? 'Turn off for this user' : 'Turn on for this user'}
          </Button>
        </div>
      </form>
      <Outcome commit={commit} />
    </section>
  );
}
