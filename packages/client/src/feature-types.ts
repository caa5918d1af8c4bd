/**
 * The flags that this page knows: the type of its values by the key of each. Empty until the file that `halyard types --client`
 * writes fills it in; from then on a misspelt key fails the build.
 */
// biome-ignore lint/suspicious/noEmptyInterface: it is filled in by declaration merging, which a type alias cannot be.
export interface FeatureTypes {}

/** A flag's key: one that the page knows where {@link FeatureTypes} is filled in, otherwise any text. */
export type FeatureKey = [keyof FeatureTypes] extends [never] ? string : Extract<keyof FeatureTypes, string>;

/** Any JSON value. */
export type Json = boolean | number | string | null | readonly Json[] | JsonObject;

export interface JsonObject {
  readonly [key: string]: Json;
}

/** The type of a flag's values: the one in {@link FeatureTypes} where it is filled in, otherwise any. */
export type ValueOf<Key extends FeatureKey> = Key extends keyof FeatureTypes
  ? FeatureTypes[Key]
  : boolean | string | number | object;

/**
 * The type of a flag's value, or of the fallback in its place: the one in {@link FeatureTypes} where it is filled in, otherwise the
 * type of the fallback. There `'red'` stands for any text, and `5` for any number.
 */
export type ValueOrFallback<Key extends FeatureKey, Fallback> = Key extends keyof FeatureTypes
  ? FeatureTypes[Key]
  : Widened<Fallback>;

type Widened<Value> = Value extends string
  ? string
  : Value extends number
    ? number
    : Value extends boolean
      ? boolean
      : Readonly<Value>;
