import { createHash } from 'node:crypto';
import { typeName } from './json.js';
import { bounded, isLongerThan } from './text.js';

const uuidLength = 36;
const uuidPattern = bounded(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i, uuidLength);
const capital = bounded(/[A-F]/, uuidLength);

/** Longest user id, in characters (code points). */
export const maxUserIdLength = 255;
const unstorable = bounded(/[\p{Cc}\p{Cs}]/u, 2 * maxUserIdLength);

/** The form of a user id, for descriptions and messages. */
export const userIdForm = `text of 1 to ${maxUserIdLength} characters without control characters and without blanks at either end`;

/** Whether `text` is a UUID in its 36-character form, in either case. */
export function isUuid(text: string): boolean {
  return text.length === uuidLength && uuidPattern.test(text);
}

/** A UUID in lower case, any other text as it is: the form that is compared, hashed and shown. */
export function canonicalUserId(userId: string): string {
  // Most ids are in lower case already, and the search for a capital is cheaper than the check for a UUID.
  return capital.test(userId) && isUuid(userId) ? userId.toLowerCase() : userId;
}

/** Why a value is not a user id: what is expected, and what was found. Null for a user id. Never repeats the value. */
export function userIdFault(value: unknown): string | null {
  if (typeof value !== 'string') {
    const advice = typeof value === 'number' ? ': write it as text, such as "1042"' : '';
    return `Expected ${userIdForm}, found ${typeName(value)}${advice}.`;
  }
  if (value === '') return `Expected 1 to ${maxUserIdLength} characters, found an empty text.`;
  if (isLongerThan(value, maxUserIdLength)) return `Expected 1 to ${maxUserIdLength} characters, found more.`;
  const found = unstorable.exec(value);
  if (found !== null) {
    const code = (found[0].codePointAt(0) as number).toString(16).toUpperCase().padStart(4, '0');
    return `Expected text without control characters and halves of surrogate pairs, found U+${code}.`;
  }
  return value.trim() === value ? null : 'Expected no blanks at the beginning and at the end.';
}

/**
 * The UUID under which a user is stored: the id itself if it is a UUID; for any other text a UUIDv8 (RFC 9562, section 5.8) of
 * the first 16 bytes of SHA-256 over `halyard:` and the text in UTF-8. `halyard_user_id` in the database computes the same.
 */
export function storedUserId(userId: string): string {
  if (isUuid(userId)) return userId.toLowerCase();
  const bytes = createHash('sha256').update(`halyard:${userId}`).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** The text by which a user is stored beside the UUID. Null for a user who is known by a UUID. */
export function externalUserId(userId: string): string | null {
  return isUuid(userId) ? null : userId;
}
