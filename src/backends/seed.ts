import { attributeIssues } from '../core/attributes.js';
import { validateConditions } from '../core/conditions.js';
import type { Issue } from '../core/errors.js';
import type { Attributes } from '../core/evaluate.js';
import { flagKeyPattern } from '../core/flag.js';
import { isUuid } from '../core/user-id.js';
import type { NewFlag, NewOverride } from './backend.js';

/** What `MemoryBackend.seed` adds. */
export interface Seed {
  /** Only the key is needed; the name defaults to it, the rest to a disabled flag for everybody. */
  readonly flags?: readonly (Partial<NewFlag> & Pick<NewFlag, 'key'>)[];
  /** Attributes by user id. */
  readonly users?: { readonly [userId: string]: Attributes };
  /** User ids by group. */
  readonly groups?: { readonly [group: string]: readonly string[] };
  readonly overrides?: readonly (Pick<NewOverride, 'userId' | 'flagKey' | 'enabled'> & Partial<NewOverride>)[];
}

/** Every fault of a seed; none: it may be stored. */
export function seedIssues({ flags, users, groups, overrides }: Required<Seed>): Issue[] {
  const userIssues = (id: string, ...path: string[]): Issue[] =>
    isUuid(id) ? [] : [{ path, message: `Expected a user id that is a UUID, not ${JSON.stringify(id)}.` }];
  return [
    ...flags.flatMap((flag, index) => flagIssues(flag, ['flags', String(index)])),
    ...Object.entries(users).flatMap(([id, attributes]) => [
      ...userIssues(id, 'users', id),
      ...attributeIssues(attributes, ['users', id]),
    ]),
    ...Object.entries(groups).flatMap(([group, ids]) => ids.flatMap(id => userIssues(id, 'groups', group))),
    ...overrides.flatMap(({ userId }, index) => userIssues(userId, 'overrides', String(index), 'userId')),
  ];
}

function flagIssues(
  { key, percentage = 100, conditions = {} }: Required<Seed>['flags'][number],
  at: string[],
): Issue[] {
  const issues: Issue[] = [];
  if (!flagKeyPattern.test(key)) {
    issues.push({ path: [...at, 'key'], message: `Expected a key that matches ${flagKeyPattern.source}.` });
  }
  if (!Number.isInteger(percentage) || percentage < 0 || percentage > 100) {
    issues.push({ path: [...at, 'percentage'], message: 'Expected a whole number from 0 to 100.' });
  }
  return [
    ...issues,
    ...validateConditions(conditions).map(({ path, message }) => ({ path: [...at, ...path], message })),
  ];
}
