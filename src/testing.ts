/** Features in tests: pinned for one test and as before after it, in any test runner. */

import { MemoryBackend } from './backends/memory.js';
import type { Seed } from './backends/seed.js';
import type { FeatureKey, FeatureValue, ValueOf } from './core/feature-key.js';
import { type CreateFeaturesOptions, createFeatures } from './create-features.js';
import type { Features, FeatureUser } from './features/features.js';
import { type PinnedAnswers, pin, pinnedVariant, readPin } from './features/pins.js';
import { type Stop, stopping } from './streams/stop.js';

/** Whether each feature is on, or the value that it has, by flag key. A feature with a value is on. */
export type FeatureStates = { readonly [Key in FeatureKey]?: boolean | ValueOf<Key> };

/** The object that `createFeatures` returns, for users of any type. */
export type Pinnable = Pick<Features, typeof pin>;

const restores = new WeakMap<Pinnable, Set<Stop>>();

/**
 * Gives all users these answers, with the reason `OVERRIDE`, until the returned function is called. The answers do not depend on
 * stored flags and overrides, or on whether the database can be reached. Nothing is written, so other programs do not notice. A
 * flag need not exist. All methods give these answers, `getAll`, `require` and gates included, and watchers are called.
 *
 * True and false pin whether the flag is on. A stored flag of another type than BOOLEAN then has its first variant with a weight,
 * or its off variant. Any other value turns the flag on, with this value and the variant `pinned`.
 *
 * Pins may overlap and be removed in any order; of two pins of one flag the later one counts.
 *
 * @throws TypeError for a value that no flag can have, such as null.
 * @example
 * using pins = pinFeatures(features, { new_dashboard: true }); // until the end of the block
 * @example
 * t.after(pinFeatures(features, { new_dashboard: true })); // node:test
 * onTestFinished(pinFeatures(features, { new_dashboard: true })); // vitest
 */
export function pinFeatures(features: Pinnable, states: FeatureStates): Stop {
  const unpin = features[pin](readPins(states));
  const pinned = restores.get(features) ?? new Set();
  restores.set(features, pinned);
  const restore = stopping(() => {
    pinned.delete(restore);
    unpin();
  });
  pinned.add(restore);
  return restore;
}

function readPins(states: FeatureStates): PinnedAnswers {
  const entries: [key: string, state: FeatureValue | undefined][] = Object.entries(states);
  return new Map(entries.map(([key, state]) => [key, readPin(key, state)]));
}

/** Takes every pin away: `afterEach(() => restoreFeatures(features))`. */
export function restoreFeatures(features: Pinnable): void {
  for (const restore of restores.get(features) ?? []) restore();
}

/** Pins features while a function runs, or until its promise settles, and returns what it returns. */
export async function withFeatures<T>(
  features: Pinnable,
  states: FeatureStates,
  run: () => T | Promise<T>,
): Promise<T> {
  const restore = pinFeatures(features, states);
  try {
    return await run();
  } finally {
    restore();
  }
}

export interface TestFeaturesOptions<User = FeatureUser>
  extends Omit<CreateFeaturesOptions<User>, 'backend' | 'databaseUrl' | 'dataDir'> {
  /** Users, groups, overrides, and flags with rules. */
  readonly seed?: Seed;
}

/**
 * Features of a test's own, in memory: these flags, on or off for everybody, and what is seeded. A flag with a value is on, and
 * has this value as its only variant, with the key `pinned`. Everything works on them; close them when done, or let `await using` do it.
 * @throws ValidationError when a key, a value or the seed is not valid.
 * @throws TypeError for a value that no flag can have, such as null.
 */
export async function createTestFeatures<User = FeatureUser>(
  states: FeatureStates = {},
  { seed = {}, ...options }: TestFeaturesOptions<User> = {},
): Promise<Features<User>> {
  const backend = new MemoryBackend();
  const flags = [...readPins(states)].map(([key, state]) => {
    if (typeof state === 'boolean') return { key, enabled: state };
    const { type, value } = state;
    return {
      key,
      enabled: true,
      type,
      variants: [{ key: pinnedVariant, value, weight: 1 }],
      offVariant: pinnedVariant,
    };
  });
  backend.seed({ ...seed, flags: [...flags, ...(seed.flags ?? [])] });
  return createFeatures<User>({ ...options, backend } as Parameters<typeof createFeatures<User>>[0]);
}
