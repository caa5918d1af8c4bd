import type { TrustProxy } from '../../../config/schema.js';
import { bounded } from '../../../core/text.js';
import { createPeerReader } from '../../http/address.js';
import type { HttpRequest } from '../../http/request.js';

export interface PublicUrlOptions {
  /** The address under which clients reach the server, without a slash at its end. Null: it is read from each request. */
  readonly publicUrl: string | null;
  readonly trustProxy: TrustProxy;
  /** The path under which a proxy serves this; empty: none. */
  readonly prefix: string;
}

/** A host name or an address, with or without a port. */
const hostForm = bounded(/^([\w-]+(\.[\w-]+)*\.?|\[[\da-fA-F:.]+\])(:\d{1,5})?$/, 300);

/**
 * Makes what reads the address under which the client of a request reaches this server, without a slash at its end. Providers fail
 * over addresses without an origin, so there is always one. A request decides it for its own answer alone.
 */
export function createPublicUrl({ publicUrl, trustProxy, prefix }: PublicUrlOptions): (request: HttpRequest) => string {
  if (publicUrl !== null) return () => publicUrl;
  const peerOf = createPeerReader(trustProxy);
  return ({ headers, socket }) => {
    const isForwarded = trustProxy !== false && peerOf(socket) === null;
    const forwardedHost = isForwarded ? firstOf(headers['x-forwarded-host']) : '';
    const host = [forwardedHost, headers.host ?? ''].find(text => hostForm.test(text));
    const isSecure = isForwarded && firstOf(headers['x-forwarded-proto']).toLowerCase() === 'https';
    return `${isSecure ? 'https' : 'http'}://${host ?? localHost(socket)}${prefix}`;
  };
}

/** The entry that the proxy nearest to the client has written. */
const firstOf = (header: string | string[] | undefined): string =>
  String(header ?? '')
    .split(',', 1)[0]
    ?.trim() ?? '';

function localHost({ localAddress = '127.0.0.1', localPort }: HttpRequest['socket']): string {
  return `${localAddress.includes(':') ? `[${localAddress}]` : localAddress}:${localPort}`;
}
