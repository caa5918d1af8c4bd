import { bounded } from './text.js';

const uuidLength = 36;
const uuidPattern = bounded(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i, uuidLength);
const capital = bounded(/[A-F]/, uuidLength);

/** Whether `text` is a UUID in its 36-character form, in either case. */
export function isUuid(text: string): boolean {
  return text.length === uuidLength && uuidPattern.test(text);
}

/** A UUID in lower case, any other text as it is: the form that is stored, compared and hashed. */
export function canonicalUserId(userId: string): string {
  // Most ids are in lower case already, and the search for a capital is cheaper than the check for a UUID.
  return capital.test(userId) && isUuid(userId) ? userId.toLowerCase() : userId;
}
