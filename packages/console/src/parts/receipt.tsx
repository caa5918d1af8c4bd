import { type ReactNode, useEffect, useRef, useState } from 'react';
import { useSubscription } from 'urql';
import { graphql } from '../data/generated/index.js';
import { count, duration, plural } from '../words/numbers.js';
import { Button } from './button.js';
import { Icon } from './icon.js';
import css from './receipt.module.css';

const Arrival = graphql(`
  subscription Arrival($revision: Int!) {
    propagation(revision: $revision) {
      affected
      handed
      behind
      nodes
      p99
      isDone
    }
  }
`);

/** Milliseconds that a receipt stays. */
const stay = 10_000;

export interface ReceiptProps {
  /** What was done, such as `Saved 2 changes.` */
  readonly label: string;
  readonly revision: number;
  /** Null: there is nothing to take back. */
  readonly onUndo: (() => void) | null;
  readonly onDismiss: () => void;
}

/** What was saved, and how far it has come. It stays while somebody points at it or is inside with the focus. */
export function Receipt({ label, revision, onUndo, onDismiss }: ReceiptProps): ReactNode {
  const [{ data }] = useSubscription({ query: Arrival, variables: { revision } });
  const [isHeld, hold] = useState(false);
  const arrival = data?.propagation;
  const dismiss = useRef(onDismiss);
  dismiss.current = onDismiss;
  useEffect(() => {
    if (isHeld) return;
    const timer = setTimeout(() => dismiss.current(), stay);
    return () => clearTimeout(timer);
  }, [isHeld]);
  return (
    <div
      className={css.receipt}
      role="status"
      onPointerEnter={() => hold(true)}
      onPointerLeave={() => hold(false)}
      onFocus={() => hold(true)}
      onBlur={() => hold(false)}
    >
      <span className={css.tick} data-done={arrival?.isDone || undefined}>
        <Icon name="check" />
      </span>
      <span className={css.text}>
        <b>{label}</b>
        <span>{arrival === undefined ? 'Handing it over…' : arrivalWords(arrival)}</span>
      </span>
      {onUndo === null ? null : <Button onClick={onUndo}>Undo</Button>}
      <Button kind="plain" icon="close" label="Dismiss" onClick={onDismiss} />
    </div>
  );
}

interface ArrivalShape {
  readonly affected: number;
  readonly handed: number;
  readonly behind: number;
  readonly nodes: number;
  readonly p99?: number | null;
  readonly isDone: boolean;
}

export function arrivalWords({ affected, handed, behind, nodes, p99, isDone }: ArrivalShape): string {
  if (affected === 0) return isDone ? 'No connected viewer is affected.' : 'Looking for affected viewers…';
  const of = `Handed to ${count(handed)} of ${plural(affected, 'viewer')}`;
  if (!isDone) return `${of}…`;
  const slowest = typeof p99 === 'number' ? `, p99 ${duration(p99)}` : '';
  const late = behind > 0 ? `. ${plural(behind, 'viewer is', 'viewers are')} catching up.` : '';
  return `${of} on ${plural(nodes, 'node')}${slowest}${late}`;
}
