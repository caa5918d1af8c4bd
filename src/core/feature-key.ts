/**
 * The flags that this program knows, by key. Empty until the file that `halyard types` writes fills it in; from then on a
 * misspelt key fails the build. It has a file of its own because src/index.ts must export it with a star.
 */
// biome-ignore lint/suspicious/noEmptyInterface: it is filled in by declaration merging, which a type alias cannot be.
export interface FeatureKeys {}

/** A flag's key: one that the program knows where {@link FeatureKeys} is filled in, otherwise any text. */
export type FeatureKey = [keyof FeatureKeys] extends [never] ? string : Extract<keyof FeatureKeys, string>;
