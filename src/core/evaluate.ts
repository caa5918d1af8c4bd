import type { Json } from './json.js';

/** Which step decided, in the order in which the steps are asked. docs/evaluation.md explains each. */
export const evaluationReasons = [
  'FLAG_NOT_FOUND',
  'OVERRIDE',
  'DISABLED',
  'USER_REQUIRED',
  'OUTSIDE_ROLLOUT',
  'CONDITIONS_NOT_MET',
  'CONDITIONS_MET',
  'ROLLOUT',
  'ENABLED',
] as const;

export type EvaluationReason = (typeof evaluationReasons)[number];

/** One flag's answer for one subject. Frozen and shared between calls: compare freely, never change. */
export interface Evaluation {
  readonly key: string;
  readonly enabled: boolean;
  readonly reason: EvaluationReason;
}

/** A user's attributes. Read own keys only; `null` counts as missing. */
export type Attributes = { readonly [name: string]: Json };

/** A decision for one user about one flag that beats everything else until it expires. */
export interface OverrideDecision {
  readonly enabled: boolean;
  /** Milliseconds since the epoch; null: never expires. At this instant it has ended. */
  readonly expiresAt: number | null;
}
