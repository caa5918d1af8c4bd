/** Schemes that look like the one of an origin, and the one that pages of that server have. */
const schemesOfPages: Readonly<Record<string, string>> = { 'ws:': 'http:', 'wss:': 'https:' };
/** Pages of these have the origin "null", or none. */
const schemesWithoutOrigin = new Set(['about:', 'blob:', 'data:', 'file:', 'ftp:', 'javascript:']);

/**
 * What to write in place of a text in CORS_ORIGINS that no browser sends as `Origin`, as half a sentence; null where the
 * text is an origin. `https://*.example.com` counts as one, and so does that of an app such as `capacitor://localhost`.
 */
export function adviceOnOrigin(text: string): string | null {
  const given = JSON.stringify(text);
  if (text === '*') return 'the * allows every origin, and stands alone';
  if (text === 'null') return '"null" is the origin of files and of sandboxed pages of anybody, and only * allows it';
  const url = parse(text);
  if (url === null) return `${given} is no origin`;
  if (schemesWithoutOrigin.has(url.protocol)) return `pages of "${url.protocol}" have no origin that could be allowed`;
  const { hostname } = url;
  if (hostname.includes('*') && !isWildcard(hostname)) {
    return `${given} has a * in a place where it stands for nothing: only https://*.example.com has a meaning, for all subdomains`;
  }
  const origin = `${schemesOfPages[url.protocol] ?? url.protocol}//${url.host.toLowerCase()}`;
  return origin === text ? null : `in place of ${given} write ${origin}`;
}

function parse(text: string): URL | null {
  const scheme = text.startsWith('localhost') ? 'http' : 'https';
  const full = text.includes('://') ? text : `${scheme}://${text}`;
  const url = URL.canParse(full) ? new URL(full) : null;
  return url === null || url.hostname === '' || url.hostname.includes(',') ? null : url;
}

/** A `*` for the first name, before two others at least: `*.com` would let in half of the world. */
function isWildcard(hostname: string): boolean {
  return /^\*(\.[^.*]+){2,}$/.test(hostname) || hostname === '*.localhost';
}
