import { isFlagKey } from '../core/flag.js';
import { bounded, isName } from '../core/text.js';
import { isUuid, userIdFault } from '../core/user-id.js';
import { maxOpaqueLength } from './connections.js';

/** A part of a list, from a place on in one direction. */
export interface ListPart<Place> {
  /** The place that the part begins beside; null means an end of the list. An item at the place itself is not in the part. */
  readonly from: Place | null;
  /** Whether the part is read towards the start of the list. Its items then come in reverse order. */
  readonly backwards: boolean;
  /** The most items. */
  readonly limit: number;
}

/** No text that can be stored contains it. */
const separator = '\0';
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The cursor of a place: the name of the list and the values that the list is sorted by, in base64url, so that clients do
 * not parse it.
 */
export function encodePlace(list: string, values: readonly string[]): string {
  return Buffer.from([list, ...values].join(separator)).toString('base64url');
}

/** The values of a place of this list; null for a cursor of another list, and for text that is no cursor. */
export function decodePlace(list: string, cursor: string): readonly string[] | null {
  // Looks at the length first: text of any length may come in.
  if (cursor.length > maxOpaqueLength) return null;
  const bytes = Buffer.from(cursor, 'base64url');
  // Node ignores characters that are not base64. A cursor of ours has none.
  if (bytes.toString('base64url') !== cursor) return null;
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    return null;
  }
  const [name, ...values] = text.split(separator);
  return name === list ? values : null;
}

/** How one value that lists are sorted by is read back from a cursor: null for text that is no such value. */
export type Reader<Value> = (text: string) => Value | null;

const revisionPattern = bounded(/^\d{1,18}$/, 18);
const millisecondsPattern = bounded(/^-?\d{1,16}$/, 17);

/** Reads a place that is one value. */
function only<Value>(read: Reader<Value>): (values: readonly string[]) => Value | null {
  return ([value, ...others]) => (value === undefined || others.length > 0 ? null : read(value));
}

export const readFlagKey: Reader<string> = text => (isFlagKey(text) ? text : null);

/** The times that the API can show: those of the years 1 to 9999. */
const [earliest, latest] = [Date.parse('0001-01-01T00:00:00.000Z'), Date.parse('9999-12-31T23:59:59.999Z')];

/** Milliseconds since the epoch: all the precision that the columns have. */
export const readTime: Reader<Date> = text => {
  const time = millisecondsPattern.test(text) ? Number(text) : Number.NaN;
  return time >= earliest && time <= latest ? new Date(time) : null;
};

// Places in lists that are sorted by one value alone.
export const userPlace = only(text => (isUuid(text) ? text.toLowerCase() : null));
export const knownByPlace = only(text => (userIdFault(text) === null ? text : null));
export const flagKeyPlace = only(readFlagKey);
export const groupPlace = only(text => (isName(text) ? text : null));
/** A time and a UUID that tells apart what has the same time. */
export const apiKeyPlace = ([time = '', id = '', ...others]: readonly string[]) => {
  const at = readTime(time);
  return at === null || !isUuid(id) || others.length > 0 ? null : { at, id };
};
export const revisionPlace = only(text => (revisionPattern.test(text) ? BigInt(text) : null));
