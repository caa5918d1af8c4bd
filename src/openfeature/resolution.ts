import { ErrorCode, type FlagMetadata, type JsonValue, type ResolutionDetails } from '@openfeature/server-sdk';
import type { Evaluation, EvaluationReason } from '../core/evaluate.js';
import type { ValueType } from '../core/flag.js';

/** An answer, and the revision that it is computed from where that is known. */
export interface Answered extends Pick<Evaluation, 'value' | 'variant' | 'reason' | 'type' | 'rule'> {
  readonly revision: number | null;
}

/** OpenFeature's word for the step that decided. The reason itself is in the metadata. */
const reasons: { readonly [reason in Exclude<EvaluationReason, 'FLAG_NOT_FOUND'>]: string } = {
  ENABLED: 'STATIC',
  ROLLOUT: 'SPLIT',
  OUTSIDE_ROLLOUT: 'SPLIT',
  SPLIT: 'SPLIT',
  OVERRIDE: 'TARGETING_MATCH',
  CONDITIONS_MET: 'TARGETING_MATCH',
  RULE: 'TARGETING_MATCH',
  CONDITIONS_NOT_MET: 'DEFAULT',
  USER_REQUIRED: 'DEFAULT',
  DISABLED: 'DISABLED',
};

/** The answer in OpenFeature's words; the caller's default, with an error code, if there is no value of the type that was asked for. */
export function resolutionOf<Value extends JsonValue>(
  key: string,
  { value, variant, reason, type, rule, revision }: Answered,
  asked: ValueType,
  fallback: Value,
): ResolutionDetails<Value> {
  const flagMetadata: FlagMetadata = {
    halyardReason: reason,
    ...(rule === null ? {} : { rule }),
    ...(revision === null ? {} : { revision }),
  };
  if (reason === 'FLAG_NOT_FOUND') {
    const message = `There is no flag with the key "${key}".`;
    return { ...failure(ErrorCode.FLAG_NOT_FOUND, message, fallback), flagMetadata };
  }
  if (value === null) {
    const message = `The stored variants of the flag "${key}" are not valid. Its page in the API names the faults.`;
    return { ...failure(ErrorCode.PARSE_ERROR, message, fallback), flagMetadata };
  }
  if (type !== asked) {
    const message = `The flag "${key}" has values of the type ${type}, but the program asks for ${asked}.`;
    return { ...failure(ErrorCode.TYPE_MISMATCH, message, fallback), flagMetadata };
  }
  return {
    value: value as Value,
    ...(variant === null ? {} : { variant }),
    reason: reasons[reason] ?? 'UNKNOWN',
    flagMetadata,
  };
}

/** The caller's default, and why it is the answer. */
export function failure<Value>(errorCode: ErrorCode, errorMessage: string, value: Value): ResolutionDetails<Value> {
  return { value, reason: 'ERROR', errorCode, errorMessage };
}
