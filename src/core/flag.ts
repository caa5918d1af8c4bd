import type { Json, JsonObject } from './json.js';
import { bounded } from './text.js';

/** The type of a flag's values, set when the flag is created. */
export const valueTypes = ['BOOLEAN', 'STRING', 'NUMBER', 'OBJECT'] as const;

export type ValueType = (typeof valueTypes)[number];

/** One of the values that a flag can have. */
export interface Variant {
  /** Unique in the flag. */
  readonly key: string;
  /** Of the flag's type. */
  readonly value: Json;
  /** The share of this variant in relation to the weights of the others, 0 to 100,000. 0: only rules and overrides give it. */
  readonly weight: number;
}

/** The share of a variant among the users for whom a rule decided. */
export interface Share {
  readonly variant: string;
  /** 0 to 100,000, in relation to the other weights. */
  readonly weight: number;
}

/** A rule of a flag. The first rule that matches decides. */
export interface FlagRule {
  /** Unique in the flag, and stable: the rule's percentage hashes it. */
  readonly id: string;
  /** Conditions; `{}` matches everybody. */
  readonly when: JsonObject;
  /** The share of the matching users for whom the rule decides, 0 to 100 with at most two decimals. */
  readonly percentage: number;
  /** Whether the rule turns the flag on or off. */
  readonly on: boolean;
  /** The shares of variants, in place of the weights of the variants. Empty: the weights of the variants. */
  readonly serve: readonly Share[];
}

/** The fields of a flag that say which values it has, and for whom. */
export interface FlagValues {
  /** The type of the values, set at creation. */
  readonly type: ValueType;
  /** The values that the flag can have. Empty for BOOLEAN, which always has on and off. */
  readonly variants: readonly Variant[];
  /** The key of the variant of users for whom the flag is off; `off` for BOOLEAN. */
  readonly offVariant: string;
  /** Asked in order before the percentage and the conditions; the first rule that matches decides. */
  readonly rules: readonly FlagRule[];
  /** What the rollout, the rules and the split hash: null, `$id`, `$device`, or the name of an attribute. */
  readonly bucketBy: string | null;
}

/** The part of a flag that an evaluation needs. Without values it is a BOOLEAN flag without rules. */
export interface FlagDefinition extends Partial<FlagValues> {
  /** Unique, immutable; see {@link isFlagKey}. */
  readonly key: string;
  /** The global switch. When it is off, the flag is off for all users without an override. */
  readonly enabled: boolean;
  /** Share of users inside the rollout, a whole number of percent from 0 (nobody) to 100 (everybody). */
  readonly percentage: number;
  /** Conditions in JSON form; `{}` means that everybody inside the rollout is targeted. */
  readonly conditions: JsonObject;
}

/** The fields of a flag that people find it by. They decide no answer. */
export interface FlagLabels {
  /** Each once, sorted by code points. At most {@link maxTags}. */
  readonly tags: readonly string[];
  /** The person or the team that is responsible for the flag, as text; null when nobody is. */
  readonly owner: string | null;
  /** The time until which the flag is expected to be needed; null when that is not known. Nothing happens at this time. */
  readonly expectedUntil: Date | null;
}

/** A flag as it is stored. */
export interface Flag extends Omit<FlagDefinition, keyof FlagValues>, FlagValues, FlagLabels {
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

/** The most tags of a flag. */
export const maxTags = 20;
/** Longest tag, in characters. */
export const maxTagLength = 50;
/** Longest owner of a flag, in characters. */
export const maxOwnerLength = 200;

/** Longest key of a flag, in characters. */
export const maxFlagKeyLength = 100;

const flagKeyPattern = bounded(/^[A-Za-z0-9][A-Za-z0-9._:-]*$/, maxFlagKeyLength);

/** Whether a text may be the key of a flag. */
export function isFlagKey(text: string): boolean {
  return flagKeyPattern.test(text);
}
