import { type FormEvent, type ReactNode, useLayoutEffect, useRef, useState } from 'react';
import type { OverrideFieldsFragment } from '../../data/generated/graphql.js';
import { type Issue, issuesAt } from '../../draft/validate.js';
import { Button } from '../../parts/button.js';
import { DecisionFields, decisionOf, firstDecision } from '../../parts/decision-fields.js';
import { Ending } from '../../parts/ending.js';
import { onEscape } from '../../parts/keys.js';
import { Value } from '../../parts/value.js';
import { count, plural } from '../../words/numbers.js';
import type { VariantShape } from '../../words/shapes.js';
import css from './overrides.module.css';
import { State } from './state.js';

export interface OverrideInput {
  readonly userId: string;
  readonly enabled: boolean;
  readonly variant: string | null;
  readonly reason: string | null;
  readonly expiresAt: string | null;
}

export interface OverridesProps {
  readonly overrides: readonly OverrideFieldsFragment[];
  readonly total: number;
  readonly variants: readonly VariantShape[];
  readonly canEdit: boolean;
  readonly isBusy: boolean;
  readonly issues: readonly Issue[];
  /** Why the last change of an override failed, if it is about no field. */
  readonly fault: string | null;
  readonly now: number;
  /** Resolves with whether it was set. */
  readonly onSet: (input: OverrideInput) => Promise<boolean>;
  readonly onRemove: (userId: string) => void;
}

/** Users whose answer does not follow from the rules. */
export function Overrides(props: OverridesProps): ReactNode {
  const { overrides, total, canEdit, fault, now, onRemove } = props;
  const [isAdding, setAdding] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const close = () => {
    setAdding(false);
    button.current?.focus();
  };
  return (
    <section className={css.sec} id="overrides" aria-labelledby="h-overrides">
      <div className={css.head}>
        <h2 id="h-overrides">Overrides</h2>
        {canEdit ? (
          <span className={css.end}>
            <Button ref={button} small icon="plus" pressed={isAdding} onClick={() => setAdding(!isAdding)}>
              Override
            </Button>
          </span>
        ) : null}
      </div>
      {isAdding ? <OverrideForm {...props} onDone={close} /> : null}
      <p className={css.fault} role="alert">
        {fault}
      </p>
      {overrides.length === 0 ? (
        <p className={css.none}>No override. An override sets the answer for one user, whatever the rules say.</p>
      ) : (
        <ul className={css.list}>
          {overrides.map(({ id, user, enabled, variant, reason, expiresAt }) => (
            <li key={id}>
              <span className={css.user} title={reason ?? undefined}>
                <span className={css.mono}>{user.userId}</span>
                {reason === null || reason === undefined || reason === '' ? null : (
                  <span className={css.reason}>{reason}</span>
                )}
              </span>
              <span className={css.then}>
                <State isOn={enabled} />
                {variant === null || variant === undefined ? null : <Value>{variant}</Value>}
              </span>
              <Ending className={css.end} at={expiresAt} now={now} />
              {canEdit ? (
                <Button
                  kind="plain"
                  small
                  icon="close"
                  label={`Remove the override of ${user.userId}`}
                  onClick={() => onRemove(user.userId)}
                />
              ) : null}
            </li>
          ))}
        </ul>
      )}
      {total > overrides.length ? (
        <p className={css.none}>{`The first ${count(overrides.length)} of ${plural(total, 'override')}.`}</p>
      ) : null}
    </section>
  );
}

function OverrideForm({ variants, isBusy, issues, onSet, onDone }: OverridesProps & { onDone: () => void }): ReactNode {
  const [userId, setUserId] = useState('');
  const [picked, setPicked] = useState(firstDecision);
  const [reason, setReason] = useState('');
  const first = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => first.current?.focus(), []);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (isBusy) return;
    const wasSet = await onSet({
      userId: userId.trim(),
      reason: reason.trim() === '' ? null : reason.trim(),
      ...decisionOf(picked),
    });
    if (wasSet) onDone();
  };
  return (
    <form className={css.form} onSubmit={submit} onKeyDown={event => onEscape(event, onDone)}>
      <label>
        <span>User id</span>
        <input
          ref={first}
          className={css.input}
          required
          value={userId}
          onChange={event => setUserId(event.target.value)}
          autoComplete="off"
        />
      </label>
      <DecisionFields
        picked={picked}
        variants={variants.map(({ key }) => key)}
        className={css.input}
        onPick={setPicked}
      />
      <label className={css.wide}>
        <span>Reason</span>
        <input className={css.input} value={reason} maxLength={500} onChange={event => setReason(event.target.value)} />
      </label>
      <span className={css.actions}>
        <Button kind="primary" type="submit" busy={isBusy} disabled={userId.trim() === ''}>
          Set override
        </Button>
        <Button onClick={onDone}>Cancel</Button>
      </span>
      <p className={css.fault} role="alert">
        {['userId', 'variant', 'expiresAt', 'reason'].flatMap(field => issuesAt(issues, [field]))[0]}
      </p>
    </form>
  );
}
