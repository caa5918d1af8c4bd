import type { Backend } from '../backends/backend.js';
import { type Conflict, ValidationError } from '../core/errors.js';
import { flagKinds } from './undo.js';

/** The most changes that are looked at, the newest ones. */
const mostChanges = 10_000;

/**
 * What was changed in definitions after a revision: one conflict for each flag, about its last change, oldest first.
 * @param keys the flags that matter; null: all.
 * @throws ValidationError for a revision that has not been yet.
 */
export async function definitionConflicts(
  backend: Backend,
  since: number,
  keys: readonly string[] | null,
): Promise<Conflict[]> {
  const ofFlags = keys === null ? { kinds: flagKinds } : { kinds: flagKinds, flagKeys: keys };
  const any = [{ kinds: ['RESET'] as const }, ofFlags];
  const { changes, head, prunedTo } = await backend.search({
    after: since,
    any,
    limit: mostChanges,
    newestFirst: true,
  });
  if (since > head) {
    const message = `Expected the revision of a plan, found ${since}: the change log is at revision ${head}.`;
    throw new ValidationError([{ path: ['expectedRevision'], message }]);
  }
  const about = { flagKey: null, group: null, userId: null, revision: null };
  if (prunedTo > since) {
    const message = `The change log does not have all changes since revision ${since} any more. Make the plan again.`;
    return [{ ...about, message }];
  }
  const last = new Map<string | null, Conflict>();
  for (const { kind, flagKey, revision } of changes) {
    if (last.has(flagKey)) continue;
    const what = { FLAG_CREATED: 'created', FLAG_DELETED: 'deleted' }[kind as string] ?? 'changed';
    const fact = flagKey === null ? 'Everything was removed' : `The flag "${flagKey}" was ${what}`;
    last.set(flagKey, {
      ...about,
      flagKey,
      revision,
      message: `${fact} after revision ${since}. Make the plan again.`,
    });
  }
  return [...last.values()].reverse();
}
