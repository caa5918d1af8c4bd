import type { ReactNode } from 'react';
import type { WhyPageQuery } from '../../data/generated/graphql.js';
import { Icon } from '../../parts/icon.js';
import { count } from '../../words/numbers.js';
import { bucketPlace, bucketText, conditionPlace, outcomeNames, stepNames } from '../../words/why.js';
import css from './why.module.css';

type Explanation = NonNullable<WhyPageQuery['flag']>['explain'];
type Step = Explanation['steps'][number];

/** Each step of an evaluation. Exactly one has decided. */
export function Steps({
  explanation,
  ruleCount,
}: {
  readonly explanation: Explanation;
  readonly ruleCount: number;
}): ReactNode {
  return (
    <ol className={css.steps}>
      {explanation.steps.map(step => (
        <li key={step.name} data-outcome={step.outcome}>
          <span className={css.mark} aria-hidden="true">
            {step.outcome === 'DECIDED' ? <Icon name="check" /> : null}
          </span>
          <div>
            <h3>
              {stepNames[step.name] ?? step.name}
              <span className={css.outcome}>{outcomeText(step, ruleCount)}</span>
            </h3>
            <StepText step={step} />
          </div>
        </li>
      ))}
    </ol>
  );
}

function outcomeText({ name, outcome }: Step, ruleCount: number): string {
  const words = outcomeNames[outcome] ?? outcome.toLowerCase();
  return name === 'RULES' && outcome === 'PASSED' && ruleCount > 0
    ? `${words}, none of ${count(ruleCount)} decides`
    : words;
}

function StepText({ step }: { readonly step: Step }): ReactNode {
  const isAsked = step.outcome !== 'NOT_ASKED';
  const hasRows = isAsked && step.conditions.length > 0;
  const place = step.name === 'PERCENTAGE' && isAsked ? bucketPlace(step) : null;
  const text = (step.name === 'PERCENTAGE' && isAsked && step.bound !== 10_000 ? bucketText(step) : null) ?? step.text;
  return (
    <>
      {hasRows && step.outcome === 'PASSED' ? null : <p>{text}</p>}
      {hasRows ? <Conditions step={step} /> : null}
      {place !== null && step.bound !== 10_000 ? <Bucket step={step} pin={place.pin} covered={place.covered} /> : null}
    </>
  );
}

function Conditions({ step }: { readonly step: Step }): ReactNode {
  const isRules = step.name === 'RULES';
  return (
    <table className={css.conditions}>
      <thead>
        <tr>
          <th>{isRules ? 'Rule' : 'Field'}</th>
          <th>Expected</th>
          <th>User has</th>
          <th>Result</th>
        </tr>
      </thead>
      <tbody>
        {step.conditions.map(({ path, matched, expected, actual }) => {
          const { rule, field } = conditionPlace(path, isRules);
          return (
            <tr key={path.join('/')}>
              <td className={css.mono}>{rule ?? field}</td>
              <td>{rule === null || field === 'group' ? expected : `${field} ${expected ?? ''}`}</td>
              <td className={css.mono}>{actual ?? (field === 'group' ? 'no group' : 'nothing')}</td>
              <td>
                <span className={matched ? css.yes : css.no}>
                  <Icon name={matched ? 'check' : 'close'} />
                  {matched ? 'matches' : 'differs'}
                </span>
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function Bucket({
  step,
  pin,
  covered,
}: {
  readonly step: Step;
  readonly pin: number;
  readonly covered: number;
}): ReactNode {
  const [bucket, bound] = [step.bucket ?? 0, step.bound ?? 0];
  const label = `Bucket ${count(bucket)} of 10,000; the rollout covers ${bound === 0 ? 'nobody' : `0 to ${count(bound - 1)}`}`;
  const style = { '--pin': `${pin}%`, '--covered': `${covered}%` } as React.CSSProperties;
  return (
    <div className={css.bucket} role="img" aria-label={label} style={style}>
      <div className={css.bar}>
        <i />
        <span className={css.pin} />
        <span className={css.pinLabel} data-side={pin > 75 ? 'end' : pin < 25 ? 'start' : undefined}>
          this user, {count(bucket)}
        </span>
      </div>
      <div className={css.scale}>
        <span>0</span>
        {covered > 8 && covered < 90 ? <span>{count(bound)}</span> : null}
        <span>{count(10_000)}</span>
      </div>
    </div>
  );
}
