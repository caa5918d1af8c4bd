import type { IncomingMessage } from 'node:http';
import { LRUCache } from 'lru-cache';
import type { TrustProxy } from '../../config/schema.js';
import { isInNetwork, type Network, parseAddress, parseNetwork } from '../../core/network.js';
import { bounded } from '../../core/text.js';

/** The parts of a request that its address is read from. */
export type AddressedRequest = Pick<IncomingMessage, 'headers'> & {
  readonly socket: { readonly remoteAddress?: string | undefined };
};

/** The address of requests without one, such as over a Unix socket. */
export const unknownAddress = 'unknown';

/**
 * Reads the address of a request's client. Each proxy appends the address that called it to `X-Forwarded-For`. The header is
 * read from its end for as long as trusted proxies wrote it, because a client may have made up the entries before. With `true`
 * the first entry is trusted, which is safe only if no client can reach the server past the proxies.
 *
 * @returns the address in its shortest form; IPv4 mapped into IPv6 as IPv4.
 */
export function createAddressReader(trustProxy: TrustProxy): (request: AddressedRequest) => string {
  const isTrusted = trustOf(trustProxy);
  // A connection sends many requests, and its address is read anew for each.
  const peers = new LRUCache<string, { readonly address: string | null }>({ max: 1_000 });
  const peerOf = (text: string) => {
    const known = peers.get(text);
    if (known !== undefined) return known.address;
    const address = readAddress(text);
    peers.set(text, { address });
    return address;
  };
  return ({ headers, socket }) => {
    let nearest = peerOf(socket.remoteAddress ?? '');
    const header = headers['x-forwarded-for'];
    if (header === undefined || trustProxy === false) return nearest ?? unknownAddress;
    const forwarded = String(header).split(',');
    for (let hop = 0; forwarded.length > 0 && hop < maxHops && isTrusted(nearest, hop); hop += 1) {
      const before = readAddress((forwarded.pop() as string).trim());
      // A trusted proxy has written something that is no address: the trail ends with that proxy.
      if (before === null) break;
      nearest = before;
    }
    return nearest ?? unknownAddress;
  };
}

/**
 * Reads the address of a connection's client before any byte has come.
 * @returns null if the peer may be a trusted proxy, whose connections belong to many clients.
 */
export function createPeerReader(trustProxy: TrustProxy): (socket: AddressedRequest['socket']) => string | null {
  const isTrusted = trustOf(trustProxy);
  return ({ remoteAddress = '' }) => {
    const address = readAddress(remoteAddress);
    return isTrusted(address, 0) ? null : (address ?? unknownAddress);
  };
}

type IsTrusted = (address: string | null, hop: number) => boolean;

function trustOf(trustProxy: TrustProxy): IsTrusted {
  if (typeof trustProxy === 'boolean') return () => trustProxy;
  if (typeof trustProxy === 'number') return (_address, hop) => hop < trustProxy;
  const networks = trustProxy.map(networkOf);
  return address => {
    const parsed = address === null ? null : parseAddress(address);
    return parsed !== null && networks.some(network => isInNetwork(parsed, network));
  };
}

function networkOf(text: string): Network {
  const base = parseAddress(text);
  const network = base === null ? parseNetwork(text) : { base, prefix: base.kind() === 'ipv4' ? 32 : 128 };
  if (network === null) throw new TypeError(`"${text}" is neither an address nor a range.`);
  return network;
}

/** Entries of `X-Forwarded-For` that are read, from its end: more proxies than any request passes. */
const maxHops = 32;
/** Characters of one entry of `X-Forwarded-For`: more than any address with brackets and a port has. */
const maxHopLength = 100;
const bracketed = bounded(/^\[([^\]]*)\](?::\d+)?$/, maxHopLength);
const withPort = bounded(/^([\d.]+):\d+$/, maxHopLength);

/** An address, also with a port behind it as some proxies write it: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
function readAddress(text: string): string | null {
  const bare = bracketed.exec(text)?.[1] ?? withPort.exec(text)?.[1] ?? text;
  return parseAddress(bare)?.toString() ?? null;
}

/** The key that limits count an address by. The owner of one IPv6 address has its whole /64 network, which counts as one. */
export function networkKey(address: string): string {
  const parsed = address.includes(':') ? parseAddress(address) : null;
  return parsed?.kind() === 'ipv6' ? parsed.toByteArray().slice(0, 8).join('.') : address;
}

/** How to reach a server that listens on this host from the machine it runs on. */
export function hostInUrl(host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}
