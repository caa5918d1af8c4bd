import { type ReactNode, useId } from 'react';
import { weightFault } from '../../draft/validate.js';
import { Button } from '../../parts/button.js';
import type { RuleShape, VariantShape } from '../../words/shapes.js';
import { NumberField } from './rollout-field.js';
import css from './rules.module.css';
import { WeightBar } from './variants.js';

type Shares = RuleShape['serve'];

export interface ServeFieldProps {
  readonly shares: Shares;
  readonly variants: readonly VariantShape[];
  /** Why the shares cannot be as they are; undefined: nothing is known against them. */
  readonly fault: string | undefined;
  readonly onChange: (shares: Shares) => void;
}

const several = 'several';

/** What a rule serves: what the weights of the flag say, one variant, or several by weights of its own. */
export function ServeSelect({ shares, variants, onChange }: Omit<ServeFieldProps, 'fault'>): ReactNode {
  const [only] = shares;
  const served = shares.length > 1 ? several : (only?.variant ?? '');
  const isKnown = served === '' || served === several || variants.some(({ key }) => `=${key}` === `=${served}`);
  const choose = (choice: string) => {
    if (choice === '') onChange([]);
    else if (choice === several) onChange(variants.map(({ key, weight }) => ({ variant: key, weight })));
    else onChange([{ variant: choice.slice(1), weight: 1 }]);
  };
  return (
    <label>
      <span>serves</span>
      <select
        className={css.input}
        value={served === '' || served === several ? served : `=${served}`}
        onChange={event => choose(event.target.value)}
      >
        <option value="">by the weights below</option>
        {variants.map(({ key }) => (
          <option key={key} value={`=${key}`}>
            {key}
          </option>
        ))}
        {isKnown ? null : <option value={`=${served}`}>{served}</option>}
        {variants.length > 1 || served === several ? <option value={several}>several, by weight</option> : null}
      </select>
    </label>
  );
}

/** The weights of a rule that serves several variants. Their order stays, because it decides which users get which. */
export function ServeWeights({ shares, variants, fault, onChange }: ServeFieldProps): ReactNode {
  const faultId = useId();
  const others = variants.filter(({ key }) => !shares.some(({ variant }) => variant === key));
  const all = [...shares, ...others.map(({ key }) => ({ variant: key, weight: 0 }))];
  return (
    <div className={css.serve}>
      <WeightBar variants={all.map(({ variant, weight }) => ({ key: variant, weight }))} />
      <ul>
        {all.map(({ variant, weight }) => (
          <li key={variant}>
            <span>{variant}</span>
            {variants.some(({ key }) => key === variant) ? null : (
              <Button kind="link" onClick={() => onChange(shares.filter(share => share.variant !== variant))}>
                Remove<span className={css.hidden}> {variant}</span>
              </Button>
            )}
            <NumberField
              label={`Weight of ${variant} in this rule`}
              value={weight}
              isBad={weightFault(weight) !== null}
              faultId={faultId}
              onChange={to => onChange(all.map(share => (share.variant === variant ? { variant, weight: to } : share)))}
            />
          </li>
        ))}
      </ul>
      <p className={css.fault} id={faultId} role="alert">
        {fault}
      </p>
    </div>
  );
}
