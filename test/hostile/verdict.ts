import type { GraphQLAnswer } from '../support/clients.js';
import type { Outcome } from './attack.js';

/** Characters that an answer may need to say what is wrong. */
const longestRefusal = 8_000;

/** What an answer over HTTP amounts to. */
export function verdictOf(status: number, body: string): Outcome {
  if (status >= 500) return `wrong: status ${status} ${excerpt(body)}`;
  const answer = parsed(body);
  if (answer?.data === undefined && answer?.errors === undefined) {
    return status < 400 ? `answered ${status}` : `refused with status ${status}`;
  }
  return verdictOfResult(answer, body.length);
}

/**
 * What a result amounts to.
 * @param length of its text, in characters.
 */
export function verdictOfResult({ data, errors }: GraphQLAnswer, length: number): Outcome {
  if (errors === undefined) return 'answered';
  const codes = [...new Set(errors.map(({ extensions }) => extensions?.code ?? 'no code'))];
  if (codes.some(code => code === 'INTERNAL_SERVER_ERROR' || code === 'no code')) {
    return `wrong: ${codes} ${excerpt(JSON.stringify(errors))}`;
  }
  if (length > longestRefusal && data == null) return `wrong: refused in ${length} characters, ${codes}`;
  if (errors.some(error => 'originalError' in error || 'originalError' in (error.extensions ?? {}))) {
    return `wrong: an original error is shown, ${codes}`;
  }
  if (data != null) return `partly answered: ${codes}`;
  return errors.length === 1 ? `refused once: ${codes}` : `refused ${errors.length} times: ${codes}`;
}

function parsed(body: string): GraphQLAnswer | null {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' ? (value as GraphQLAnswer | null) : null;
  } catch {
    return null;
  }
}

export const excerpt = (text: string) => (text.length > 200 ? `${text.slice(0, 200)}...` : text);
