import type { ReactNode } from 'react';
import { type Test, takesList } from '../../draft/condition-edits.js';
import { operatorWords } from '../../words/conditions.js';
import css from './rules.module.css';

/** One value is `eq`, several are `in`. */
export function operatorFor(operator: string, values: number): string {
  if (operator === 'eq' || operator === 'in') return values === 1 ? 'eq' : 'in';
  if (operator === 'neq' || operator === 'not_in') return values === 1 ? 'neq' : 'not_in';
  return operator;
}

/** Those with one meaning stand once: the number of values chooses between them. */
const offered = Object.entries(operatorWords).filter(([operator]) => !['in', 'not_in', 'exists'].includes(operator));
const canonical: { readonly [operator: string]: string } = { in: 'eq', not_in: 'neq' };

/** Chooses an operator, and keeps the values that it can have. */
export function Operator({
  test,
  onChange,
}: {
  readonly test: Test;
  readonly onChange: (test: Test) => void;
}): ReactNode {
  const value =
    test.operator === 'exists' ? `exists ${test.values[0] !== false}` : (canonical[test.operator] ?? test.operator);
  const choose = (chosen: string) => {
    const [operator = 'eq', wanted] = chosen.split(' ');
    if (operator === 'exists') return onChange({ operator, values: [wanted === 'true'], ignoreCase: false });
    const values = test.operator === 'exists' ? [] : test.values;
    const kept = takesList(operator) || operator === 'eq' || operator === 'neq' ? values : values.slice(0, 1);
    onChange({ operator: operatorFor(operator, kept.length), values: kept, ignoreCase: test.ignoreCase });
  };
  return (
    <select aria-label="Operator" className={css.operator} value={value} onChange={event => choose(event.target.value)}>
      {offered.map(([operator, words]) => (
        <option key={operator} value={operator}>
          {words}
        </option>
      ))}
      <option value="exists true">has a value</option>
      <option value="exists false">has no value</option>
    </select>
  );
}
