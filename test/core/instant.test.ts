import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseInstant } from '../../src/core/instant.js';

describe('parseInstant', () => {
  it('reads the output of Date', () => {
    const dates = fc.date({
      min: new Date('0000-01-01T00:00:00Z'),
      max: new Date('9999-12-31T23:59:59.999Z'),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(dates, date => {
        expect(parseInstant(date.toISOString())).toBe(date.getTime());
      }),
      { numRuns: 1_000 },
    );
  });

  it('knows which days exist, over four centuries and more', () => {
    const two = (part: number) => String(part).padStart(2, '0');
    for (const year of [0, 4, 99, 100, 1600, 1900, 1999, 2000, 2023, 2024, 2100, 2400, 9999]) {
      for (let month = 0; month <= 13; month++) {
        for (let day = 0; day <= 32; day++) {
          const text = `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}`;
          const date = new Date(`${text}T00:00:00Z`);
          const exists = !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
          expect([text, parseInstant(text)]).toEqual([text, exists ? date.getTime() : Number.NaN]);
        }
      }
    }
  });

  it.each([
    ['2024-01-31T09:30', '2024-01-31T09:30:00Z'],
    ['2024-01-31T09:30:15,25', '2024-01-31T09:30:15.250Z'],
    ['2024-01-31T09:30+05:30', '2024-01-31T04:00:00Z'],
    ['2024-01-31T09:30:00-0130', '2024-01-31T11:00:00Z'],
    ['2024-01-31T09:30:00+02', '2024-01-31T07:30:00Z'],
  ])('takes %s for %s', (text, same) => {
    expect(parseInstant(text)).toBe(Date.parse(same));
  });

  it.each([
    '',
    '2024',
    '2024-01',
    '20240131',
    '2024-01-31 09:30',
    '2024-01-31T09',
    '2024-01-31T09:30z',
    '2024-01-31T24:00',
    '2024-01-31T09:60',
    '2024-01-31T09:30:60',
    '2024-01-31T09:30+24:00',
    '2024-01-31T09:30+02:60',
    '2024-01-31Z',
    ' 2024-01-31',
    '2024-01-31\n',
    '+2024-01-31',
    '٢٠٢٤-01-31',
  ])('takes %j for no instant', text => {
    expect(parseInstant(text)).toBeNaN();
  });
});
