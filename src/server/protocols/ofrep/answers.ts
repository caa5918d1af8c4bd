import { createHash } from 'node:crypto';
import type { Evaluation, EvaluationReason } from '../../../core/evaluate.js';
import type { Evaluator } from '../../../features/evaluator.js';

/** The reasons of OFREP for those of Halyard. */
const reasons: Readonly<Record<Exclude<EvaluationReason, 'FLAG_NOT_FOUND'>, string>> = {
  OVERRIDE: 'TARGETING_MATCH',
  // To providers DISABLED means that the default in the code is the answer. Then a kill switch would not kill.
  DISABLED: 'STATIC',
  RULE: 'TARGETING_MATCH',
  USER_REQUIRED: 'UNKNOWN',
  OUTSIDE_ROLLOUT: 'SPLIT',
  CONDITIONS_NOT_MET: 'UNKNOWN',
  CONDITIONS_MET: 'TARGETING_MATCH',
  ROLLOUT: 'SPLIT',
  ENABLED: 'STATIC',
  SPLIT: 'SPLIT',
};

/** Answers are shared by all callers who have the same, so each is written once. */
const written = new WeakMap<Evaluation, string>();

/**
 * An answer as OFREP writes it. Null: no flag has this key.
 * @param from the evaluator that gave the answer.
 */
export function writeAnswer(evaluation: Evaluation, from: Pick<Evaluator, 'hasFractions'>): string | null {
  let text = written.get(evaluation);
  if (text === undefined) {
    if (evaluation.reason === 'FLAG_NOT_FOUND') return null;
    text = write(evaluation, evaluation.reason, from);
    written.set(evaluation, text);
  }
  return text;
}

/** The same answer for a caller whose context does not count. */
export function withIgnoredContext(answer: string): string {
  return `${answer.slice(0, -'}}'.length)},"contextIgnored":true}}`;
}

/** Whether a written answer says that the flag cannot be evaluated. */
export const isFailure = ({ variant }: Evaluation): boolean => variant === null;

function write(
  evaluation: Evaluation,
  reason: Exclude<EvaluationReason, 'FLAG_NOT_FOUND'>,
  from: Pick<Evaluator, 'hasFractions'>,
): string {
  const { key, variant, value } = evaluation;
  const metadata = `"metadata":{"halyardReason":"${reason}"}`;
  if (isFailure(evaluation)) {
    const errorDetails =
      'The stored variants or rules of this flag are not valid. An admin finds the faults in the log.';
    return `{"key":${JSON.stringify(key)},"errorCode":"PARSE_ERROR","errorDetails":"${errorDetails}",${metadata}}`;
  }
  const isWhole = typeof value === 'number' && Number.isInteger(value);
  const json = isWhole && from.hasFractions(key) ? asFraction(value) : JSON.stringify(value);
  return `{"key":${JSON.stringify(key)},"value":${json},"variant":${JSON.stringify(variant)},"reason":"${reasons[reason]}",${metadata}}`;
}

/** Languages that tell integers from fractions read `1` as an integer, and refuse it where a fraction is expected. */
function asFraction(value: number): string {
  const text = JSON.stringify(value);
  return text.includes('e') ? text : `${text}.0`;
}

const digests = new WeakMap<Evaluation, bigint>();

/**
 * A digest of an answer, of 128 bits: two that OFREP shows alike have the same. How a number is written does not count. The exclusive
 * or of the digests of different flags names all their answers.
 */
export function digestOf(evaluation: Evaluation): bigint {
  let digest = digests.get(evaluation);
  if (digest === undefined) {
    const { key, reason, variant, value } = evaluation;
    const shown = JSON.stringify([key, ...(reason === 'FLAG_NOT_FOUND' ? [] : [reason, variant, value])]);
    const bytes = createHash('sha256').update(shown).digest();
    digest = (bytes.readBigUInt64BE(0) << 64n) | bytes.readBigUInt64BE(8);
    digests.set(evaluation, digest);
  }
  return digest;
}
