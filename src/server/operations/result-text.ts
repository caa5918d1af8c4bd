import type { ExecutionResult } from 'graphql';
import { keptText } from '../../core/json.js';
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

/** An answer without errors as it goes over the wire: what `JSON.stringify` writes, without writing parts again whose text is kept. */
export function answerText(data: ExecutionResult['data']): string {
  return `{"data":${textOf(data)}}`;
}

function textOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const kept = keptText(value);
  if (kept !== undefined) return kept;
  // The objects that graphql makes have no prototype. Their names are names of GraphQL, in which nothing need be escaped.
  if (Object.getPrototypeOf(value) !== null) return JSON.stringify(value);
  let members = '';
  for (const name in value) {
    members += `${members === '' ? '' : ','}"${name}":${textOf((value as Record<string, unknown>)[name])}`;
  }
  return `{${members}}`;
}
