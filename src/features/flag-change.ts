import type { ChangeKind } from '../backends/backend.js';
import type { Snapshot } from './snapshot.js';

export type FlagChangeKind = Extract<ChangeKind, `FLAG_${string}`>;

/** A flag was created, updated or deleted. */
export interface FlagChange {
  readonly revision: number;
  readonly kind: FlagChangeKind;
  readonly key: string;
}

/**
 * One change in place of two changes of a flag, for a subscriber that got neither. It is the later one, but a flag that is new
 * to the subscriber stays `FLAG_CREATED`.
 */
export function merged(earlier: FlagChange | undefined, later: FlagChange): FlagChange {
  const isStillNew = earlier?.kind === 'FLAG_CREATED' && later.kind === 'FLAG_UPDATED';
  return isStillNew ? { ...later, kind: 'FLAG_CREATED' } : later;
}

export function isFlagChange(kind: ChangeKind): kind is FlagChangeKind {
  return kind.startsWith('FLAG_');
}

/** The changes of these keys between two snapshots. */
export function changesBetween(keys: Iterable<string>, before: Snapshot, after: Snapshot): Map<string, FlagChange> {
  const { revision } = after;
  return new Map(
    [...keys].map(key => {
      const kind = kindOf(before.get(key) !== undefined, after.get(key) !== undefined);
      return [key, { key, kind, revision }];
    }),
  );
}

function kindOf(existed: boolean, exists: boolean): FlagChangeKind {
  if (!exists) return 'FLAG_DELETED';
  return existed ? 'FLAG_UPDATED' : 'FLAG_CREATED';
}
