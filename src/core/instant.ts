import { bounded } from './text.js';

/** The longest form has 35 characters. */
const instantPattern = bounded(
  /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?:Z|([+-])(\d\d)(?::?(\d\d))?)?)?$/,
  35,
);

const minute = 60_000;
/** The calendar repeats after 400 years; adding them keeps `Date.UTC` from reading the years 0 to 99 as 1900 to 1999. */
const cycleYears = 400;
const cycle = 146_097 * 24 * 60 * minute;

/**
 * Reads an ISO 8601 date or instant: `2024-01-31`, `2024-01-31T09:30`, `2024-01-31T09:30:15.250+02:00`. A date alone is
 * its midnight in UTC, an instant without an offset is in UTC.
 * @returns milliseconds since the epoch, with a fraction if the text has one. NaN if the text has another form, or if the
 *   day or time does not exist.
 */
export function parseInstant(text: string): number {
  const match = instantPattern.exec(text);
  if (match === null) return Number.NaN;
  const [, year = '', month = '', day = '', hours = '0', minutes = '0', seconds = '0', fraction = '0'] = match;
  const [sign, offsetHours = '0', offsetMinutes = '0'] = match.slice(8);
  if (+hours > 23 || +minutes > 59 || +seconds > 59 || +offsetHours > 23 || +offsetMinutes > 59) return Number.NaN;
  if (+day < 1 || +day > daysIn(+year, +month)) return Number.NaN;
  const midnight = Date.UTC(+year + cycleYears, +month - 1, +day);
  const offset = (+offsetHours * 60 + +offsetMinutes) * minute * (sign === '-' ? -1 : 1);
  const milliseconds = +seconds * 1000 + +fraction.padEnd(9, '0') / 1e6;
  return midnight - cycle + (+hours * 60 + +minutes) * minute + milliseconds - offset;
}

/** The number of days in a month; 0 if there is no such month. */
function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0;
}
