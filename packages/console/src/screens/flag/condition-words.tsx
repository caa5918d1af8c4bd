import type { ReactNode } from 'react';
import { Value } from '../../parts/value.js';
import { conditionRows, conditionsText } from '../../words/conditions.js';
import type { Json } from '../../words/shapes.js';

export interface ConditionWordsProps {
  readonly conditions: Json;
  /** Whether they stand inside a sentence. */
  readonly isInner?: boolean;
}

/** Conditions as words and values. Nested forms are one line with brackets, so that nothing is ambiguous. */
export function ConditionWords({ conditions, isInner = false }: ConditionWordsProps): ReactNode {
  const start = isInner ? (text: string) => text : capital;
  const rows = conditionRows(conditions);
  if (rows.length === 0) return <span>Everybody</span>;
  const joints = new Set(rows.slice(1).map(({ joint }) => joint));
  const isFlat = joints.size < 2 && rows.every(({ depth, isNegated }) => depth < 2 && !isNegated);
  if (!isFlat) return <span>{start(conditionsText(conditions))}</span>;
  return rows.map(({ path, joint, field, operator, values }, index) => (
    <span key={path.join('/')} style={{ display: 'contents' }}>
      <span>
        {joint === null ? '' : `${joint} `}
        {field === 'group'
          ? index === 0
            ? start('in group')
            : 'in group'
          : `${index === 0 ? start(field) : field} ${operator}`}
      </span>
      {values.slice(0, mostValues).map((value, at) => (
        <span key={value} style={{ display: 'contents' }}>
          {at > 0 && at === values.length - 1 ? <span>or</span> : null}
          <Value>{value}</Value>
        </span>
      ))}
      {values.length > mostValues ? <span>or {values.length - mostValues} others</span> : null}
    </span>
  ));
}

const mostValues = 8;

function capital(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}
