import type { ReactNode } from 'react';
import { instantOf, latestMinute } from '../words/times.js';

/** What an override is to answer, and until when, as its fields have it. */
export interface PickedDecision {
  /** `on`, `off`, or `variant ` with the key of a variant, which is on. */
  readonly answer: string;
  /** A minute of the reader's zone; empty: it does not end. */
  readonly ends: string;
}

export const firstDecision: PickedDecision = { answer: 'on', ends: '' };

/** The same as the API takes it. */
export function decisionOf({ answer, ends }: PickedDecision) {
  return {
    enabled: answer !== 'off',
    variant: answer.startsWith('variant ') ? answer.slice('variant '.length) : null,
    expiresAt: instantOf(ends),
  };
}

export interface DecisionFieldsProps {
  readonly picked: PickedDecision;
  /** The keys of the flag's variants. */
  readonly variants: readonly string[];
  /** The class of both fields. */
  readonly className: string | undefined;
  readonly onPick: (picked: PickedDecision) => void;
}

/**
 * What an override answers, and when it ends. Belongs in a form, where the browser refuses a time that is written by half: that would be
 * no time, and the override would never end.
 */
export function DecisionFields({ picked, variants, className, onPick }: DecisionFieldsProps): ReactNode {
  return (
    <>
      <label>
        <span>Answer</span>
        <select
          className={className}
          value={picked.answer}
          onChange={event => onPick({ ...picked, answer: event.target.value })}
        >
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
          className={className}
          type="datetime-local"
          max={latestMinute}
          value={picked.ends}
          onChange={event => onPick({ ...picked, ends: event.target.value })}
        />
      </label>
    </>
  );
}
