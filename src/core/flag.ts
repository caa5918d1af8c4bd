import type { JsonObject } from './json.js';
import { bounded } from './text.js';

/** The part of a flag that an evaluation needs. */
export interface FlagDefinition {
  /** Unique, immutable; see {@link isFlagKey}. */
  readonly key: string;
  /** The global switch. When it is off, the flag is off for all users without an override. */
  readonly enabled: boolean;
  /** Share of users inside the rollout, a whole number of percent from 0 (nobody) to 100 (everybody). */
  readonly percentage: number;
  /** Targeting rules in JSON form; `{}` means that everybody inside the rollout is targeted. */
  readonly conditions: JsonObject;
}

/** A flag as it is stored. */
export interface Flag extends FlagDefinition {
  /** UUID, made when the flag is created. */
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  /** 1 at creation, one more with each change. */
  readonly version: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** The id of the user who created it; null when unknown or deleted since. */
  readonly createdById: string | null;
}

/** Longest key of a flag, in characters. */
export const maxFlagKeyLength = 100;

const flagKeyPattern = bounded(/^[A-Za-z0-9][A-Za-z0-9._:-]*$/, maxFlagKeyLength);

/** Whether a text may be the key of a flag. */
export function isFlagKey(text: string): boolean {
  return flagKeyPattern.test(text);
}
