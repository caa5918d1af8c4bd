import type { Targeting } from '../backends/backend.js';
import { type Evaluation, type Subject, sameAnswer } from '../core/evaluate.js';
import type { Answers } from './answers.js';

/** What a subscriber is handed. */
export interface FeaturesUpdate {
  /** The revision of the change log that these answers stand on. */
  readonly revision: number;
  /** Whether this is the whole set; otherwise only what is different from what this subscriber was last handed. */
  readonly snapshot: boolean;
  /** Sorted by key, or in the order asked. */
  readonly features: readonly Evaluation[];
  /** Flags that are no more. Always empty for who named the keys: there a missing flag is an answer. */
  readonly removed: readonly string[];
}

/** Whom a subscription is for. */
export interface Audience {
  readonly userId: string | null;
  /** Makes the subject from what is stored about its user. */
  readonly subject: (targeting: Targeting) => Subject;
}

export interface SubscribeOptions {
  /** Only these flags, in this order; otherwise all. */
  readonly keys?: readonly string[] | null;
  /** The answer for flags that do not exist, in place of the general default. */
  readonly fallback?: boolean | null;
  /** Nothing older than this revision is handed over, unless the log ends before it. */
  readonly sinceRevision?: number | null;
  /** What counts as no change. Default: the same `enabled` and the same `reason`. */
  readonly isSame?: (a: Evaluation, b: Evaluation) => boolean;
}

/** The flags to evaluate again. */
export type Stale = 'nothing' | 'everything' | ReadonlyMap<string, unknown>;

/** What the hub knows of one subscriber. */
export class Subscriber {
  readonly audience: Audience;
  readonly keys: readonly string[] | null;
  readonly fallback: boolean | null;
  readonly sinceRevision: number;
  readonly isSame: (a: Evaluation, b: Evaluation) => boolean;
  /** Null while it must be loaded. */
  subject: Subject | null = null;
  isLoading = false;
  /** How often a change has touched the user: a load that began before the last one is void. */
  touches = 0;
  stale: Stale = 'everything';
  /** What was last handed over; null before the first update. */
  handed: Answers | null = null;
  /** The pull that waits for an answer. */
  pull: { resolve: (result: IteratorResult<FeaturesUpdate>) => void; reject: (error: unknown) => void } | null = null;
  /** Since when, by `performance.now()`, that pull has had something to evaluate; null while it has not. */
  dueSince: number | null = null;
  isClosed = false;

  constructor(audience: Audience, options: SubscribeOptions) {
    this.audience = audience;
    this.keys = options.keys ?? null;
    this.fallback = options.fallback ?? null;
    this.sinceRevision = options.sinceRevision ?? 0;
    this.isSame = options.isSame ?? sameAnswer;
  }

  /** A change has touched these flags. */
  touchFlags(flags: ReadonlyMap<string, unknown>): void {
    if (this.stale === 'nothing') this.stale = flags;
    else if (this.stale !== flags) this.stale = 'everything';
  }

  /** A change has touched the user. */
  touchUser(): void {
    this.touches += 1;
    this.subject = null;
    this.stale = 'everything';
  }

  /** When the next of the user's overrides ends, in milliseconds since the epoch; null when none will. */
  nextExpiry(now: number): number | null {
    let next: number | null = null;
    for (const { expiresAt } of this.subject?.overrides.values() ?? []) {
      if (expiresAt !== null && expiresAt > now && (next === null || expiresAt < next)) next = expiresAt;
    }
    return next;
  }
}
