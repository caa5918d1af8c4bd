/** Features in tests: pinned for one test and as before after it, in any test runner. */

import { MemoryBackend } from './backends/memory.js';
import type { Seed } from './backends/seed.js';
import type { FeatureKey } from './core/feature-key.js';
import { type CreateFeaturesOptions, createFeatures } from './create-features.js';
import type { Features, FeatureUser } from './features/features.js';
import { pin } from './features/pins.js';
import { type Stop, stopping } from './streams/stop.js';

/** Whether each feature is on, by flag key. */
export type FeatureStates = { readonly [Key in FeatureKey]?: boolean };

/** The object that `createFeatures` returns, for users of any type. */
export type Pinnable = Pick<Features, typeof pin>;

const restores = new WeakMap<Pinnable, Set<Stop>>();

/**
 * Gives all users these answers, with the reason `OVERRIDE`, until the returned function is called. The answers do not depend on
 * stored flags and overrides, or on whether the database can be reached. Nothing is written, so other programs do not notice. A
 * flag need not exist. All methods give these answers, `getAll`, `require` and gates included, and watchers are called.
 *
 * Pins may overlap and be removed in any order; of two pins of one flag the later one counts.
 *
 * @throws TypeError when an answer is neither true nor false.
 * @example
 * using pins = pinFeatures(features, { new_dashboard: true }); // until the end of the block
 * @example
 * t.after(pinFeatures(features, { new_dashboard: true })); // node:test
 * onTestFinished(pinFeatures(features, { new_dashboard: true })); // vitest
 */
export function pinFeatures(features: Pinnable, states: FeatureStates): Stop {
  const answers = new Map<string, boolean>();
  for (const [key, enabled] of Object.entries(states)) {
    if (typeof enabled !== 'boolean') throw new TypeError(`The feature "${key}" can be pinned to true or false.`);
    answers.set(key, enabled);
  }
  const unpin = features[pin](answers);
  const pinned = restores.get(features) ?? new Set();
  restores.set(features, pinned);
  const restore = stopping(() => {
    pinned.delete(restore);
    unpin();
  });
  pinned.add(restore);
  return restore;
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
 * Features of a test's own, in memory: these flags, on or off for everybody, and what is seeded. Everything works on
 * them; close them when done, or let `await using` do it.
 * @throws ValidationError when a key or the seed is not valid.
 */
export async function createTestFeatures<User = FeatureUser>(
  states: FeatureStates = {},
  { seed = {}, ...options }: TestFeaturesOptions<User> = {},
): Promise<Features<User>> {
  const backend = new MemoryBackend();
  const flags = Object.entries(states).map(([key, enabled]) => ({ key, enabled: enabled as boolean }));
  backend.seed({ ...seed, flags: [...flags, ...(seed.flags ?? [])] });
  return createFeatures<User>({ ...options, backend } as Parameters<typeof createFeatures<User>>[0]);
}
