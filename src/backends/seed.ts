import type { Attributes } from '../core/attributes.js';
import type { Issue } from '../core/errors.js';
import type { Flag } from '../core/flag.js';
import { type CreateFlagInput, inputIssues, inputs, type NewFlag } from '../core/inputs.js';
import { overrideVariantIssues } from '../core/variants.js';
import type { NewOverride } from './backend.js';

type SeedFlag = Omit<CreateFlagInput, 'name'> & Partial<Pick<CreateFlagInput, 'name'>>;

/** The data that `MemoryBackend.seed` adds. */
export interface Seed {
  /** Only the key is required. The name defaults to the key, the rest to a disabled flag for everybody. */
  readonly flags?: readonly SeedFlag[];
  /** Attributes by user id. */
  readonly users?: { readonly [userId: string]: Attributes };
  /** User ids by group. */
  readonly groups?: { readonly [group: string]: readonly string[] };
  readonly overrides?: readonly (Pick<NewOverride, 'userId' | 'flagKey' | 'enabled'> & Partial<NewOverride>)[];
}

/** The input that creates a flag of a seed. */
export function namedFlag(flag: SeedFlag): CreateFlagInput {
  return { name: flag.key, ...flag };
}

/**
 * The faults of the variants that overrides of a seed name.
 * @param flagOf null: there is no such flag.
 */
export function seedVariantIssues(
  overrides: Required<Seed>['overrides'],
  flagOf: (key: string) => Flag | NewFlag | null,
): Issue[] {
  return overrides.flatMap((override, index) =>
    at(['overrides', String(index)], overrideVariantIssues(override, flagOf(override.flagKey))),
  );
}

const at = (path: readonly string[], issues: readonly Issue[]): Issue[] =>
  issues.map(issue => ({ ...issue, path: [...path, ...issue.path] }));

/** Every fault of a seed, but those of {@link seedVariantIssues}. The rules are those of the management calls, except that overrides may have expired. */
export function seedIssues({ flags, users, groups, overrides }: Required<Seed>): Issue[] {
  return [
    ...flags.flatMap((flag, index) => at(['flags', String(index)], inputIssues(inputs.createFlag, namedFlag(flag)))),
    ...Object.entries(users).flatMap(([userId, attributes]) =>
      at(['users', userId], inputIssues(inputs.setUserAttributes, { userId, attributes })),
    ),
    ...Object.entries(groups).flatMap(([group, userIds]) =>
      at(['groups', group], inputIssues(inputs.group, { group, userIds })),
    ),
    ...overrides.flatMap((override, index) =>
      at(['overrides', String(index)], inputIssues(inputs.setOverride, override)),
    ),
  ];
}
