import { isDeepStrictEqual } from 'node:util';
import type { Flag } from '../core/flag.js';
import type { JsonObject } from '../core/json.js';
import {
  type ConstantRequest,
  type FlagCount,
  intervalLengths,
  intervalStart,
  type MapCount,
  type MapUsage,
  type UsageBatch,
  type UsagePoint,
  type UsageRequest,
  usagePoints,
} from '../core/usage.js';
import type { Change, Override } from './backend.js';

/** Hours for which counts are kept in memory: programs that run for months must not collect them. */
const keptHours = 90 * 24;

/** The counts of usage of a backend in memory. */
export class MemoryUsage {
  readonly #idOf: (flagKey: string) => string | undefined;
  /** The last batch of each writer. */
  readonly #batches = new Map<string, number>();
  /** By id of the flag, then by hour, reason and variant. */
  readonly #counts = new Map<string, Map<string, FlagCount>>();
  readonly #hours = new Map<number, MapCount>();
  #prunedAt = 0;

  /** @param idOf the id of the flag that has this key. */
  constructor(idOf: (flagKey: string) => string | undefined) {
    this.#idOf = idOf;
  }

  add({ writer, number, flags, maps }: UsageBatch): void {
    if (number <= (this.#batches.get(writer) ?? -1)) return;
    this.#batches.set(writer, number);
    for (const added of flags) {
      const id = this.#idOf(added.flagKey);
      if (id === undefined) continue;
      const counts = this.#counts.get(id) ?? new Map<string, FlagCount>();
      this.#counts.set(id, counts);
      const name = `${added.hour} ${added.reason} ${added.variant ?? ''}`;
      const known = counts.get(name);
      const lastAt = Math.max(added.lastAt, known?.lastAt ?? 0);
      counts.set(name, { ...added, count: added.count + (known?.count ?? 0), lastAt });
    }
    for (const added of maps) {
      const known = this.#hours.get(added.hour);
      const isUncounted = added.isUncounted || known?.isUncounted === true;
      this.#hours.set(added.hour, { hour: added.hour, count: added.count + (known?.count ?? 0), isUncounted });
      this.#prune(added.hour - keptHours * intervalLengths.HOUR);
    }
  }

  points({ flagId, since, until, interval }: UsageRequest): readonly UsagePoint[] {
    const counts = [...(this.#counts.get(flagId)?.values() ?? [])];
    const start = intervalStart(since, interval);
    return usagePoints(
      counts
        .filter(({ hour }) => hour >= start && hour < until)
        .map(({ hour, reason, variant, count }) => ({
          at: intervalStart(hour, interval),
          reason,
          variant: variant ?? '',
          count,
        })),
    );
  }

  lastAsked(flagIds: readonly string[]): ReadonlyMap<string, number> {
    return new Map(
      flagIds.flatMap(id => {
        const counts = this.#counts.get(id);
        return counts === undefined ? [] : [[id, latest(counts)] as const];
      }),
    );
  }

  get maps(): MapUsage {
    const hours = [...this.#hours.values()];
    const last = (found: readonly MapCount[]) =>
      found.reduce<number | null>((max, { hour }) => Math.max(max ?? hour, hour), null);
    return {
      countedSince: hours.reduce<number | null>((min, { hour }) => Math.min(min ?? hour, hour), null),
      lastMap: last(hours.filter(({ count }) => count > 0)),
      lastUncounted: last(hours.filter(({ isUncounted }) => isUncounted)),
    };
  }

  forget(flagId: string): void {
    this.#counts.delete(flagId);
  }

  /** Forgets hours before this one, but the last of each flag. */
  #prune(before: number): void {
    if (before <= this.#prunedAt) return;
    this.#prunedAt = before;
    for (const hour of this.#hours.keys()) if (hour < before) this.#hours.delete(hour);
    for (const counts of this.#counts.values()) {
      const last = Math.max(...[...counts.values()].map(({ hour }) => hour));
      for (const [name, { hour }] of counts) if (hour < before && hour !== last) counts.delete(name);
    }
  }
}

function latest(counts: ReadonlyMap<string, FlagCount>): number {
  return [...counts.values()].reduce((max, { lastAt }) => Math.max(max, lastAt), 0);
}

/** Fields of a flag that decide no answer. */
const cosmetic = ['name', 'description', 'tags', 'owner', 'expectedUntil', 'version', 'updatedAt', 'createdById'];

/** Since when a flag has given everybody the same answer: see `Backend.constantSince`. */
export function constantSince(
  asked: ConstantRequest,
  flag: Flag,
  overrides: readonly Override[],
  changes: readonly Change[],
  now: number,
): number | null {
  const contradicts = (override: JsonObject | Override | null): boolean => {
    if (override === null) return false;
    const { enabled, variant } = override;
    return (
      enabled !== asked.enabled ||
      (asked.enabled && asked.variant !== null && variant != null && variant !== asked.variant)
    );
  };
  const ends = overrides.filter(contradicts).map(({ expiresAt }) => expiresAt?.getTime() ?? Number.POSITIVE_INFINITY);
  if (ends.some(end => end > now)) return null;
  const decided = changes.findLast(({ kind, flagKey, before, after }) => {
    if (flagKey !== asked.flagKey) return false;
    if (kind === 'OVERRIDE_SET' || kind === 'OVERRIDE_REMOVED') return contradicts(before) || contradicts(after);
    if (!asked.enabled) return before?.['enabled'] !== after?.['enabled'];
    return !isDeepStrictEqual(deciding(before), deciding(after));
  });
  const reset = changes.findLast(({ kind }) => kind === 'RESET');
  return Math.max((decided?.at ?? flag.updatedAt).getTime(), reset?.at.getTime() ?? 0, ...ends);
}

function deciding(state: JsonObject | null): JsonObject | null {
  return state && Object.fromEntries(Object.entries(state).filter(([field]) => !cosmetic.includes(field)));
}
