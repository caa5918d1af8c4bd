import type { FeatureDisabledError } from '../core/errors.js';

/** What a closed gate answers over HTTP. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

export function httpAnswer({ status, redirectUrl, message }: FeatureDisabledError): HttpAnswer {
  // The feature may be on a moment later: nobody should remember this answer.
  const headers = { 'cache-control': 'no-store' };
  if (redirectUrl !== null) return { status, headers: { ...headers, location: asciiUrl(redirectUrl) }, body: null };
  return { status, headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify({ message }) };
}

/** A header carries ASCII. What is escaped already stays as it is. */
function asciiUrl(url: string): string {
  const escaped = (character: string) =>
    character > ' ' && character < '\x7f' ? character : encodeURIComponent(character);
  return Array.from(url.toWellFormed(), escaped).join('');
}
