import type { JsonObject } from './json.js';

/** The part of a flag that decides: what an evaluation needs to know. */
export interface FlagDefinition {
  /** Unique, immutable; matches {@link flagKeyPattern}. */
  readonly key: string;
  /** The global switch. Off means off for everybody who has no override. */
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
  /** UUID of the user who created it; null when unknown or deleted since. */
  readonly createdById: string | null;
}

/** What a flag's key may look like. */
export const flagKeyPattern = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$/;
