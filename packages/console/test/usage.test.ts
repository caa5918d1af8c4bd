import { describe, expect, it } from 'vitest';
import { lastDays, type UsagePoint, usageChart } from '../src/words/usage.js';

const until = new Date('2026-11-27T10:00:00Z');
const point = (day: number, reasons: Record<string, number>): UsagePoint => ({
  at: `2026-11-${day}T00:00:00.000Z`,
  count: Object.values(reasons).reduce((sum, count) => sum + count, 0),
  reasons,
});

describe('the chart of usage', () => {
  it('has every day of the time, also those without questions', () => {
    const chart = usageChart([point(25, { ENABLED: 3 }), point(27, { ENABLED: 4 })], 4, until);
    expect(chart.days.map(({ at, count }) => [at.toISOString().slice(0, 10), count])).toEqual([
      ['2026-11-24', 0],
      ['2026-11-25', 3],
      ['2026-11-26', 0],
      ['2026-11-27', 4],
    ]);
    expect(chart).toMatchObject({ total: 7, top: 4, series: [{ name: 'On for everyone', count: 7 }] });
  });

  it('has up to four series, the greatest first, and the rest in the last one', () => {
    const four = { ROLLOUT: 40, OUTSIDE_ROLLOUT: 60, OVERRIDE: 3, RULE: 20 };
    expect(usageChart([point(27, four)], 1, until).series.map(({ name }) => name)).toEqual([
      'Outside the rollout',
      'In the rollout',
      'Rule',
      'Override',
    ]);
    const chart = usageChart([point(27, { ...four, USER_REQUIRED: 2 })], 1, until);
    expect(chart.series.at(-1)).toEqual({ name: 'Other reasons', count: 5 });
    expect(chart.days[0]?.parts).toEqual([60, 40, 20, 5]);
  });

  it.each([
    [0, 1],
    [1, 1],
    [3, 3],
    [5, 5],
    [7, 8],
    [11, 20],
    [4_816, 5_000],
  ])('has a round scale: %i is below %i', (count, top) => {
    expect(usageChart(count === 0 ? [] : [point(27, { ENABLED: count })], 1, until).top).toBe(top);
  });

  it('asks for whole days, of which the last is the present one', () => {
    expect(lastDays(30, until.getTime())).toEqual({
      since: '2026-10-29T00:00:00.000Z',
      until: '2026-11-28T00:00:00.000Z',
    });
  });
});
