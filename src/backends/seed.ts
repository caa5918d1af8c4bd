import type { Issue } from '../core/errors.js';
import type { Attributes } from '../core/evaluate.js';
import { inputIssues, inputs } from '../core/inputs.js';
import type { NewFlag, NewOverride } from './backend.js';

/** The data that `MemoryBackend.seed` adds. */
export interface Seed {
  /** Only the key is required. The name defaults to the key, the rest to a disabled flag for everybody. */
  readonly flags?: readonly (Partial<NewFlag> & Pick<NewFlag, 'key'>)[];
  /** Attributes by user id. */
  readonly users?: { readonly [userId: string]: Attributes };
  /** User ids by group. */
  readonly groups?: { readonly [group: string]: readonly string[] };
  readonly overrides?: readonly (Pick<NewOverride, 'userId' | 'flagKey' | 'enabled'> & Partial<NewOverride>)[];
}

/** Every fault of a seed. The rules are those of the management calls, except that overrides may have expired. */
export function seedIssues({ flags, users, groups, overrides }: Required<Seed>): Issue[] {
  const at = (path: readonly string[], issues: readonly Issue[]): Issue[] =>
    issues.map(issue => ({ ...issue, path: [...path, ...issue.path] }));
  return [
    ...flags.flatMap((flag, index) =>
      at(['flags', String(index)], inputIssues(inputs.createFlag, { name: flag.key, ...flag })),
    ),
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
