/** The questions of a day, as the API has them. */
export interface UsagePoint {
  readonly at: string;
  readonly count: number;
  readonly reasons: Readonly<Record<string, number>>;
}

/** A series of the chart: a reason, or all those that are too small for one of their own. */
export interface UsageSeries {
  readonly name: string;
  readonly count: number;
}

export interface UsageDay {
  /** The beginning of the day, in UTC. */
  readonly at: Date;
  readonly count: number;
  /** A number for each series. */
  readonly parts: readonly number[];
}

export interface UsageChart {
  /** At most four, the greatest first; "Other reasons" is the last. */
  readonly series: readonly UsageSeries[];
  /** Each day of the time, the oldest first. */
  readonly days: readonly UsageDay[];
  readonly total: number;
  /** The end of the scale: a round number that no day exceeds; at least 1. */
  readonly top: number;
}

const dayLength = 86_400_000;
/** Reasons that have a series of their own: as many as there are steps of the accent. */
const namedSeries = 3;

const reasonWords: Readonly<Record<string, string>> = {
  CONDITIONS_MET: 'Conditions met',
  CONDITIONS_NOT_MET: 'Conditions not met',
  DISABLED: 'Switched off',
  ENABLED: 'On for everyone',
  FLAG_NOT_FOUND: 'No such flag',
  OUTSIDE_ROLLOUT: 'Outside the rollout',
  OVERRIDE: 'Override',
  ROLLOUT: 'In the rollout',
  RULE: 'Rule',
  SPLIT: 'Split among variants',
  USER_REQUIRED: 'No user',
};

/** A day as the server counts it: `27 Nov`. */
export const dayInWords = (day: Date, locale?: string): string =>
  new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', timeZone: 'UTC' }).format(day);

/** The time of so many days that ends with the present one, as the API takes it. */
export function lastDays(length: number, now: number): { readonly since: string; readonly until: string } {
  const end = (Math.floor(now / dayLength) + 1) * dayLength;
  return { since: new Date(end - length * dayLength).toISOString(), until: new Date(end).toISOString() };
}

/** A reason of an answer in words. */
export const reasonInWords = (reason: string): string => reasonWords[reason] ?? reason;

/**
 * Puts the questions of a flag into days and series.
 * @param points of days in UTC; days without questions are left out.
 * @param until the end of the last day, or a time in it.
 */
export function usageChart(points: readonly UsagePoint[], length: number, until: Date): UsageChart {
  const totals = new Map<string, number>();
  for (const { reasons } of points) {
    for (const [reason, count] of Object.entries(reasons)) totals.set(reason, (totals.get(reason) ?? 0) + count);
  }
  const ranked = [...totals].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
  // Four reasons need no series for others.
  const own = ranked.slice(0, ranked.length === namedSeries + 1 ? namedSeries + 1 : namedSeries);
  const others = ranked.slice(own.length);
  const series = own.map(([reason, count]) => ({ name: reasonInWords(reason), count }));
  if (others.length > 0)
    series.push({ name: 'Other reasons', count: others.reduce((sum, [, count]) => sum + count, 0) });
  const byDay = new Map(points.map(point => [new Date(point.at).getTime(), point]));
  const lastDay = Math.floor(until.getTime() / dayLength) * dayLength;
  const days = Array.from({ length }, (_, index) => {
    const time = lastDay - (length - 1 - index) * dayLength;
    const { count = 0, reasons = {} } = byDay.get(time) ?? {};
    const named = own.map(([reason]) => reasons[reason] ?? 0);
    const rest = count - named.reduce((sum, part) => sum + part, 0);
    return { at: new Date(time), count, parts: others.length > 0 ? [...named, rest] : named };
  });
  const total = days.reduce((sum, { count }) => sum + count, 0);
  return { series, days, total, top: roundedUp(Math.max(1, ...days.map(({ count }) => count))) };
}

/** The next of 1, 2, 3, 4, 5, 6, 8, 10, 20 and so on. */
function roundedUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 3, 4, 5, 6, 8].find(factor => factor * power >= value) ?? 10;
  return step * power;
}
