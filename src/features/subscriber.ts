import type { Targeting } from '../backends/backend.js';
import { type Evaluation, sameAnswer } from '../core/evaluate.js';
import type { Subject } from '../core/subject.js';
import type { Reader } from '../streams/pulled.js';
import type { LastAnswers } from './last-answers.js';
import type { Receipt, Underway } from './receipt.js';

/** One update of a subscriber. */
export interface FeaturesUpdate {
  /** The revision of the change log that these answers are computed from. */
  readonly revision: number;
  /** Whether this is the whole set; otherwise only the answers that changed since this subscriber's last update. */
  readonly snapshot: boolean;
  /** Sorted by key, or in the order asked. */
  readonly features: readonly Evaluation[];
  /** Keys of deleted flags. Always empty if the subscriber named the keys: there a missing flag has an answer. */
  readonly removed: readonly string[];
}

/** The user that a subscription is for. */
export interface Audience {
  /** The id under which the user is stored. Null: an anonymous user. */
  readonly storedId: string | null;
  /** Makes the subject from the stored data of its user. */
  readonly subject: (targeting: Targeting) => Subject;
}

/** A subscriber to others: the user that it is for, and what is known of the user. */
export interface Viewer {
  readonly audience: Audience;
  /** Null while its targeting must be loaded. */
  readonly subject: Subject | null;
}

export interface SubscribeOptions {
  /** Only these flags, in this order; otherwise all. */
  readonly keys?: readonly string[] | null;
  /** The answer for flags that do not exist, in place of the general default. */
  readonly fallback?: boolean | null;
  /** No update is older than this revision, unless the log ends before it. */
  readonly sinceRevision?: number | null;
  /** Whether two answers count as the same. Default: they are equal to a viewer, who learns nothing of rules. */
  readonly isSame?: (a: Evaluation, b: Evaluation) => boolean;
}

/** The flags to evaluate again. */
export type Stale = 'nothing' | 'everything' | ReadonlySet<string>;

/**
 * The state of one subscriber. In each, changes mark the flags to evaluate again; only the states that have a reader's
 * pull evaluate them.
 *
 * | state   | means                                                | leaves it by                                        |
 * |---------|------------------------------------------------------|-----------------------------------------------------|
 * | idle    | its reader has not asked for the next update         | a pull: waiting, or due if something is marked      |
 * | waiting | its reader has asked, and nothing is marked          | a change that touches it, an expiry: due            |
 * | due     | it will be evaluated in the next slice               | its slice: idle with an update, waiting without one; |
 * |         |                                                      | loading if its user's targeting is not known        |
 * | loading | its targeting is being loaded                        | loaded: waiting, and due in the same step. A        |
 * |         |                                                      | failure: failed if it has answers, otherwise closed |
 * | failed  | its targeting could not be loaded; it keeps its last | the retry, or a change that touches it: due         |
 * |         | answers                                              |                                                     |
 * | closed  | it has left, or the hub was closed                   | never                                               |
 *
 * Every state can become closed: its reader leaves, or the hub closes.
 */
export type SubscriberState = 'idle' | 'waiting' | 'due' | 'loading' | 'failed' | 'closed';

/** One subscriber of the hub, which moves it from state to state. */
export class Subscriber implements Viewer {
  readonly audience: Audience;
  readonly keys: readonly string[] | null;
  readonly fallback: boolean | null;
  readonly sinceRevision: number;
  readonly isSame: (a: Evaluation, b: Evaluation) => boolean;
  state: SubscriberState = 'idle';
  /** Null while its targeting must be loaded. */
  subject: Subject | null = null;
  /** How often a change has touched the user: a load that began before the last one is void. */
  touches = 0;
  stale: Stale = 'everything';
  /** Its last answers; null before the first update. */
  handed: LastAnswers | null = null;
  /** Its reader, which has asked for the next update. Null if it is idle or closed. */
  reader: Reader<FeaturesUpdate> | null = null;
  /** When it became due, as `performance.now()` has it; null while there is nothing to evaluate for its reader. */
  dueSince: number | null = null;
  /** The number of the first stretch of the log that has touched it since it was last evaluated; 0: none has. */
  touchedSince = 0;
  /** The update that its transport has yet to take; null: there is none. */
  underway: Underway | null = null;
  /** The last receipt that has counted it. */
  counted: Receipt | null = null;

  constructor(audience: Audience, options: SubscribeOptions) {
    this.audience = audience;
    this.keys = options.keys ?? null;
    this.fallback = options.fallback ?? null;
    this.sinceRevision = options.sinceRevision ?? 0;
    this.isSame = options.isSame ?? sameAnswer;
  }

  /**
   * A change has touched these flags.
   * @param stretch the number of its stretch of the log; 0: it is in none.
   */
  touchFlags(flags: ReadonlySet<string>, stretch: number): void {
    if (this.touchedSince === 0) this.touchedSince = stretch;
    if (this.stale === 'nothing') this.stale = flags;
    else if (this.stale !== flags) this.stale = 'everything';
  }

  /** A change has touched the user. */
  touchUser(stretch: number): void {
    if (this.touchedSince === 0) this.touchedSince = stretch;
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
