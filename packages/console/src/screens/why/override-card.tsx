import { type ReactNode, useState } from 'react';
import { useMutation } from 'urql';
import { graphql } from '../../data/generated/index.js';
import { Button } from '../../parts/button.js';
import { Receipt } from '../../parts/receipt.js';
import { errorText } from '../../words/errors.js';
import { ending } from '../../words/times.js';
import css from './why.module.css';

const SetWhyOverride = graphql(`
  mutation SetWhyOverride($input: SetOverrideInput!) {
    result: setOverride(input: $input) {
      __typename
      ... on SetOverridePayload {
        revision
        batch
      }
      ... on ValidationError {
        code
        message
        issues {
          path
          message
        }
      }
      ... on FlagNotFoundError {
        code
        message
      }
    }
  }
`);

const RemoveWhyOverride = graphql(`
  mutation RemoveWhyOverride($input: RemoveOverrideInput!) {
    result: removeOverride(input: $input) {
      __typename
      ... on RemoveOverridePayload {
        revision
        batch
      }
      ... on ValidationError {
        code
        message
        issues {
          path
          message
        }
      }
    }
  }
`);

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
  const [{ fetching: isSetting }, set] = useMutation(SetWhyOverride);
  const [{ fetching: isRemoving }, remove] = useMutation(RemoveWhyOverride);
  const [answer, setAnswer] = useState('on');
  const [ends, setEnds] = useState('');
  const [done, setDone] = useState<{ label: string; revision: number } | null>(null);
  const [fault, setFault] = useState<string | null>(null);

  const take = (label: string, result: object | undefined, message: string | undefined) => {
    if (result !== undefined && 'revision' in result) {
      setFault(null);
      setDone({ label, revision: result.revision as number });
      onChanged();
    } else
      setFault(
        result === undefined ? (message ?? 'The server did not answer. Try again.') : errorText(result as never),
      );
  };
  const onSet = async () => {
    const enabled = answer !== 'off';
    const variant = answer.startsWith('variant ') ? answer.slice('variant '.length) : null;
    const expiresAt = ends === '' ? null : new Date(ends).toISOString();
    const { data, error } = await set({ input: { userId, flagKey, enabled, variant, expiresAt } });
    take(`Turned ${enabled ? 'on' : 'off'} for ${userId}.`, data?.result, error?.graphQLErrors[0]?.message);
  };
  const onRemove = async () => {
    const { data, error } = await remove({ input: { userId, flagKey } });
    take('Removed the override.', data?.result, error?.graphQLErrors[0]?.message);
  };
  return (
    <section className={css.card} aria-labelledby="h-override">
      <div className={css.cardHead}>
        <h2 id="h-override">Override</h2>
      </div>
      {override === null ? null : (
        <p className={css.tried}>
          {`${override.enabled ? 'On' : 'Off'}${override.variant ? `, ${override.variant}` : ''}, ${ending(override.expiresAt, Date.now())}. `}
          <Button kind="link" disabled={isRemoving} onClick={onRemove}>
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
            value={ends}
            onChange={event => setEnds(event.target.value)}
          />
        </label>
      </div>
      <p className={css.fault} role="alert">
        {fault}
      </p>
      <div className={css.actions}>
        <Button disabled={isSetting} onClick={onSet}>
          {answer === 'off' ? 'Turn off for this user' : 'Turn on for this user'}
        </Button>
      </div>
      {done === null ? null : (
        <Receipt
          key={done.revision}
          label={done.label}
          revision={done.revision}
          onUndo={null}
          onDismiss={() => setDone(null)}
        />
      )}
    </section>
  );
}
