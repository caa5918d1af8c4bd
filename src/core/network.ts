import { isIPv4, isIPv6 } from 'node:net';
import ip from 'ipaddr.js';
import { bounded } from './text.js';

type Address = ip.IPv4 | ip.IPv6;

/** A range of addresses of one family. */
export interface Network {
  readonly base: Address;
  readonly prefix: number;
}

/** The longest address with a zone. Longer texts are not addresses. */
const maxAddressLength = 64;

const zonePattern = bounded(/^%[0-9a-z]+$/i, maxAddressLength);

/** An address, a slash and the length of the prefix. */
const rangePattern = bounded(/^([^/%]+)\/(\d{1,3})$/, maxAddressLength + 4);

/**
 * Reads an IPv4 or IPv6 address. An IPv4 address mapped into IPv6 (`::ffff:10.0.0.1`) is the IPv4 address. IPv4 is four
 * decimal numbers: the older notations (octal, hexadecimal, fewer parts) are ambiguous and are not read.
 */
export function parseAddress(text: string): Address | null {
  if (text.length > maxAddressLength) return null;
  // Looked at before: the library throws an error inside for what is no address, which costs more than all the rest.
  if (isIPv4(text)) return ip.IPv4.parse(text);
  if (!isIPv6(text)) return null;
  const zone = text.indexOf('%');
  if (zone !== -1 && !zonePattern.test(text.slice(zone))) return null;
  const address = ip.IPv6.parse(text);
  return address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
}

/**
 * Reads a range such as `10.0.0.0/8` or `2001:db8::/32`, or a single address, which has no zone. Bits beyond the prefix are ignored.
 */
export function parseNetwork(text: string): Network | null {
  if (!text.includes('/')) return singleAddress(text);
  const match = rangePattern.exec(text);
  if (match === null) return null;
  const base = parseAddress(match[1] as string);
  if (base === null) return null;
  const mapped = base.kind() === 'ipv4' && text.includes(':');
  const prefix = Number(match[2]) - (mapped ? 96 : 0);
  return prefix >= 0 && prefix <= (base.kind() === 'ipv4' ? 32 : 128) ? { base, prefix } : null;
}

/** Whether an address is in a range. Always false if they belong to different families. */
export function isInNetwork(address: Address, { base, prefix }: Network): boolean {
  return address.kind() === base.kind() && address.match(base, prefix);
}

function singleAddress(text: string): Network | null {
  const base = text.includes('%') ? null : parseAddress(text);
  return base === null ? null : { base, prefix: base.kind() === 'ipv4' ? 32 : 128 };
}
