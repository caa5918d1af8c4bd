import type { EvaluationReason } from './evaluate.js';

/** How often a flag was answered by name, with one reason and one variant, in one hour. */
export interface FlagCount {
  readonly flagKey: string;
  /** The beginning of the hour, in UTC; milliseconds since the epoch. */
  readonly hour: number;
  readonly reason: EvaluationReason;
  /** The key of the variant. Null: the flag had none, because its stored variants or rules are not valid. */
  readonly variant: string | null;
  /** 1 or more. */
  readonly count: number;
  /** When the last of these questions came, in milliseconds since the epoch. */
  readonly lastAt: number;
}

/** The questions of one hour that named no flag. */
export interface MapCount {
  /** The beginning of the hour, in UTC; milliseconds since the epoch. */
  readonly hour: number;
  /** Answers with all flags. 0: there were none, but somebody counted. */
  readonly count: number;
  /** Whether flags were read without being counted: by anonymous callers, or through streams. */
  readonly isUncounted: boolean;
}

/** Counts that are added to the stored ones together, or not at all. */
export interface UsageBatch {
  /** A UUID of the process that counted. */
  readonly writer: string;
  /** Higher than those of all earlier batches of this process. */
  readonly number: number;
  /** One for each flag, hour, reason and variant. */
  readonly flags: readonly FlagCount[];
  /** One for each hour. */
  readonly maps: readonly MapCount[];
}

export const usageIntervals = ['HOUR', 'DAY'] as const;

export type UsageInterval = (typeof usageIntervals)[number];

/** The length of an interval, in milliseconds. Intervals begin at full hours and at midnight, in UTC. */
export const intervalLengths: Readonly<Record<UsageInterval, number>> = { HOUR: 3_600_000, DAY: 86_400_000 };

/** The beginning of the interval with this time, in milliseconds since the epoch. */
export function intervalStart(time: number, interval: UsageInterval): number {
  return Math.floor(time / intervalLengths[interval]) * intervalLengths[interval];
}

/** Asks for the stored counts of a flag. */
export interface UsageRequest {
  readonly flagId: string;
  /** The first interval is the one with this time; milliseconds since the epoch. */
  readonly since: number;
  /** Counts of hours that begin at this time or later are left out; milliseconds since the epoch. */
  readonly until: number;
  readonly interval: UsageInterval;
}

/** The stored counts of a flag in one interval. */
export interface UsagePoint {
  /** The beginning of the interval, in milliseconds since the epoch. */
  readonly at: number;
  readonly count: number;
  readonly reasons: Readonly<Record<string, number>>;
  /** By key of the variant. Answers without a variant are left out. */
  readonly variants: Readonly<Record<string, number>>;
}

/** One row of stored counts: an interval, a reason and a variant. */
export interface UsageRow {
  readonly at: number;
  readonly reason: string;
  /** Empty: none. */
  readonly variant: string;
  readonly count: number;
}

/** Adds up the rows of one flag. */
export function usagePoints(rows: readonly UsageRow[]): readonly UsagePoint[] {
  const points = new Map<number, { count: number; reasons: Map<string, number>; variants: Map<string, number> }>();
  const add = (to: Map<string, number>, key: string, count: number) => to.set(key, (to.get(key) ?? 0) + count);
  for (const { at, reason, variant, count } of rows) {
    const point = points.get(at) ?? { count: 0, reasons: new Map(), variants: new Map() };
    points.set(at, point);
    point.count += count;
    add(point.reasons, reason, count);
    if (variant !== '') add(point.variants, variant, count);
  }
  return [...points]
    .sort(([a], [b]) => a - b)
    .map(([at, { count, reasons, variants }]) => ({
      at,
      count,
      reasons: Object.fromEntries(reasons),
      variants: Object.fromEntries(variants),
    }));
}

/** What is stored about questions that named no flag. Times are milliseconds since the epoch. */
export interface MapUsage {
  /** The first hour that is kept in which somebody counted. Null: nobody has counted yet. */
  readonly countedSince: number | null;
  /** The last hour with an answer with all flags. Null: there was none. */
  readonly lastMap: number | null;
  /** The last hour in which anonymous callers, readers or streams read flags. Null: there was none. */
  readonly lastUncounted: number | null;
}

/** Asks since when a flag has given everybody the same answer, which it does by its definition now. */
export interface ConstantRequest {
  readonly flagKey: string;
  /** Whether the flag is on for everybody. */
  readonly enabled: boolean;
  /** The variant that everybody has if the flag is on. Null: of no matter. */
  readonly variant: string | null;
}
