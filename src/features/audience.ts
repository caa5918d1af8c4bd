import type { Evaluation } from '../core/evaluate.js';
import type { AudienceCount } from '../core/receipt.js';
import { TimeSlice } from '../streams/slices.js';
import type { Subscriber } from './subscriber.js';

interface Tally {
  viewers: number;
  behind: number;
}

/**
 * Counts viewers by the answers that they were handed last. A viewer is a subscription: a user with two pages counts twice. Answers
 * are few shared objects, so they are counted by identity, in slices.
 * @param keys the flags to count; null: all that exist.
 * @returns by key; flags without a viewer are absent.
 */
export async function countAudience(
  subscribers: Iterable<Subscriber>,
  keys: readonly string[] | null,
): Promise<ReadonlyMap<string, AudienceCount>> {
  const tallies = new Map<Evaluation, Tally>();
  const slice = new TimeSlice();
  for (const subscriber of subscribers) {
    if (slice.isOver) await slice.next();
    const { handed, stale, underway } = subscriber;
    if (handed === null || subscriber.state === 'closed') continue;
    const isBehind = (key: string) => stale !== 'nothing' && (stale === 'everything' || stale.has(key));
    const count = (evaluation: Evaluation) => {
      let tally = tallies.get(evaluation);
      if (tally === undefined) {
        tally = { viewers: 0, behind: 0 };
        tallies.set(evaluation, tally);
      }
      tally.viewers += 1;
      if (underway !== null || isBehind(evaluation.key)) tally.behind += 1;
    };
    if (keys === null) handed.forEach(count);
    else {
      for (const key of keys) {
        const evaluation = handed.get(key);
        if (evaluation !== undefined) count(evaluation);
      }
    }
  }
  return byFlag(tallies);
}

function byFlag(tallies: ReadonlyMap<Evaluation, Tally>): ReadonlyMap<string, AudienceCount> {
  const flags = new Map<string, AudienceCount>();
  for (const [{ key, enabled, variant, reason }, { viewers, behind }] of tallies) {
    // Any text may be followed: only flags have an audience.
    if (reason === 'FLAG_NOT_FOUND') continue;
    const known = flags.get(key) ?? { viewers: 0, on: 0, variants: {}, behind: 0 };
    flags.set(key, {
      viewers: known.viewers + viewers,
      on: known.on + (enabled ? viewers : 0),
      behind: known.behind + behind,
      variants:
        variant === null ? known.variants : { ...known.variants, [variant]: viewers + (known.variants[variant] ?? 0) },
    });
  }
  return flags;
}
