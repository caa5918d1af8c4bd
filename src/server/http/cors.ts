import type { IncomingMessage, ServerResponse } from 'node:http';
import { bounded } from '../../core/text.js';

/** Origins whose pages may read answers and open sockets; `*`: any. `https://*.example.com`: all below example.com. */
export type CorsOrigins = '*' | readonly string[];

/** The pages that may talk to the server. */
export interface OriginPolicy {
  /** Any page may. */
  readonly allowsAll: boolean;
  /** Whether a page of this origin may. Undefined: a program other than a browser, which always may. */
  allows(origin: string | undefined): boolean;
}

/** One name or more, without the dot at the end; browsers write hosts in lower case, and in ASCII. */
const subdomains = bounded(/^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/, 253);

export function createOriginPolicy(allowed: CorsOrigins): OriginPolicy {
  if (allowed === '*') return { allowsAll: true, allows: () => true };
  const exact = new Set(allowed);
  const wildcards = allowed.flatMap(origin => {
    const [before, after] = origin.split('*');
    return before === undefined || after === undefined ? [] : [{ before, after }];
  });
  const isSubdomain = (origin: string) =>
    wildcards.some(
      ({ before, after }) =>
        origin.startsWith(before) &&
        origin.endsWith(after) &&
        subdomains.test(origin.slice(before.length, -after.length)),
    );
  return {
    allowsAll: false,
    allows: origin => origin === undefined || exact.has(origin) || isSubdomain(origin),
  };
}

/**
 * Tells browsers which pages may read the answer. Credentials are never allowed: a token travels in a header that a page
 * must set itself, so that no page can ride on another's.
 * @returns true when the request was a preflight and has been answered.
 */
export function handleCors(request: IncomingMessage, response: ServerResponse, policy: OriginPolicy): boolean {
  const { origin } = request.headers;
  if (policy.allowsAll) {
    response.setHeader('access-control-allow-origin', '*');
  } else {
    response.setHeader('vary', 'Origin');
    if (origin !== undefined && policy.allows(origin)) response.setHeader('access-control-allow-origin', origin);
  }
  response.setHeader('access-control-expose-headers', 'ETag, Retry-After, X-Request-Id');
  if (request.method !== 'OPTIONS') return false;
  const asked = request.headers['access-control-request-headers'];
  response.setHeader('access-control-allow-methods', 'GET, POST');
  response.setHeader('access-control-allow-headers', asked ?? 'authorization, content-type, x-halyard-device');
  response.setHeader('access-control-max-age', '7200');
  response.writeHead(204, { allow: 'GET, POST, OPTIONS' }).end();
  return true;
}
