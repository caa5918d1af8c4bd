import { typeName } from './json.js';
import { bounded } from './text.js';

const minDeviceLength = 8;
/** Longest device id, in characters. */
export const maxDeviceLength = 64;
const unexpected = bounded(/[^\w-]/u, maxDeviceLength);

/** The form of a device id, for descriptions and messages. */
export const deviceForm = `${minDeviceLength} to ${maxDeviceLength} characters of A-Z, a-z, 0-9, - and _`;

/**
 * Whether a value is a device id: 8 to 64 characters of `A-Z`, `a-z`, `0-9`, `-` and `_`. A UUID is one, so a page can make
 * its id with `crypto.randomUUID()`.
 */
export function isDevice(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length >= minDeviceLength &&
    value.length <= maxDeviceLength &&
    !unexpected.test(value)
  );
}

/**
 * Why a value is not a device id: what is expected, and what was found. Null for a device id. Repeats one character of the
 * value at most, because the value may be a secret that was put into the wrong place.
 */
export function deviceFault(value: unknown): string | null {
  if (isDevice(value)) return null;
  return `Expected ${deviceForm}, found ${typeof value === 'string' ? textFault(value) : typeName(value)}.`;
}

function textFault(text: string): string {
  if (text === '') return 'an empty text';
  const character = unexpected.exec(text)?.[0];
  if (character === undefined) return text.length.toLocaleString('en');
  if (character >= ' ' && character < '\x7f') return `"${character}"`;
  return `U+${(character.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, '0')}`;
}
