import { inputs, type NewFlag, parseInput } from '../../src/core/inputs.js';

/** A flag as `createFlag` makes it of a key alone, with these fields instead of its defaults. */
export function newFlag(key: string, fields: Partial<NewFlag> = {}): NewFlag {
  return { ...parseInput(inputs.createFlag, { key, name: key }), ...fields };
}
