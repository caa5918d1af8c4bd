export type Json = string | number | boolean | null | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: Json;
}

export interface ShareShape {
  readonly variant: string;
  readonly weight: number;
}

export interface VariantShape {
  readonly key: string;
  readonly value: Json;
  readonly weight: number;
}

export interface RuleShape {
  readonly id: string;
  /** Conditions; `{}` matches everybody. */
  readonly when: Json;
  readonly percentage: number;
  readonly on: boolean;
  readonly serve: readonly ShareShape[];
}

/** What the words need of a flag of the API. */
export interface FlagShape {
  readonly enabled: boolean;
  readonly percentage: number;
  readonly conditions: Json;
  readonly type: string;
  readonly variants: readonly VariantShape[];
  readonly rules: readonly RuleShape[];
  readonly bucketBy?: string | null;
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

export function isSame(one: Json | undefined, other: Json | undefined): boolean {
  if (one === other) return true;
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false;
  const [names, others] = [Object.keys(one), Object.keys(other)];
  if (isList(one) !== isList(other) || names.length !== others.length) return false;
  return names.every(
    name => Object.hasOwn(other, name) && isSame((one as JsonObject)[name], (other as JsonObject)[name]),
  );
}
