import { type NewFlag, newFlagOf } from '../../src/core/inputs.js';

/** A flag as `createFlag` makes it of a key alone, with these fields instead of its defaults. */
export function newFlag(key: string, fields: Partial<NewFlag> = {}): NewFlag {
  return { ...newFlagOf({ key, name: key }), ...fields };
}
