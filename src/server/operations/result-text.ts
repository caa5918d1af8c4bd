import type { ExecutionResult } from 'graphql';
import { formatErrors } from './mask-error.js';

const texts = new WeakMap<ExecutionResult, string>();

/** A result of a subscription as it goes over the wire. One that thousands get is written once. */
export function resultText(result: ExecutionResult): string {
  let text = texts.get(result);
  if (text === undefined) {
    const { errors, ...rest } = result;
    text = JSON.stringify(errors === undefined ? rest : { ...rest, errors: formatErrors(errors) });
    texts.set(result, text);
  }
  return text;
}
