import { attributeReader, ownAttribute } from './attribute-reader.js';
import type { Json } from './json.js';
import type { Subject } from './subject.js';
import { canonicalUserId } from './user-id.js';
import { attributeWords, quoted, valueWords } from './wording.js';

/** The unit that a flag hashes, in words, such as `the user id "ann"`. Null: the subject has none. It follows `unitReader`. */
export function unitWords(bucketBy: string | null, subject: Subject): string | null {
  const { userId, targetingKey, device } = subject;
  switch (bucketBy) {
    case null:
      if (targetingKey !== null) return `the targeting key ${quoted(targetingKey)}`;
      return unitWords(userId === null ? '$device' : '$id', subject);
    case '$id':
      return userId === null ? null : `the user id ${quoted(userId)}`;
    case '$device':
      return device === null ? null : `the device ${quoted(canonicalUserId(device))}`;
    default: {
      const value = attributeOf(subject, bucketBy);
      const isUnit = typeof value === 'number' || (typeof value === 'string' && value !== '');
      return isUnit ? `the value ${valueWords(value)} of ${attributeWords(bucketBy)}` : null;
    }
  }
}

/** What is needed where a subject has no unit, and what was found in its place. */
export function missingUnitWords(bucketBy: string | null, subject: Subject): string {
  switch (bucketBy) {
    case null:
      return 'a user id, a targeting key or a device, and there is none of them';
    case '$id':
      return 'a user id, and there is none';
    case '$device':
      return 'a device, and there is none';
    default: {
      const value = attributeOf(subject, bucketBy);
      const found = value === undefined ? 'missing' : `${valueWords(value)}, which cannot be hashed`;
      return `${attributeWords(bucketBy)}, a number or a text that is not empty, and it is ${found}`;
    }
  }
}

function attributeOf(subject: Subject, name: string): Json | undefined {
  const read = attributeReader(name);
  return read === null ? ownAttribute(subject.attributes, name) : read(subject);
}
