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

/** What can be pinned: what `createFeatures` gives, whoever its users are. */
export type Pinnable = Pick<Features, typeof pin>;

const restores = new WeakMap<Pinnable, Set<Stop>>();

/**
 * Gives everybody these answers, with the reason `OVERRIDE`, until the returned function is called. Nothing is written:
 * whatever the flags, overrides and outages of the features' own database say, other programs do not notice. A flag need
 * not exist. Every way of asking is answered so, `getAll`, `require` and gates included, and who watches is told.
 *
 * Pins may lie over one another and be taken away in any order; of two for one flag the later one holds.
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
