import type { FeatureDisabledError } from '../core/errors.js';

/** The HTTP answer of a closed gate. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

export function httpAnswer({ status, redirectUrl, message }: FeatureDisabledError): HttpAnswer {
  // The feature may be on a moment later: no cache should store this answer.
  const headers = { 'cache-control': 'no-store' };
  if (redirectUrl !== null) return { status, headers: { ...headers, location: asciiUrl(redirectUrl) }, body: null };
  return { status, headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify({ message }) };
}

/** Headers hold only ASCII. Characters that are escaped already stay as they are. */
function asciiUrl(url: string): string {
  const escaped = (character: string) =>
    character > ' ' && character < '\x7f' ? character : encodeURIComponent(character);
  return Array.from(url.toWellFormed(), escaped).join('');
}
