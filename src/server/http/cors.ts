import type { IncomingMessage, ServerResponse } from 'node:http';

/** Origins whose pages may read answers and open sockets; `*`: any. */
export type CorsOrigins = '*' | readonly string[];

/** Whether a page of this origin may talk to the server. Programs other than browsers send no origin. */
export function isOriginAllowed(origin: string | undefined, allowed: CorsOrigins): boolean {
  return allowed === '*' || origin === undefined || allowed.includes(origin);
}

/**
 * Tells browsers which pages may read the answer. Credentials are never allowed: a token travels in a header that a page
 * must set itself, so that no page can ride on another's.
 * @returns true when the request was a preflight and has been answered.
 */
export function handleCors(request: IncomingMessage, response: ServerResponse, allowed: CorsOrigins): boolean {
  const { origin } = request.headers;
  if (allowed === '*') {
    response.setHeader('access-control-allow-origin', '*');
  } else {
    response.setHeader('vary', 'Origin');
    if (origin !== undefined && allowed.includes(origin)) response.setHeader('access-control-allow-origin', origin);
  }
  response.setHeader('access-control-expose-headers', 'X-Request-Id');
  if (request.method !== 'OPTIONS') return false;
  const asked = request.headers['access-control-request-headers'];
  response.setHeader('access-control-allow-methods', 'GET, POST');
  response.setHeader('access-control-allow-headers', asked ?? 'authorization, content-type');
  response.setHeader('access-control-max-age', '7200');
  response.writeHead(204, { allow: 'GET, POST, OPTIONS' }).end();
  return true;
}
