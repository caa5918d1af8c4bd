import type { ChangeKind } from '../backends/backend.js';

export type FlagChangeKind = Extract<ChangeKind, `FLAG_${string}`>;

/** A flag's definition came, went or became another. */
export interface FlagChange {
  readonly revision: number;
  readonly kind: FlagChangeKind;
  readonly key: string;
}

/**
 * What two changes of one flag are to somebody who was told of neither: the later, but what is new to them stays
 * `FLAG_CREATED`.
 */
export function merged(earlier: FlagChange | undefined, later: FlagChange): FlagChange {
  const isStillNew = earlier?.kind === 'FLAG_CREATED' && later.kind === 'FLAG_UPDATED';
  return isStillNew ? { ...later, kind: 'FLAG_CREATED' } : later;
}
